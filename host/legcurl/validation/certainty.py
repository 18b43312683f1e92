"""How sure a figure is, from how much it was measured on: 95 % intervals.

Proportions of recordings have Wilson intervals. Figures over reps (found reps, errors of times)
have bootstrap intervals over recordings, because the reps of one recording are alike; the
resampling is seeded, so that the same folder always gives the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, sqrt
from random import Random
from typing import TypeVar

Z_95 = 1.959964
RESAMPLINGS = 2000
SEED = 20_000

Interval = tuple[float, float]
_T = TypeVar("_T")


def wilson(right: int, of: int) -> Interval:
    """95 % interval of a proportion (Wilson 1927); 0 to 1 of nothing."""
    if of == 0:
        return 0.0, 1.0
    z2 = Z_95 * Z_95
    p = right / of
    middle = p + z2 / (2 * of)
    spread = Z_95 * sqrt(p * (1 - p) / of + z2 / (4 * of * of))
    whole = 1 + z2 / of
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def bootstrap(
    recordings: Sequence[_T], figure: Callable[[Sequence[_T]], float | None]
) -> Interval | None:
    """95 % interval of a figure by resampling recordings; None where they do not differ.

    Recordings that are all alike (each lift listed) say nothing of those that are not there.
    `figure` may give None for a sample that has none; such samples are left out.
    """
    if len(recordings) < 2:
        return None
    rng = Random(SEED)
    found = [
        value
        for _ in range(RESAMPLINGS)
        if (value := figure(rng.choices(recordings, k=len(recordings)))) is not None
    ]
    if not found or min(found) == max(found):
        return None
    return quantile(found, 0.025), quantile(found, 0.975)


def quantile(values: Sequence[float], q: float) -> float:
    """Linear between order statistics. Raises ValueError of nothing."""
    if not values:
        raise ValueError("Nothing has no quantile.")
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low = floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


@dataclass(frozen=True, slots=True)
class SampleSize:
    """What so many sets can show: the interval where all are right, and where one is wrong."""

    sets: int
    all_right: Interval
    one_wrong: Interval


def sample_size(sets: int) -> SampleSize:
    """The row of docs/validate.md for so many sets."""
    return SampleSize(sets, wilson(sets, sets), wilson(sets - 1, sets))

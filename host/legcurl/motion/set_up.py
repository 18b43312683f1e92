"""Motion around the lifter's own reps: adjusting the machine, getting in and out.

Every lift is listed. What is not one looks different from this lifter's own reps: it is not held
and much faster, as no muscle under that load is; or, before the first rep, it is low and does not
lead straight into the next lift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure_rep import Attempt

HURRIED, HURRIED_FULL = 1.7, 2.2
"""This many times the lifter's usual speed is set-up motion; the second if it is full size
(docs/detection.md)."""

FULL_SIZE = 0.85
"""Fraction of the usual height that is full size."""

NOT_HELD_S = 0.3
"""A top held no longer than this is not held, in s."""

OWN_REPS = 3
"""So many attempts say what is usual."""

REPS_AFTER = 2
"""So many lifts of full size after the last rep are reps, however fast: a lifter who fails slowly
goes on with less weight. Getting out is one swing."""

LOW = 0.55
"""Fraction of the range below which a lift may only test the weight."""

AT_ONCE_S, AT_ONCE_RESTS = 1.1, 1.5
"""A lift leads straight into the next one if the rest between them is no longer than this, in s,
and so many times the lifter's own rest between reps."""


@dataclass(frozen=True, slots=True)
class OwnReps:
    """What this lifter's reps are like: speed (°/s) and height (°)."""

    speed_deg_s: float
    height_deg: float

    def unlike(self, attempt: Attempt) -> bool:
        """Whether an attempt is not held and too fast to be one of them."""
        if attempt.hold_s > NOT_HELD_S:
            return False
        hurried = HURRIED_FULL if self.full_size(attempt) else HURRIED
        return attempt.speed_deg_s > hurried * self.speed_deg_s

    def full_size(self, attempt: Attempt) -> bool:
        """Whether an attempt is as high as they are."""
        return attempt.height_deg >= FULL_SIZE * self.height_deg


def own_reps(attempts: Sequence[Attempt]) -> OwnReps | None:
    """What is usual among the attempts of a set; None while there are too few."""
    if len(attempts) < OWN_REPS:
        return None
    heights = sorted(a.height_deg for a in attempts)
    height = median(heights[-max(OWN_REPS, len(heights) // 2) :])
    large = [a.speed_deg_s for a in attempts if a.height_deg >= height / 2]
    return OwnReps(median(large), height) if len(large) >= OWN_REPS else None


def without_set_up(attempts: Sequence[Attempt]) -> range:
    """Positions from the first attempt that looks like a rep to the last."""
    first, end = 0, len(attempts)
    own = own_reps(attempts)
    if own is not None:
        while first < end - 1 and own.unlike(attempts[first]):
            first += 1
        while end - 1 > first and own.unlike(attempts[end - 1]):
            end -= 1
        if sum(own.full_size(attempt) for attempt in attempts[end:]) >= REPS_AFTER:
            end = len(attempts)
    return range(first, end)


def after_tests(attempts: Sequence[Attempt], reps: range, lifter: LifterRange) -> range:
    """The same without leading lifts that only test the weight."""
    first = reps.start
    while first < reps.stop - 1:
        attempt, following = attempts[first], attempts[first + 1]
        height = max(lifter.fraction(attempt.top_deg), attempt.height_deg / lifter.rom_deg)
        rests = [b.start_s - a.end_s for a, b in pairwise(attempts[first + 1 : reps.stop])]
        own_s = median(rests) if rests else 0.0
        higher = any(lifter.fraction(a.top_deg) >= LOW for a in attempts[first + 1 : reps.stop])
        rested_s = following.start_s - attempt.end_s
        if height >= LOW or not higher or rested_s <= AT_ONCE_S + AT_ONCE_RESTS * own_s:
            break
        first += 1
    return range(first, reps.stop)

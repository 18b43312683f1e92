"""The lifter's own range of motion: what several of his reps support.

In: the attempts of a set so far, and a calibrated range if there is one. Out: the range that all
fractions refer to. It is asked again after every attempt and always about all of them, so what
one rep taught is applied to the reps before it. No single lift moves it where others agree, and it
does not shrink as a lifter tires, because it is the highest level that is supported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from legcurl.motion.measure_rep import Attempt

MIN_LEARNT_ROM_DEG = 12.0
"""A range learnt from motion alone is at least this, in degrees (the smallest ROM is 15°)."""

SURELY_ROM_DEG = 30.0
"""Below this, in degrees, motion is a range only if several attempts agree: fidgets do not."""

AGREE = 0.08
"""Tops within this fraction of each other's height agree: a lifter's tops vary by 2 to 4 %."""

AGREE_DEG = 2.5
"""... or within so many degrees, of a small range."""

SEVERAL = 3
"""So many agreeing attempts outweigh one that does not; and the first so many of those that agree
settle the range, as later ones are tired (Steele et al. 2017 take the first three repetitions as
the reference for velocity)."""

FRESH_OF = 60
"""The first so many attempts settle the range: more than any set has. Bounds the work."""

FRESH_REACH = 1.02
"""A fresh lifter's tops lie this much beyond the range that he shows when asked (median over the
first reps of calibrated sets)."""

HELD_S = 0.5
"""A top held this long was meant, in s; a swing of the empty lever is not held."""

CALIBRATION_LOW, CALIBRATION_HIGH = 0.93, 1.10
"""A calibration is another lifter's when the tops agree with each other and lie outside these
fractions of it: a lifter's own tops lie at 0.98 to 1.08 of his calibration."""

CALIBRATION_BOTTOM = 0.10
"""... or when his reps begin this fraction of the range away from the calibrated bottom, upwards.
Below it says nothing: the machine's own stop lies there."""


@dataclass(frozen=True, slots=True)
class LifterRange:
    """Extended and flexed end, in degrees of flexion on the tracker's axis."""

    extended: float
    flexed: float
    source: Literal["calibrated", "learnt"]

    @property
    def rom_deg(self) -> float:
        """Range of motion in degrees."""
        return self.flexed - self.extended

    def fraction(self, angle: float) -> float:
        """Where in the range an angle lies: 0 extended, 1 flexed."""
        return (angle - self.extended) / (self.flexed - self.extended)


def settle_range(attempts: Sequence[Attempt], calibrated: LifterRange | None) -> LifterRange | None:
    """The range that these attempts of one set, in order, refer to; None while unknown.

    `attempts` are those that look like reps: set-up motion is left out by the caller.
    """
    support = _highest_supported(attempts)
    if calibrated is None:
        return None if support is None else _range_of(support)
    if support is None or not _refute(support, calibrated):
        return calibrated
    return _range_of(support)


def _highest_supported(attempts: Sequence[Attempt]) -> list[Attempt] | None:
    """The first attempts that agree on the highest level that is not one lift's alone."""
    moved = [a for a in attempts[:FRESH_OF] if a.height_deg >= MIN_LEARNT_ROM_DEG]
    for highest in sorted(moved, key=lambda a: -a.top_deg):
        near = max(AGREE * highest.height_deg, AGREE_DEG)
        alike = [a for a in moved if 0 <= highest.top_deg - a.top_deg <= near]
        if len(alike) == 1 and _outvoted(highest, moved):
            continue
        if highest.height_deg < SURELY_ROM_DEG and len(alike) < SEVERAL:
            continue
        return alike[:SEVERAL]
    return None


def _outvoted(highest: Attempt, moved: Sequence[Attempt]) -> bool:
    """Whether several others agree with each other on a lower level."""
    lower = [a for a in moved if a.top_deg < highest.top_deg]
    return any(
        sum(abs(b.top_deg - a.top_deg) <= AGREE / 2 * a.height_deg for b in lower) >= SEVERAL
        for a in lower
    )


def supported_bottom(attempts: Sequence[Attempt]) -> float | None:
    """The lowest level that two reps, or the only one, began from."""
    moved = [a for a in attempts if a.height_deg >= MIN_LEARNT_ROM_DEG]
    levels = sorted(a.bottom_deg for a in moved)
    if len(levels) < 2:
        return levels[0] if levels else None
    near = max(AGREE * max(a.height_deg for a in moved), AGREE_DEG)
    agreed = (high for low, high in pairwise(levels) if high - low <= near)
    return next(agreed, levels[1])


def _range_of(support: Sequence[Attempt]) -> LifterRange:
    extended = median(a.bottom_deg for a in support)
    flexed = median(a.top_deg for a in support)
    return LifterRange(extended, extended + (flexed - extended) / FRESH_REACH, "learnt")


def _refute(support: Sequence[Attempt], calibrated: LifterRange) -> bool:
    """Whether what the lifter does says that the calibration is another lifter's."""
    held = sum(a.hold_s >= HELD_S for a in support)
    if len(support) < SEVERAL and held < SEVERAL - 1:
        return False
    shown = _range_of(support)
    fits = CALIBRATION_LOW <= calibrated.fraction(shown.flexed) <= CALIBRATION_HIGH
    return not fits or calibrated.fraction(shown.extended) > CALIBRATION_BOTTOM

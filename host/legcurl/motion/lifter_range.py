"""The lifter's own range of motion: from a calibration, from his reps, or corrected by them.

In: the attempts of a set so far, and a calibrated range if there is one. Out: the range that all
fractions refer to. It is asked again after every attempt and always about all of them, so what
one rep taught is applied to the reps before it; and it never shrinks as a lifter tires, because
the attempts that settle it are the first that agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from legcurl.motion.measure_rep import Attempt

MIN_LEARNT_ROM_DEG = 30.0
"""A range learnt from motion alone is at least this, in degrees: below it are fidgets (the
shortest lifters move 45°)."""

AGREE = 0.08
"""Tops within this fraction of each other's height agree: a lifter's tops vary by 2 to 4 %."""

FIRST = 3
"""So many agreeing attempts settle the range; later ones are tired (Steele et al. 2017 take the
first three repetitions as the reference for velocity)."""

OUTGROWN = 1.12
"""A range is refuted by tops this far beyond it: what was taken for it was a test of the weight."""

FRESH_REACH = 1.02
"""A fresh lifter's tops lie this much beyond the range that he shows when asked (median over the
first reps of calibrated sets)."""

HELD_S = 0.5
"""A top held this long was meant, in s; a swing of the empty lever is not held."""

CALIBRATION_LOW, CALIBRATION_HIGH = 0.93, 1.10
"""A calibration is another lifter's when the first held tops agree with each other and lie outside
these fractions of it: a lifter's own tops lie at 0.98 to 1.08 of his calibration."""

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
    """The range that these attempts of one set, in order, refer to; None while nobody knows."""
    learnt = learn_range(attempts)
    if calibrated is None:
        return None if learnt is None else learnt.range
    if learnt is None or not learnt.sure:
        return calibrated
    top = calibrated.fraction(learnt.range.flexed)
    bottom = calibrated.fraction(learnt.range.extended)
    if CALIBRATION_LOW <= top <= CALIBRATION_HIGH and bottom <= CALIBRATION_BOTTOM:
        return calibrated
    return learnt.range


@dataclass(frozen=True, slots=True)
class Learnt:
    """A range taught by attempts, the first of them, and whether two held tops agree on it."""

    range: LifterRange
    first: int  # position of the first full attempt
    sure: bool


def learn_range(attempts: Sequence[Attempt]) -> Learnt | None:
    """The earliest range that the attempts after it do not refute.

    Attempts before the one that begins it are tests of the weight. It is refuted by tops far
    beyond it, and gives way to a later one that explains more attempts only where it rests on a
    single top that nothing repeated.
    """
    best: Learnt | None = None
    best_full = 0
    for first, candidate in enumerate(attempts):
        if candidate.height_deg < MIN_LEARNT_ROM_DEG:
            continue
        alike = [
            a
            for a in attempts[first:]
            if abs(a.height_deg - candidate.height_deg) <= AGREE * candidate.height_deg
        ][:FIRST]
        flexed = median(a.top_deg for a in alike)
        extended = median(a.bottom_deg for a in alike)
        if flexed - extended < MIN_LEARNT_ROM_DEG:
            continue
        chosen = LifterRange(extended, extended + (flexed - extended) / FRESH_REACH, "learnt")
        beyond = sum(chosen.fraction(a.top_deg) > OUTGROWN for a in attempts[first + 1 :])
        if beyond:
            continue
        held = sum(a.hold_s >= HELD_S for a in alike)
        full = sum(0.90 <= chosen.fraction(a.top_deg) <= OUTGROWN for a in attempts[first:])
        found = Learnt(chosen, first, sure=held >= 2)
        if best is None or (
            best_full == 1 and full >= 2 and held >= 2 and candidate.hold_s >= HELD_S
        ):
            best, best_full = found, full
    return best

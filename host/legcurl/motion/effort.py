"""Failed or chosen: what an ascent and the descent after it say about trying.

A chosen turn brakes within a tenth of a second, stands, and comes down as every rep before it. A
failure decays, creeps, falls short of what the lifter did a moment ago, and the weight goes down at
once, often fast. No one of these decides: each is worth some log odds, and the sum does. The
figures are against what is usual for this lifter in this set, so they hold at any tempo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median

from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure_rep import Attempt

USUAL_OF = 3
"""The first so many reps say what is usual for this lifter today (Steele et al. 2017)."""

CREEP_FRACTION = 0.35
"""Creeping is rising slower than this fraction of the lifter's usual speed (docs/detection.md)."""

LOOK_S = 0.04
"""Time between two looks of the attempt finder, in s."""

SETTING_OFF_LOOKS = 8
"""The first 0.3 s of an ascent are slow because it begins, not because it fails."""

SOME_CREEP_S = 0.2
"""Who creeps for less than this has not struggled, in s: a chosen turn brakes within 0.1 s."""

DROP, DROP_DEG_S = 1.4, 60.0
"""Coming down this much faster than usual, or this fast, is dropping: a lifter who still resists
does not let the weight do that (eccentrics are 10 to 35 °/s; the usual varies by 20 %)."""

SHORT = 0.08
"""Who comes within this fraction of the range of what he did a rep ago has not failed, unless the
weight drops: tops vary by 2 to 4 %, and unloaded people who slow down at the top look the same."""

BIAS = -5.0
CREEP_WORTH, DECAY_WORTH, DROP_WORTH = 0.8, 1.9, 1.2
SHORT_WORTH, SLOW_WORTH, FLAT_WORTH = 11.5, -2.6, -1.2
"""Log odds of a failure: before anything is seen; per log of the time spent creeping, of the decay,
of the speed of the descent; per range by which it falls short of the rep before; per log of the
speed of the ascent; and per second that it stood at its top, if it did not drop from there. Fitted
on lifters of three simulators, with each left out in turn, and rounded."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The figures of one attempt, against what is usual."""

    creep_s: float  # time spent rising below 35 % of the usual speed
    slowed: float  # mean speed over the usual
    rose: float  # the same until within 1° of the top
    decay: float  # second half of the ascent over the first, in time
    dropped: float  # speed of the descent over the usual
    record: float  # speed of the descent over the fastest of the set before it
    descent_deg_s: float
    flat_s: float  # time that it stood within 1° of its top
    shortfall: float  # of the rep before it, as a fraction of the range

    @property
    def dropping(self) -> bool:
        """Whether the weight came down faster than a lifter lets it."""
        return self.dropped > DROP or self.descent_deg_s > DROP_DEG_S

    @property
    def fell_short(self) -> bool:
        """Whether it was less than the rep before, or ended in a drop."""
        return self.shortfall >= SHORT or self.dropped > DROP

    @property
    def failing(self) -> float:
        """Log odds that the lifter could not, rather than would not, go on."""
        return self._failing(self.dropped)

    @property
    def failing_at_most(self) -> float:
        """The same log odds if the weight were dropped from here."""
        return self._failing(max(self.dropped, 10.0))

    def _failing(self, dropped: float) -> float:
        stood_s = min(self.flat_s, 2.5) if dropped < DROP else 0.0
        return (
            BIAS
            + CREEP_WORTH * _log_within(-0.7, (self.creep_s + 0.3) / 0.6, 2.0)
            + DECAY_WORTH * _log_within(-0.5, self.decay, 1.2)
            + DROP_WORTH * _log_within(-0.7, dropped, 2.3)
            + SHORT_WORTH * min(max(self.shortfall, -0.1), 0.3)
            + SLOW_WORTH * _log_within(-2.0, self.rose, 0.2)
            + FLAT_WORTH * stood_s
        )


def effort_of(
    attempt: Attempt, usual: Sequence[Attempt], before: Attempt, lifter: LifterRange
) -> Effort:
    """Measure an attempt against this lifter's reps so far (not empty) and the last of them."""
    first = usual[:USUAL_OF]
    speed = max(median(a.speed_deg_s for a in first), 1.0)
    descent = max(median(a.descent_deg_s for a in first), 1.0)
    ascent = attempt.ascent
    creeping = sum(v < CREEP_FRACTION * speed for v in ascent.velocities[SETTING_OFF_LOOKS:])
    return Effort(
        creep_s=creeping * LOOK_S,
        slowed=attempt.speed_deg_s / speed,
        rose=attempt.rising_deg_s / max(median(a.rising_deg_s for a in first), 1.0),
        decay=ascent.second_half_s / max(ascent.first_half_s, LOOK_S),
        dropped=attempt.descent_deg_s / descent,
        record=attempt.descent_deg_s / max(*(a.descent_deg_s for a in usual), 1.0),
        descent_deg_s=attempt.descent_deg_s,
        flat_s=attempt.flat_s,
        shortfall=(before.top_deg - attempt.top_deg) / lifter.rom_deg,
    )


def _log_within(least: float, ratio: float, most: float) -> float:
    return min(max(log(max(ratio, 0.01)), least), most)

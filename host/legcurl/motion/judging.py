"""What each attempt of a set was: completed, failed, partial, or no rep at all.

In: the measured attempts of one set in order, and the lifter's range. Out: a verdict for each.
It is asked again after every attempt and about all of them; what changes is a correction. No
state, so the same attempts always give the same set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure import Attempt

FULL_ROM = 0.90
"""Fraction of the range that makes a rep full (docs/detection.md)."""

REACHED_TOP = 0.95
"""Fraction from which the top counts as reached: a failure beyond it is one in the hold."""

HOLD_TARGET_S = 3.0
"""The squeeze that the method asks for, in s."""

CREEP_FRACTION = 0.35
"""Creeping is rising slower than this fraction of the lifter's usual speed (docs/detection.md)."""

LOOK_S = 0.04
"""Time between two looks of the attempt finder, in s."""

SETTING_OFF_LOOKS = 8
"""The first 0.3 s of an ascent are slow because it begins, not because it fails."""

USUAL_OF = 3
"""The first so many completed reps say what is usual for this lifter today."""

PARTIAL_FRACTION = 0.25
"""A chosen turn below this is putting the weight down or testing it, not a partial rep."""

FAILED_FRACTION = 0.08
"""Lower than this nothing was lifted, so nothing failed."""

SLOWED, DROPPED = 0.5, 2.0
"""A weight that sank at full effort: the lift took twice its usual time, as the last completed
rep does (0.47 of the first three reps' speed, docs/detection.md), and it came down at twice the
usual speed, which a lifter who still resists does not let it."""

Verdict = Literal["not_a_rep", "completed", "partial", "failed_mid_lift", "failed_in_hold"]


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for this lifter today, from the first completed reps."""

    speed_deg_s: float
    descent_deg_s: float
    concentric_s: float


@dataclass(frozen=True, slots=True)
class Effort:
    """What an ascent and the descent after it say about trying and failing."""

    creep_s: float  # time spent rising below 35 % of the usual speed
    slowed: float  # mean speed over the usual
    halves: float  # second half of the ascent over the first, in time
    dropped: float  # speed of the descent over the usual


@dataclass(frozen=True, slots=True)
class Judged:
    """An attempt with its verdict."""

    attempt: Attempt
    verdict: Verdict
    fraction: float
    effort: Effort | None = None


def judge(attempts: Sequence[Attempt], lifter: LifterRange | None) -> list[Judged]:
    """Say what each attempt was."""
    judged: list[Judged] = []
    if lifter is None:
        return [Judged(attempt, "not_a_rep", 0.0) for attempt in attempts]
    completed: list[Attempt] = []
    for attempt in attempts:
        fraction = lifter.fraction(attempt.top_deg)
        usual = usual_of(completed)
        if usual is None:
            verdict: Verdict = "completed" if fraction >= FULL_ROM else "not_a_rep"
            effort = None
        else:
            effort = effort_of(attempt, usual)
            verdict = _verdict(fraction, effort, attempt)
        if verdict in ("completed", "failed_in_hold"):
            completed.append(attempt)
        judged.append(Judged(attempt, verdict, fraction, effort))
    return _settle_failures_in_the_hold(judged)


def usual_of(completed: Sequence[Attempt]) -> Usual | None:
    """What is usual, or None before the first completed rep."""
    first = completed[:USUAL_OF]
    if not first:
        return None
    return Usual(
        speed_deg_s=median(a.speed_deg_s for a in first),
        descent_deg_s=max(median(a.descent_deg_s for a in first), 1.0),
        concentric_s=median(a.concentric_s for a in first),
    )


def effort_of(attempt: Attempt, usual: Usual) -> Effort:
    """Measure an attempt against what is usual."""
    slow = CREEP_FRACTION * usual.speed_deg_s
    ascent = attempt.ascent
    creeping = sum(v < slow for v in ascent.velocities[SETTING_OFF_LOOKS:])
    return Effort(
        creep_s=creeping * LOOK_S,
        slowed=attempt.speed_deg_s / usual.speed_deg_s,
        halves=ascent.second_half_s / max(ascent.first_half_s, LOOK_S),
        dropped=attempt.descent_deg_s / usual.descent_deg_s,
    )


def failed_mid_lift(effort: Effort) -> bool:
    """Whether an ascent that did not reach the top was one that could not."""
    return effort.creep_s >= 1.0


def could_fail(fraction: float, effort: Effort) -> bool:
    """Whether an attempt can still turn out a failure, whatever its descent shows."""
    return failed_mid_lift(effort) if fraction < REACHED_TOP else effort.slowed < SLOWED


def _verdict(fraction: float, effort: Effort, attempt: Attempt) -> Verdict:
    if fraction >= REACHED_TOP:
        return "failed_in_hold" if _sank(effort) else "completed"
    if fraction >= FAILED_FRACTION and failed_mid_lift(effort):
        return "failed_mid_lift"
    if fraction >= FULL_ROM:
        return "completed"
    return "partial" if fraction >= PARTIAL_FRACTION else "not_a_rep"


def _sank(effort: Effort) -> bool:
    """Whether the weight fell from the top after a lift that took all there was."""
    return effort.slowed < SLOWED and effort.dropped > DROPPED


def _settle_failures_in_the_hold(judged: list[Judged]) -> list[Judged]:
    """A lifter who completes another rep had not failed in the hold before it."""
    last = max((i for i, j in enumerate(judged) if j.verdict == "completed"), default=-1)
    return [
        Judged(j.attempt, "completed", j.fraction, j.effort)
        if j.verdict == "failed_in_hold" and i < last
        else j
        for i, j in enumerate(judged)
    ]

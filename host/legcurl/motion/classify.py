"""What each attempt of a set was: completed, failed, partial, or no rep at all.

In: the measured attempts of one set in order, and the lifter's range. Out: a verdict for each.
It is asked again after every attempt and about all of them; what changes is a correction. No
state, so the same attempts always give the same set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure_rep import Attempt

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

LEAVING_FRACTION = 0.5
"""After a failure a chosen turn below this is getting out of the machine, not another attempt."""

STRONG_CREEP_S = 1.0
SOME_CREEP_S = 0.2
"""Creeping for so long is trying and not getting on, in s. A chosen turn brakes within 0.1 s; the
shorter figure asks for a drop as well."""

DECAY = 1.25
"""Second half of the ascent over the first, in time: an even lift has 1, one that a lifter cuts
short 0.8 to 1.3, one that decays 1.4 and more."""

DROP = 1.4
DROP_DEG_S = 60.0
"""Coming down this much faster than usual, or this fast, is dropping: nobody who still resists
lets the weight do that (eccentrics are 10 to 35 °/s; the usual varies by 20 %)."""

NEAR_FULL = 0.88
"""From this fraction on the range is too uncertain to call a failure without a drop: learnt or
calibrated, its ends are known to a few per cent."""

LOW = 0.25
"""Below this fraction a failure looks like fidgeting, so the set must speak for it too: the rep
before was slow, or there was no pause."""

TIRED = 0.8
"""Speed over the usual, of a lifter who is tiring (0.73 two reps before failure)."""

NO_PAUSE_S = 3.0
"""An attempt this soon after a rep is one more try, in s: hands leave a machine more slowly."""

BARELY = 0.12
"""Below this fraction it is believed only of a tired lifter who did not pause at all."""

SANK_SLOWED, SANK_DROPPED = 0.45, 1.5
"""A weight that sank from the top at full effort: the lift took more than twice its usual time, as
the last completed rep does (0.47 of the first three reps' speed), and it came down this much
faster than any rep before it in the set."""

DIP_HOLD_S, MEANT_HOLD_S, DIP_PAUSE_S = 0.3, 1.0, 1.5
"""A full excursion that was not held, with a pause after it, before reps that are all held, is
adjusting the machine: "motion before the first full rep" (docs/detection.md), in s."""

Verdict = Literal["not_a_rep", "completed", "partial", "failed_mid_lift", "failed_in_hold"]


@dataclass(frozen=True, slots=True)
class Effort:
    """What an ascent and the descent after it say about trying and failing."""

    creep_s: float  # time spent rising below 35 % of the usual speed
    slowed: float  # mean speed over the usual
    decay: float  # second half of the ascent over the first, in time
    dropped: float  # speed of the descent over the usual
    record: float  # speed of the descent over the fastest of the set before it
    descent_deg_s: float

    @property
    def dropping(self) -> bool:
        """Whether the weight came down faster than a lifter lets it."""
        return self.dropped > DROP or self.descent_deg_s > DROP_DEG_S


@dataclass(frozen=True, slots=True)
class Judged:
    """An attempt with its verdict."""

    attempt: Attempt
    verdict: Verdict
    fraction: float
    effort: Effort | None = None


def judge(attempts: Sequence[Attempt], lifter: LifterRange | None) -> list[Judged]:
    """Say what each attempt was."""
    if lifter is None:
        return [Judged(attempt, "not_a_rep", 0.0) for attempt in attempts]
    judged: list[Judged] = []
    completed: list[Attempt] = []
    first = _after_setting_up(attempts, lifter)
    for number, attempt in enumerate(attempts):
        fraction = lifter.fraction(attempt.top_deg)
        effort = None
        if number < first or (not completed and fraction < FULL_ROM):
            verdict: Verdict = "not_a_rep"
        elif not completed:
            verdict = "completed"
        else:
            effort = effort_of(attempt, completed)
            verdict = _verdict(fraction, effort)
            if verdict == "partial" and fraction < LEAVING_FRACTION and _has_failed(judged):
                verdict = "not_a_rep"
            low = verdict == "failed_mid_lift" and fraction < LOW
            if low and not _expected(attempt, fraction, completed, judged):
                verdict = "not_a_rep"
        if verdict in ("completed", "failed_in_hold"):
            completed.append(attempt)
        judged.append(Judged(attempt, verdict, fraction, effort))
    return _settle_failures_in_the_hold(judged)


def effort_of(attempt: Attempt, completed: Sequence[Attempt]) -> Effort:
    """Measure an attempt against what is usual in this set; `completed` must not be empty."""
    usual = completed[:USUAL_OF]
    speed = median(a.speed_deg_s for a in usual)
    descent = max(median(a.descent_deg_s for a in usual), 1.0)
    ascent = attempt.ascent
    slow = CREEP_FRACTION * speed
    creeping = sum(v < slow for v in ascent.velocities[SETTING_OFF_LOOKS:])
    return Effort(
        creep_s=creeping * LOOK_S,
        slowed=attempt.speed_deg_s / speed,
        decay=ascent.second_half_s / max(ascent.first_half_s, LOOK_S),
        dropped=attempt.descent_deg_s / descent,
        record=attempt.descent_deg_s / max(*(a.descent_deg_s for a in completed), 1.0),
        descent_deg_s=attempt.descent_deg_s,
    )


def could_fail(fraction: float, effort: Effort) -> bool:
    """Whether an attempt can still turn out a failure, whatever its descent shows."""
    if fraction >= REACHED_TOP:
        return effort.slowed < SANK_SLOWED and effort.decay > DECAY
    return _struggled(effort)


def _struggled(effort: Effort) -> bool:
    """Whether the ascent decayed into a creep, or crept all the way."""
    some = effort.creep_s >= SOME_CREEP_S and effort.decay >= DECAY
    return some or effort.creep_s >= STRONG_CREEP_S


def _verdict(fraction: float, effort: Effort) -> Verdict:
    if fraction >= REACHED_TOP:
        sank = could_fail(fraction, effort) and effort.record > SANK_DROPPED and effort.dropping
        return "failed_in_hold" if sank else "completed"
    if _failed_mid_lift(fraction, effort):
        return "failed_mid_lift"
    if fraction >= FULL_ROM:
        return "completed"
    return "partial" if fraction >= PARTIAL_FRACTION else "not_a_rep"


def _failed_mid_lift(fraction: float, effort: Effort) -> bool:
    """Whether an ascent that did not reach the top was one that could not."""
    if fraction >= NEAR_FULL:
        return effort.dropped > DROP and _struggled(effort)
    if effort.dropping:
        return _struggled(effort)
    return effort.creep_s >= STRONG_CREEP_S and effort.decay >= DECAY


def _expected(
    attempt: Attempt, fraction: float, completed: Sequence[Attempt], judged: Sequence[Judged]
) -> bool:
    """Whether the set so far makes a failure low in the range believable."""
    before = next(j for j in reversed(judged) if j.verdict != "not_a_rep")
    if before.verdict == "failed_mid_lift" and fraction >= BARELY:
        return True
    usual = median(a.speed_deg_s for a in completed[:USUAL_OF])
    tired = completed[-1].speed_deg_s < TIRED * usual
    at_once = attempt.start_s - before.attempt.end_s < NO_PAUSE_S
    return (tired and at_once) if fraction < BARELY else (tired or at_once)


def _has_failed(judged: Sequence[Judged]) -> bool:
    """Whether the last rep so far is a failed one."""
    reps = [j for j in judged if j.verdict != "not_a_rep"]
    return bool(reps) and reps[-1].verdict in ("failed_mid_lift", "failed_in_hold")


def _after_setting_up(attempts: Sequence[Attempt], lifter: LifterRange) -> int:
    """Number of leading attempts that only adjusted the machine."""
    full = [i for i, a in enumerate(attempts) if lifter.fraction(a.top_deg) >= FULL_ROM]
    for skipped in range(len(full) - 2, 0, -1):
        dips, reps = full[:skipped], full[skipped:]
        if (
            all(attempts[i].hold_s < DIP_HOLD_S for i in dips)
            and all(attempts[i].hold_s >= MEANT_HOLD_S for i in reps[:USUAL_OF])
            and attempts[reps[0]].start_s - attempts[dips[-1]].end_s >= DIP_PAUSE_S
        ):
            return reps[0]
    return 0


def _settle_failures_in_the_hold(judged: list[Judged]) -> list[Judged]:
    """A lifter who completes another rep had not failed in the hold before it."""
    last = max((i for i, j in enumerate(judged) if j.verdict == "completed"), default=-1)
    return [
        replace(j, verdict="completed") if j.verdict == "failed_in_hold" and i < last else j
        for i, j in enumerate(judged)
    ]

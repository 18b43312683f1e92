"""What each attempt of a set was: completed, failed, partial, or no rep at all.

In: the measured attempts of one set in order, a calibrated range if there is one, and the training
method. Out: the range that they support, and a verdict for each. It is asked again after every
attempt and about all of them; what changes is a correction. No state, so the same attempts always
give the same set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from legcurl.motion.effort import DROP, SOME_CREEP_S, USUAL_OF, Effort, effort_of
from legcurl.motion.lifter_range import LifterRange, settle_range
from legcurl.motion.measure_rep import Attempt
from legcurl.motion.set_up import after_tests, without_set_up
from legcurl.training_method import STANDARD, TrainingMethod

REACHED_TOP = 0.95
"""Fraction from which the top counts as reached: a failure beyond it is one in the hold."""

LISTED, LISTED_HEIGHT, LISTED_ANYWHERE = 0.20, 0.15, 0.40
"""A lift is listed from a quarter of the range on (docs/detection.md). The range itself is known to
a few per cent, so a little lower, if it rose by the second fraction; or, wherever it lies, if it
rose by the third."""

USUAL, USUAL_LEAST = 0.5, 2
"""Fraction of the range from which a partial says what is usual, until there are full reps; and
without so many reps nothing is usual, so nothing can fail."""

NEAR_FULL = 0.88
"""From this fraction on the range is too uncertain to call a failure without a drop: learnt or
calibrated, its ends are known to a few per cent."""

LOW, LOW_CREEP_S = 0.25, 0.35
"""Below this fraction a failure looks like fidgeting, so it must have crept for so long, in s, and
the set must speak for it too: the rep before was slow, or there was no pause."""

LEAST_DEG = 5.0
"""Moving less than 6° is no attempt (docs/detection.md); as it is measured, a little less."""

BARELY = 0.12
"""Below this fraction it is believed only of a lifter who is tired and did not pause."""

TIRED = 0.85
"""Speed over the usual, of a lifter who is tiring (0.73 two reps before failure)."""

NO_PAUSE_S = 3.0
"""An attempt this soon after a rep is one more try, in s: hands leave a machine more slowly."""

LEAVING = 0.5
RECOVERY_S, WITHOUT_WEIGHT = 5.0, 1.1
"""After a failure, a chosen turn below the first fraction is getting out of the machine. A muscle
that has just failed is not faster than it was when fresh: a lift this soon, in s, and this many
times faster than usual is one without the weight."""

CARRIED_ON_S, AS_HIGH, AS_SLOW = 2.0, 0.05, 1.5
"""A full rep so soon after it, in s, says that an attempt had not failed: he carried on. So does
one as high to within this fraction of the range, and no faster than this many times: that is how
he lifts."""

SANK_SLOWED, SANK_DECAY, SANK_DROPPED = 0.45, 1.25, 1.5
"""A weight that sank from the top at full effort: the lift took more than twice its usual time, as
the last completed rep does (0.47 of the first three reps' speed), its second half was the slower
one, and it came down this much faster than any rep before it in the set."""

Verdict = Literal["not_a_rep", "completed", "partial", "failed_mid_lift", "failed_in_hold"]
FAILED: tuple[Verdict, ...] = ("failed_mid_lift", "failed_in_hold")


@dataclass(frozen=True, slots=True)
class Judged:
    """An attempt with its verdict."""

    attempt: Attempt
    verdict: Verdict
    fraction: float  # of the range, at its top
    effort: Effort | None = None  # None of the first rep: nothing is usual yet

    @property
    def is_rep(self) -> bool:
        """Whether it is listed."""
        return self.verdict != "not_a_rep"


def classify(
    attempts: Sequence[Attempt],
    calibrated: LifterRange | None = None,
    method: TrainingMethod = STANDARD,
) -> tuple[LifterRange | None, list[Judged]]:
    """The range that all fractions refer to (None while unknown), and what each attempt was."""
    reps = without_set_up(attempts)
    lifter = settle_range(attempts[reps.start : reps.stop], calibrated)
    if lifter is None:
        return None, [Judged(attempt, "not_a_rep", 0.0) for attempt in attempts]
    reps = after_tests(attempts, reps, lifter)
    so_far = _SetSoFar(lifter, method)
    judged: list[Judged] = []
    for number, attempt in enumerate(attempts):
        if number in reps:
            following = attempts[number + 1] if number + 1 in reps else None
            judged.append(so_far.judge(attempt, following))
        else:
            judged.append(Judged(attempt, "not_a_rep", lifter.fraction(attempt.top_deg)))
    return lifter, _without_refuted(judged)


@dataclass(slots=True)
class _SetSoFar:
    """What the reps before say about the next attempt."""

    lifter: LifterRange
    method: TrainingMethod
    usual: list[Attempt] = field(default_factory=list)  # that the next one is compared with
    before: Judged | None = None  # the last rep
    recent: Attempt | None = None  # the last that shows how far the lifter goes now

    def judge(self, attempt: Attempt, following: Attempt | None) -> Judged:
        """Say what the next attempt was; `following` is the one after it, if there is one yet."""
        judged = self._judge(attempt, following)
        if judged.is_rep:
            self.before = judged
        if judged.verdict in ("completed", "failed_in_hold"):
            self.usual.append(attempt)
            self.recent = attempt
        elif judged.verdict == "partial" and judged.fraction >= USUAL:
            self.recent = attempt
            if len(self.usual) < USUAL_OF:
                self.usual.append(attempt)
        return judged

    def _judge(self, attempt: Attempt, following: Attempt | None) -> Judged:
        fraction = self.lifter.fraction(attempt.top_deg)
        verdict = self._chosen(attempt, fraction)
        before, recent = self.before, self.recent
        if before is None or recent is None or len(self.usual) < USUAL_LEAST:
            return Judged(attempt, verdict, fraction)
        effort = effort_of(attempt, self.usual, recent, self.lifter)
        if fraction >= REACHED_TOP:
            verdict = "failed_in_hold" if _sank(effort) else "completed"
        elif (
            _failed(effort, fraction)
            and (fraction >= LOW or _believable(attempt, effort, fraction, before))
            and not self._carried_on(attempt, following)
        ):
            verdict = "failed_mid_lift"
        elif before.verdict in FAILED and _leaves(attempt, effort, fraction, before):
            verdict = verdict if self._leads_on(attempt, following) else "not_a_rep"
        return Judged(attempt, verdict, fraction, effort)

    def _chosen(self, attempt: Attempt, fraction: float) -> Verdict:
        """What it was if the lifter turned by choice."""
        if self.method.full(fraction):
            return "completed"
        height = attempt.height_deg / self.lifter.rom_deg
        listed = fraction >= LISTED and height >= LISTED_HEIGHT
        return "partial" if listed or height >= LISTED_ANYWHERE else "not_a_rep"

    def _leads_on(self, attempt: Attempt, following: Attempt | None) -> bool:
        """Whether the next lift comes straight after it: then this one is a lift too."""
        if following is None or following.start_s - attempt.end_s > NO_PAUSE_S:
            return False
        return self._chosen(following, self.lifter.fraction(following.top_deg)) == "completed"

    def _carried_on(self, attempt: Attempt, following: Attempt | None) -> bool:
        """Whether the next rep comes too soon for a muscle that had failed."""
        if following is None or following.start_s - attempt.end_s > CARRIED_ON_S:
            return False
        fraction, again = (self.lifter.fraction(a.top_deg) for a in (attempt, following))
        alike = following.rising_deg_s <= AS_SLOW * attempt.rising_deg_s
        as_high = alike and fraction >= USUAL and again >= fraction - AS_HIGH
        return as_high or self.method.full(again)


def could_fail(judged: Judged) -> bool:
    """Whether an attempt that is coming down can still turn out a failure."""
    effort = judged.effort
    if effort is None:
        return False
    if judged.fraction >= REACHED_TOP:
        return effort.slowed < SANK_SLOWED and effort.decay > SANK_DECAY
    return effort.creep_s >= SOME_CREEP_S and effort.failing_at_most > 0.0


def _failed(effort: Effort, fraction: float) -> bool:
    """Whether an ascent that did not reach the top was one that could not."""
    if fraction >= NEAR_FULL and effort.dropped <= DROP:
        return False
    return effort.creep_s >= SOME_CREEP_S and effort.fell_short and effort.failing > 0.0


def _sank(effort: Effort) -> bool:
    """Whether the weight sank from the top at full effort."""
    struggled = effort.slowed < SANK_SLOWED and effort.decay > SANK_DECAY
    return struggled and effort.record > SANK_DROPPED and effort.dropping


def _believable(attempt: Attempt, effort: Effort, fraction: float, before: Judged) -> bool:
    """Whether the set so far makes a failure low in the range believable."""
    if effort.creep_s < LOW_CREEP_S or attempt.height_deg < LEAST_DEG:
        return False
    failed = before.verdict in FAILED
    tired = failed or (before.effort is not None and before.effort.slowed < TIRED)
    at_once = attempt.start_s - before.attempt.end_s < NO_PAUSE_S
    return (tired and at_once) if fraction < BARELY else (tired or at_once)


def _leaves(attempt: Attempt, effort: Effort, fraction: float, before: Judged) -> bool:
    """Whether what follows a failure is getting out of the machine."""
    at_once = attempt.start_s - before.attempt.end_s < RECOVERY_S
    return fraction < LEAVING or (at_once and effort.slowed > WITHOUT_WEIGHT)


def _without_refuted(judged: list[Judged]) -> list[Judged]:
    """A lifter who completes another rep had not failed in the hold before it."""
    last = max((i for i, j in enumerate(judged) if j.verdict == "completed"), default=-1)
    return [
        replace(j, verdict="completed") if j.verdict == "failed_in_hold" and i < last else j
        for i, j in enumerate(judged)
    ]

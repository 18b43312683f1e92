"""One set, kept open until nobody could still add a rep to it.

In: measured attempts, and looks at an attempt that comes down. Out: events. The keeper asks for
the range and the verdicts again after every attempt and says what became different, so the last
thing said about each rep is what the finished set contains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from legcurl.events import (
    Failure,
    FailureSuspected,
    FailureWithdrawn,
    MotionEvent,
    MuscleSuccess,
    Outcome,
    RepCorrected,
    RepEnded,
    RepResult,
    SetEnded,
    SetResult,
    SetStarted,
)
from legcurl.motion.judging import FULL_ROM, HOLD_TARGET_S, Judged, could_fail, judge
from legcurl.motion.lifter_range import LifterRange, settle_range
from legcurl.motion.measure import Attempt

REST_IN_SET_S = 18.0
"""Up to this much rest still belongs to the same set, in s (docs/detection.md)."""

REST_SHOWN_S = 1.0
"""More rest than this is shown, and is no time under load, in s (docs/detection.md)."""

SETTLED_END_S = 2.0
"""Data that end this long after the last rep, the lever at the bottom, end a set that was over;
sooner, they broke it off. In s: twice the rest that the method's "no rest" is shown from."""

FAILURES: Mapping[str, Failure] = {"failed_mid_lift": "mid_lift", "failed_in_hold": "in_hold"}
"""Verdicts that are failures, as a rep tells them."""

BOTTOM_OF = 5
"""So many of the last reps say where this lifter's bottom is."""


class SetKeeper:
    """Attempts in, events out."""

    def __init__(self) -> None:
        self.lifter: LifterRange | None = None
        self.bottom: float | None = None  # where this lifter's reps begin, degrees of flexion
        self.start_s: float | None = None  # of the set that is open
        self.completed = 0
        self.closes_s = inf  # an attempt that starts later belongs to another set
        self._calibrated: LifterRange | None = None
        self._attempts: list[Attempt] = []
        self._said: dict[int, RepResult] = {}
        self._known_s: dict[int, float] = {}
        self._judged: list[Judged] = []
        self._doubted: int | None = None  # the attempt suspected of failing
        self._confirmed: int | None = None  # the attempt that Muscle Success was said of
        self._confirmed_s: dict[int, float] = {}  # when a failure was known
        self._incomplete = False

    def calibrate(self, calibrated: LifterRange) -> None:
        """Start from a lifter's calibrated range."""
        self._calibrated = self.lifter = calibrated

    def mark_incomplete(self) -> None:
        """Samples are missing inside the set that is open, or in its first rep."""
        self._incomplete = True

    def add(self, attempt: Attempt, t_s: float) -> list[MotionEvent]:
        """Take an attempt that is over; `t_s` is when that became known."""
        events: list[MotionEvent] = []
        if attempt.start_s > self.closes_s:
            events.extend(self._close(t_s, interrupted=False))
        self._attempts.append(attempt)
        self._judge_again(t_s, events)
        last = max((rep.end_s for rep in self._said.values()), default=attempt.end_s)
        self.closes_s = last + REST_IN_SET_S
        self._tell_failure(attempt, t_s, events)
        return events

    def rest(self, t_s: float) -> list[MotionEvent]:
        """The lever is at the bottom at `t_s`: close what has rested too long."""
        return self._close(t_s, interrupted=False) if t_s > self.closes_s else []

    def finish(self, t_s: float, *, lifting: bool) -> list[MotionEvent]:
        """The data end at `t_s`."""
        settled_s = self.closes_s - REST_IN_SET_S + SETTLED_END_S
        return self._close(t_s, interrupted=lifting or t_s < settled_s)

    @property
    def attempts(self) -> Sequence[Attempt]:
        """The measured attempts of the open set."""
        return self._attempts

    def retract(self, t_s: float) -> list[MotionEvent]:
        """Take back all that was said of the open set: it was seen the wrong way round."""
        events: list[MotionEvent] = []
        if self._confirmed is not None or self._doubted is not None:
            events.append(FailureWithdrawn(t_s, "the set was seen the wrong way round"))
        left = self.completed
        for rep in self._said.values():
            left -= rep.completed
            events.append(RepCorrected(t_s, rep, None, left, "seen the wrong way round"))
        self._forget_set()
        return events

    @property
    def under_way(self) -> bool:
        """Whether a full rep has been seen, without which nothing can fail."""
        return self.lifter is not None and bool(self._said)

    def watch(self, attempt: Attempt, t_s: float, *, certain: bool) -> list[MotionEvent] | None:
        """An attempt that is coming down, measured so far: say what it looks like.

        None says that it cannot turn out a failure, however it comes down.
        """
        judged = judge([*self._attempts, attempt], self.lifter)[-1]
        if judged.effort is None or not could_fail(judged.fraction, judged.effort):
            return None
        if judged.verdict not in FAILURES:
            return []
        events: list[MotionEvent] = []
        evidence = evidence_of(judged)
        fail_s = attempt.hold_end_s
        if self._doubted != attempt.opened:
            self._doubted = attempt.opened
            events.append(FailureSuspected(t_s, fail_s, judged.fraction, evidence))
        if certain and self._confirmed != attempt.opened:
            self._confirmed = attempt.opened
            self._confirmed_s[attempt.opened] = t_s
            events.append(MuscleSuccess(t_s, fail_s, FAILURES[judged.verdict], evidence))
        return events

    def _judge_again(self, t_s: float, events: list[MotionEvent]) -> None:
        self.lifter = settle_range(self._attempts, self._calibrated) or self._calibrated
        self._judged = judge(self._attempts, self.lifter)
        reps = self._results(t_s)
        if reps and self.start_s is None:
            self.start_s = next(iter(reps.values())).start_s
            events.append(SetStarted(t_s, self.start_s))
        self.completed = sum(rep.completed for rep in reps.values())
        for opened, old in list(self._said.items()):
            if opened not in reps:
                del self._said[opened]
                events.append(
                    RepCorrected(t_s, old, None, self.completed, "motion before the first full rep")
                )
        for opened, rep in reps.items():
            old = self._said.get(opened)
            if old is None:
                events.append(RepEnded(t_s, rep, self.completed))
            elif old != rep:
                events.append(RepCorrected(t_s, old, rep, self.completed, _what_changed(old, rep)))
        self._said = reps
        if reps:
            self.start_s = next(iter(reps.values())).start_s
            bottoms = sorted(
                j.attempt.bottom_deg for j in self._judged if j.verdict == "completed"
            )[-BOTTOM_OF:]
            if bottoms:
                self.bottom = bottoms[len(bottoms) // 2]

    def _results(self, t_s: float) -> dict[int, RepResult]:
        lifter = self.lifter
        reps: dict[int, RepResult] = {}
        if lifter is None:
            return reps
        before: RepResult | None = None
        for judged in self._judged:
            if judged.verdict == "not_a_rep":
                continue
            attempt = judged.attempt
            known_s = self._known_s.setdefault(attempt.opened, t_s)
            rep = _result(judged, lifter, len(reps) + 1, known_s)
            if before is not None:
                rep = replace(rep, rest_before_s=max(rep.start_s - before.end_s, 0.0))
            reps[attempt.opened] = before = rep
        return reps

    def _tell_failure(self, attempt: Attempt, t_s: float, events: list[MotionEvent]) -> None:
        """Confirm or withdraw what was suspected of this attempt, or said of the one before."""
        opened = attempt.opened
        rep = self._said.get(opened)
        doubted = self._doubted == opened
        self._doubted = None
        if rep is not None and rep.failure is not None and rep.fail_s is not None:
            if self._confirmed != opened:
                self._confirmed = opened
                events.append(MuscleSuccess(t_s, rep.fail_s, rep.failure, rep.evidence or ""))
            self._confirmed_s.setdefault(opened, t_s)
            return
        if doubted:
            reason = "the rep was completed" if rep and rep.completed else "it was no failure"
            events.append(FailureWithdrawn(t_s, reason))
        elif rep is not None and self._confirmed is not None:
            events.append(FailureWithdrawn(t_s, "another rep followed"))
        if rep is not None:
            self._confirmed = None

    def _close(self, t_s: float, *, interrupted: bool) -> list[MotionEvent]:
        events: list[MotionEvent] = []
        reps = tuple(self._said.values())
        if reps and self.lifter is not None:
            events.append(SetEnded(t_s, self._set_result(reps, t_s, interrupted=interrupted)))
        self._forget_set()
        return events

    def _forget_set(self) -> None:
        calibrated = self._calibrated
        self.__init__()
        if calibrated is not None:
            self.calibrate(calibrated)

    def _set_result(
        self, reps: tuple[RepResult, ...], t_s: float, *, interrupted: bool
    ) -> SetResult:
        lifter = self.lifter
        assert lifter is not None
        outcome: Outcome = "interrupted" if interrupted else "stopped"
        outcome_s = None
        known_s = t_s
        if reps[-1].failure is not None:
            outcome = "muscle_success"
            first = len(reps) - 1
            while first > 0 and reps[first - 1].failure is not None:
                first -= 1
            outcome_s = reps[first].fail_s
            opened = list(self._said)[first]
            known_s = self._confirmed_s.get(opened, reps[first].known_s)
        rests = sum(rep.rest_before_s for rep in reps[1:] if rep.rest_before_s > REST_SHOWN_S)
        completed = [rep for rep in reps if rep.completed]
        speeds = [rep.mean_velocity_deg_s for rep in completed]
        peaks = [rep.peak_deg for rep in completed]
        return SetResult(
            start_s=reps[0].start_s,
            end_s=reps[-1].end_s,
            outcome=outcome,
            outcome_s=outcome_s,
            outcome_known_s=known_s,
            time_under_load_s=reps[-1].end_s - reps[0].start_s - rests,
            completed_reps=len(completed),
            reps=reps,
            rom_deg=lifter.rom_deg,
            velocity_loss=1 - speeds[-1] / max(speeds[:3]) if speeds else None,
            rom_loss=1 - peaks[-1] / max(peaks) if peaks else None,
            incomplete=self._incomplete or any(rep.incomplete for rep in reps),
        )


def _result(judged: Judged, lifter: LifterRange, number: int, known_s: float) -> RepResult:
    attempt = judged.attempt
    failure = FAILURES.get(judged.verdict)
    return RepResult(
        number=number,
        completed=judged.verdict in ("completed", "failed_in_hold"),
        failed=failure == "mid_lift",
        failure=failure,
        start_s=attempt.start_s,
        hold_start_s=attempt.hold_start_s,
        hold_end_s=attempt.hold_end_s,
        end_s=attempt.end_s,
        known_s=known_s,
        concentric_s=attempt.concentric_s,
        hold_s=attempt.hold_s,
        eccentric_s=attempt.eccentric_s,
        rest_before_s=0.0,
        peak_deg=attempt.top_deg - lifter.extended,
        rom_fraction=judged.fraction,
        hold_met=attempt.hold_s >= HOLD_TARGET_S,
        full_rom=judged.fraction >= FULL_ROM,
        fail_s=attempt.hold_end_s if failure else None,
        evidence=evidence_of(judged) if failure else None,
        mean_velocity_deg_s=attempt.speed_deg_s,
        incomplete=attempt.incomplete,
    )


def evidence_of(judged: Judged) -> str:
    """Why an attempt is called failed, in words."""
    effort = judged.effort
    height = f"{100 * judged.fraction:.0f} % of range"
    if effort is None:
        return f"came down from {height}"
    down = "dropped" if effort.dropping else "came down"
    if judged.verdict == "failed_in_hold":
        return (
            f"rose at {100 * effort.slowed:.0f} % of the usual speed to {height}, held for "
            f"{judged.attempt.hold_s:.1f} s, then {down}"
        )
    return f"crept for {effort.creep_s:.1f} s, stalled at {height}, then {down}"


def _what_changed(old: RepResult, new: RepResult) -> str:
    if old.completed != new.completed or old.failure != new.failure:
        return "judged again by what followed"
    if old.number != new.number:
        return "an earlier motion was no rep"
    return "the range was learnt better"

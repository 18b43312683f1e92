"""One set, kept open while a rep may still be added to it.

In: measured attempts, and looks at an attempt that comes down. Out: events. The keeper asks for
the range and the verdicts again after every attempt and says what became different, so the last
thing said about each rep is what the finished set contains.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from legcurl.events import (
    FailureSuspected,
    FailureWithdrawn,
    MotionEvent,
    MuscleSuccess,
    RepCorrected,
    RepCounted,
    RepEnded,
    RepResult,
    SetEnded,
    SetStarted,
)
from legcurl.motion.attempts import MIN_ATTEMPT_DEG, Look
from legcurl.motion.classify import Judged, classify, could_fail
from legcurl.motion.lifter_range import LifterRange, supported_bottom
from legcurl.motion.measure_rep import Attempt
from legcurl.motion.resampler import GRID_S
from legcurl.motion.results import (
    FAILURES,
    counted_reps,
    evidence_of,
    rep_result,
    set_result,
    what_changed,
)
from legcurl.training_method import STANDARD, TrainingMethod

REST_IN_SET_S = 18.0
"""Up to this much rest still belongs to the same set, in s (docs/detection.md)."""

UNSEEN_IN_SET_S = 30.0
"""Samples missing for up to this long do not end a set, in s: two or three reps' time. In more,
one lifter may have left and another have sat down."""

SETTLED_END_S = 2.0
"""Data that end this long after the last rep, the lever at the bottom, end a set that was over;
sooner, they broke it off. In s: twice the rest that the method's "no rest" is shown from."""

MOST_ATTEMPTS = 300
"""A set is closed after so many attempts, an hour's: bounds the memory and the work."""

LED_INTO_S = 5.0
"""A lift that ended no longer before another set's first rep, in s, belongs to that set."""


NEAR_BOTTOM = 0.25
"""Fraction of the range: a lever that rests below this is at the bottom; lifters hold higher up."""


class SetBuilder:
    """Attempts of one set in, events out; `calibrated` is the lifter's range if one is known."""

    def __init__(
        self, calibrated: LifterRange | None = None, method: TrainingMethod = STANDARD
    ) -> None:
        self.lifter = calibrated
        self.bottom: float | None = None  # where this lifter's reps begin, degrees of flexion
        self.start_s: float | None = None  # of the set that is open
        self.closes_s = inf  # an attempt that starts later belongs to another set
        self._calibrated = calibrated
        self._method = method
        self._attempts: list[Attempt] = []
        self._said: dict[int, RepResult] = {}
        self._known_s: dict[int, float] = {}
        self._judged: list[Judged] = []
        self._doubted: int | None = None  # the attempt suspected of failing
        self._confirmed: int | None = None  # the attempt that Muscle Success was said of
        self._confirmed_s: dict[int, float] = {}  # when a failure was known
        self._at_top: float | None = None  # fraction of the open attempt if it has been counted
        self._incomplete = False
        self._unseen_until_s = -inf  # the set stays open until then because samples are missing
        self._sign = 1

    def mark_incomplete(self) -> None:
        """Samples are missing inside the set that is open, or in its first rep."""
        self._incomplete = True

    def unseen(self, from_s: float, until_s: float, *, lifting: bool) -> None:
        """Nothing was seen in between, which was no rest that anybody saw either.

        With a lift under way at its start, rest counts from its end.
        """
        if self.closes_s == inf or until_s - from_s > UNSEEN_IN_SET_S:
            return
        seen_s = REST_IN_SET_S if lifting else max(self.closes_s - from_s, 0.0)
        self._unseen_until_s = until_s + seen_s
        self.closes_s = max(self.closes_s, self._unseen_until_s)

    def add(self, attempt: Attempt, t_s: float, *, sign: int) -> list[MotionEvent]:
        """Take an attempt that is over.

        `t_s` is when that became known, `sign` that of flexion on the sensor's axis.
        """
        events: list[MotionEvent] = []
        self._sign = sign
        self._attempts.append(attempt)
        counted, self._at_top = self._at_top is not None, None
        self._judge_again(t_s, events)
        rep = self._said.get(attempt.opened)
        if counted and not (rep and self._counts(rep)):
            events.append(self._not_counted(t_s))
        last = max((rep.end_s for rep in self._said.values()), default=attempt.end_s)
        self.closes_s = max(last + REST_IN_SET_S, self._unseen_until_s)
        if len(self._attempts) >= MOST_ATTEMPTS:
            self.closes_s = -inf
        self._tell_failure(attempt, t_s, events)
        return events

    @property
    def over_s(self) -> float:
        """From then on the set is over, unless a lift is under way."""
        if self._judged and not self._judged[-1].is_rep:
            return max(self.closes_s, self._judged[-1].attempt.end_s + LED_INTO_S)
        return self.closes_s

    def led_into(self, attempt: Attempt) -> list[Attempt]:
        """The attempts at the end that were no reps of this set, and led into one of the next."""
        led_in: list[Attempt] = []
        for judged in reversed(self._judged):
            following = led_in[0] if led_in else attempt
            if judged.is_rep or following.start_s - judged.attempt.end_s > LED_INTO_S:
                break
            led_in.insert(0, judged.attempt)
        return led_in

    def close(self, t_s: float) -> list[MotionEvent]:
        """The set is over: say what it was, if it was one."""
        return self._end(t_s, interrupted=False)

    def finish(self, t_s: float, *, lifting: bool) -> list[MotionEvent]:
        """The data end at `t_s`: the set was over, or they broke it off."""
        settled_s = self.closes_s - REST_IN_SET_S + SETTLED_END_S
        return self._end(t_s, interrupted=lifting or t_s < settled_s)

    @property
    def completed(self) -> int:
        """Full reps so far, with one that was counted at its top."""
        at_top = self._at_top is not None and self._method.full(self._at_top)
        return sum(rep.completed for rep in self._said.values()) + at_top

    @property
    def counted(self) -> int | None:
        """Reps that count so far, where the method does not count just the full ones."""
        counted = counted_reps(self._said.values(), self._method)
        return None if counted is None else counted + (self._at_top is not None)

    def reach(self, fraction: float, t_s: float) -> list[MotionEvent]:
        """The open attempt has turned at a fraction of the range: count it, if so asked for."""
        method = self._method
        if method.count_at != "top" or self._at_top is not None or not method.counts(fraction):
            return []
        self._at_top = fraction
        return [RepCounted(t_s, self.completed, self.counted)]

    def drop(self, t_s: float) -> list[MotionEvent]:
        """The open attempt came to nothing."""
        counted, self._at_top = self._at_top is not None, None
        return [self._not_counted(t_s)] if counted else []

    def _counts(self, rep: RepResult) -> bool:
        return not rep.failed and self._method.counts(rep.rom_fraction)

    def _not_counted(self, t_s: float) -> RepCorrected:
        reason = "it did not count after all"
        return RepCorrected(t_s, None, None, self.completed, reason, self.counted)

    def retract(self, t_s: float) -> list[MotionEvent]:
        """Take back all that was said of the open set: it was seen the wrong way round."""
        events = self.drop(t_s)
        reason = "seen the wrong way round"
        if self._confirmed is not None or self._doubted is not None:
            events.append(FailureWithdrawn(t_s, f"the set was {reason}"))
        for opened, rep in list(self._said.items()):
            del self._said[opened]
            events.append(RepCorrected(t_s, rep, None, self.completed, reason, self.counted))
        return events

    @property
    def under_way(self) -> bool:
        """Whether a full rep has been seen, without which nothing can fail."""
        return self.lifter is not None and bool(self._said)

    @property
    def failing(self) -> bool:
        """Whether a failure is suspected of the open attempt, or was said of the last."""
        return self._doubted is not None or self._confirmed is not None

    def watch(self, attempt: Attempt, t_s: float, *, certain: bool) -> list[MotionEvent] | None:
        """An attempt that is coming down, measured so far: say what it looks like.

        None says that it cannot turn out a failure, however it comes down.
        """
        judged = classify([*self._attempts, attempt], self._calibrated, self._method)[1][-1]
        if not could_fail(judged):
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
        lifter, self._judged = classify(self._attempts, self._calibrated, self._method)
        self.lifter = lifter or self._calibrated
        reps = self._results(t_s)
        if reps and self.start_s is None:
            self.start_s = next(iter(reps.values())).start_s
            events.append(SetStarted(t_s, self.start_s))
        before, self._said = self._said, reps
        for opened, old in before.items():
            new = reps.get(opened)
            if new is None:
                reason = "it was no rep"
                events.append(RepCorrected(t_s, old, None, self.completed, reason, self.counted))
        for opened, rep in reps.items():
            old = before.get(opened)
            if old is None:
                events.append(RepEnded(t_s, rep, self.completed, self.counted))
            elif old != rep:
                reason = what_changed(old, rep)
                events.append(RepCorrected(t_s, old, rep, self.completed, reason, self.counted))
        if reps:
            self.start_s = next(iter(reps.values())).start_s
            self.bottom = supported_bottom(
                [j.attempt for j in self._judged if j.verdict in ("completed", "partial")]
            )

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
            rep = rep_result(judged, lifter, len(reps) + 1, known_s, self._method)
            if before is not None:
                rep = replace(rep, rest_before_s=max(rep.start_s - before.end_s, 0.0))
            reps[attempt.opened] = before = rep
        return reps

    def _tell_failure(self, attempt: Attempt, t_s: float, events: list[MotionEvent]) -> None:
        """Confirm or withdraw what was suspected of this attempt, or said of the last rep."""
        doubted = self._doubted == attempt.opened
        self._doubted = None
        rep = self._said.get(attempt.opened)
        opened, last = next(reversed(self._said.items()), (None, None))
        failed = last is not None and last.failure is not None
        withdrawn = False
        if doubted and (rep is None or rep.failure is None):
            reason = "the rep was completed" if rep and rep.completed else "it was no failure"
            events.append(FailureWithdrawn(t_s, reason))
            withdrawn = True
        elif self._confirmed is not None and not failed:
            events.append(FailureWithdrawn(t_s, "another rep followed"))
        if opened is None or last is None or last.failure is None or last.fail_s is None:
            self._confirmed = None
            return
        if self._confirmed != opened or withdrawn:
            events.append(MuscleSuccess(t_s, last.fail_s, last.failure, last.evidence or ""))
        self._confirmed = opened
        self._confirmed_s.setdefault(opened, t_s)

    def _end(self, t_s: float, *, interrupted: bool) -> list[MotionEvent]:
        if not self._said or self.lifter is None:
            return []
        result = set_result(
            list(self._said.values()),
            self.lifter,
            sign=self._sign,
            known_s=[self._confirmed_s.get(o, rep.known_s) for o, rep in self._said.items()],
            ended_s=t_s,
            interrupted=interrupted,
            incomplete=self._incomplete,
            method=self._method,
        )
        return [SetEnded(t_s, result)]


class BlindBeginning:
    """Whether a set may have begun before the samples did.

    A host that starts in mid-set, when the sensor's log no longer holds the set's beginning, sees a
    set that looks whole. So where the samples did not begin with the sensor, the first set is whole
    only if the lever was seen at rest at the bottom before it: at once, when the samples began, or
    later for as long as parts two sets. Looks are on the sensor's own axis.
    """

    def __init__(self) -> None:
        self._since: Look | None = None  # the first look of the rest that may be going on
        self._enough_s = SETTLED_END_S  # of the rest that the samples began with
        self._rests: tuple[float, float] | None = None  # lowest and highest angle of a rest

    def look(self, look: Look) -> None:
        """Take the next look before any rep is known."""
        since = self._since
        if since is None:
            self._since = look
        elif abs(look.angle - since.angle) >= MIN_ATTEMPT_DEG:
            self._since = look
            self._enough_s = REST_IN_SET_S
        elif (look.step - since.step) * GRID_S >= self._enough_s:
            lowest, highest = self._rests or (since.angle, since.angle)
            self._rests = (min(lowest, since.angle), max(highest, since.angle))

    def saw_rest(self, lifter: LifterRange, sign: int) -> bool:
        """Whether the lever was seen at rest at this lifter's bottom before his first rep."""
        if self._rests is None:
            return False
        return min(lifter.fraction(sign * angle) for angle in self._rests) <= NEAR_BOTTOM

"""Sets followed one way round: looks in degrees of flexion in, events out.

    looks → excursions → attempts → range and verdicts → set

When the direction proves wrong, the tracker throws a follower away and has another follow the same
looks the other way round.
"""

from __future__ import annotations

from collections.abc import Callable

from legcurl.events import Cue, MotionEvent, PhaseChanged
from legcurl.motion.attempts import AttemptFinder, Excursion, Look
from legcurl.motion.cues import CueGiver
from legcurl.motion.descent import DescentWatch
from legcurl.motion.kinematics import Curve
from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure_rep import SETTLE_WAIT, measure, measure_so_far
from legcurl.motion.phase import PhaseTracker
from legcurl.motion.resampler import Grid
from legcurl.motion.set_builder import SetBuilder
from legcurl.training_method import TrainingMethod

BEFORE_START = 120
"""Grid steps kept before an attempt opens: its start is looked for there."""

FIRST_MOTION_S = 0.3
"""A lever that has left the bottom by 6° set off about so long ago, in s."""


class Follower:
    """Follows sets on an axis of flexion, `sign` times the sensor's.

    `closing` is called with a set that is about to be told, before it is.
    """

    def __init__(
        self,
        grid: Grid,
        sign: int,
        calibrated: LifterRange | None,
        method: TrainingMethod,
        closing: Callable[[SetBuilder], None],
    ) -> None:
        self.sign = sign
        self.phase = PhaseTracker()
        self._grid = grid
        self._calibrated = calibrated
        self._method = method
        self._closing = closing
        self._finder = AttemptFinder()
        self._descent = DescentWatch()
        self._cues = CueGiver(method)
        self._measuring: list[Excursion] = []
        self._begin_set()

    def _begin_set(self) -> None:
        """Wait for the next set, of any lifter."""
        calibrated = self._calibrated
        self.set = SetBuilder(calibrated, self._method)
        self._finder.bottom = None if calibrated is None else calibrated.extended

    @property
    def needs_from(self) -> int | None:
        """The first grid step that may still be measured; None if there is none."""
        steps = [excursion.looks[0].step for excursion in self._measuring[:1]]
        if self._finder.needs_from is not None:
            steps.append(self._finder.needs_from)
        return min(steps) - BEFORE_START if steps else None

    @property
    def lifting(self) -> bool:
        """Whether an attempt is going on."""
        return self._finder.open is not None

    @property
    def begun_s(self) -> float | None:
        """When the set began, from its first motion on; None while nothing has moved."""
        if self.set.start_s is not None:
            return self.set.start_s
        first = self._measuring[0] if self._measuring else self._finder.open
        return None if first is None else self._grid.time_s(first.opened) - FIRST_MOTION_S

    def look(self, look: Look, now: int, told_s: float, events: list[MotionEvent]) -> None:
        """Take a look; `told_s` is when what it says is said."""
        finder = self._finder
        while self._measuring and now - self._measuring[0].closed >= SETTLE_WAIT:
            if finder.open is None and self._measuring[0].sinks_on(look):
                break
            self._measure(self._measuring.pop(0), now, told_s, events)
        before = finder.open
        ended = finder.look(look)
        if ended is not None:
            self._measuring.append(ended)
        elif before is not None and finder.open is not before:
            events.extend(self.set.drop(told_s))
        self._tell_live(look, told_s, events)
        if finder.open is not None:
            self._watch_descent(finder.open, look, now, told_s, events)
        elif not self._measuring and self._grid.time_s(now) > self.set.over_s:
            self._close_set(told_s, events)

    def _tell_live(self, look: Look, told_s: float, events: list[MotionEvent]) -> None:
        phase, attempt, lifter = self.phase, self._finder.open, self.set.lifter
        hold_s = phase.hold_s
        if phase.look(look, attempt, lifter):
            events.append(PhaseChanged(told_s, phase.phase))
            if attempt is not None and lifter is not None and phase.phase in ("hold", "eccentric"):
                events.extend(self.set.reach(lifter.fraction(attempt.peak), told_s))
        cue = self._cues.look(look, phase.phase, hold_s, attempt, lifter, self.set.under_way)
        if cue is not None and not self.set.failing:  # no word helps a lifter who has failed
            events.append(Cue(told_s, cue))

    def finish(self, events: list[MotionEvent]) -> None:
        """The data end: measure what was over, and tell the set."""
        last = self._finder.finish()
        if last is not None:
            self._measuring.append(last)
        end_s = self._measure_all(events)
        events.extend(self.set.drop(end_s))
        self._closing(self.set)
        events.extend(self.set.finish(end_s, lifting=self.lifting))
        self._finder = AttemptFinder()
        self._begin_set()

    def restart_after(self, step: int, events: list[MotionEvent]) -> None:
        """Samples are missing before a step: nothing is measured across the gap."""
        before_s = self._measure_all(events, step)
        events.extend(self.set.drop(before_s))
        self.set.unseen(before_s, self._grid.time_s(step), lifting=self.lifting)
        self._finder = AttemptFinder(self._finder.bottom)

    def _measure_all(self, events: list[MotionEvent], end: int | None = None) -> float:
        """Measure all that is over, with the samples before a step; the time of the last one."""
        last = (self._grid.end if end is None else end) - 1
        last_s = self._grid.time_s(last)
        for excursion in self._measuring:
            self._measure(excursion, last, last_s, events)
        self._measuring.clear()
        return last_s

    def _close_set(self, told_s: float, events: list[MotionEvent]) -> None:
        """End the set for good; the next may be another lifter's."""
        self._closing(self.set)
        events.extend(self.set.close(told_s))
        self._begin_set()

    def _watch_descent(
        self, excursion: Excursion, look: Look, now: int, told_s: float, events: list[MotionEvent]
    ) -> None:
        """Ask, while the lever comes down, whether the attempt is failing."""
        base = self._finder.base(excursion)
        asking = self._descent.look(excursion, look, base)
        if asking == "not_now":
            return
        if not self.set.under_way:
            self._descent.cannot_fail()
            return
        curve = self._curve(excursion.looks[0].step, now)
        so_far = measure_so_far(excursion, curve, base, self._grid.time_s)
        said = self.set.watch(so_far, told_s, certain=asking == "certain")
        if said is None:
            self._descent.cannot_fail()
        else:
            events.extend(said)

    def _measure(
        self, excursion: Excursion, now: int, told_s: float, events: list[MotionEvent]
    ) -> None:
        curve = self._curve(excursion.looks[0].step, now)
        base = self._finder.base(excursion)
        attempt = measure(excursion, curve, base, self._grid.time_s)
        if attempt.start_s > self.set.closes_s:
            led_in = self.set.led_into(attempt)
            self._close_set(told_s, events)
            for earlier in led_in:
                events.extend(self.set.add(earlier, told_s, sign=self.sign))
        events.extend(self.set.add(attempt, told_s, sign=self.sign))
        if self.set.bottom is not None:
            self._finder.bottom = self.set.bottom

    def _curve(self, first: int, now: int) -> Curve:
        """The angle from before an excursion opened up to now, however much later is known."""
        grid = self._grid
        at = max(first - BEFORE_START - grid.first, 0)
        angles = grid.angles[at : now + 1 - grid.first]
        return Curve(grid.first + at, angles if self.sign > 0 else [-a for a in angles])

"""Samples in, motion events out: the whole of detection behind one `push`.

    samples → grid → looks → excursions → attempts → range → verdicts → set

Each arrow is a module of this package. The tracker holds the stages, asks them in the order of
sensor time, and turns what changed into events. What is said depends on the samples alone, never
on how they were cut into pushes.
"""

from __future__ import annotations

from collections.abc import Sequence

from legcurl.errors import CalibrationError, InputError
from legcurl.events import Cue, MotionEvent, PhaseChanged, Progress, SetEnded, SetResult
from legcurl.motion.attempts import AttemptFinder, Excursion, Look
from legcurl.motion.calibration import Calibration
from legcurl.motion.cues import CueGiver
from legcurl.motion.descent import DescentWatch
from legcurl.motion.direction import Direction, Sign
from legcurl.motion.kinematics import Curve
from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure_rep import SETTLE_WAIT, measure, measure_so_far
from legcurl.motion.phase import PhaseTracker
from legcurl.motion.resampler import GRID_S, Break, Grid, short_way
from legcurl.motion.set_builder import BlindBeginning, SetBuilder

LOOK_EVERY = 4
"""Grid steps between two looks at the lever: 40 ms."""

LOOK_BACK = 10
"""A look tells of the moment this many grid steps ago: its velocity is the difference of the
means of the ten steps before and the ten after."""

AT_ONCE = 4096
"""Samples taken at once: bounds the memory of one push, however large it is."""

NEAR_END = 0.25
"""Fraction of the range: a lever this near an end when the samples begin rests at that end."""

BEFORE_START = 120
"""Grid steps kept before an attempt opens: its start is looked for there."""


class SetTracker:
    """Follows the sets on one machine.

    `calibration` is the lifter's range if one is known; it is corrected where it is another
    lifter's. `progress_s` asks for a Progress event on that grid of sensor time (None: none).
    """

    def __init__(
        self, calibration: Calibration | None = None, *, progress_s: float | None = None
    ) -> None:
        self._calibration = calibration
        self._grid = Grid()
        self._direction = Direction()
        self._finder = AttemptFinder()
        self._calibrated: LifterRange | None = None
        self._set = SetBuilder()
        self._live = PhaseTracker()
        self._descent = DescentWatch()
        self._cues = CueGiver()
        self._measuring: list[Excursion] = []
        self._next_look = 2 * LOOK_BACK
        self._backwards = False  # the direction has just proved wrong
        self._told_sign: Sign = 0  # a direction that is known, from the next look on
        self._blind: BlindBeginning | None = None  # until the first set is over
        self._progress = None if progress_s is None else max(round(progress_s / GRID_S), 1)
        self._next_progress = 0

    @property
    def dropped(self) -> dict[str, int]:
        """Samples not used so far, by reason, and steps of a slipped encoder taken out."""
        dropped = self._grid.dropped
        return {
            "not_a_number": dropped.not_a_number,
            "not_later": dropped.not_later,
            "spikes": dropped.spikes,
            "slips": dropped.slips,
        }

    @property
    def direction(self) -> Sign:
        """The sign of flexion on the sensor's axis, once nothing can refute it; else 0."""
        return self._direction.sign if self._direction.sure else 0

    @property
    def blind(self) -> bool:
        """Whether a set may have begun before the samples did: see begin_blind."""
        return self._blind is not None

    def know_direction(self, sign: Sign) -> None:
        """Take the direction that a tracker of earlier samples was sure of."""
        if not self._direction.sure:
            self._told_sign = sign

    def begin_blind(self) -> None:
        """Expect samples whose beginning is lost: a set may be under way at the first one."""
        self._blind = BlindBeginning()

    def push(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> list[MotionEvent]:
        """Take samples in order of sensor time; give what became known by them.

        `t_us` in µs since the sensor's boot, `angle_deg` raw sensor degrees (any offset,
        direction and wrap; NaN where the sensor could not tell), both of one length.
        """
        if len(t_us) != len(angle_deg):
            raise InputError(
                f"push() takes as many times as angles, not {len(t_us)} and {len(angle_deg)}."
            )
        events: list[MotionEvent] = []
        for begin in range(0, len(t_us), AT_ONCE):
            self._grid.push(t_us[begin : begin + AT_ONCE], angle_deg[begin : begin + AT_ONCE])
            self._look(events)
        return events

    def finish(self) -> list[MotionEvent]:
        """Say what an end of the data right here means for the set that is open."""
        events: list[MotionEvent] = []
        end = self._grid.end
        for excursion in self._measuring:
            self._measure(excursion, end - 1, self._grid.time_s(end - 1), events)
        self._measuring.clear()
        if end > 0:
            lifting = self._finder.open is not None
            self._doubt_beginning()
            events.extend(self._set.finish(self._grid.time_s(end - 1), lifting=lifting))
            self._finder = AttemptFinder()
            self._begin_set()
        return events

    def _look(self, events: list[MotionEvent]) -> None:
        """Look at all of the grid that is new."""
        grid = self._grid
        angles, first, end = grid.angles, grid.first, grid.end
        while self._next_look < end:
            if grid.breaks and grid.breaks[0].index <= self._next_look:
                self._break_off(grid.breaks.pop(0), events)
                continue
            now = self._next_look
            at = now + 1 - first
            middle = at - LOOK_BACK
            look = Look(
                now - LOOK_BACK,
                sum(angles[middle - 2 : middle + 3]) / 5,
                (sum(angles[middle:at]) - sum(angles[middle - LOOK_BACK : middle]))
                / (LOOK_BACK * LOOK_BACK * GRID_S),
            )
            self._tell_progress(now - 1, events)
            self._take(look, now, events)
            self._tell_progress(now, events)
            self._next_look = now + LOOK_EVERY
        self._forget()

    def _tell_progress(self, until: int, events: list[MotionEvent]) -> None:
        if self._progress is not None:
            while self._next_progress <= until:
                events.append(self._progress_at(self._next_progress))
                self._next_progress += self._progress

    def _take(self, look: Look, now: int, events: list[MotionEvent]) -> None:
        """One look, on the sensor's own axis."""
        direction = self._direction
        if self._told_sign:
            self._settle_as_told(look)
        known = direction.sign != 0
        if not known and self._calibration is not None:
            self._begin_calibrated(self._calibration, look)
            known = True
        direction.look(look)
        if self._blind is not None and self._set.start_s is None:
            self._blind.look(look)
        told_s = self._grid.time_s(now)
        if known:
            self._follow(_turned(look, direction.sign), now, told_s, events)
        elif direction.sign:
            self._follow_again(now, events)
        if self._backwards:
            self._turn_round(now, events)

    def _begin_calibrated(self, calibration: Calibration, look: Look) -> None:
        """Take the range and the direction that an installer found.

        A lever that rests at the flexed end when the samples begin may stand there because a lifter
        holds it, or because the ends were noted the wrong way round: then what he does must tell.
        """
        signed = calibration.signed_rom_deg
        sign = 1 if signed > 0 else -1
        self._place(calibration, look)
        if abs(short_way(look.angle - calibration.flexed_deg)) < NEAR_END * abs(signed):
            self._direction.suppose(sign)
        else:
            self._direction.settle(sign)

    def _settle_as_told(self, look: Look) -> None:
        """Know the direction before anything has shown it; with it, which end of a range is which.

        What has been followed the same way round stays; no set was begun the other way, or whoever
        told would not have been sure.
        """
        told, self._told_sign = self._told_sign, 0
        direction = self._direction
        if direction.sign == 0 and self._calibration is not None:
            if self._calibration.signed_rom_deg * told < 0:
                self._calibration = self._calibration.turned_round
            self._place(self._calibration, look)
        if direction.sign in (0, told):
            direction.settle(told)

    def _place(self, calibration: Calibration, look: Look) -> None:
        """Find the range on the unwrapped axis: the lever is within half a turn of it."""
        signed = calibration.signed_rom_deg
        extended = look.angle + short_way(calibration.extended_deg - look.angle)
        bottom = extended if signed > 0 else -extended
        self._calibrated = LifterRange(bottom, bottom + abs(signed), "calibrated")
        self._begin_set()

    def _turn_round(self, now: int, events: list[MotionEvent]) -> None:
        """The direction has proved wrong: take back what was said, and follow the set again."""
        self._backwards = False
        events.extend(self._set.retract(self._grid.time_s(now)))
        self._direction.reverse()
        self._finder = AttemptFinder()
        self._measuring.clear()
        self._begin_set()
        if self._calibration is not None:
            self._calibration = self._calibration.turned_round
            self._place(self._calibration, self._direction.kept[-1])
        self._follow_again(now, events)

    def _follow_again(self, now: int, events: list[MotionEvent]) -> None:
        """Follow all looks that were kept, by the direction that is known now."""
        told_s = self._grid.time_s(now)
        followed: list[MotionEvent] = []
        for kept in list(self._direction.kept):
            look = _turned(kept, self._direction.sign)
            self._follow(look, kept.step + LOOK_BACK, told_s, followed)
        self._backwards = False
        events.extend(event for event in followed if not isinstance(event, PhaseChanged | Cue))
        events.append(PhaseChanged(told_s, self._live.phase))

    def _follow(self, look: Look, now: int, told_s: float, events: list[MotionEvent]) -> None:
        """One look, in degrees of flexion; `told_s` is when what it says is said."""
        finder = self._finder
        while self._measuring and now - self._measuring[0].closed >= SETTLE_WAIT:
            if finder.open is None and self._measuring[0].sinks_on(look):
                break
            self._measure(self._measuring.pop(0), now, told_s, events)
        ended = finder.look(look)
        if ended is not None:
            self._measuring.append(ended)
        attempt = finder.open
        live = self._live
        hold_s = (live.hold_until - live.hold_from) * GRID_S
        if live.look(look, attempt, self._set.lifter):
            events.append(PhaseChanged(told_s, live.phase))
        cue = self._cues.look(
            look, live.phase, hold_s, attempt, self._set.lifter, self._set.under_way
        )
        if cue is not None and not self._set.failing:  # no word helps a lifter who has failed
            events.append(Cue(told_s, cue))
        if attempt is None:
            if not self._measuring and self._grid.time_s(now) > self._set.closes_s:
                self._close_set(told_s, events)
        else:
            self._watch_descent(attempt, look, now, told_s, events)
            if self._direction.parked_up(attempt, look):
                self._backwards = True

    def _close_set(self, told_s: float, events: list[MotionEvent]) -> None:
        """Nobody can add to the set any more; the next may be another lifter's."""
        if self._set.under_way and not self._direction.sure:
            self._direction.settle(self._direction.sign)
        self._doubt_beginning()
        events.extend(self._set.close(told_s))
        self._begin_set()

    def _doubt_beginning(self) -> None:
        """Before the first set is told: unless it was seen to begin, its first reps may be lost."""
        lifter = self._set.lifter
        if self._blind is None or lifter is None or not self._set.under_way:
            return
        if not self._blind.saw_rest(lifter, self._direction.sign):
            self._set.mark_incomplete()
        self._blind = None

    def _begin_set(self) -> None:
        """Wait for the next set, of whoever comes."""
        calibrated = self._calibrated
        self._set = SetBuilder(calibrated)
        self._finder.bottom = None if calibrated is None else calibrated.extended

    def _watch_descent(
        self,
        excursion: Excursion,
        look: Look,
        now: int,
        told_s: float,
        events: list[MotionEvent],
    ) -> None:
        """Ask, while the lever comes down, whether the attempt is failing."""
        base = self._base(excursion)
        asking = self._descent.look(excursion, look, base)
        if asking == "not_now":
            return
        if not self._set.under_way:
            self._descent.cannot_fail()
            return
        curve = self._curve(excursion.looks[0].step, now)
        so_far = measure_so_far(excursion, curve, base, self._grid.time_s)
        said = self._set.watch(so_far, told_s, certain=asking == "certain")
        if said is None:
            self._descent.cannot_fail()
        else:
            events.extend(said)

    def _base(self, excursion: Excursion) -> float:
        bottom = self._finder.bottom
        return excursion.floor if bottom is None else max(excursion.floor, bottom)

    def _curve(self, first: int, now: int) -> Curve:
        """The angle from before an excursion opened up to now, however much later is known."""
        grid = self._grid
        at = max(first - BEFORE_START - grid.first, 0)
        angles = grid.angles[at : now + 1 - grid.first]
        return Curve(grid.first + at, angles if self._direction.sign > 0 else [-a for a in angles])

    def _measure(
        self, excursion: Excursion, now: int, told_s: float, events: list[MotionEvent]
    ) -> None:
        curve = self._curve(excursion.looks[0].step, now)
        attempt = measure(excursion, curve, self._base(excursion), self._grid.time_s)
        if attempt.start_s > self._set.closes_s:
            self._close_set(told_s, events)
        events.extend(self._set.add(attempt, told_s, sign=self._direction.sign))
        if self._set.bottom is not None:
            self._finder.bottom = self._set.bottom
        if not self._direction.sure:
            self._backwards = self._direction.refuted_by(self._set.attempts)

    def _break_off(self, gap: Break, events: list[MotionEvent]) -> None:
        """Samples are missing; if they were not bridged, nothing is measured across them."""
        interrupts = self._finder.open is not None or self._set.under_way
        if not gap.bridged:
            self._restart_after(gap.index, events)
        if interrupts:
            self._set.mark_incomplete()

    def _restart_after(self, index: int, events: list[MotionEvent]) -> None:
        """Measure what was over before the gap, and look for the lever anew after it."""
        for excursion in self._measuring:
            self._measure(excursion, index - 1, self._grid.time_s(index - 1), events)
        self._measuring.clear()
        lifting = self._finder.open is not None
        self._set.unseen(self._grid.time_s(index - 1), self._grid.time_s(index), lifting=lifting)
        self._finder = AttemptFinder(self._finder.bottom)
        if self._set.under_way:
            self._direction.settle(self._direction.sign)  # attempts on two axes would not compare
        elif not self._direction.sure:
            self._direction = Direction()
            self._begin_set()
        self._next_look = index + 2 * LOOK_BACK

    def _forget(self) -> None:
        """Free what no rule can ask for any more."""
        needed = self._next_look - 2 * LOOK_BACK
        if self._direction.kept:
            needed = min(needed, self._direction.kept[0].step)
        if self._finder.needs_from is not None:
            needed = min(needed, self._finder.needs_from)
        if self._measuring:
            needed = min(needed, self._measuring[0].looks[0].step)
        self._grid.forget_before(needed - BEFORE_START)

    def _progress_at(self, step: int) -> Progress:
        grid = self._grid
        t_s = grid.time_s(step)
        angle = grid.angles[step - grid.first]
        lifter = self._set.lifter
        start_s = self._set.start_s
        return Progress(
            t_s=t_s,
            angle_deg=angle % 360.0,
            rom_fraction=None if lifter is None else lifter.fraction(self._direction.sign * angle),
            phase=self._live.phase,
            completed_reps=self._set.completed,
            hold_s=(self._live.hold_until - self._live.hold_from) * GRID_S,
            set_s=0.0 if start_s is None else t_s - start_s,
        )


def _turned(look: Look, sign: int) -> Look:
    return look if sign > 0 else Look(look.step, -look.angle, -look.velocity)


def analyze(
    t_s: Sequence[float],
    angle_deg: Sequence[float],
    extended_deg: float | None = None,
    flexed_deg: float | None = None,
) -> list[SetResult]:
    """Find the sets of a whole trace, by the code that runs live and as causally.

    `t_s` in seconds, `angle_deg` raw sensor degrees (any offset, direction and wrap; NaN where
    unknown), 40 to 1000 Hz, jitter and gaps allowed. `extended_deg` and `flexed_deg` are the
    lifter's calibrated range in the same degrees; without both the range is learnt.
    Raises CalibrationError for a range that cannot be one, InputError for unequal lengths.
    """
    calibration = None
    if extended_deg is not None and flexed_deg is not None:
        calibration = Calibration(extended_deg, flexed_deg)
    elif extended_deg is not None or flexed_deg is not None:
        raise CalibrationError(
            "A range has two ends: give both extended_deg and flexed_deg, or neither."
        )
    tracker = SetTracker(calibration)
    events = tracker.push([round(t * 1e6) for t in t_s], angle_deg)
    events.extend(tracker.finish())
    return [event.set for event in events if isinstance(event, SetEnded)]

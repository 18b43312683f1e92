"""Samples in, motion events out: the whole of detection behind one `push`.

    samples → grid → looks → direction → follower → events

Each arrow is a module of this package. The tracker asks the stages in the order of sensor time, and
has a set followed again the other way round when the direction proves wrong. What is said depends
on the samples alone, never on how they were cut into pushes.
"""

from __future__ import annotations

from collections.abc import Sequence

from legcurl.errors import CalibrationError, InputError
from legcurl.events import Cue, MotionEvent, PhaseChanged, Progress, SetEnded, SetResult
from legcurl.motion.attempts import Look
from legcurl.motion.calibration import Calibration
from legcurl.motion.direction import UNKNOWN, Direction, KnownDirection, Sign
from legcurl.motion.follower import BEFORE_START, Follower
from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.resampler import GRID_S, Break, Grid, short_way
from legcurl.motion.set_builder import BlindBeginning, SetBuilder
from legcurl.training_method import STANDARD, TrainingMethod

LOOK_EVERY = 4
"""Grid steps between two looks at the lever: 40 ms."""

LOOK_BACK = 10
"""A look tells of the moment this many grid steps ago: its velocity is the difference of the
means of the ten steps before and the ten after."""

AT_ONCE = 4096
"""Samples taken at once: bounds the memory of one push, however large it is."""


class SetTracker:
    """Follows the sets on one machine.

    `calibration` is the lifter's range if one is known; it is corrected where it is another
    lifter's, but the direction that it says stands. `remembered` is what an earlier tracker of the
    same sensor knew of its direction. `method` is what the training asks for. `progress_s` asks for
    a Progress event on that grid of sensor time (None: none).
    """

    def __init__(
        self,
        calibration: Calibration | None = None,
        *,
        progress_s: float | None = None,
        method: TrainingMethod = STANDARD,
        remembered: KnownDirection = UNKNOWN,
    ) -> None:
        self._calibration = calibration
        self._method = method
        self._grid = Grid()
        self._direction = Direction(remembered)
        self._follower: Follower | None = None  # once a direction is known
        self._next_look = 2 * LOOK_BACK
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
    def known_direction(self) -> KnownDirection:
        """What is known of the sensor's direction, worth storing when a set has ended."""
        return self._direction.known

    @property
    def direction(self) -> Sign:
        """The sign of flexion on the sensor's axis, once a whole set has shown it; else 0."""
        return self._direction.of_earlier_sets

    @property
    def blind(self) -> bool:
        """Whether a set may have begun before the samples did: see begin_blind."""
        return self._blind is not None

    def know_direction(self, sign: Sign) -> None:
        """Take the direction that a tracker of earlier samples was sure of."""
        if self._calibration is None and sign:
            self._direction.tell(sign)

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
        if self._follower is not None:
            if self._direction.refuted_at_the_end:
                self._turn_round(self._grid.end - 1, events)
            self._follower.finish(events)
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
        if self._follower is None and (self._calibration or direction.sign):
            self._follower = self._begin(look)
        ask = direction.look(look)
        if self._blind is not None and (
            self._follower is None or self._follower.set.start_s is None
        ):
            self._blind.look(look)
        if self._follower is not None:
            told_s = self._grid.time_s(now)
            self._follower.look(_turned(look, direction.sign), now, told_s, events)
        elif direction.sign:
            self._follow_kept(now, events)
        if ask and direction.refuted:
            self._turn_round(now, events)

    def _begin(self, look: Look) -> Follower:
        """Begin to follow, with the range on the unwrapped axis if it is known."""
        placed = None
        calibration = self._calibration
        if calibration is not None:
            signed = calibration.signed_rom_deg
            self._direction.settle(1 if signed > 0 else -1)
            # The lever is within half a turn of its range.
            extended = look.angle + short_way(calibration.extended_deg - look.angle)
            bottom = extended if signed > 0 else -extended
            placed = LifterRange(bottom, bottom + abs(signed), "calibrated")
        sign = self._direction.sign
        return Follower(self._grid, sign, placed, self._method, self._doubt_beginning)

    def _turn_round(self, now: int, events: list[MotionEvent]) -> None:
        """The direction has proved wrong: take back what was said, and follow the set again."""
        if self._follower is not None:
            events.extend(self._follower.set.retract(self._grid.time_s(now)))
        self._direction.reverse()
        self._follow_kept(now, events)

    def _follow_kept(self, now: int, events: list[MotionEvent]) -> None:
        """Follow all looks that were kept, by the direction that is known now."""
        kept, sign = list(self._direction.kept), self._direction.sign
        self._follower = follower = self._begin(kept[0])
        told_s = self._grid.time_s(now)
        followed: list[MotionEvent] = []
        for look in kept:
            follower.look(_turned(look, sign), look.step + LOOK_BACK, told_s, followed)
        events.extend(event for event in followed if not isinstance(event, PhaseChanged | Cue))
        events.append(PhaseChanged(told_s, follower.phase.phase))

    def _doubt_beginning(self, closing: SetBuilder) -> None:
        """Before a set is told: learn its direction, and doubt a first one not seen to begin."""
        if not closing.under_way:
            return
        if self._blind is not None and closing.lifter is not None:
            if not self._blind.saw_rest(closing.lifter, self._direction.sign):
                closing.mark_incomplete()
            self._blind = None
        self._direction.end_set()

    def _break_off(self, gap: Break, events: list[MotionEvent]) -> None:
        """Samples are missing; if they were not bridged, nothing is measured across them."""
        follower = self._follower
        interrupts = follower is not None and (follower.lifting or follower.set.under_way)
        if not gap.bridged:
            if follower is not None:
                follower.restart_after(gap.index, events)
            self._direction.break_off(keep=interrupts)
            if self._direction.sign == 0:
                self._follower = None
            self._next_look = gap.index + 2 * LOOK_BACK
        if interrupts and self._follower is not None:
            self._follower.set.mark_incomplete()

    def _forget(self) -> None:
        """Free what no rule can ask for any more."""
        needed = self._next_look - 2 * LOOK_BACK - BEFORE_START
        if self._direction.kept:
            needed = min(needed, self._direction.kept[0].step - BEFORE_START)
        if self._follower is not None and self._follower.needs_from is not None:
            needed = min(needed, self._follower.needs_from)
        self._grid.forget_before(needed)

    def _progress_at(self, step: int) -> Progress:
        grid, follower = self._grid, self._follower
        t_s = grid.time_s(step)
        angle = grid.angles[step - grid.first]
        if follower is None:
            return Progress(t_s, angle % 360.0, None, "unknown", 0, 0.0, 0.0)
        lifter, begun_s = follower.set.lifter, follower.begun_s
        return Progress(
            t_s=t_s,
            angle_deg=angle % 360.0,
            rom_fraction=None if lifter is None else lifter.fraction(follower.sign * angle),
            phase=follower.phase.phase,
            completed_reps=follower.set.completed,
            hold_s=follower.phase.hold_s,
            set_s=0.0 if begun_s is None else max(t_s - begun_s, 0.0),
            counted_reps=follower.set.counted,
        )


def _turned(look: Look, sign: int) -> Look:
    return look if sign > 0 else Look(look.step, -look.angle, -look.velocity)


def analyze(
    t_s: Sequence[float],
    angle_deg: Sequence[float],
    extended_deg: float | None = None,
    flexed_deg: float | None = None,
    *,
    method: TrainingMethod = STANDARD,
    remembered: KnownDirection = UNKNOWN,
) -> list[SetResult]:
    """Find the sets of a whole trace, by the code that runs live and as causally.

    `t_s` in seconds, `angle_deg` raw sensor degrees (any offset, direction and wrap; NaN where
    unknown), 40 to 1000 Hz, jitter and gaps allowed. `extended_deg` and `flexed_deg` are the
    lifter's calibrated range in the same degrees; without both the range is learnt. `method` and
    `remembered` are as in SetTracker.
    Raises CalibrationError for a range that cannot be one, InputError for unequal lengths.
    """
    calibration = None
    if extended_deg is not None and flexed_deg is not None:
        calibration = Calibration(extended_deg, flexed_deg)
    elif extended_deg is not None or flexed_deg is not None:
        raise CalibrationError(
            "A range has two ends: give both extended_deg and flexed_deg, or neither."
        )
    tracker = SetTracker(calibration, method=method, remembered=remembered)
    events = tracker.push([round(t * 1e6) for t in t_s], angle_deg)
    events.extend(tracker.finish())
    return [event.set for event in events if isinstance(event, SetEnded)]

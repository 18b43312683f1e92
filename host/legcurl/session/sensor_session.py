"""One sensor's frames and notes in, events out: the pure core of a station.

It puts the frames in order, turns wire angles into degrees, blanks them where the sensor was blind,
reports faults and gaps, and hands the samples to the tracker. It has no clock and never waits, so
a recording of its items replays to the same events, byte for byte.

A link that drops changes nothing here: the set stays open, and the samples that the sensor kept
come in later. Only the sensor can lose samples, and it says so with a gap. What it no longer held
when the session began is no gap; but a set that was under way at the first sample is incomplete
(motion/set_builder.py).

A sensor that restarts in mid-set loses its log and its clock, not the lifter's set. Session time
is the clock of the first boot seen, carried on across restarts: the host measures how long the
restart took (RestartNote), and the tracker sees a hole of that length. Without a measurement there
are two cases. On a link that never broke, RESTART_GUESS_US stands for the length. After a broken
link the restart may have taken an hour: the open set ends there, interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

from legcurl.errors import CalibrationError, FrameError
from legcurl.events import (
    CatchingUp,
    Event,
    LinkChanged,
    SamplesMissing,
    SensorSeen,
)
from legcurl.motion import Calibration, KnownDirection, SetTracker
from legcurl.protocol.frame import STATUS_BLIND, TURN, Answer, Boot, Frame, Gap, GapReason, Samples
from legcurl.protocol.requests import (
    TIME_MAX_US,
    Hello,
    Op,
    Result,
    StreamStart,
    read_hello,
    read_start,
)
from legcurl.session.annotations import (
    ClockNote,
    DamageNote,
    LearntNote,
    LinkNote,
    Note,
    RestartNote,
)
from legcurl.session.encoder_faults import FaultWatch
from legcurl.session.log_assembler import LogAssembler
from legcurl.training_method import STANDARD, TrainingMethod

Item = Frame | Note
SampleReader = Callable[[Sequence[int], Sequence[float]], None]
MissingReason = Literal["evicted", "overrun", "paused", "reboot", "unknown"]

HEEDED_OPS = frozenset((Op.HELLO, Op.START))  # answers to any other change no event
PROGRESS_S = 0.1  # ten pictures a second look smooth; more is work for every sink
# A CatchingUp event comes when the sensor is further ahead. One loss on the way is less.
CATCH_UP_S = 1.0
# From the last sample before a restart to zero of the new clock, where it was not measured: boot
# ROM, MicroPython and imports. What the simulated sensor takes; not measured on boards yet.
RESTART_GUESS_US = 1_500_000
GAPS_WAITING = 8  # gaps in a row that get an event each; a sensor declares one, seldom two

DEGREES = 360 / TURN  # of one wire step; exact in binary
BLIND = STATUS_BLIND.value
GAP_REASONS: dict[int, MissingReason] = {
    GapReason.EVICTED: "evicted",
    GapReason.OVERRUN: "overrun",
    GapReason.PAUSED: "paused",
}


@dataclass(slots=True)
class SessionCounts:
    """What the session took, and what it could not use."""

    samples: int = 0  # handed to the tracker
    untimely: int = 0  # samples whose time does not advance, or that no clock can show
    unreadable: int = 0  # answers to hello or start that break the protocol
    restarts: int = 0


class SensorSession:
    """The session of one sensor.

    `calibration` overrides the one that the sensor holds; `method` judges the sets. `on_samples`
    gets what the tracker gets, just before it: times in µs of session time and raw degrees. For
    `jumps_are_holes`, which is for recordings, see log_assembler.py.
    """

    def __init__(
        self,
        calibration: Calibration | None = None,
        *,
        method: TrainingMethod = STANDARD,
        progress_s: float | None = PROGRESS_S,
        on_samples: SampleReader | None = None,
        jumps_are_holes: bool = False,
    ) -> None:
        self.counts = SessionCounts()
        self.log = LogAssembler(jumps_are_holes=jumps_are_holes)
        self.heeded = True  # the last item had an effect, so a recording needs it
        self._given = calibration
        self.method = method  # that judges the sets
        self._progress_s = progress_s
        self._on_samples = on_samples
        self._hello: Hello | None = None
        self._seen: SensorSeen | None = None
        self._calibration = calibration
        self._tracker = SetTracker(calibration, progress_s=progress_s, method=method)
        self._boot_id: int | None = None
        # Session time at which the boot's clock was zero; None from a restart to its first sample
        # unless the host measured it.
        self._zero_us: int | None = 0
        self._previous_zero_us: int | None = None
        self._restarted = False  # no sample of the present boot has come yet
        self._other_lever = False  # another sensor answers: its angles mean something else
        self._link_broke = False  # since the last sample
        self._last_us: int | None = None  # session time of the last sample taken
        self._due_us: int | None = None  # session time at which the next one is due
        self._period_us = 0  # of the last run
        self._gaps: list[tuple[int, MissingReason]] = []  # declared since the last sample
        self._present: int | None = None  # the index that will be the present, while we catch up
        self._faults = FaultWatch()
        self._blind_at_first: bool | None = None  # None: if the log's beginning is lost
        self._finished = False

    @property
    def hello(self) -> Hello | None:
        """Who the sensor is, as it last said."""
        return self._hello

    @property
    def boot_id(self) -> int | None:
        """The boot that the samples belong to; for the next start request."""
        return self._boot_id

    @property
    def next_index(self) -> int | None:
        """The first index that is lacking; None if this boot's stream has not been started."""
        return self.log.expected

    @property
    def wants(self) -> int | None:
        """The index to start from because something was lost on the way, or None."""
        return self.log.wants

    @property
    def calibration(self) -> Calibration | None:
        """The range in use: given, or the sensor's own; None while it is learnt live."""
        return self._calibration

    @property
    def known_direction(self) -> KnownDirection:
        """What is known of the way that the sensor is mounted."""
        return self._tracker.known_direction

    @property
    def time_us(self) -> int | None:
        """Session time of the last sample, None before the first."""
        return self._last_us

    @property
    def zero_us(self) -> int | None:
        """Session time minus the present boot's clock; None while it is unknown."""
        return self._zero_us

    def push(self, item: Item) -> list[Event]:
        """Take the item that came next; give the events that it leads to."""
        if self._finished:
            raise ValueError("This session is finished: start another for what comes next.")
        self.heeded = True
        if isinstance(item, Samples | Gap):
            events: list[Event] = []
            parts = self.log.push(item)
            self.heeded = bool(parts)
            for part in parts:
                if isinstance(part, Gap):
                    self._note_gap(part)
                else:
                    events += self._take(part)
            return events
        if isinstance(item, Answer):
            return self._answered(item)
        if isinstance(item, Boot):
            self._enter_boot(item.boot_id)
        elif isinstance(item, LinkNote):
            self._link_broke |= item.state == "lost"
            return [LinkChanged(item.state, item.reason)]
        elif isinstance(item, RestartNote):
            same = item.boot_id == self._boot_id
            if same and not self._restarted and self.next_index is not None:
                # It kept its boot id: only the host's clock shows the restart.
                self._leave_boot(item.boot_id)
            self._enter_boot(item.boot_id)
            if self._restarted and self._previous_zero_us is not None:
                self._zero_us = self._previous_zero_us + item.zero_us
        elif isinstance(item, DamageNote):
            self.log.skip_damage()
        elif isinstance(item, ClockNote) and self._last_us is None:
            self._zero_us = item.zero_us
        elif isinstance(item, LearntNote):
            if self._last_us is None:
                self._blind_at_first = item.blind
            if item.direction:
                self._tracker.know_direction(1 if item.direction > 0 else -1)
        return []

    def learnt(self) -> LearntNote | None:
        """What another session needs to go on from here; None before the first sample."""
        if self._last_us is None:
            return None
        return LearntNote(self._tracker.direction, self._tracker.blind)

    def finish(self) -> list[Event]:
        """End here: give the events of what was open. The session takes no more items."""
        if self._finished:
            return []
        self._finished = True
        return [*self._tell_gaps(None), *self._tracker.finish()]

    def _answered(self, answer: Answer) -> list[Event]:
        if self._tells_new_log(answer):
            self._leave_boot(self._boot_id)
        if answer.result != Result.OK:
            return []
        try:
            if answer.op == Op.HELLO:
                return self._met(read_hello(answer))
            if answer.op == Op.START:
                start = read_start(answer)
                self._enter_boot(start.boot_id)
                self.log.started(start.first)
                return self._tell_behind(start)
        except FrameError:
            self.counts.unreadable += 1
        return []

    def _tell_behind(self, start: StreamStart) -> list[Event]:
        """Say how much of the log comes before the present, if it is more than CATCH_UP_S."""
        expected = start.first if self.next_index is None else max(self.next_index, start.first)
        behind_us = (start.next - expected) * self._period_us
        since_us = self._due_us or 0
        if self._due_us is None and self._hello is not None and self._hello.rate_hz:
            period_us = round(1e6 / self._hello.rate_hz)
            behind_us = (start.next - expected) * period_us
            since_us = max(self._hello.time_us - (self._hello.next - expected) * period_us, 0)
        if behind_us >= CATCH_UP_S * 1e6:
            self._present = start.next
            return [CatchingUp(since_us / 1e6, behind_us / 1e6)]
        return self._tell_caught_up(since_us + behind_us) if self._present is not None else []

    def _tell_caught_up(self, now_us: int) -> list[Event]:
        self._present = None
        return [CatchingUp(now_us / 1e6, 0.0)]

    def _tells_new_log(self, answer: Answer) -> bool:
        """Whether a sensor cannot start where we are: it restarted, and kept its boot id."""
        if answer.op != Op.START or answer.result != Result.BAD_REQUEST:
            return False
        # As long a log as ours, when it said hello: then the refusal has some other reason.
        expected = self.next_index
        return expected is not None and (self._hello is None or self._hello.next < expected)

    def _met(self, hello: Hello) -> list[Event]:
        """Take a hello; an event only if something in it is new."""
        if not hello.speaks_ours:
            return []
        known = self._hello
        self._hello = hello
        if known is not None and known.sensor_id != hello.sensor_id:
            self._other_lever = True
            self._leave_boot(hello.boot_id)
        else:
            self._enter_boot(hello.boot_id)
        seen = SensorSeen(
            sensor_id=hello.sensor_id,
            boot_id=hello.boot_id,
            name=hello.name,
            board=hello.board,
            firmware=hello.firmware,
            rate_hz=hello.rate_hz,
        )
        events: list[Event] = []
        if seen != self._seen:
            self._seen = seen
            events.append(seen)
        calibration = self._given or _calibration_of(hello)
        if calibration != self._calibration:
            events += self._replace_tracker(calibration)
        return events

    def _enter_boot(self, boot_id: int) -> None:
        if self._boot_id is None:
            self._boot_id = boot_id
        elif self._boot_id != boot_id:
            self._leave_boot(boot_id)

    def _leave_boot(self, boot_id: int | None) -> None:
        """The sensor restarted: its log and its clock begin anew."""
        self._boot_id = boot_id
        self.counts.restarts += 1
        self.log.reset()
        self._previous_zero_us = self._zero_us
        self._zero_us = None
        self._restarted = True

    def _replace_tracker(self, calibration: Calibration | None) -> list[Event]:
        """End the open set and begin with nothing learnt."""
        events: list[Event] = [] if self._last_us is None else [*self._tracker.finish()]
        self._calibration = calibration
        self._tracker = SetTracker(calibration, progress_s=self._progress_s, method=self.method)
        return events

    def _take(self, run: Samples) -> list[Event]:
        """Hand a run that is in order to the tracker; first the events that come before it."""
        late_us = 0 if run.deviations_us is None else max(map(abs, run.deviations_us))
        if run.t_us + len(run.angles) * run.period_us + late_us > TIME_MAX_US:
            self.counts.untimely += len(run.angles)
            return []
        if self._restarted or self._runs_backward(run):
            events = self._settle_restart(run)
        else:
            events = self._tell_gaps(run)
        due_us = (self._zero_us or 0) + run.t_us
        after_us = due_us + len(run.angles) * run.period_us
        events += self._faults.look(
            run.status, due_us, after_us, self._hello and self._hello.referenced_by
        )
        t_us = list(range(due_us, after_us, run.period_us))
        if run.status & BLIND:
            angle_deg = [nan] * len(run.angles)
        else:
            angle_deg = [angle * DEGREES for angle in run.angles]
        if run.deviations_us is not None:
            t_us = [due + late for due, late in zip(t_us, run.deviations_us, strict=True)]
        if run.deviations_us is not None or (self._last_us is not None and due_us <= self._last_us):
            t_us, angle_deg = self._only_advancing(t_us, angle_deg)
        self._due_us = after_us
        self._period_us = run.period_us
        self._link_broke = False
        if t_us:
            first = self._last_us is None
            self._last_us = t_us[-1]
            self.counts.samples += len(t_us)
            blind = run.index > 0 if self._blind_at_first is None else self._blind_at_first
            if first and blind:
                self._tracker.begin_blind()
            if self._on_samples is not None:
                self._on_samples(t_us, angle_deg)
            events += self._tracker.push(t_us, angle_deg)
        if self._present is not None and (self.next_index or 0) >= self._present:
            events += self._tell_caught_up(after_us)
        return events

    def _runs_backward(self, run: Samples) -> bool:
        """Whether a run claims to be no later than the sample before it."""
        if self._due_us is None:
            return False
        return (self._zero_us or 0) + run.t_us <= self._due_us - self._period_us

    def _only_advancing(
        self, t_us: list[int], angle_deg: list[float]
    ) -> tuple[list[int], list[float]]:
        """Leave out samples read no later than the one before: time runs one way."""
        last_us = self._last_us
        times: list[int] = []
        angles: list[float] = []
        for t, angle in zip(t_us, angle_deg, strict=True):
            if last_us is not None and t <= last_us:
                self.counts.untimely += 1
                continue
            last_us = t
            times.append(t)
            angles.append(angle)
        return times, angles

    def _settle_restart(self, run: Samples) -> list[Event]:
        """Give a new clock, whose first run this is, its place in session time."""
        told = self._restarted  # else only the run's time shows the restart
        zero_us = self._zero_us if told else None
        self._restarted = False
        self._previous_zero_us = None
        self._gaps.clear()  # the hole of the restart includes them
        due_us = self._due_us
        if due_us is None:  # no sample was taken before: the session begins with this boot
            self._zero_us = 0
            return []
        if zero_us is not None and zero_us + run.t_us < due_us:
            zero_us = None  # wrongly measured: samples would go back in time
        events: list[Event] = []
        unknown_length = zero_us is None and (self._link_broke or not told)
        if self._other_lever or unknown_length:
            events += self._replace_tracker(self._calibration)
            self._other_lever = False
        if zero_us is None:
            zero_us = due_us + RESTART_GUESS_US - (0 if told else run.t_us)
        self._zero_us = zero_us
        missing_s = (zero_us + run.t_us - due_us) / 1e6
        events.append(SamplesMissing(due_us / 1e6, missing_s, 0, "reboot" if told else "unknown"))
        return events

    def _note_gap(self, gap: Gap) -> None:
        """Keep a gap until it shows where it ends; those of one reason in a row are one."""
        reason = GAP_REASONS.get(gap.reason, "unknown")
        samples = gap.count
        if self._gaps and (self._gaps[-1][1] == reason or len(self._gaps) == GAPS_WAITING):
            before, reason = self._gaps.pop()
            samples += before
        self._gaps.append((samples, reason))

    def _tell_gaps(self, run: Samples | None) -> list[Event]:
        """Say what is missing between the last sample and the run that follows, if one does."""
        if not self._gaps:
            return []
        gaps, self._gaps = self._gaps, []
        period_us = self._period_us if run is None else run.period_us
        end_us = None if run is None else (self._zero_us or 0) + run.t_us
        start_us = self._due_us
        if start_us is None:
            if end_us is None:
                return []  # there is no sample before or after them
            start_us = end_us - sum(samples for samples, _ in gaps) * period_us
        events: list[Event] = []
        for at, (samples, reason) in enumerate(gaps, 1):
            stop_us = start_us + samples * period_us
            if at == len(gaps) and end_us is not None:
                stop_us = max(end_us, start_us)  # a pause is longer than the ticks it counts
            missing_s = (stop_us - start_us) / 1e6
            events.append(SamplesMissing(start_us / 1e6, missing_s, samples, reason))
            start_us = stop_us
        return events


def _calibration_of(hello: Hello) -> Calibration | None:
    """The range that the sensor holds, if it is one."""
    if hello.calibration is None:
        return None
    extended, flexed = hello.calibration
    try:
        return Calibration(extended * DEGREES, flexed * DEGREES, hello.direction)
    except CalibrationError:
        return None

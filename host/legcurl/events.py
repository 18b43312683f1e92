"""What the pipeline says: one frozen value an event, from frames in to sinks out.

Times ending in `_s` are seconds of the sensor's own clock (since its boot, carried on across a
restart), never wall time and never arrival time, so that live, replay and analysis say the same
about the same samples.
`known_s` is the time of the sample at which the program could first say so.

`as_json(event)` is the form that `--json` prints, one event a line.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from legcurl.training_method import STANDARD, TrainingMethod

TOLD_HOLD_CHANGE_S = 0.2  # the last digit that is shown, and a little
TOLD_ROM_CHANGE = 0.05

Outcome = Literal["muscle_success", "stopped", "interrupted"]
Failure = Literal["mid_lift", "in_hold"]
Phase = Literal["unknown", "bottom", "concentric", "hold", "eccentric"]
CueKind = Literal["all_the_way", "squeeze", "slower_down", "keep_moving"]


@dataclass(frozen=True, slots=True)
class RepResult:
    """One attempt: completed, failed, or a partial (neither). Durations in s, angles in degrees."""

    number: int  # counts attempts from 1, failed and partial ones included
    completed: bool  # full range and not failed mid lift: what the coach counts
    failed: bool  # could not be lifted to the top
    failure: (
        Failure | None
    )  # "in_hold" of a completed rep: the weight sank before the hold was over
    start_s: float
    hold_start_s: float
    hold_end_s: float
    end_s: float
    known_s: float
    concentric_s: float
    hold_s: float
    eccentric_s: float
    rest_before_s: float
    peak_deg: float  # knee flexion at the top, 0 = the lifter's own extended end
    rom_fraction: float  # peak over the lifter's range of motion
    hold_met: bool  # held as long as the method asks for; never of a rep with a failure
    full_rom: bool  # rom_fraction reached what the method calls full
    fail_s: float | None = None  # onset of the final descent of a rep with a failure
    evidence: str | None = None  # why it was called failed, in words
    mean_velocity_deg_s: float = 0.0  # of the concentric
    incomplete: bool = False  # samples are missing inside this rep


@dataclass(frozen=True, slots=True)
class SetResult:
    """One set, from the first rep's start to the last attempt's end."""

    start_s: float
    end_s: float
    outcome: Outcome
    outcome_s: float | None  # when the deciding failure began; None if none
    outcome_known_s: float
    time_under_load_s: float
    completed_reps: int
    reps: tuple[RepResult, ...]
    rom_deg: float = 0.0  # the lifter's range that fractions refer to
    # Its two ends in raw sensor degrees, [0, 360): what a calibration would say. A magnet that
    # slipped is taken out, so they are those of the axis before it did. None: not measured.
    extended_deg: float | None = None
    flexed_deg: float | None = None
    velocity_loss: float | None = (
        None  # 1 − last completed rep's speed over the best of the first 3
    )
    rom_loss: float | None = None  # 1 − last completed rep's peak over the best
    incomplete: bool = False  # samples are missing inside the set
    # What was asked for is no part of what was measured: two sets may be equal without it.
    # counted_reps: from the fraction that the method counts from; None is as completed_reps.
    counted_reps: int | None = field(default=None, compare=False)
    # That the set was judged by. None: the exercise's own.
    method: TrainingMethod | None = field(default=None, compare=False)

    @property
    def judged_by(self) -> TrainingMethod:
        """The method that the set was judged by."""
        return self.method or STANDARD

    @property
    def count(self) -> int:
        """The reps that the coach counts."""
        return self.completed_reps if self.counted_reps is None else self.counted_reps


@dataclass(frozen=True, slots=True)
class SensorSeen:
    """A sensor answered: who it is. `boot_id` changes with every start of the sensor."""

    event: ClassVar[str] = "sensor"
    sensor_id: str
    boot_id: int
    name: str
    board: str
    firmware: str
    rate_hz: float


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link to the sensor: lost, or back. Streams of samples are never changed by it."""

    event: ClassVar[str] = "link"
    state: Literal["lost", "restored"]
    reason: str


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """What is told from here on is the past: the sensor's log has so much more than we have.

    The present is at `t_s + behind_s`, and the link takes seconds to get there. 0: we are there.
    """

    event: ClassVar[str] = "catching_up"
    t_s: float
    behind_s: float


@dataclass(frozen=True, slots=True)
class SensorTrouble:
    """A fault that the sensor reports with its samples began (`active`) or ended."""

    event: ClassVar[str] = "sensor_fault"
    t_s: float
    fault: str  # no_magnet, weak_magnet, strong_magnet, bus_error, not_referenced, unknown
    active: bool
    referenced_by: str | None = None  # what ends not_referenced: rest, index; None: not known


@dataclass(frozen=True, slots=True)
class SamplesMissing:
    """Samples that will never come: an explicit gap in the record."""

    event: ClassVar[str] = "gap"
    t_s: float  # due time of the first missing sample
    duration_s: float
    samples: int  # 0 where it is unknown (the sensor restarted)
    reason: Literal["evicted", "overrun", "paused", "reboot", "unknown"]


@dataclass(frozen=True, slots=True)
class Progress:
    """The live picture, on a fixed grid of sensor time."""

    event: ClassVar[str] = "progress"
    t_s: float
    angle_deg: float | None  # raw sensor degrees; None while the sensor cannot tell
    rom_fraction: float | None  # None until a range is known
    phase: Phase
    completed_reps: int
    hold_s: float  # of the hold that is going on, else 0
    set_s: float  # since the first motion of the set, else 0
    counted_reps: int | None = None  # as in SetResult


@dataclass(frozen=True, slots=True)
class SetStarted:
    """The first rep of a set is known: told when it ends, or sooner where it is certain."""

    event: ClassVar[str] = "set_started"
    t_s: float
    start_s: float


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The lever's phase changed, seen live (RepResult has the measured times)."""

    event: ClassVar[str] = "phase"
    t_s: float
    phase: Phase


@dataclass(frozen=True, slots=True)
class RepEnded:
    """An attempt is over and measured."""

    event: ClassVar[str] = "rep"
    t_s: float
    rep: RepResult
    completed_reps: int
    counted_reps: int | None = None  # as in SetResult


@dataclass(frozen=True, slots=True)
class RepCounted:
    """A rep counts from its top on, where the method counts there; RepEnded follows.

    If it does not count after all, a RepCorrected without `old` and `new` takes it back.
    """

    event: ClassVar[str] = "rep_counted"
    t_s: float
    completed_reps: int
    counted_reps: int | None = None  # as in SetResult


@dataclass(frozen=True, slots=True)
class RepCorrected:
    """What was said about a rep has changed; `new` is None if it was no rep after all.

    Both are None where a rep that was counted at its top is taken back.
    """

    event: ClassVar[str] = "rep_corrected"
    t_s: float
    old: RepResult | None
    new: RepResult | None
    completed_reps: int
    reason: str
    counted_reps: int | None = None  # as in SetResult


@dataclass(frozen=True, slots=True)
class FailureSuspected:
    """A doubt, shown at once: this attempt may be failing."""

    event: ClassVar[str] = "failure_suspected"
    t_s: float
    fail_s: float
    rom_fraction: float | None
    evidence: str


@dataclass(frozen=True, slots=True)
class FailureWithdrawn:
    """The doubt is gone: the lifter pushed it through, or chose to stop there."""

    event: ClassVar[str] = "failure_withdrawn"
    t_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class MuscleSuccess:
    """A failed attempt, confirmed. A later full rep would withdraw it."""

    event: ClassVar[str] = "muscle_success"
    t_s: float
    fail_s: float
    failure: Failure
    evidence: str


@dataclass(frozen=True, slots=True)
class Cue:
    """A word for the coach."""

    event: ClassVar[str] = "cue"
    t_s: float
    cue: CueKind


@dataclass(frozen=True, slots=True)
class SetEnded:
    """The set is closed and will not change."""

    event: ClassVar[str] = "set_ended"
    t_s: float
    set: SetResult


MotionEvent = (
    SetStarted
    | PhaseChanged
    | Progress
    | RepEnded
    | RepCounted
    | RepCorrected
    | FailureSuspected
    | FailureWithdrawn
    | MuscleSuccess
    | Cue
    | SetEnded
)
Event = MotionEvent | SensorSeen | LinkChanged | CatchingUp | SensorTrouble | SamplesMissing


def plain(value: Any) -> Any:
    """Turn a result or event value into what json.dumps takes; times are rounded to 0.1 ms."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value


def as_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object whose first member, `event`, names its kind."""
    return {"event": event.event, **plain(event)}


def verdict(rep: RepResult) -> str:
    """Give what became of the attempt in one word."""
    if rep.failed:
        return "failed"
    return "done" if rep.completed else "partial"


def is_worth_telling(event: RepCorrected) -> bool:
    """Whether a correction changes what a coach would say, and not only a last digit."""
    old, new = event.old, event.new
    if old is None or new is None:
        return True
    return (
        verdict(old) != verdict(new)
        or old.failure != new.failure
        or old.hold_met != new.hold_met
        or abs(old.hold_s - new.hold_s) >= TOLD_HOLD_CHANGE_S
        or abs(old.rom_fraction - new.rom_fraction) >= TOLD_ROM_CHANGE
    )

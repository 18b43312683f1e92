"""What a viewer should see now, folded from events: `state = state.apply(event)`.

A frozen value and a pure function, so that the terminal, a page or a test can show the same
set from the same events, and a viewer that joins late needs nothing but the last state. It
holds one set at a time, the one that is going on or else the last, so it never grows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from legcurl.events import (
    CatchingUp,
    Cue,
    CueKind,
    Event,
    FailureSuspected,
    FailureWithdrawn,
    LinkChanged,
    MuscleSuccess,
    Phase,
    PhaseChanged,
    Progress,
    RepCorrected,
    RepCounted,
    RepEnded,
    RepResult,
    SamplesMissing,
    SensorSeen,
    SensorTrouble,
    SetEnded,
    SetResult,
    SetStarted,
    is_worth_telling,
)
from legcurl.session.encoder_faults import BLINDING_FAULTS
from legcurl.training_method import STANDARD, TrainingMethod

GAP_WORDS = {
    "evicted": "the sensor's log was full",
    "overrun": "the sensor could not keep up",
    "paused": "sampling was restarted",
    "reboot": "the sensor restarted",
    "unknown": "the reason is unknown",
}

NOTE_LASTS_S = 6.0  # of sensor time: long enough to read a sentence
BEGUN_FRACTION = 0.25
"""Of the range: a lever that moves above it may be a set's first rep; less is settling in."""

CUE_LASTS_S = 3.0  # a cue concerns the movement that is going on

Tone = Literal["plain", "good", "doubt", "bad"]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence to show for a while."""

    text: str
    tone: Tone
    until_s: float


@dataclass(frozen=True, slots=True)
class ShownCue:
    """A word for the coach, to show for a while."""

    kind: CueKind
    until_s: float


@dataclass(frozen=True, slots=True)
class MachineState:
    """The picture after the events so far. `stage`: before, during, or after a set."""

    link: Literal["connecting", "up", "lost", "ended"] = "connecting"
    link_reason: str = ""
    sensor: SensorSeen | None = None
    faults: tuple[str, ...] = ()
    referenced_by: str | None = None  # as in SensorTrouble
    t_s: float = 0.0
    angle_deg: float | None = None
    rom_fraction: float | None = None
    reached_fraction: float | None = None  # the highest of the attempt that is going on
    phase: Phase = "unknown"
    phase_since_s: float = 0.0
    stage: Literal["before", "during", "after"] = "before"
    method: TrainingMethod = STANDARD  # that sets are judged by
    completed_reps: int = 0
    counted_reps: int | None = None  # as in SetResult
    hold_s: float = 0.0  # of the hold that is going on, or the last one until the next lift
    rest_s: float = 0.0  # since the weight came down, while it stays there
    set_s: float = 0.0
    moving_s: float = 0.0  # since the first motion of a set, which may be no set yet
    reps: tuple[RepResult, ...] = ()
    doubt: FailureSuspected | None = None
    success: MuscleSuccess | None = None
    result: SetResult | None = None
    note: Note | None = None
    cue: ShownCue | None = None
    sets_ended: int = 0
    present_s: float | None = None  # where the sensor is, while what is shown is the past

    def apply(self, event: Event) -> MachineState:
        """Give the picture after one more event."""
        match event:
            case Progress():
                return self._progressed(event)
            case PhaseChanged():
                return self._at(event.t_s)._in_phase(event.phase)
            case SetStarted():
                return self._at(event.t_s)._open()
            case RepCounted():
                return self._at(event.t_s)._open()._counting(event)
            case RepEnded():
                seen = self._at(event.t_s)._open()
                return replace(
                    seen._counting(event),
                    reps=_with_rep(seen.reps, event.rep),
                    hold_s=event.rep.hold_s if seen.phase != "hold" else seen.hold_s,
                )
            case RepCorrected():
                return self._at(event.t_s)._corrected(event)
            case FailureSuspected():
                return replace(self._at(event.t_s), doubt=event)
            case FailureWithdrawn():
                seen = replace(self._at(event.t_s), doubt=None, success=None)
                return seen._noting(f"Not a failure: {event.reason}", "plain")
            case MuscleSuccess():
                return replace(self._at(event.t_s), doubt=None, success=event)
            case Cue():
                cue = ShownCue(event.cue, event.t_s + CUE_LASTS_S)
                return replace(self._at(event.t_s), cue=cue)
            case SetEnded():
                return self._at(event.t_s)._closed(event.set)
            case SensorSeen():
                return self._met(event)
            case LinkChanged(state="lost"):
                return replace(self, link="lost", link_reason=event.reason)
            case LinkChanged():
                return replace(self, link="up", link_reason="")
            case CatchingUp():
                present_s = event.t_s + event.behind_s if event.behind_s else None
                return replace(self._at(event.t_s), present_s=present_s)
            case SensorTrouble():
                others = tuple(fault for fault in self.faults if fault != event.fault)
                faults = (*others, event.fault) if event.active else others
                by = event.referenced_by or self.referenced_by
                return replace(self._at(event.t_s), faults=faults, referenced_by=by)
            case SamplesMissing():
                return self._at(event.t_s)._noting(missing_words(event), "bad")
        return self

    @property
    def count(self) -> int:
        """The reps that the coach counts."""
        return self.completed_reps if self.counted_reps is None else self.counted_reps

    @property
    def blind(self) -> bool:
        """Whether the sensor cannot tell where the lever is."""
        return not BLINDING_FAULTS.isdisjoint(self.faults)

    @property
    def shown_fault(self) -> str | None:
        """The fault to show where there is room for one: a blinding one first, else the newest."""
        blinding = [fault for fault in self.faults if fault in BLINDING_FAULTS]
        return next(reversed(blinding or self.faults), None)

    @property
    def behind_s(self) -> float:
        """How old what is shown is, while a backlog is read; else 0."""
        return 0.0 if self.present_s is None else max(self.present_s - self.t_s, 0.0)

    def as_shown(self) -> MachineState:
        """The picture for a viewer: of the set whose first rep is going on.

        A set is known when its first rep is over; until then the last set's figures would stand
        beside a lifter who lifts.
        """
        reached = 1.0 if self.reached_fraction is None else self.reached_fraction
        moves = self.phase in ("concentric", "hold", "eccentric")
        if self.stage == "during" or not moves or reached < BEGUN_FRACTION:
            return self
        return replace(self._open(), set_s=self.moving_s)

    def ended(self) -> MachineState:
        """Give the picture after the last event of a stream that has an end."""
        return replace(self, link="ended")

    def _at(self, t_s: float) -> MachineState:
        """Move the clock; what was said for a while is gone when its while is over."""
        return replace(
            self,
            t_s=t_s,
            note=self.note if self.note and t_s < self.note.until_s else None,
            cue=self.cue if self.cue and t_s < self.cue.until_s else None,
        )

    def _noting(self, text: str, tone: Tone) -> MachineState:
        return replace(self, note=Note(text, tone, self.t_s + NOTE_LASTS_S))

    def _met(self, sensor: SensorSeen) -> MachineState:
        """Greet the sensor; after a restart its clock, and with it every `until_s`, is void."""
        restarted = self.sensor is not None and self.sensor.boot_id != sensor.boot_id
        kept = (
            replace(self, note=None, cue=None, faults=(), referenced_by=None) if restarted else self
        )
        return replace(kept, sensor=sensor, link="up", link_reason="")

    def _in_phase(self, phase: Phase) -> MachineState:
        if phase == self.phase:
            return self
        changed = replace(self, phase=phase, phase_since_s=self.t_s, rest_s=0.0)
        if phase == "concentric" and self.phase in ("bottom", "unknown"):
            return replace(changed, hold_s=0.0, reached_fraction=None)
        return changed

    def _progressed(self, event: Progress) -> MachineState:
        # Most events are this one, and mostly the phase goes on: then one new picture is enough.
        seen = self if event.phase == self.phase else self._at(event.t_s)._in_phase(event.phase)
        reached = seen.reached_fraction
        if event.rom_fraction is not None and (reached is None or event.rom_fraction > reached):
            reached = event.rom_fraction
        during = seen.stage == "during"
        return replace(
            seen,
            t_s=event.t_s,
            note=seen.note if seen.note and event.t_s < seen.note.until_s else None,
            cue=seen.cue if seen.cue and event.t_s < seen.cue.until_s else None,
            angle_deg=event.angle_deg,
            rom_fraction=event.rom_fraction,
            reached_fraction=reached,
            completed_reps=event.completed_reps if during else seen.completed_reps,
            counted_reps=event.counted_reps if during else seen.counted_reps,
            hold_s=event.hold_s if event.phase == "hold" else seen.hold_s,
            rest_s=event.t_s - seen.phase_since_s if event.phase == "bottom" else 0.0,
            set_s=event.set_s if during else seen.set_s,
            moving_s=event.set_s,
        )

    def _open(self) -> MachineState:
        """Clear the last set's picture for the next, unless that has begun."""
        if self.stage == "during":
            return self
        return replace(
            self,
            stage="during",
            completed_reps=0,
            counted_reps=None,
            set_s=0.0,
            reps=(),
            doubt=None,
            success=None,
            result=None,
        )

    def _counting(self, event: RepCounted | RepEnded | RepCorrected) -> MachineState:
        return replace(self, completed_reps=event.completed_reps, counted_reps=event.counted_reps)

    def _corrected(self, event: RepCorrected) -> MachineState:
        reps = self.reps
        if event.old is not None:
            reps = tuple(rep for rep in reps if rep.number != event.old.number)
        if event.new is not None:
            reps = _with_rep(reps, event.new)
        seen = replace(self._counting(event), reps=reps)
        if not is_worth_telling(event):
            return seen
        if event.new is None and event.old is None:
            return seen._noting(f"The last count is taken back: {event.reason}", "doubt")
        what = f"Rep {event.new.number}" if event.new else "The last movement"
        return seen._noting(f"{what} was corrected: {event.reason}", "doubt")

    def _closed(self, result: SetResult) -> MachineState:
        return replace(
            self,
            stage="after",
            result=result,
            reps=result.reps,
            completed_reps=result.completed_reps,
            counted_reps=result.counted_reps,
            set_s=result.time_under_load_s,
            doubt=None,
            sets_ended=self.sets_ended + 1,
        )


def _with_rep(reps: tuple[RepResult, ...], rep: RepResult) -> tuple[RepResult, ...]:
    """Put the rep in its place by number; a repeated number replaces."""
    others = [other for other in reps if other.number != rep.number]
    return tuple(sorted([*others, rep], key=lambda one: one.number))


def missing_words(event: SamplesMissing) -> str:
    """Say how long nothing was recorded, and why."""
    return f"{event.duration_s:.1f} s not recorded: {GAP_WORDS[event.reason]}"

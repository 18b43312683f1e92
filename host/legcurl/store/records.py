"""The records of the store: frozen values, no SQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from legcurl.events import Outcome, SetResult

CorrectionKind = Literal["delete", "restore", "count", "outcome"]
CORRECTION_KINDS: tuple[CorrectionKind, ...] = ("delete", "restore", "count", "outcome")
OUTCOMES: tuple[Outcome, ...] = ("muscle_success", "stopped", "interrupted")


@dataclass(frozen=True, slots=True)
class Gym:
    """A gym of a store of many."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the gym; in a store of many gyms, of the one that `gym_id` names."""

    id: str
    name: str
    gym_id: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A person who trains: a pseudonym, and a name if they agreed to store it."""

    id: str
    name: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """The coach's entry for the next set on a machine, and when it was made."""

    client_id: str | None = None
    load_kg: float | None = None
    since: datetime | None = None  # None: nothing was entered


@dataclass(frozen=True, slots=True)
class Trace:
    """The raw angles of a set: sensor time in µs and degrees, nan where the sensor was blind."""

    t_us: tuple[int, ...]
    angle_deg: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NewSet:
    """A set as it was measured.

    After a restart, the sensor's log holds sets that were stored before, and they are measured
    again; with less of the log before them, they may come out a little different. `log` names the
    sensor and its boot, and `log_zero_us` says where the zero of that boot's clock lies in the
    times of `result`: two sets that overlap in the same log are the same set.
    """

    id: str
    machine: Machine
    started: datetime  # wall time of the set's start, with a timezone
    result: SetResult
    trace: Trace | None = None
    expected: Expected = Expected()
    detection: str = ""  # the version of the rules that measured it
    log: str = ""  # empty: unknown
    log_zero_us: int = 0

    @property
    def log_start_us(self) -> int:
        """When it began, by the clock of its log."""
        return round(self.result.start_s * 1e6) - self.log_zero_us

    @property
    def log_end_us(self) -> int:
        """When its last attempt ended, by the clock of its log."""
        return round(self.result.end_s * 1e6) - self.log_zero_us


@dataclass(frozen=True, slots=True)
class LogSpan:
    """The span of a stored set in a sensor's log, in µs of that boot's clock."""

    log: str
    start_us: int
    end_us: int

    def holds(self, new: NewSet) -> bool:
        """Whether a set is this one, measured again."""
        return (
            new.log == self.log
            and self.start_us < new.log_end_us
            and self.end_us > new.log_start_us
        )


@dataclass(frozen=True, slots=True)
class Correction:
    """A coach's correction of a set: `value` is a count, an outcome, or None."""

    kind: CorrectionKind
    value: int | str | None
    who: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A stored set: its measurement, corrections, and the coach's entries."""

    id: str
    machine: Machine
    client: Client | None
    started: datetime
    load_kg: float | None
    note: str
    original: SetResult
    corrections: tuple[Correction, ...]
    detection: str
    has_trace: bool

    @property
    def deleted(self) -> bool:
        """Whether the last delete or restore was a delete."""
        for correction in reversed(self.corrections):
            if correction.kind in ("delete", "restore"):
                return correction.kind == "delete"
        return False

    @property
    def result(self) -> SetResult:
        """The measurement with the last correction of each kind applied."""
        result = self.original
        for correction in self.corrections:
            if correction.kind == "count" and isinstance(correction.value, int):
                counted = None if result.counted_reps is None else correction.value
                result = replace(result, completed_reps=correction.value, counted_reps=counted)
            elif correction.kind == "outcome" and correction.value in OUTCOMES:
                result = replace(result, outcome=correction.value)
        return result

    @property
    def corrected(self) -> bool:
        """Whether a correction changes the measurement."""
        return self.deleted or self.result != self.original


@dataclass(frozen=True, slots=True)
class SetQuery:
    """A query of sets, newest first; a set fulfils every condition that is given."""

    machine_id: str | None = None
    client_id: str | None = None
    gym_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None  # the `next` of the page before
    limit: int = 50


@dataclass(frozen=True, slots=True)
class SetPage:
    """A page of sets, newest first; `next` is the `before` of the next page, None at the end."""

    sets: tuple[StoredSet, ...]
    next: str | None


def entered(before: Expected, **fields: object) -> Expected:
    """The entry `before` with some fields changed, as of now."""
    return replace(before, **fields, since=datetime.now(UTC))

"""The columns of each table: type, unit and value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from legcurl.events import RepResult
from legcurl.store.records import StoredSet

What = Literal["sets", "reps", "traces"]
Kind = Literal["text", "whole", "real", "flag", "moment"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `unit` may be empty, and `of` returns the value for a row's source."""

    name: str
    kind: Kind
    what: str
    of: Callable[..., Any]
    unit: str = ""


def _holds_met(stored: StoredSet) -> int:
    return sum(rep.hold_met for rep in stored.result.reps if rep.completed)


def _client(stored: StoredSet) -> str | None:
    return None if stored.client is None else stored.client.id


SETS = (
    Column("id", "text", "the set's id", lambda s: s.id),
    Column("started", "moment", "wall time of the start", lambda s: s.started.astimezone(UTC)),
    Column("machine_id", "text", "the machine's id", lambda s: s.machine.id),
    Column("machine", "text", "the machine's name", lambda s: s.machine.name),
    Column("client_id", "text", "who lifted: a pseudonym", _client),
    Column("load_kg", "real", "what was lifted", lambda s: s.load_kg, "kg"),
    Column("outcome", "text", "muscle_success, stopped or interrupted", lambda s: s.result.outcome),
    Column("completed_reps", "whole", "full reps", lambda s: s.result.completed_reps),
    Column("counted_reps", "whole", "reps that count by the method", lambda s: s.result.count),
    Column("attempts", "whole", "reps, partial and failed ones", lambda s: len(s.result.reps)),
    Column("holds_met", "whole", "completed reps held as long as the method asks", _holds_met),
    Column(
        *("time_under_load_s", "real", "from first lift to last lowering, without rests"),
        lambda s: s.result.time_under_load_s,
        "s",
    ),
    Column(
        *("hold_target_s", "real", "the hold that the method asks for"),
        lambda s: s.result.judged_by.hold_target_s,
        "s",
    ),
    Column("rom_deg", "real", "the lifter's range", lambda s: s.result.rom_deg, "deg"),
    Column("velocity_loss", "real", "speed lost within the set", lambda s: s.result.velocity_loss),
    Column("rom_loss", "real", "range lost within the set", lambda s: s.result.rom_loss),
    Column("note", "text", "what the coach wrote", lambda s: s.note),
    Column("incomplete", "flag", "samples are missing", lambda s: s.result.incomplete),
    Column("corrected", "flag", "a coach changed something of it", lambda s: s.corrected),
    Column("deleted", "flag", "a coach took it out", lambda s: s.deleted),
    Column("detection", "text", "version of the rules that measured it", lambda s: s.detection),
)


def _rep(name: str, kind: Kind, what: str, unit: str = "") -> Column:
    """A column of a rep's own field."""

    def of(stored: StoredSet, rep: RepResult) -> Any:
        return getattr(rep, name)

    return Column(name, kind, what, of, unit)


REPS = (
    Column("set_id", "text", "the set's id", lambda s, rep: s.id),
    Column("machine_id", "text", "the machine's id", lambda s, rep: s.machine.id),
    Column("client_id", "text", "who lifted: a pseudonym", lambda s, rep: _client(s)),
    _rep("number", "whole", "counts attempts from 1"),
    _rep("completed", "flag", "full range, and not failed mid lift"),
    _rep("failed", "flag", "could not be lifted to the top"),
    _rep("failure", "text", "mid_lift or in_hold"),
    _rep("start_s", "real", "sensor time at the start", "s"),
    _rep("hold_start_s", "real", "sensor time at which the hold began", "s"),
    _rep("hold_end_s", "real", "sensor time at which it ended", "s"),
    _rep("end_s", "real", "sensor time at the end", "s"),
    _rep("concentric_s", "real", "lifting", "s"),
    _rep("hold_s", "real", "holding", "s"),
    _rep("eccentric_s", "real", "lowering", "s"),
    _rep("rest_before_s", "real", "rest before it", "s"),
    _rep("peak_deg", "real", "knee flexion at the top", "deg"),
    _rep("rom_fraction", "real", "peak over the lifter's range"),
    _rep("hold_met", "flag", "held for 3 s or longer"),
    _rep("full_rom", "flag", "reached the full range"),
    _rep("mean_velocity_deg_s", "real", "mean speed of the lift", "deg/s"),
    _rep("incomplete", "flag", "samples are missing inside it"),
    _rep("evidence", "text", "why it was called failed"),
    Column("deleted", "flag", "a coach took the set out", lambda s, rep: s.deleted),
)

TRACES = (
    Column("set_id", "text", "the set's id", lambda set_id, t_us, angle: set_id),
    Column("t_s", "real", "sensor time", lambda set_id, t_us, angle: t_us / 1e6, "s"),
    Column(
        *("angle_deg", "real", "raw angle; empty where the sensor was blind"),
        lambda set_id, t_us, angle: None if angle != angle else angle,
        "deg",
    ),
)

TABLES: dict[What, tuple[Column, ...]] = {"sets": SETS, "reps": REPS, "traces": TRACES}

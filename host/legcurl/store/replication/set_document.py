"""A set as others are told of it, and as it is read there: JSON both ways, no SQL.

The document is whole: the set as it was measured, the corrections since, and how it stands with
them. `revision` counts its versions, so whoever reads two keeps the higher and needs no other
order. No name of a client is in it, and nothing that a coach wrote freely (notes, reasons), because
that may hold names: of a person only the pseudonym leaves the gym. docs/mqtt.md describes it.

Numbers are those of the store, to the last bit: the set there equals the set here. What comes in is
checked to the last field, because it comes from a network: InputError names what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from legcurl.errors import InputError
from legcurl.events import RepResult, SetResult
from legcurl.identifiers import CLIENT_ID, GYM_ID, MACHINE_ID, SET_ID
from legcurl.store.records import Correction, CorrectionKind, StoredSet
from legcurl.store.validation import check_load, correct_value, storable

SCHEMA = 1
TEXT_MAX = 2000
REPS_MAX = 1000
CORRECTIONS_MAX = 1000
SETS_MAX = 100_000  # of one person
TRACE_MAX = 8 * 1024 * 1024
_NUMBER_MAX = 2**53  # beyond, JSON's numbers are not exact
_COUNT_MAX = 2**31 - 1  # of what the tables have as a small integer


@dataclass(frozen=True, slots=True)
class SetDocument:
    """A version of a set of some gym."""

    gym_id: str
    gym_name: str
    machine_id: str
    machine_name: str
    set_id: str
    revision: int
    started: datetime
    client_id: str | None
    load_kg: float | None
    detection: str
    log: str | None
    log_start_us: int
    log_end_us: int
    measured: SetResult
    corrections: tuple[Correction, ...]
    trace: bytes | None  # packed: see traces.py


@dataclass(frozen=True, slots=True)
class ForgetDocument:
    """A gym has erased a person, and these sets of theirs."""

    gym_id: str
    gym_name: str
    client_id: str
    set_ids: tuple[str, ...]


def body_of(stored: StoredSet, row: Mapping[Any, Any]) -> dict[str, Any]:
    """What to tell of a set; `row` is its row of the table."""
    return {
        "machine": {"id": stored.machine.id, "name": stored.machine.name},
        "set": {
            "id": stored.id,
            "revision": row["revision"],
            "started": _text_of(stored.started),
            "client": None if stored.client is None else stored.client.id,
            "load_kg": stored.load_kg,
            "deleted": stored.deleted,
            "outcome": stored.result.outcome,
            "completed_reps": stored.result.completed_reps,
            "detection": stored.detection,
            "log": row["log"],
            "log_start_us": row["log_start_us"],
            "log_end_us": row["log_end_us"],
            "measured": asdict(stored.original),
            "corrections": [
                {
                    "kind": correction.kind,
                    "value": correction.value,
                    "who": correction.who,
                    "at": _text_of(correction.at),
                }
                for correction in stored.corrections
            ],
        },
    }


def as_text(document: Mapping[str, Any]) -> str:
    """The document as JSON; what is no number (a measure of nothing) becomes null."""
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), separators=(",", ":"))


def read_document(payload: bytes) -> dict[str, Any]:
    """The JSON object of a message of this version. InputError says why it is none."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InputError(f"It is no JSON ({error}).") from error
    if not isinstance(document, dict):
        raise InputError("It is JSON, but no object.")
    schema = document.get("schema")
    if type(schema) is not int or schema < 1:
        raise InputError("It does not say of which `schema` it is.")
    if schema > SCHEMA:
        raise InputError(
            f"It is of schema {schema}; this legcurl reads {SCHEMA}: update it, and then have the "
            "gym send its sets again (legcurl mqtt resend)."
        )
    return document


def set_of(document: Mapping[str, Any]) -> SetDocument:
    """The set in a message of kind `set`. InputError names the field that cannot be meant."""
    gym_id, gym_name = _gym(document)
    machine = _member(document, "machine", dict)
    told = _member(document, "set", dict)
    load_kg = _member(told, "load_kg", float, NoneType)
    check_load(load_kg)
    corrections = _member(told, "corrections", list)
    if len(corrections) > CORRECTIONS_MAX:
        raise InputError(f"A set has no more than {CORRECTIONS_MAX} corrections.")
    return SetDocument(
        gym_id=gym_id,
        gym_name=gym_name,
        machine_id=_named(machine, "id", MACHINE_ID),
        machine_name=_member(machine, "name", str),
        set_id=_named(told, "id", SET_ID),
        revision=_member(told, "revision", int),
        started=_moment(told, "started"),
        client_id=None if told.get("client") is None else _named(told, "client", CLIENT_ID),
        load_kg=load_kg,
        detection=_member(told, "detection", str)[:32],
        log=_named(told, "log", SET_ID) if told.get("log") else None,
        log_start_us=_place(told, "log_start_us"),
        log_end_us=_place(told, "log_end_us"),
        measured=_measured(_member(told, "measured", dict)),
        corrections=tuple(_correction(correction) for correction in corrections),
        trace=_trace(document),
    )


def forget_of(document: Mapping[str, Any]) -> ForgetDocument:
    """The person in a message of kind `forget`. InputError as in `set_of`."""
    gym_id, gym_name = _gym(document)
    sets = _member(document, "sets", list)
    if len(sets) > SETS_MAX:
        raise InputError(f"One person has no more than {SETS_MAX} sets.")
    for set_id in sets:
        if not isinstance(set_id, str) or not SET_ID.fullmatch(set_id):
            raise InputError(f"{set_id!r} is no id of a set.")
    return ForgetDocument(gym_id, gym_name, _named(document, "client", CLIENT_ID), tuple(sets))


def _gym(document: Mapping[str, Any]) -> tuple[str, str]:
    gym = _member(document, "gym", dict)
    return _named(gym, "id", GYM_ID), _member(gym, "name", str)


def _measured(told: Mapping[str, Any]) -> SetResult:
    reps = _member(told, "reps", list)
    if len(reps) > REPS_MAX:
        raise InputError(f"A set has no more than {REPS_MAX} attempts.")
    read = tuple(RepResult(**_fields_of(RepResult, rep)) for rep in reps)
    if len({rep.number for rep in read}) < len(read):
        raise InputError("Two attempts of the set have the same number.")
    return SetResult(reps=read, **_fields_of(SetResult, told))


@cache
def _kinds(of: type) -> dict[str, tuple[tuple[Any, ...], bool]]:
    """Of each simple field: what it may be, and whether it may be left out."""
    hints = get_type_hints(of)
    kinds = {}
    for field in fields(of):
        if field.name == "reps":
            continue
        hint = hints[field.name]
        choices = get_args(hint) if isinstance(hint, UnionType) or _is_union(hint) else (hint,)
        kinds[field.name] = choices, field.default is not MISSING
    return kinds


def _is_union(hint: Any) -> bool:
    return get_origin(hint) is not None and get_origin(hint) is not Literal


def _fields_of(of: type, told: object) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise InputError(f"{told!r:.40} is no object.")
    read = {}
    for name, (choices, optional) in _kinds(of).items():
        if name in told or not optional:
            read[name] = _member(told, name, *choices)
    return read


def _member(told: Mapping[str, Any], name: str, *choices: Any) -> Any:
    """A member that is of one of these types, or one of a Literal's words."""
    if name not in told:
        raise InputError(f"It has no `{name}`.")
    value = told[name]
    for choice in choices:
        if get_origin(choice) is Literal:
            if value in get_args(choice):
                return value
        elif choice is float and isinstance(value, int | float):
            if type(value) is not bool and math.isfinite(value) and abs(value) < _NUMBER_MAX:
                return float(value)
        elif choice is int and type(value) is int:
            if 0 <= value <= _COUNT_MAX:
                return value
        elif choice is str and isinstance(value, str):
            if len(value) <= TEXT_MAX and storable(value):
                return value
        elif type(value) is choice:
            return value
    raise InputError(f"Its `{name}` cannot be {value!r:.60}.")


def _named(told: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InputError(f"Its `{name}` cannot be {value!r:.60}: an id has letters, digits, . _ -")
    return value


def _place(told: Mapping[str, Any], name: str) -> int:
    """A moment by the clock of a log, in µs."""
    value = told.get(name)
    if type(value) is not int or abs(value) > _NUMBER_MAX:
        raise InputError(f"Its `{name}` cannot be {value!r:.60}.")
    return value


def _moment(told: Mapping[str, Any], name: str) -> datetime:
    text = _member(told, name, str)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(f"Its `{name}` is no moment: {text!r:.60}.") from error
    raise InputError(f"Its `{name}` has no timezone: {text!r:.60}.")


def _correction(told: object) -> Correction:
    if not isinstance(told, dict):
        raise InputError("A correction is an object.")
    kind = _member(told, "kind", CorrectionKind)
    return Correction(
        kind,
        correct_value(kind, told.get("value")),
        _member(told, "who", str),
        _moment(told, "at"),
    )


def _trace(document: Mapping[str, Any]) -> bytes | None:
    text = document.get("trace")
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > TRACE_MAX:
        raise InputError("Its `trace` is no text, or too long.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"Its `trace` is no base64 ({error}).") from error


def _text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return value

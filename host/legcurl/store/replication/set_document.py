"""The messages that tell a store of many gyms of sets and of erased clients: JSON, no SQL.

A message holds a whole set: its measurement, its corrections, and its revision. A reader of two
versions keeps the one with the higher revision, in whatever order they arrive. Client names, notes
and reasons stay in the gym, because free text may hold names: only the pseudonym of a client is
sent. docs/mqtt.md describes the fields.

Numbers are sent to the last bit, so the copy of a set equals the set. Each field of a received
message is checked, because it comes from a network. InputError names the field that is wrong.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from types import GenericAlias, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct, ValidationError, convert, defstruct

from legcurl.errors import InputError, StoreError
from legcurl.events import SetResult
from legcurl.identifiers import CLIENT_ID, GYM_ID, MACHINE_ID, SET_ID
from legcurl.store import traces
from legcurl.store.records import Correction, CorrectionKind, StoredSet
from legcurl.store.validation import check_load, correct_value

SCHEMA = 1
TEXT_MAX = 2000  # characters
REPS_MAX = 1000
CORRECTIONS_MAX = 1000
SETS_MAX = 100_000  # of one client
TRACE_MAX = 6 * 1024 * 1024  # bytes; in base64 a third more
_NUMBER_MAX = 2**53  # beyond, JSON's numbers are not exact
_INTEGER_MAX = 2**31 - 1  # of an INTEGER column

_T = TypeVar("_T")

# PostgreSQL stores neither NUL nor surrogates.
_Text = Annotated[str, Meta(max_length=TEXT_MAX, pattern=r"\A[^\x00\ud800-\udfff]*\Z")]
_Count = Annotated[int, Meta(ge=0, le=_INTEGER_MAX)]
_ClockUs = Annotated[int, Meta(ge=-_NUMBER_MAX, le=_NUMBER_MAX)]  # by the clock of a sensor's log
_Number = Annotated[float, Meta(gt=-float(_NUMBER_MAX), lt=float(_NUMBER_MAX))]
_Moment = Annotated[datetime, Meta(tz=True)]
_GymId = Annotated[str, Meta(pattern=rf"\A{GYM_ID.pattern}\Z")]
_MachineId = Annotated[str, Meta(pattern=rf"\A{MACHINE_ID.pattern}\Z")]
_ClientId = Annotated[str, Meta(pattern=rf"\A{CLIENT_ID.pattern}\Z")]
_SetId = Annotated[str, Meta(pattern=rf"\A{SET_ID.pattern}\Z")]
_LogName = Annotated[str, Meta(pattern=rf"\A({SET_ID.pattern})?\Z")]


@dataclass(frozen=True, slots=True)
class SetDocument:
    """A version of a set of a gym."""

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
    """A gym has erased a client and these sets."""

    gym_id: str
    gym_name: str
    client_id: str
    set_ids: tuple[str, ...]


class _Gym(Struct):
    id: _GymId
    name: _Text


class _Machine(Struct):
    id: _MachineId
    name: _Text


class _Correction(Struct):
    kind: CorrectionKind
    who: _Text
    at: _Moment
    value: int | str | None = None


class _Set(Struct):
    id: _SetId
    revision: _Count
    started: _Moment
    load_kg: _Number | None
    detection: _Text
    log_start_us: _ClockUs
    log_end_us: _ClockUs
    measured: dict[str, Any]
    corrections: Annotated[list[_Correction], Meta(max_length=CORRECTIONS_MAX)]
    client: _ClientId | None = None
    log: _LogName | None = None


class _SetMessage(Struct):
    gym: _Gym
    machine: _Machine
    set: _Set
    trace: Annotated[bytes, Meta(max_length=TRACE_MAX)] | None = None


class _ForgetMessage(Struct):
    gym: _Gym
    client: _ClientId
    sets: Annotated[list[_SetId], Meta(max_length=SETS_MAX)]


def body_of(stored: StoredSet, row: Mapping[Any, Any]) -> dict[str, Any]:
    """The members of a set's message; `row` is its row of the table."""
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
    """The document as JSON; NaN and infinity become null."""
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), separators=(",", ":"))


def read_document(payload: bytes) -> dict[str, Any]:
    """The JSON object of a message of this schema; InputError if it is none."""
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
    """The set in a message of kind `set`. InputError names the field that is wrong."""
    message = _checked(document, _SetMessage)
    told = message.set
    check_load(told.load_kg)
    if message.trace is not None:
        try:
            traces.check(message.trace)
        except StoreError as error:
            raise InputError(f"Its `trace` cannot be stored: {error}") from error
    return SetDocument(
        gym_id=message.gym.id,
        gym_name=message.gym.name,
        machine_id=message.machine.id,
        machine_name=message.machine.name,
        set_id=told.id,
        revision=told.revision,
        started=_utc(told.started),
        client_id=told.client,
        load_kg=told.load_kg,
        detection=told.detection[:32],
        log=told.log or None,
        log_start_us=told.log_start_us,
        log_end_us=told.log_end_us,
        measured=_measured(told.measured),
        corrections=tuple(
            Correction(one.kind, correct_value(one.kind, one.value), one.who, _utc(one.at))
            for one in told.corrections
        ),
        trace=message.trace,
    )


def forget_of(document: Mapping[str, Any]) -> ForgetDocument:
    """The client in a message of kind `forget`. InputError names the field that is wrong."""
    message = _checked(document, _ForgetMessage)
    gym = message.gym
    return ForgetDocument(gym.id, gym.name, message.client, tuple(message.sets))


def _checked(document: object, kind: type[_T]) -> _T:
    try:
        return convert(document, kind)
    except UnicodeEncodeError as error:
        raise InputError("It holds half of a surrogate pair, which is no text.") from error
    except ValidationError as error:
        expected, _, path = str(error).rpartition(" - at ")
        if not expected:
            raise InputError(f"It cannot be read: {error}.") from error
        name = path.strip("`").removesuffix("[...]").rpartition(".")[2]
        raise InputError(f"Its `{name}` cannot be read: {expected} at {path}.") from error


def _measured(told: Mapping[str, Any]) -> SetResult:
    measured = convert(_checked(told, _MEASURED), SetResult, from_attributes=True)
    if len({rep.number for rep in measured.reps}) < len(measured.reps):
        raise InputError("Two attempts of the set have the same number.")
    return measured


def _struct_of(record: type) -> type[Struct]:
    """A struct of a dataclass's fields that takes only what the tables hold."""
    hints = get_type_hints(record)
    members = [
        (field.name, _bounded(hints[field.name]))
        if field.default is MISSING
        else (field.name, _bounded(hints[field.name]), field.default)
        for field in fields(record)
    ]
    return defstruct(record.__name__, members, kw_only=True)


def _bounded(hint: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return _struct_of(hint)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return Union[tuple(_bounded(choice) for choice in get_args(hint))]  # noqa: UP007
    if get_origin(hint) is tuple:
        items = GenericAlias(tuple, (_bounded(get_args(hint)[0]), ...))
        return Annotated[items, Meta(max_length=REPS_MAX)]
    return {int: _Count, float: _Number, str: _Text}.get(hint, hint)


_MEASURED = _struct_of(SetResult)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InputError(f"{moment.isoformat()} is no moment in UTC.") from error


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

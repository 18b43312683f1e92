"""The queries of the store, and the records of their rows."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from legcurl.errors import InputError
from legcurl.events import RepResult, SetResult
from legcurl.store import tables
from legcurl.store.records import Client, Correction, Machine, NewSet, SetQuery, StoredSet
from legcurl.store.validation import storable
from legcurl.training_method import read_method

SET_FIELDS = [field.name for field in fields(SetResult) if field.name != "reps"]
REP_FIELDS = [field.name for field in fields(RepResult)]
_NEXT = re.compile(
    r"(-?[0-9]{1,17})~(.+)", re.DOTALL
)  # of a page: start time and id of its last set
_Chosen = sa.Select[Any, *tuple[Any, ...]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def as_client(row: RowMapping) -> Client:
    """The client of a row."""
    return Client(row["id"], row["name"], as_moment(row["since_us"]))


def as_machine(row: RowMapping) -> Machine:
    """The machine of a row."""
    return Machine(row["id"], row["name"], row["gym_id"])


def all_sets() -> sa.Select[Any]:
    """All sets, with the columns that `stored_sets` needs."""
    return (
        sa.select(
            tables.sets,
            tables.machines.c.name.label("machine_name"),
            tables.machines.c.gym_id,
            tables.clients.c.name.label("client_name"),
            tables.clients.c.since_us.label("client_since_us"),
            tables.traces.c.set_id.is_not(None).label("has_trace"),
        )
        .join(tables.machines, tables.machines.c.id == tables.sets.c.machine_id)
        .outerjoin(tables.clients, tables.clients.c.id == tables.sets.c.client_id)
        .outerjoin(tables.traces, tables.traces.c.set_id == tables.sets.c.id)
    )


def same_set(new: NewSet) -> sa.Select[Any]:
    """The ids of stored sets that are the same set as `new`, measured before."""
    column = tables.sets.c
    same = column.id == new.id
    if new.log:
        overlaps = (column.log_start_us < new.log_end_us) & (column.log_end_us > new.log_start_us)
        same |= (column.log == new.log) & overlaps
    return sa.select(column.id).where(same).order_by(column.id != new.id)


def one_set(set_id: str) -> sa.Select[Any]:
    """The set of an id; none for an id with characters that no database stores."""
    return all_sets().where(tables.sets.c.id == set_id if storable(set_id) else sa.false())


def these_sets(ids: Sequence[str]) -> sa.Select[Any]:
    """The sets of some ids, newest first."""
    column = tables.sets.c
    return all_sets().where(column.id.in_(ids)).order_by(column.started_us.desc(), column.id.desc())


def found_ids(connection: Connection, query: SetQuery, limit: int) -> _Chosen:
    """The ids of the newest sets of a query, read from one index.

    Other columns are read for the sets of the page only, so the time does not grow with the years.
    For a gym, the newest sets of each of its machines are merged, because each has an index: a
    gym that closed years ago is found as quickly as a busy one.
    """
    for name in (query.machine_id, query.client_id, query.gym_id, query.before):
        if name is not None and not storable(name):
            raise InputError(f"{name!r} names nothing that a store could have.")
    if query.gym_id is None or query.machine_id is not None:
        chosen = _newest(query, limit)
        if query.gym_id is not None:
            chosen = chosen.join(
                tables.machines, tables.machines.c.id == tables.sets.c.machine_id
            ).where(tables.machines.c.gym_id == query.gym_id)
        return chosen
    machine = tables.machines.c
    of_gym = sa.select(machine.id).where(machine.gym_id == query.gym_id)
    machines = connection.execute(of_gym).scalars().all()
    if not machines:
        return sa.select(tables.sets.c.id).where(sa.false())
    newest = [
        sa.select(part.c.id, part.c.started_us)
        for part in (
            _newest(query, limit).where(tables.sets.c.machine_id == one).subquery()
            for one in machines
        )
    ]
    all_of_them = sa.union_all(*newest).subquery()
    column = all_of_them.c
    return sa.select(column.id).order_by(column.started_us.desc(), column.id.desc()).limit(limit)


def _newest(query: SetQuery, limit: int) -> sa.Select[Any, Any]:
    """The id and time of the newest sets of a query, its gym not regarded."""
    column = tables.sets.c
    chosen = (
        sa.select(column.id, column.started_us)
        .order_by(column.started_us.desc(), column.id.desc())
        .limit(limit)
        .where(*_conditions(query))
    )
    if query.before is not None:
        place = _NEXT.fullmatch(query.before)
        if place is None:
            raise InputError(f"{query.before!r} is not the `next` of a page.")
        at, set_id = place.groups()
        chosen = chosen.where(sa.tuple_(column.started_us, column.id) < sa.tuple_(int(at), set_id))
    return chosen


def how_many(query: SetQuery) -> sa.Select[Any]:
    """The count of a query's sets on all pages, its gym not regarded."""
    return sa.select(sa.func.count()).select_from(tables.sets).where(*_conditions(query))


def _conditions(query: SetQuery) -> list[sa.ColumnElement[bool]]:
    """The conditions of a query, without its gym."""
    column = tables.sets.c
    conditions = []
    if query.machine_id is not None:
        conditions.append(column.machine_id == query.machine_id)
    if query.client_id is not None:
        conditions.append(column.client_id == query.client_id)
    if query.since is not None:
        conditions.append(column.started_us >= as_us(query.since))
    if query.until is not None:
        conditions.append(column.started_us < as_us(query.until))
    return conditions


def stored_sets(connection: Connection, rows: Sequence[RowMapping]) -> list[StoredSet]:
    """The sets of `all_sets` rows; two queries read all their reps and corrections."""
    ids = [row["id"] for row in rows]
    reps: dict[str, list[RepResult]] = {set_id: [] for set_id in ids}
    corrections: dict[str, list[Correction]] = {set_id: [] for set_id in ids}
    of_reps, of_corrections = tables.reps.c, tables.corrections.c
    by_number = (
        sa.select(of_reps.set_id, *(of_reps[name] for name in REP_FIELDS))
        .where(of_reps.set_id.in_(ids))
        .order_by(of_reps.number)
    )
    for set_id, *measures in connection.execute(
        by_number
    ):  # hundreds of rows: positional access is faster
        reps[set_id].append(RepResult(*measures))
    by_id = (
        sa.select(tables.corrections)
        .where(of_corrections.set_id.in_(ids))
        .order_by(of_corrections.id)
    )
    for row in connection.execute(by_id).mappings():
        corrections[row["set_id"]].append(
            Correction(
                row["kind"],
                json.loads(row["value"]),
                row["who"],
                as_moment(row["at_us"]),
                row["reason"],
            )
        )
    return [_stored_set(row, tuple(reps[row["id"]]), tuple(corrections[row["id"]])) for row in rows]


def _stored_set(
    row: RowMapping, reps: tuple[RepResult, ...], corrections: tuple[Correction, ...]
) -> StoredSet:
    client = None
    if row["client_id"] is not None:
        client = Client(row["client_id"], row["client_name"], as_moment(row["client_since_us"]))
    return StoredSet(
        id=row["id"],
        machine=Machine(row["machine_id"], row["machine_name"], row["gym_id"]),
        client=client,
        started=as_moment(row["started_us"]),
        load_kg=row["load_kg"],
        note=row["note"],
        original=_result(row, reps),
        corrections=corrections,
        detection=row["detection"],
        has_trace=bool(row["has_trace"]),
    )


def set_columns(result: SetResult) -> dict[str, Any]:
    """A measurement as the columns of its row; its reps have a table of their own."""
    columns = {name: getattr(result, name) for name in SET_FIELDS}
    if result.method is not None:
        columns["method"] = json.dumps(asdict(result.method))
    return columns


def _result(row: RowMapping, reps: tuple[RepResult, ...]) -> SetResult:
    columns = {name: row[name] for name in SET_FIELDS}
    if columns["method"] is not None:
        columns["method"] = read_method(json.loads(columns["method"]))
    return SetResult(reps=reps, **columns)


def as_us(moment: datetime) -> int:
    """Microseconds since 1970, as the tables store times."""
    return (moment - _EPOCH) // _MICROSECOND


def as_moment(us: int) -> datetime:
    """The time of a table's microseconds."""
    return _EPOCH + us * _MICROSECOND

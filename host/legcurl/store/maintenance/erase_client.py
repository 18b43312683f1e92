"""Erases a client from a store, and proves it by a search.

It deletes the client, their sets with reps, corrections, older measurements and raw traces, the
events about those sets, and the client's entry for the next set of a machine. Sets do not stay
without a name, because a year of training hours and figures identifies a person as well.

Then it searches every text column of every table for their ids. On SQLite, deleted content is
overwritten (`PRAGMA secure_delete`), the file rewritten (VACUUM) and its log emptied, so no byte
stays in the store's files. On PostgreSQL the rows are deleted and VACUUM frees their space; the
server's own log and backups follow the server's rules.

A gym that publishes keeps the pseudonyms (ids of the client and sets) in one event until the broker
has it; the central store then erases them too. It keeps the erased ids, so that a message that
arrives later does not store them again.

The command changes neither backups nor notes on other clients' sets; it lists notes that hold the
name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from legcurl.errors import NoSuchRecordError, StoreError
from legcurl.store import tables
from legcurl.store.maintenance.retention import vacuum
from legcurl.store.replication import outbox
from legcurl.store.store import Store
from legcurl.store.validation import storable

SETS_AT_ONCE = 200
_ESCAPE = "\\"


@dataclass(frozen=True, slots=True)
class ErasedClient:
    """Counts of what is erased of a client, and the notes on other sets that hold their name."""

    client_id: str
    sets: int
    traces: int
    events: int
    machines: int  # with an entry of them for the next set
    named_in: tuple[str, ...]  # "sets.note of SET-ID"


def find_client(store: Store, client_id: str) -> ErasedClient:
    """What `erase_client` would erase. NoSuchRecordError if there is no such client."""
    with store.reading() as connection:
        return _found(connection, client_id)


def erase_client(store: Store, client_id: str) -> ErasedClient:
    """Erase a client. NoSuchRecordError if there is no such client.

    StoreError, and no change, if the search still finds their ids; a second try is safe.
    """
    with store.transaction() as connection:
        found = _found(connection, client_id)
        ids = _sets_of(connection, client_id)
        for some in _portions(ids):
            for set_id in some:
                connection.execute(sa.delete(tables.outbox).where(_tells_of(set_id)))
            for table in (tables.corrections, tables.analyses, tables.traces, tables.reps):
                connection.execute(sa.delete(table).where(table.c.set_id.in_(some)))
            connection.execute(sa.delete(tables.sets).where(tables.sets.c.id.in_(some)))
        connection.execute(sa.delete(tables.outbox).where(_tells_of(client_id)))
        connection.execute(
            sa.update(tables.machines)
            .where(tables.machines.c.next_client_id == client_id)
            .values(next_client_id=None, next_load_kg=None, next_since_us=None)
        )
        connection.execute(sa.delete(tables.clients).where(tables.clients.c.id == client_id))
        _delete_dead_letters(connection, client_id)
        if ":" in client_id:
            _mark_forgotten(connection, client_id, ids)
        elif store.publishing:
            outbox.announce_forget(connection, client_id, ids)
        remaining = [
            place for text in (client_id, *ids) for place in _columns_with(connection, text)
        ]
        if remaining:
            raise StoreError(
                f"Client {client_id} is not erased: their id is in {', '.join(remaining[:5])}. "
                "Nothing was changed."
            )
    store.announced()
    vacuum(store)
    return found


def _delete_dead_letters(connection: Connection, client_id: str) -> None:
    """Delete dead letters that may be about the client."""
    column = tables.dead_letters.c
    own = (client_id.partition(":")[2] or client_id).encode()
    for row_id, payload in connection.execute(sa.select(column.id, column.payload)).all():
        if own in payload:
            connection.execute(sa.delete(tables.dead_letters).where(column.id == row_id))


def _mark_forgotten(connection: Connection, client_id: str, set_ids: Sequence[str]) -> None:
    """In a store of many gyms, keep messages that arrive later from storing them again."""
    now_us = time.time_ns() // 1000
    rows = [{"id": key, "at_us": now_us} for key in (client_id, *set_ids)]
    insert = outbox.insert_for(connection, tables.forgotten)
    connection.execute(insert.on_conflict_do_nothing(), rows)


def _found(connection: Connection, client_id: str) -> ErasedClient:
    of_clients = sa.select(tables.clients).where(tables.clients.c.id == client_id)
    row = connection.execute(of_clients).mappings().first() if storable(client_id) else None
    if row is None:
        raise NoSuchRecordError(
            f"There is no client {client_id!r}: 'legcurl store clients' lists them."
        )
    ids = _sets_of(connection, client_id)
    of_sets = sa.select(tables.sets.c.id).where(tables.sets.c.client_id == client_id)
    events = {
        event
        for text in (client_id, *ids)
        for event in connection.execute(
            sa.select(tables.outbox.c.id).where(_tells_of(text))
        ).scalars()
    }
    mine = set(ids)
    return ErasedClient(
        client_id=client_id,
        sets=len(ids),
        traces=_count(connection, tables.traces, tables.traces.c.set_id.in_(of_sets)),
        events=len(events),
        machines=_count(connection, tables.machines, tables.machines.c.next_client_id == client_id),
        named_in=tuple(_named_in(connection, row["name"], mine)) if row["name"] else (),
    )


def _sets_of(connection: Connection, client_id: str) -> Sequence[str]:
    column = tables.sets.c
    return (
        connection.execute(sa.select(column.id).where(column.client_id == client_id))
        .scalars()
        .all()
    )


def _tells_of(id_: str) -> sa.ColumnElement[bool]:
    """Whether an event's id or JSON holds an id of a client or set as a whole."""
    quoted = (
        id_.replace(_ESCAPE, _ESCAPE * 2).replace("%", f"{_ESCAPE}%").replace("_", f"{_ESCAPE}_")
    )
    payload, event_id = tables.outbox.c.payload, tables.outbox.c.event_id
    return sa.or_(
        payload.like(f'%"{quoted}"%', escape=_ESCAPE),
        payload.like(f'%:{quoted}"%', escape=_ESCAPE),
        event_id.like(f"%{quoted}%", escape=_ESCAPE),
    )


def _named_in(connection: Connection, name: str, mine: set[str]) -> Iterator[str]:
    """Notes and reasons on other clients' sets that hold a name."""
    for table, column, key in (
        (tables.sets, tables.sets.c.note, tables.sets.c.id),
        (tables.corrections, tables.corrections.c.reason, tables.corrections.c.set_id),
    ):
        query = sa.select(key).where(column.contains(name, autoescape=True))
        for set_id in connection.execute(query).scalars():
            if set_id not in mine:
                yield f"{table.name}.{column.name} of {set_id}"


def _columns_with(connection: Connection, text: str) -> Iterator[str]:
    """Columns of any table that hold an id, except the table of erased ids."""
    for table in tables.metadata.sorted_tables:
        if table is tables.forgotten:
            continue
        for column in table.columns:
            if not isinstance(column.type, sa.String | sa.Text):
                continue
            match = column == text
            if _count(connection, table, match):
                yield f"{table.name}.{column.name}"


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), SETS_AT_ONCE):
        yield ids[first : first + SETS_AT_ONCE]


def _count(connection: Connection, table: sa.Table, where: sa.ColumnElement[Any]) -> int:
    return connection.execute(
        sa.select(sa.func.count()).select_from(table).where(where)
    ).scalar_one()

"""The store itself, on SQLAlchemy: the same code for SQLite and PostgreSQL.

SQLite runs in WAL mode with full synchronisation: a power cut loses no set that `add_set` has
returned from. A set is one transaction, and adding the same set again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from legcurl.errors import InputError, NoSuchRecordError
from legcurl.store import tables, traces
from legcurl.store.database import engine_for, file_of, transaction, url_of
from legcurl.store.queries import (
    REP_FIELDS,
    as_client,
    as_machine,
    as_moment,
    as_us,
    found_ids,
    how_many,
    one_set,
    same_set,
    set_columns,
    stored_sets,
    these_sets,
)
from legcurl.store.records import (
    Client,
    Correction,
    CorrectionKind,
    Expected,
    Gym,
    LogSpan,
    Machine,
    NewSet,
    SetPage,
    SetQuery,
    StoredSet,
    Trace,
)
from legcurl.store.replication import outbox
from legcurl.store.upgrade import upgrade
from legcurl.store.validation import check_load, clean, correct_value, storable

CLIENT_ID_BYTES = 4
NOTE_MAX = 2000
NAME_MAX = 80
PAGE_MAX = 500

_T = TypeVar("_T")


def open_store(url: str, *, publishing: bool = False) -> Store:
    """Open the store at `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`, and upgrade it.

    With `publishing`, every set and change of a set is also put into the outbox (outbox.py).
    StoreError if it cannot be opened, is damaged, or is of a newer legcurl.
    """
    store = Store(engine_for(url_of(url)), publishing=publishing)
    try:
        upgrade(store.engine)
    except BaseException:
        store.close()
        raise
    return store


class Store:
    """An open store. One thread at a time."""

    def __init__(self, engine: Engine, *, publishing: bool = False) -> None:
        self.publishing = publishing
        self.announced: Callable[[], object] = lambda: None  # called in the store's thread
        self.engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    @property
    def file(self) -> Path | None:
        """The database's file; None on a server or in memory."""
        return file_of(self.engine.url)

    def probe(self) -> None:
        """Check that the store can be written, without a change. StoreError if it cannot."""
        nothing = sa.update(tables.machines).where(sa.false()).values(name=tables.machines.c.name)
        with self.transaction() as connection:
            connection.execute(nothing)

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction that may write, all or nothing."""
        return transaction(self.engine)

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that reads one state of the store while others may write."""
        return transaction(self.engine, reading=True)

    def within(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` in one transaction."""
        with self.transaction() as connection:
            return work(connection)

    # Gyms, machines and clients

    def gyms(self) -> list[Gym]:
        """The gyms of a store of many gyms, by name; none in a gym's own store."""
        query = sa.select(tables.gyms).order_by(tables.gyms.c.name, tables.gyms.c.id)
        with self.reading() as connection:
            return [Gym(row["id"], row["name"]) for row in connection.execute(query).mappings()]

    def put_machine(self, machine: Machine) -> None:
        """Know a machine, or its new name."""
        with self.transaction() as connection:
            _put_machine(connection, machine)

    def machines(self, gym_id: str | None = None) -> list[Machine]:
        """All machines, or those of a gym, by name."""
        column = tables.machines.c
        query = sa.select(tables.machines).order_by(column.name, column.id)
        if gym_id is not None:
            query = query.where(column.gym_id == gym_id)
        with self.reading() as connection:
            return [as_machine(row) for row in connection.execute(query).mappings()]

    def add_client(self, name: str | None) -> Client:
        """Add a client with a random id."""
        name = clean(name, NAME_MAX, "A client's name")
        client = Client(token_hex(CLIENT_ID_BYTES), name or None, datetime.now(UTC))
        with self.transaction() as connection:
            row = {"id": client.id, "name": client.name, "since_us": as_us(client.since)}
            connection.execute(sa.insert(tables.clients).values(row))
        return client

    def clients(self) -> list[Client]:
        """All clients, by name, those without one last."""
        column = tables.clients.c
        query = sa.select(tables.clients).order_by(
            column.name.is_(None), column.name, column.since_us
        )
        with self.reading() as connection:
            return [as_client(row) for row in connection.execute(query).mappings()]

    def client(self, client_id: str) -> Client:
        """One client. NoSuchRecordError if there is none of that id."""
        with self.reading() as connection:
            found = _find_client(connection, client_id)
        if found is None:
            raise NoSuchRecordError(f"There is no client {client_id!r}.")
        return found

    def expect(self, machine_id: str, expected: Expected) -> None:
        """Store the client and load of the next set on a machine."""
        check_load(expected.load_kg)
        with self.transaction() as connection:
            if expected.client_id is not None:
                _need_client(connection, expected.client_id)
            changed = connection.execute(
                sa.update(tables.machines)
                .where(tables.machines.c.id == machine_id)
                .values(_next_row(expected))
            )
            if not changed.rowcount:
                raise NoSuchRecordError(f"There is no machine {machine_id!r}.")

    def expected(self, machine_id: str) -> Expected:
        """The client and load that were entered for the next set on a machine."""
        query = sa.select(tables.machines).where(tables.machines.c.id == machine_id)
        with self.reading() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row["next_since_us"] is None:
            return Expected()
        return Expected(row["next_client_id"], row["next_load_kg"], as_moment(row["next_since_us"]))

    # Sets

    def add_set(self, new: NewSet) -> str:
        """Store a set, all or nothing; gives its id in the store.

        That is another id if the same set was stored before. The machine's entry for the next set
        is cleared. If the client was erased meanwhile, the set is stored without a client.
        """
        row = set_columns(new.result) | {
            "id": new.id,
            "machine_id": new.machine.id,
            "client_id": new.expected.client_id,
            "load_kg": new.expected.load_kg,
            "started_us": as_us(new.started),
            "detection": new.detection,
            "log": new.log or None,
            "log_start_us": new.log_start_us,
            "log_end_us": new.log_end_us,
        }
        rep_rows = [
            {"set_id": new.id} | {name: getattr(rep, name) for name in REP_FIELDS}
            for rep in new.result.reps
        ]
        with self.transaction() as connection:
            known = connection.execute(same_set(new)).scalar()
            if known is not None:
                return known
            _put_machine(connection, new.machine)
            if new.expected.since is not None:
                _use_up(connection, new.machine.id, new.expected)
            if not _find_client(connection, new.expected.client_id):
                row["client_id"] = None
            connection.execute(sa.insert(tables.sets).values(row))
            if rep_rows:
                connection.execute(sa.insert(tables.reps), rep_rows)
            if new.trace is not None:
                packed = {"set_id": new.id, "samples": traces.pack(new.trace)}
                connection.execute(sa.insert(tables.traces).values(packed))
            self.announce(connection, new.id)
        self.announced()
        return new.id

    def get_set(self, set_id: str) -> StoredSet:
        """One set. NoSuchRecordError if there is none of that id."""
        with self.reading() as connection:
            found = stored_sets(connection, connection.execute(one_set(set_id)).mappings().all())
        if not found:
            raise NoSuchRecordError(f"There is no set {set_id!r}.")
        return found[0]

    def find_sets(self, query: SetQuery) -> SetPage:
        """A page of the sets of a query, newest first."""
        limit = max(1, min(query.limit, PAGE_MAX))
        with self.reading() as connection:
            ids = connection.execute(found_ids(connection, query, limit + 1)).scalars().all()
            rows = connection.execute(these_sets(ids[:limit])).mappings().all()
            found = stored_sets(connection, rows)
        more = f"{as_us(found[-1].started)}~{found[-1].id}" if len(ids) > limit else None
        return SetPage(tuple(found), more)

    def count_sets(self, query: SetQuery) -> int:
        """The count of a query's sets on all pages, of any gym."""
        with self.reading() as connection:
            return connection.execute(how_many(query)).scalar_one()

    def newest_spans(self, limit: int) -> tuple[LogSpan, ...]:
        """The spans of the newest sets in their sensors' logs, where known."""
        column = tables.sets.c
        query = (
            sa.select(column.log, column.log_start_us, column.log_end_us)
            .where(column.log.is_not(None))
            .order_by(column.started_us.desc())
            .limit(limit)
        )
        with self.reading() as connection:
            return tuple(LogSpan(*row) for row in connection.execute(query))

    def trace(self, set_id: str) -> Trace | None:
        """The raw angles of a set; None if they were not kept."""
        query = sa.select(tables.traces.c.samples).where(tables.traces.c.set_id == set_id)
        with self.reading() as connection:
            packed = connection.execute(query).scalar()
        return None if packed is None else traces.unpack(packed)

    def change_set(self, set_id: str, changes: dict[str, Any]) -> None:
        """Change `client_id`, `load_kg` or `note`, all or nothing. InputError if invalid."""
        unknown = changes.keys() - {"client_id", "load_kg", "note"}
        if unknown:
            raise InputError(f"A set has no field {min(unknown)!r} to change.")
        values = dict(changes)
        if "load_kg" in values:
            check_load(values["load_kg"])
        if "note" in values:
            values["note"] = clean(values["note"], NOTE_MAX, "A note") or ""
        with self.transaction() as connection:
            if values.get("client_id") is not None:
                _need_client(connection, values["client_id"])
            if not values:
                return
            if not connection.execute(_next_revision(set_id).values(values)).rowcount:
                raise NoSuchRecordError(f"There is no set {set_id!r}.")
            self.announce(connection, set_id)
        self.announced()

    def correct(
        self, set_id: str, kind: CorrectionKind, value: object, *, who: str, reason: str = ""
    ) -> Correction:
        """Add a correction to a set. InputError for an invalid one."""
        correction = Correction(
            kind,
            correct_value(kind, value),
            who,
            datetime.now(UTC),
            clean(reason, 200, "A reason") or "",
        )
        row = {
            "set_id": set_id,
            "kind": kind,
            "value": json.dumps(correction.value),
            "who": who,
            "at_us": as_us(correction.at),
            "reason": correction.reason,
        }
        with self.transaction() as connection:
            if connection.execute(one_set(set_id)).first() is None:
                raise NoSuchRecordError(f"There is no set {set_id!r}.")
            connection.execute(sa.insert(tables.corrections).values(row))
            connection.execute(_next_revision(set_id))
            self.announce(connection, set_id)
        self.announced()
        return correction

    def announce(self, connection: Connection, set_id: str) -> None:
        """Put a set into the outbox, in its transaction; call `announced` after the commit."""
        if self.publishing:
            outbox.announce_set(connection, set_id)


def _next_revision(set_id: str) -> sa.Update:
    """Count a change of a set. Sets of other gyms (`gym:id`) are counted in their gym."""
    column = tables.sets.c
    step = 0 if ":" in set_id else 1
    return sa.update(tables.sets).where(column.id == set_id).values(revision=column.revision + step)


def _put_machine(connection: Connection, machine: Machine) -> None:
    column = tables.machines.c
    row = {"id": machine.id, "name": machine.name, "gym_id": machine.gym_id}
    known = sa.update(tables.machines).where(column.id == machine.id).values(row)
    if not connection.execute(known).rowcount:
        connection.execute(sa.insert(tables.machines).values(row))


def _use_up(connection: Connection, machine_id: str, expected: Expected) -> None:
    """Clear the entry for the next set, unless it was changed since."""
    column = tables.machines.c
    connection.execute(
        sa.update(tables.machines)
        .where(
            column.id == machine_id, column.next_since_us == _next_row(expected)["next_since_us"]
        )
        .values(_next_row(Expected()))
    )


def _next_row(expected: Expected) -> dict[str, Any]:
    return {
        "next_client_id": expected.client_id,
        "next_load_kg": expected.load_kg,
        "next_since_us": None if expected.since is None else as_us(expected.since),
    }


def _need_client(connection: Connection, client_id: object) -> None:
    """InputError if there is no such client."""
    if _find_client(connection, client_id) is None:
        raise InputError(f"There is no client {client_id!r}.")


def _find_client(connection: Connection, client_id: object) -> Client | None:
    if not isinstance(client_id, str) or not storable(client_id):
        return None
    query = sa.select(tables.clients).where(tables.clients.c.id == client_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else as_client(row)

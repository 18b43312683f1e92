"""The store itself, on SQLAlchemy: the same code for SQLite and PostgreSQL.

SQLite runs in WAL mode with full synchronisation: what `add_set` has returned from is on the
disk, whatever happens to the power. A set is one transaction, and adding the same set again
changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Self

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from legcurl.errors import InputError, NoSuchRecordError, StoreError
from legcurl.store import tables, traces
from legcurl.store.checks import check_load, clean, correct_value, storable
from legcurl.store.records import (
    Client,
    Correction,
    CorrectionKind,
    Expected,
    LogSpan,
    Machine,
    NewSet,
    SetPage,
    SetQuery,
    StoredSet,
    Trace,
)
from legcurl.store.rows import (
    REP_FIELDS,
    SET_FIELDS,
    all_sets,
    as_client,
    as_moment,
    as_us,
    one_set,
    same_set,
    stored_sets,
)

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 5.0  # another process may hold the file for the length of a backup's step
CLIENT_ID_BYTES = 4
NOTE_MAX = 2000
NAME_MAX = 80
PAGE_MAX = 500

_NEXT = re.compile(r"(-?[0-9]{1,17})~(.+)", re.DOTALL)  # of a page: where the next one begins


def open_store(url: str) -> Store:
    """Open the store at an SQLAlchemy URL and bring it to this version.

    StoreError if it cannot be opened, is damaged, or is of a newer legcurl.
    """
    try:
        engine = sa.create_engine(url)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise StoreError(
            f"{url.partition('@')[0]}: no such store ({error}). Write sqlite:///FILE."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    store = Store(engine)
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store


class Store:
    """An open store. One thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the database to this version; refuse one that is newer."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        known = {
            revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()
        }
        with self._transaction() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in known:
                raise StoreError(
                    f"The database is of version {current}, newer than this legcurl knows "
                    f"({max(known)}): update legcurl. Nothing was changed."
                )
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise StoreError(
                    f"The database could not be brought up to date: {error}"
                ) from error

    # Machines and clients

    def put_machine(self, machine: Machine) -> None:
        """Know a machine, or its new name."""
        with self._transaction() as connection:
            _put_machine(connection, machine)

    def machines(self) -> list[Machine]:
        """All machines, by name."""
        query = sa.select(tables.machines).order_by(tables.machines.c.name)
        with self._transaction() as connection:
            return [Machine(row["id"], row["name"]) for row in connection.execute(query).mappings()]

    def add_client(self, name: str | None) -> Client:
        """A new client, with an id that says nothing about them."""
        name = clean(name, NAME_MAX, "A client's name")
        client = Client(token_hex(CLIENT_ID_BYTES), name or None, datetime.now(UTC))
        with self._transaction() as connection:
            row = {"id": client.id, "name": client.name, "since_us": as_us(client.since)}
            connection.execute(sa.insert(tables.clients).values(row))
        return client

    def clients(self) -> list[Client]:
        """All clients, by name, those without one last."""
        column = tables.clients.c
        query = sa.select(tables.clients).order_by(
            column.name.is_(None), column.name, column.since_us
        )
        with self._transaction() as connection:
            return [as_client(row) for row in connection.execute(query).mappings()]

    def client(self, client_id: str) -> Client:
        """One client. NoSuchRecordError if there is none of that id."""
        with self._transaction() as connection:
            found = _find_client(connection, client_id)
        if found is None:
            raise NoSuchRecordError(f"There is no client {client_id!r}.")
        return found

    def expect(self, machine_id: str, expected: Expected) -> None:
        """Remember who lifts next on a machine, and what."""
        check_load(expected.load_kg)
        with self._transaction() as connection:
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
        """Who lifts next on a machine, as far as anybody said."""
        query = sa.select(tables.machines).where(tables.machines.c.id == machine_id)
        with self._transaction() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row["next_since_us"] is None:
            return Expected()
        return Expected(row["next_client_id"], row["next_load_kg"], as_moment(row["next_since_us"]))

    # Sets

    def add_set(self, new: NewSet) -> str:
        """Store a set, all of it or nothing; gives the id under which it is stored.

        That is another than its own if the same set was stored before. What was entered for it is
        used up. A client who is gone meanwhile is left out: the set is not.
        """
        row = {name: getattr(new.result, name) for name in SET_FIELDS}
        row |= {
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
        with self._transaction() as connection:
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
        return new.id

    def get_set(self, set_id: str) -> StoredSet:
        """One set. NoSuchRecordError if there is none of that id."""
        with self._transaction() as connection:
            found = stored_sets(connection, connection.execute(one_set(set_id)).mappings().all())
        if not found:
            raise NoSuchRecordError(f"There is no set {set_id!r}.")
        return found[0]

    def find_sets(self, query: SetQuery) -> SetPage:
        """The sets that a query means, newest first, a page at a time."""
        column = tables.sets.c
        limit = max(1, min(query.limit, PAGE_MAX))
        chosen = all_sets().order_by(column.started_us.desc(), column.id.desc()).limit(limit + 1)
        if query.machine_id is not None:
            chosen = chosen.where(column.machine_id == query.machine_id)
        if query.client_id is not None:
            chosen = chosen.where(column.client_id == query.client_id)
        if query.since is not None:
            chosen = chosen.where(column.started_us >= as_us(query.since))
        if query.until is not None:
            chosen = chosen.where(column.started_us < as_us(query.until))
        if query.before is not None:
            place = _NEXT.fullmatch(query.before)
            if place is None:
                raise InputError(f"{query.before!r} is not the `next` of a page.")
            at, set_id = place.groups()
            chosen = chosen.where(
                sa.tuple_(column.started_us, column.id) < sa.tuple_(int(at), set_id)
            )
        with self._transaction() as connection:
            rows = connection.execute(chosen).mappings().all()
            found = stored_sets(connection, rows[:limit])
        more = f"{as_us(found[-1].started)}~{found[-1].id}" if len(rows) > limit else None
        return SetPage(tuple(found), more)

    def newest_spans(self, limit: int) -> tuple[LogSpan, ...]:
        """Where in their sensors' logs the newest sets lie, as far as that is known."""
        column = tables.sets.c
        query = (
            sa.select(column.log, column.log_start_us, column.log_end_us)
            .where(column.log.is_not(None))
            .order_by(column.started_us.desc())
            .limit(limit)
        )
        with self._transaction() as connection:
            return tuple(LogSpan(*row) for row in connection.execute(query))

    def trace(self, set_id: str) -> Trace | None:
        """The raw angles of a set, if they were kept."""
        query = sa.select(tables.traces.c.samples).where(tables.traces.c.set_id == set_id)
        with self._transaction() as connection:
            packed = connection.execute(query).scalar()
        return None if packed is None else traces.unpack(packed)

    def change_set(self, set_id: str, changes: dict[str, Any]) -> None:
        """Set what the coach adds: `client_id`, `load_kg`, `note`; all of it or nothing."""
        unknown = changes.keys() - {"client_id", "load_kg", "note"}
        if unknown:
            raise InputError(f"A set has no field {min(unknown)!r} to change.")
        values = dict(changes)
        if "load_kg" in values:
            check_load(values["load_kg"])
        if "note" in values:
            values["note"] = clean(values["note"], NOTE_MAX, "A note") or ""
        with self._transaction() as connection:
            if values.get("client_id") is not None:
                _need_client(connection, values["client_id"])
            statement = sa.update(tables.sets).where(tables.sets.c.id == set_id)
            changed = connection.execute(statement.values(values)) if values else None
            if changed is not None and not changed.rowcount:
                raise NoSuchRecordError(f"There is no set {set_id!r}.")

    def correct(
        self, set_id: str, kind: CorrectionKind, value: object, *, who: str, reason: str = ""
    ) -> Correction:
        """Say what is wrong with a set as it was measured. InputError for what cannot be meant."""
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
        with self._transaction() as connection:
            if connection.execute(one_set(set_id)).first() is None:
                raise NoSuchRecordError(f"There is no set {set_id!r}.")
            connection.execute(sa.insert(tables.corrections).values(row))
        return correction

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One transaction; what the database says against it becomes a StoreError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise StoreError(f"The database refused a change: {error.orig}") from error
        except SQLAlchemyError as error:
            said = getattr(error, "orig", None) or error
            raise StoreError(
                f"The database {self._engine.url.render_as_string(hide_password=True)} failed: "
                f"{said}. Is its disk full or read-only, or is it open elsewhere?"
            ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Make SQLite durable, patient and strict about references."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={round(BUSY_S * 1000)}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _put_machine(connection: Connection, machine: Machine) -> None:
    column = tables.machines.c
    known = sa.update(tables.machines).where(column.id == machine.id).values(name=machine.name)
    if not connection.execute(known).rowcount:
        row = {"id": machine.id, "name": machine.name}
        connection.execute(sa.insert(tables.machines).values(row))


def _use_up(connection: Connection, machine_id: str, expected: Expected) -> None:
    """Forget what was entered for a set, unless something else was entered since."""
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
    """Refuse a client who is only named."""
    if _find_client(connection, client_id) is None:
        raise InputError(f"There is no client {client_id!r}.")


def _find_client(connection: Connection, client_id: object) -> Client | None:
    if not isinstance(client_id, str) or not storable(client_id):
        return None
    query = sa.select(tables.clients).where(tables.clients.c.id == client_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else as_client(row)

"""The store itself, on SQLAlchemy: the same code for SQLite and PostgreSQL.

SQLite runs in WAL mode with full synchronisation: what `add_set` has returned from is on the
disk, whatever happens to the power. A set is one transaction, and adding the same set again
changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
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
from sqlalchemy.engine import Connection, Engine, RowMapping
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from legcurl.errors import InputError, StoreError
from legcurl.events import RepResult, SetResult
from legcurl.store import tables, traces
from legcurl.store.records import (
    CORRECTION_KINDS,
    OUTCOMES,
    Client,
    Correction,
    CorrectionKind,
    Expected,
    Machine,
    NewSet,
    SetPage,
    SetQuery,
    StoredSet,
    Trace,
)

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 5.0  # another process may hold the file for the length of a backup's step
CLIENT_ID_BYTES = 4
COUNT_MAX = 200
LOAD_MAX_KG = 500.0
NOTE_MAX = 2000
NAME_MAX = 80
PAGE_MAX = 500

_SET_FIELDS = [field.name for field in fields(SetResult) if field.name != "reps"]
_REP_FIELDS = [field.name for field in fields(RepResult)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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
        name = _clean(name, NAME_MAX, "A client's name")
        client = Client(token_hex(CLIENT_ID_BYTES), name or None, datetime.now(UTC))
        with self._transaction() as connection:
            row = {"id": client.id, "name": client.name, "since_us": _us(client.since)}
            connection.execute(sa.insert(tables.clients).values(row))
        return client

    def clients(self) -> list[Client]:
        """All clients, by name, those without one last."""
        column = tables.clients.c
        query = sa.select(tables.clients).order_by(
            column.name.is_(None), column.name, column.since_us
        )
        with self._transaction() as connection:
            return [_client(row) for row in connection.execute(query).mappings()]

    def client(self, client_id: str) -> Client:
        """One client. InputError if there is none of that id."""
        with self._transaction() as connection:
            return _need_client(connection, client_id)

    def expect(self, machine_id: str, expected: Expected) -> None:
        """Remember who lifts next on a machine, and what."""
        _check_load(expected.load_kg)
        with self._transaction() as connection:
            if expected.client_id is not None:
                _need_client(connection, expected.client_id)
            column = tables.machines.c
            changed = connection.execute(
                sa.update(tables.machines)
                .where(column.id == machine_id)
                .values(next_client_id=expected.client_id, next_load_kg=expected.load_kg)
            )
            if not changed.rowcount:
                raise InputError(f"There is no machine {machine_id!r}.")

    def expected(self, machine_id: str) -> Expected:
        """Who lifts next on a machine, as far as anybody said."""
        query = sa.select(tables.machines).where(tables.machines.c.id == machine_id)
        with self._transaction() as connection:
            row = connection.execute(query).mappings().first()
        return Expected() if row is None else Expected(row["next_client_id"], row["next_load_kg"])

    # Sets

    def add_set(self, new: NewSet) -> bool:
        """Store a set, all of it or nothing; False if it was there already."""
        row = {name: getattr(new.result, name) for name in _SET_FIELDS}
        row |= {
            "id": new.id,
            "machine_id": new.machine.id,
            "client_id": new.expected.client_id,
            "load_kg": new.expected.load_kg,
            "started_us": _us(new.started),
            "detection": new.detection,
        }
        rep_rows = [
            {"set_id": new.id} | {name: getattr(rep, name) for name in _REP_FIELDS}
            for rep in new.result.reps
        ]
        with self._transaction() as connection:
            if connection.execute(_one_set(new.id)).first() is not None:
                return False
            _put_machine(connection, new.machine)
            connection.execute(sa.insert(tables.sets).values(row))
            if rep_rows:
                connection.execute(sa.insert(tables.reps), rep_rows)
            if new.trace is not None:
                packed = {"set_id": new.id, "samples": traces.pack(new.trace)}
                connection.execute(sa.insert(tables.traces).values(packed))
        return True

    def get_set(self, set_id: str) -> StoredSet:
        """One set. InputError if there is none of that id."""
        with self._transaction() as connection:
            found = _stored(connection, connection.execute(_one_set(set_id)).mappings().all())
        if not found:
            raise InputError(f"There is no set {set_id!r}.")
        return found[0]

    def find_sets(self, query: SetQuery) -> SetPage:
        """The sets that a query means, newest first, a page at a time."""
        column = tables.sets.c
        limit = max(1, min(query.limit, PAGE_MAX))
        chosen = _all_sets().order_by(column.started_us.desc(), column.id.desc()).limit(limit + 1)
        if query.machine_id is not None:
            chosen = chosen.where(column.machine_id == query.machine_id)
        if query.client_id is not None:
            chosen = chosen.where(column.client_id == query.client_id)
        if query.since is not None:
            chosen = chosen.where(column.started_us >= _us(query.since))
        if query.until is not None:
            chosen = chosen.where(column.started_us < _us(query.until))
        if query.before is not None:
            at, _, set_id = query.before.partition("~")
            if not at.lstrip("-").isdigit():
                raise InputError(f"{query.before!r} is not the `next` of a page.")
            chosen = chosen.where(
                sa.tuple_(column.started_us, column.id) < sa.tuple_(int(at), set_id)
            )
        with self._transaction() as connection:
            rows = connection.execute(chosen).mappings().all()
            found = _stored(connection, rows[:limit])
        more = f"{_us(found[-1].started)}~{found[-1].id}" if len(rows) > limit else None
        return SetPage(tuple(found), more)

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
            _check_load(values["load_kg"])
        if "note" in values:
            values["note"] = _clean(values["note"], NOTE_MAX, "A note") or ""
        with self._transaction() as connection:
            if values.get("client_id") is not None:
                _need_client(connection, values["client_id"])
            statement = sa.update(tables.sets).where(tables.sets.c.id == set_id)
            changed = connection.execute(statement.values(values)) if values else None
            if changed is not None and not changed.rowcount:
                raise InputError(f"There is no set {set_id!r}.")

    def correct(
        self, set_id: str, kind: CorrectionKind, value: object, *, who: str, reason: str = ""
    ) -> Correction:
        """Say what is wrong with a set as it was measured. InputError for what cannot be meant."""
        correction = Correction(
            kind,
            _correct_value(kind, value),
            who,
            datetime.now(UTC),
            _clean(reason, 200, "A reason") or "",
        )
        row = {
            "set_id": set_id,
            "kind": kind,
            "value": json.dumps(correction.value),
            "who": who,
            "at_us": _us(correction.at),
            "reason": correction.reason,
        }
        with self._transaction() as connection:
            if connection.execute(_one_set(set_id)).first() is None:
                raise InputError(f"There is no set {set_id!r}.")
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


def _need_client(connection: Connection, client_id: str) -> Client:
    query = sa.select(tables.clients).where(tables.clients.c.id == client_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise InputError(f"There is no client {client_id!r}.")
    return _client(row)


def _client(row: RowMapping) -> Client:
    return Client(row["id"], row["name"], _moment(row["since_us"]))


def _all_sets() -> sa.Select[Any]:
    return (
        sa.select(
            tables.sets,
            tables.machines.c.name.label("machine_name"),
            tables.clients.c.name.label("client_name"),
            tables.clients.c.since_us.label("client_since_us"),
            tables.traces.c.set_id.is_not(None).label("has_trace"),
        )
        .join(tables.machines, tables.machines.c.id == tables.sets.c.machine_id)
        .outerjoin(tables.clients, tables.clients.c.id == tables.sets.c.client_id)
        .outerjoin(tables.traces, tables.traces.c.set_id == tables.sets.c.id)
    )


def _one_set(set_id: str) -> sa.Select[Any]:
    return _all_sets().where(tables.sets.c.id == set_id)


def _stored(connection: Connection, rows: Sequence[RowMapping]) -> list[StoredSet]:
    """Complete rows of sets with their reps and corrections, two queries for all of them."""
    ids = [row["id"] for row in rows]
    reps: dict[str, list[RepResult]] = {set_id: [] for set_id in ids}
    corrections: dict[str, list[Correction]] = {set_id: [] for set_id in ids}
    of_reps, of_corrections = tables.reps.c, tables.corrections.c
    by_number = sa.select(tables.reps).where(of_reps.set_id.in_(ids)).order_by(of_reps.number)
    for row in connection.execute(by_number).mappings():
        reps[row["set_id"]].append(RepResult(**{name: row[name] for name in _REP_FIELDS}))
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
                _moment(row["at_us"]),
                row["reason"],
            )
        )
    return [_stored_set(row, tuple(reps[row["id"]]), tuple(corrections[row["id"]])) for row in rows]


def _stored_set(
    row: RowMapping, reps: tuple[RepResult, ...], corrections: tuple[Correction, ...]
) -> StoredSet:
    client = None
    if row["client_id"] is not None:
        client = Client(row["client_id"], row["client_name"], _moment(row["client_since_us"]))
    return StoredSet(
        id=row["id"],
        machine=Machine(row["machine_id"], row["machine_name"]),
        client=client,
        started=_moment(row["started_us"]),
        load_kg=row["load_kg"],
        note=row["note"],
        original=SetResult(reps=reps, **{name: row[name] for name in _SET_FIELDS}),
        corrections=corrections,
        detection=row["detection"],
        has_trace=bool(row["has_trace"]),
    )


def _correct_value(kind: str, value: object) -> int | str | None:
    if kind not in CORRECTION_KINDS:
        raise InputError(f"A correction is one of {', '.join(CORRECTION_KINDS)}, not {kind!r}.")
    if kind == "count":
        if type(value) is not int or not 0 <= value <= COUNT_MAX:
            raise InputError(f"A count is a whole number from 0 to {COUNT_MAX}, not {value!r}.")
        return value
    if kind == "outcome":
        if not isinstance(value, str) or value not in OUTCOMES:
            raise InputError(f"An outcome is one of {', '.join(OUTCOMES)}, not {value!r}.")
        return value
    return None


def _check_load(load_kg: object) -> None:
    if load_kg is None:
        return
    if type(load_kg) not in (int, float) or not 0 <= load_kg <= LOAD_MAX_KG:  # type: ignore[operator]
        raise InputError(f"A load is from 0 to {LOAD_MAX_KG:g} kg, not {load_kg!r}.")


def _clean(text: object, longest: int, what: str) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > longest or "\0" in text:
        raise InputError(f"{what} is a text of at most {longest} characters.")
    return text.strip()


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(us: int) -> datetime:
    return _EPOCH + us * _MICROSECOND

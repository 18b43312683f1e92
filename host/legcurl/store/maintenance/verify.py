"""Sizes and counts of a store, and a check for damage.

`measure` is quick. `verify` reads everything: it runs the database's own check of pages and
references, unpacks every trace, and compares each set's count with its reps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from legcurl.errors import StoreError
from legcurl.store import tables, traces
from legcurl.store.database import shown, unreachable
from legcurl.store.locations import file_of
from legcurl.store.queries import as_moment
from legcurl.store.store import Store
from legcurl.store.upgrade import version

TRACES_AT_ONCE = 100
PROBLEMS_MAX = 100  # of a kind: a broken file has thousands
COUNTED = ("gyms", "machines", "clients", "sets", "reps", "corrections", "traces", "analyses")


@dataclass(frozen=True, slots=True)
class StoreSize:
    """Sizes and counts of a store."""

    place: str
    version: str
    size_bytes: int
    counts: dict[str, int]
    events_waiting: int  # not sent to the broker yet
    first: str | None  # when the oldest and the newest set began, ISO 8601
    last: str | None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of a check; without `problems` the store is undamaged."""

    sets: int
    traces: int
    problems: tuple[str, ...]


def measure(store: Store) -> StoreSize:
    """Count what is in a store."""
    of_sets, of_outbox = tables.sets.c, tables.outbox.c
    with store.reading() as connection:
        counts = {name: _count(connection, tables.metadata.tables[name]) for name in COUNTED}
        waiting = connection.execute(
            sa.select(sa.func.count()).select_from(tables.outbox).where(of_outbox.sent_us.is_(None))
        ).scalar_one()
        ends = sa.select(sa.func.min(of_sets.started_us), sa.func.max(of_sets.started_us))
        first, last = connection.execute(ends).one()
    return StoreSize(
        place=shown(store.engine.url),
        version=version(store.engine),
        size_bytes=size_of(store),
        counts=counts,
        events_waiting=waiting,
        first=None if first is None else as_moment(first).isoformat(),
        last=None if last is None else as_moment(last).isoformat(),
    )


def size_of(store: Store) -> int:
    """Bytes on the disk: of a file with its log, or what a server reports."""
    file = file_of(store.engine.url)
    if file is not None:
        parts = (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm")))
        return sum(part.stat().st_size for part in parts if part.exists())
    if store.engine.dialect.name != "postgresql":
        return 0
    with store.reading() as connection:
        return connection.execute(
            sa.text("SELECT pg_database_size(current_database())")
        ).scalar_one()


def verify(store: Store, report: Callable[[int, int], None]) -> VerifyResult:
    """Read all of a store; `report(done, total)` is called with traces."""
    problems: list[str] = []
    sets = total = read = 0
    try:
        if store.engine.dialect.name == "sqlite":
            problems += _of_pages(store)
        with store.reading() as connection:
            sets, total = (_count(connection, table) for table in (tables.sets, tables.traces))
            problems += _of_counts(connection)
        for read, problem in enumerate(_of_traces(store), 1):
            if problem is not None:
                problems.append(problem)
            report(read, total)
    except StoreError as error:
        if unreachable(error):
            raise
        problems.append(str(error))
    return VerifyResult(sets, read, tuple(problems))


def _of_pages(store: Store) -> list[str]:
    with store.reading() as connection:
        said = connection.execute(sa.text(f"PRAGMA integrity_check({PROBLEMS_MAX})")).scalars()
        problems = [f"database: {line}" for line in said if line != "ok"]
        for row in connection.execute(sa.text("PRAGMA foreign_key_check")).mappings():
            problems.append(f"{row['table']}: row {row['rowid']} refers to no {row['parent']}")
    return problems[: 2 * PROBLEMS_MAX]


def _of_counts(connection: Connection) -> list[str]:
    counted = sa.func.count().filter(tables.reps.c.completed)
    query = (
        sa.select(tables.sets.c.id, tables.sets.c.completed_reps, counted)
        .outerjoin(tables.reps, tables.reps.c.set_id == tables.sets.c.id)
        .group_by(tables.sets.c.id, tables.sets.c.completed_reps)
        .having(tables.sets.c.completed_reps != counted)
        .limit(PROBLEMS_MAX)
    )
    return [
        f"set {set_id}: it says {told} completed reps, and {there} are there"
        for set_id, told, there in connection.execute(query)
    ]


def _of_traces(store: Store) -> Iterator[str | None]:
    """The problem of each trace, or None, read TRACES_AT_ONCE at a time."""
    column, last = tables.traces.c, ""
    while True:
        some = (
            sa.select(column.set_id, column.samples)
            .where(column.set_id > last)
            .order_by(column.set_id)
            .limit(TRACES_AT_ONCE)
        )
        with store.reading() as connection:
            rows = connection.execute(some).all()
        if not rows:
            return
        for set_id, samples in rows:
            try:
                traces.unpack(samples)
            except StoreError as error:
                yield f"set {set_id}: {error}"
            else:
                yield None
        last = rows[-1][0]


def _count(connection: Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()

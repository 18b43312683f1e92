"""Deletes old traces, old sets and sent events from a store.

Raw traces are nine tenths of a store and serve only to measure a set again; sets are a person's
history. The operator says how long each is kept, by default for ever; sent events are deleted
always. Deletion uses small transactions, so a set that ends meanwhile waits milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from legcurl.errors import ConfigError
from legcurl.store import tables
from legcurl.store.database import outside_transactions
from legcurl.store.queries import as_us
from legcurl.store.store import Store

ROWS_AT_ONCE = 200
SENT_DAYS = 30  # in which an event that happens again is known by its id


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days things are kept; None: for ever."""

    traces_days: int | None = None
    sets_days: int | None = None
    sent_days: int = SENT_DAYS

    def __post_init__(self) -> None:
        for days in (self.traces_days, self.sets_days, self.sent_days):
            if days is not None and days < 1:
                raise ConfigError(f"Keep for at least 1 day, not {days}.")


@dataclass(frozen=True, slots=True)
class Pruned:
    """Counts of what was deleted, or would be."""

    traces: int
    sets: int
    events: int


def prune(
    store: Store,
    retention: Retention,
    now: datetime,
    *,
    dry_run: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Pruned:
    """Delete what is older than `retention` allows; a set with its reps, trace and corrections."""
    old_sets, old_traces, old_events = _rules(retention, now)
    with store.reading() as connection:
        found = [
            connection.execute(sa.select(sa.func.count()).select_from(rule.subquery())).scalar_one()
            for rule in (old_traces, old_sets, old_events)
        ]
    if not dry_run:
        total, done = sum(found), 0
        for table, rule in (
            (tables.sets.c.id, old_sets),
            (tables.traces.c.set_id, old_traces),
            (tables.outbox.c.id, old_events),
        ):
            while gone := _delete_some(store, table, rule):
                done += gone
                report(min(done, total), total)
    return Pruned(*found)


def vacuum(store: Store) -> None:
    """Return free space to the disk. It needs as much space as the store has."""
    with outside_transactions(store.engine) as run:
        if store.engine.dialect.name == "postgresql":
            run("VACUUM (ANALYZE)")
            return
        run("PRAGMA wal_checkpoint(TRUNCATE)")
        run("VACUUM")
        run("PRAGMA wal_checkpoint(TRUNCATE)")


def _rules(
    retention: Retention, now: datetime
) -> tuple[sa.Select[Any], sa.Select[Any], sa.Select[Any]]:
    """Queries of the ids of old sets, of sets with old traces, and of old events."""

    def before(days: int | None) -> int | None:
        return None if days is None else as_us(now - timedelta(days=days))

    of_sets, of_traces, of_outbox = tables.sets.c, tables.traces.c, tables.outbox.c
    sets_until, traces_until = before(retention.sets_days), before(retention.traces_days)
    old_sets = sa.select(of_sets.id).where(
        sa.false() if sets_until is None else of_sets.started_us < sets_until
    )
    with_trace = sa.select(of_traces.set_id).join(tables.sets, of_sets.id == of_traces.set_id)
    old_traces = with_trace.where(
        sa.false() if traces_until is None else of_sets.started_us < traces_until
    )
    old_events = sa.select(of_outbox.id).where(of_outbox.sent_us < before(retention.sent_days))
    return old_sets, old_traces, old_events


def _delete_some(store: Store, column: sa.Column[Any], rule: sa.Select[Any]) -> int:
    with store.transaction() as connection:
        ids = connection.execute(rule.limit(ROWS_AT_ONCE)).scalars().all()
        if ids:
            connection.execute(sa.delete(column.table).where(column.in_(ids)))
    return len(ids)

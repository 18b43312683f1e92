"""Lets go of what a store no longer has to keep, by rule: old traces, old sets, told events.

Raw traces are nine tenths of a store and are wanted only to measure a set again; sets are a
person's history. How long each is kept is the operator's to say, and nothing is let go of unless
they said so, but for events that the broker has got. It goes in small transactions: a set that ends
meanwhile waits milliseconds.
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
SENT_DAYS = 30  # an event is known by its id for so long if it should happen again


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
    """How many of each were let go of, or would be."""

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
    """Let go of what is older than a rule says. A set goes with all that belongs to it."""
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
    """Give the room of what was let go of back to the disk. It needs as much as the store has."""
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
    """The sets, the sets whose traces, and the events that are old."""

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

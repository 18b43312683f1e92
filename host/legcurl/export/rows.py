"""Rows from the store, a page of sets at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from legcurl.export.columns import TABLES, What
from legcurl.store import SetQuery, Store, StoredSet

PAGE = 100  # sets: with their reps some 2 MB


def rows(
    store: Store, query: SetQuery, what: What, done: Callable[[int], None] = lambda sets: None
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table for the sets of a query, newest set first.

    `done` gets the number of sets read. Other threads use the store between two pages, so a set
    that ends meanwhile may be missing; none comes twice.
    """
    columns = TABLES[what]
    for number, stored in enumerate(stored_sets(store, query), 1):
        for source in _sources(store, stored, what):
            yield tuple(column.of(*source) for column in columns)
        done(number)


def stored_sets(store: Store, query: SetQuery) -> Iterator[StoredSet]:
    """All sets of a query, newest first, read a page at a time."""
    query = replace(query, limit=PAGE)
    while True:
        page = store.find_sets(query)
        yield from page.sets
        if page.next is None:
            return
        query = replace(query, before=page.next)


def _sources(store: Store, stored: StoredSet, what: What) -> Iterator[tuple[Any, ...]]:
    if what == "sets":
        yield (stored,)
    elif what == "reps":
        for rep in stored.result.reps:
            yield stored, rep
    elif stored.has_trace and (trace := store.trace(stored.id)) is not None:
        for t_us, angle_deg in zip(trace.t_us, trace.angle_deg, strict=True):
            yield stored.id, t_us, angle_deg

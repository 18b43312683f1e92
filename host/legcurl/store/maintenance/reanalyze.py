"""Measures stored sets again, from their raw traces, by the detection of this version.

Each set is one transaction: the old result goes into `analyses` with the version that measured it,
the new one replaces it, and `detection` holds the new version. A run that was interrupted goes on
with the sets of other versions. Corrections stay, and apply to the new result.

**What is taken from the old measurement.** The ends of the range serve as the calibration: a trace
begins seconds before its set, and nothing else holds what was learnt earlier (an installer's
calibration, the range of a lifter who had moved before). They are corrected by the same rules as a
live calibration. The set's own method judges it again. The end of a set is recognised from the time
after it, of which a trace has only seconds; so if the outcome is the same and no failure,
`outcome_known_s` stays. A set that was incomplete stays so, because a trace does not show samples
that are missing before it.

A set without a trace, or whose trace now holds no set or several, keeps its result and is counted;
the next version tries again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from legcurl._version import __version__
from legcurl.errors import CalibrationError, StoreError
from legcurl.events import SetEnded, SetResult, plain
from legcurl.motion import Calibration, SetTracker
from legcurl.store import tables
from legcurl.store.queries import REP_FIELDS, as_us, one_set, set_columns, stored_sets
from legcurl.store.records import StoredSet, Trace
from legcurl.store.store import Store

DETECTION = __version__
SETS_AT_ONCE = 100
HALF_TURN_DEG = 180.0

Became = Literal["measured", "the same", "no trace", "damaged trace", "no set", "several sets"]


@dataclass(frozen=True, slots=True)
class Remeasured:
    """The outcome of one set, and its completed reps before and after."""

    set_id: str
    became: Became
    reps_before: int
    reps_after: int


def waiting(store: Store) -> int:
    """The count of sets that another version measured."""
    column = tables.sets.c
    counted = sa.select(sa.func.count()).where(column.detection != DETECTION)
    with store.reading() as connection:
        return connection.execute(counted).scalar_one()


def reanalyze(store: Store, now: Callable[[], datetime]) -> Iterator[Remeasured]:
    """Measure every set of another version again; each is committed before it is yielded.

    The run may be interrupted at any moment and started again.
    """
    column, last = tables.sets.c, ""
    while True:
        some = (
            sa.select(column.id)
            .where(column.detection != DETECTION, column.id > last)
            .order_by(column.id)
            .limit(SETS_AT_ONCE)
        )
        with store.reading() as connection:
            ids = connection.execute(some).scalars().all()
        for set_id in ids:
            yield _again(store, set_id, now())
        if not ids:
            return
        last = ids[-1]


def measured_again(original: SetResult, trace: Trace) -> list[SetResult]:
    """The sets that this detection finds in the trace of one; times are those of the trace."""
    tracker = SetTracker(_calibration(original), method=original.judged_by)
    events = [*tracker.push(trace.t_us, trace.angle_deg), *tracker.finish()]
    return [_with_what_is_known(original, e.set) for e in events if isinstance(e, SetEnded)]


def _calibration(original: SetResult) -> Calibration | None:
    if original.extended_deg is None or original.flexed_deg is None:
        return None
    try:
        found = Calibration(original.extended_deg, original.flexed_deg)
        if original.rom_deg > HALF_TURN_DEG:  # the long way round
            way = -1 if found.signed_rom_deg > 0 else 1
            found = Calibration(original.extended_deg, original.flexed_deg, way)
    except CalibrationError:
        return None
    return found


def _with_what_is_known(original: SetResult, new: SetResult) -> SetResult:
    new = replace(new, incomplete=new.incomplete or original.incomplete)
    if new.outcome == original.outcome and new.outcome != "muscle_success":
        new = replace(new, outcome_known_s=max(new.outcome_known_s, original.outcome_known_s))
    return new


def _again(store: Store, set_id: str, now: datetime) -> Remeasured:
    with store.reading() as connection:
        row = connection.execute(one_set(set_id)).mappings().one()
        (stored,) = stored_sets(connection, [row])
    before = stored.original.completed_reps

    def kept(became: Became) -> Remeasured:
        return Remeasured(set_id, became, before, before)

    try:
        trace = store.trace(set_id)
    except StoreError:
        return kept("damaged trace")
    if trace is None:
        return kept("no trace")
    found = measured_again(stored.original, trace)
    if len(found) != 1:
        return kept("several sets" if found else "no set")
    (new,) = found
    with store.transaction() as connection:
        if new == stored.original:
            _mark(connection, set_id)
            return kept("the same")
        _keep_old(connection, row, stored, now)
        _put_new(connection, set_id, new)
        store.announce(connection, set_id)
    store.announced()
    return Remeasured(set_id, "measured", before, new.completed_reps)


def _mark(connection: Connection, set_id: str) -> None:
    of_set = sa.update(tables.sets).where(tables.sets.c.id == set_id)
    connection.execute(of_set.values(detection=DETECTION))


def _keep_old(connection: Connection, row: RowMapping, stored: StoredSet, now: datetime) -> None:
    """Keep the old measurement; of one version, the first, which is the live one."""
    column = tables.analyses.c
    key = (column.set_id == stored.id) & (column.detection == row["detection"])
    if connection.execute(sa.select(column.set_id).where(key)).first() is None:
        old: dict[str, Any] = {
            "set_id": stored.id,
            "detection": row["detection"],
            "replaced_us": as_us(now),
            "result": json.dumps(plain(stored.original)),
        }
        connection.execute(sa.insert(tables.analyses).values(old))


def _put_new(connection: Connection, set_id: str, new: SetResult) -> None:
    column = tables.sets.c
    connection.execute(
        sa.update(tables.sets)
        .where(column.id == set_id)
        .values(set_columns(new) | {"detection": DETECTION, "revision": column.revision + 1})
    )
    connection.execute(sa.delete(tables.reps).where(tables.reps.c.set_id == set_id))
    rows = [
        {"set_id": set_id} | {name: getattr(rep, name) for name in REP_FIELDS} for rep in new.reps
    ]
    if rows:
        connection.execute(sa.insert(tables.reps), rows)

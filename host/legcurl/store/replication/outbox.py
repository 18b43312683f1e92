"""The outbox: events to publish, written in the transaction of the change that they announce.

So there is no change without its event, and no event without its change. A row holds the message
without what the publisher adds (schema, id, gym, and the raw trace, which would double the
database). Rows are sent in the order of their ids, machine by machine, and marked when the broker
acknowledges them: a crash in between sends a message twice, with the same id, and loses none.

Sent rows stay for KEEP_SENT_S without their content: when a journal is replayed after a crash, the
same events happen again and are known by their ids.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from legcurl.store import tables
from legcurl.store.queries import all_sets, as_us, one_set, stored_sets
from legcurl.store.replication.set_document import as_text, body_of

Kind = Literal["rep", "set", "forget"]
WHOLE_GYM = ""  # the machine id of events about no machine
KEEP_SENT_S = 2 * 24 * 3600.0
RESENT_AT_ONCE = 200

_rows = tables.outbox
_column = tables.outbox.c


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event; `body` is the message without what the publisher adds."""

    event_id: str
    machine_id: str
    kind: Kind
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that is not sent yet. `trace` is packed and in base64; None if there is none."""

    id: int
    event_id: str
    kind: Kind
    payload: str
    trace: str | None = None

    @property
    def size(self) -> int:
        """Characters, nearly all of one byte."""
        return len(self.payload) + len(self.trace or "")


def announce(connection: Connection, announcements: Iterable[Announcement]) -> None:
    """Write events in this order; ids that are there already are skipped."""
    now_us = time.time_ns() // 1000
    rows = [
        {
            "event_id": one.event_id,
            "machine_id": one.machine_id,
            "kind": one.kind,
            "payload": as_text(one.body),
            "made_us": now_us,
        }
        for one in announcements
    ]
    if rows:
        insert = insert_for(connection, _rows).on_conflict_do_nothing(index_elements=["event_id"])
        connection.execute(insert, rows)


def announce_set(connection: Connection, set_id: str) -> None:
    """Write the event of a set, in the transaction that changed it."""
    announce(connection, _told(connection, one_set(set_id)))


def announce_forget(connection: Connection, client_id: str, set_ids: Sequence[str]) -> None:
    """Write the event that a client and their sets are erased, and delete their other events.

    Call it in the transaction that erases them.
    """
    for set_id in set_ids:
        of_set = _column.event_id.startswith(f"{set_id}-", autoescape=True)
        connection.execute(sa.delete(_rows).where(of_set))
    body = {"client": client_id, "sets": list(set_ids)}
    announce(connection, [Announcement(f"forget-{client_id}", WHOLE_GYM, "forget", body)])


def count_since(connection: Connection, since: datetime) -> int:
    """The count of sets that `announce_again` announces."""
    counted = sa.select(sa.func.count()).where(tables.sets.c.started_us >= as_us(since))
    return connection.execute(counted).scalar() or 0


def announce_again(connection: Connection, since: datetime, after: str) -> tuple[int, str]:
    """Announce the next RESENT_AT_ONCE sets since a time again.

    Gives their count and the `after` of the next call, empty when all are done; begin with it
    empty. Stores that have them already know it by their revisions.
    """
    column = tables.sets.c
    chosen = (
        all_sets()
        .where(column.started_us >= as_us(since), column.id > after)
        .order_by(column.id)
        .limit(RESENT_AT_ONCE)
    )
    told = list(_told(connection, chosen, again=f"-again-{time.time_ns() // 1000:x}"))
    announce(connection, told)
    return len(told), told[-1].body["set"]["id"] if len(told) == RESENT_AT_ONCE else ""


def rep_event_id(set_id: str, number: int, body: Mapping[str, Any]) -> str:
    """The event id of a rep's body: equal for equal bodies."""
    digest = hashlib.sha256(as_text(body).encode()).hexdigest()[:12]
    return f"{set_id}-rep-{number}-{digest}"


def waiting(
    connection: Connection,
    machine_id: str,
    *,
    rows: int,
    size: int,
    traces: bool,
    besides: Collection[int] = (),
) -> list[Waiting]:
    """The next rows to send of a machine, oldest first: at most `rows`, about `size` bytes.

    `besides` are the ids of rows that were sent and are not marked yet.
    """
    chosen = (
        sa.select(_rows)
        .where(_column.machine_id == machine_id, _column.sent_us.is_(None))
        .order_by(_column.id)
        .limit(rows + len(besides))
    )
    taken: list[Waiting] = []
    for row in connection.execute(chosen).mappings().all():
        if row["id"] in besides:
            continue
        trace = None
        if traces and row["kind"] == "set":
            trace = _trace(connection, json.loads(row["payload"])["set"]["id"])
        taken.append(Waiting(row["id"], row["event_id"], row["kind"], row["payload"], trace))
        size -= taken[-1].size
        if size <= 0 or len(taken) == rows:
            break
    return taken


def waiting_by_machine(connection: Connection) -> dict[str, int]:
    """The count of waiting rows by machine."""
    counted = (
        sa.select(_column.machine_id, sa.func.count().label("waiting"))
        .where(_column.sent_us.is_(None))
        .group_by(_column.machine_id)
    )
    return {row.machine_id: row.waiting for row in connection.execute(counted)}


def in_use(connection: Connection) -> bool:
    """Whether the outbox has rows: the store's service publishes."""
    return connection.execute(sa.select(_column.id).limit(1)).first() is not None


def mark_sent(connection: Connection, ids: Sequence[int]) -> None:
    """Mark rows as sent and drop their content."""
    if ids:
        sent = {"sent_us": time.time_ns() // 1000, "payload": ""}
        connection.execute(sa.update(_rows).where(_column.id.in_(ids)).values(sent))


def prune(connection: Connection) -> int:
    """Delete rows sent more than KEEP_SENT_S ago; gives their count."""
    before_us = time.time_ns() // 1000 - round(KEEP_SENT_S * 1e6)
    return connection.execute(sa.delete(_rows).where(_column.sent_us < before_us)).rowcount


def insert_for(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert with ON CONFLICT, which SQLAlchemy has separately for both databases."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _told(
    connection: Connection, chosen: sa.Select[Any], again: str = ""
) -> Iterator[Announcement]:
    rows = connection.execute(chosen).mappings().all()
    for row, stored in zip(rows, stored_sets(connection, rows), strict=True):
        event_id = f"{stored.id}-{row['revision']}{again}"
        yield Announcement(event_id, stored.machine.id, "set", body_of(stored, row))


def _trace(connection: Connection, set_id: str) -> str | None:
    query = sa.select(tables.traces.c.samples).where(tables.traces.c.set_id == set_id)
    packed = connection.execute(query).scalar()
    return None if packed is None else base64.b64encode(packed).decode()

"""What others shall be told: rows that are written with what they tell of, and leave in order.

Whoever changes a set announces it in the same transaction, so neither can be there without the
other. A row holds the message but for what the sender adds (schema, id, gym, and the raw trace,
which would double the database). Rows leave in the order of their ids, machine by machine, and are
marked only when the broker has said that it has them: a crash in between sends a message twice,
under the same id, and never loses one.

Rows that were sent stay for KEEP_SENT_S, without their content: when a journal is read again after
a crash, the same events happen again and are known by their ids.
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
WHOLE_GYM = ""  # the machine of what concerns none
KEEP_SENT_S = 2 * 24 * 3600.0
RESENT_AT_ONCE = 200

_rows = tables.outbox
_column = tables.outbox.c


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something to tell; `body` is the message without what its sender adds."""

    event_id: str
    machine_id: str
    kind: Kind
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that was not sent yet. `trace` is packed and in base64, if its set has one."""

    id: int
    event_id: str
    kind: Kind
    payload: str
    trace: str | None = None

    @property
    def size(self) -> int:
        """Characters, nearly all of which are a byte each."""
        return len(self.payload) + len(self.trace or "")


def announce(connection: Connection, announcements: Iterable[Announcement]) -> None:
    """Tell these, in this order; what was announced before under the same id is not repeated."""
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
    """Tell a set as it stands now, in the transaction that made it so."""
    announce(connection, _told(connection, one_set(set_id)))


def announce_forget(connection: Connection, client_id: str, set_ids: Sequence[str]) -> None:
    """Tell that a person and these sets of theirs were erased, and tell nothing else of them.

    To be called in the transaction that erases them, before or after.
    """
    for set_id in set_ids:
        of_set = _column.event_id.startswith(f"{set_id}-", autoescape=True)
        connection.execute(sa.delete(_rows).where(of_set))
    body = {"client": client_id, "sets": list(set_ids)}
    announce(connection, [Announcement(f"forget-{client_id}", WHOLE_GYM, "forget", body)])


def count_since(connection: Connection, since: datetime) -> int:
    """How many sets `announce_again` tells."""
    counted = sa.select(sa.func.count()).where(tables.sets.c.started_us >= as_us(since))
    return connection.execute(counted).scalar() or 0


def announce_again(connection: Connection, since: datetime, after: str) -> tuple[int, str]:
    """Tell some sets since a moment once more: how many, and where to go on (empty: all done).

    Begin with `after` empty. Whoever knows them already sees that by their revisions.
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
    """The id of what is told of a rep: the same whenever the same is told."""
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
    """The next to send of a machine, oldest first: at most so many, and about so many bytes.

    `besides` are rows that were sent and are not marked yet.
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
    """How many rows wait, of each machine that has any."""
    counted = (
        sa.select(_column.machine_id, sa.func.count().label("waiting"))
        .where(_column.sent_us.is_(None))
        .group_by(_column.machine_id)
    )
    return {row.machine_id: row.waiting for row in connection.execute(counted)}


def in_use(connection: Connection) -> bool:
    """Whether anything was told lately, or waits: the store's service has a broker."""
    return connection.execute(sa.select(_column.id).limit(1)).first() is not None


def mark_sent(connection: Connection, ids: Sequence[int]) -> None:
    """The broker has these: keep only that they were told."""
    if ids:
        sent = {"sent_us": time.time_ns() // 1000, "payload": ""}
        connection.execute(sa.update(_rows).where(_column.id.in_(ids)).values(sent))


def prune(connection: Connection) -> int:
    """Forget what was sent long ago; gives how many rows."""
    before_us = time.time_ns() // 1000 - round(KEEP_SENT_S * 1e6)
    return connection.execute(sa.delete(_rows).where(_column.sent_us < before_us)).rowcount


def insert_for(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that knows ON CONFLICT, which both databases have and SQLAlchemy has twice."""
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

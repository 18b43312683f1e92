"""Merges the sets of many gyms into one store, in whatever order their documents arrive.

Ids there are `gym:id`, so ids of different gyms never collide. A document is a whole set, and
merging keeps the higher revision: a repeated message, an older one after a newer one, or two
collectors with the same message give the same rows. The ids of erased clients and sets are kept, so
that a message that arrives later does not store them again.

A batch is one transaction. Several collectors may merge at once: each locks rows in the same order
(gyms, machines, clients, sets, each by id), and erasing locks its gym's row exclusively.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from legcurl.store import tables
from legcurl.store.queries import REP_FIELDS, as_us, set_columns
from legcurl.store.replication.outbox import insert_for
from legcurl.store.replication.set_document import ForgetDocument, SetDocument

DEAD_LETTERS_KEPT = 1000
DEAD_LETTER_MAX = 16 * 1024  # bytes that are kept of one

Document = SetDocument | ForgetDocument
_OF_SET = ("reps", "corrections")


@dataclass(frozen=True, slots=True)
class Merged:
    """Counts of a batch."""

    stored: int = 0  # new sets or revisions
    known: int = 0  # sets whose revision was stored already
    erased: int = 0  # clients, and sets that came after their client was erased

    def __add__(self, other: Merged) -> Merged:
        return Merged(
            self.stored + other.stored, self.known + other.known, self.erased + other.erased
        )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An invalid message, and why."""

    topic: str
    reason: str
    payload: bytes


def merge(connection: Connection, documents: Iterable[Document]) -> Merged:
    """Store a batch, in the transaction of `connection`."""
    batch = list(documents)
    sets = _newest(document for document in batch if isinstance(document, SetDocument))
    forgets = [document for document in batch if isinstance(document, ForgetDocument)]
    if not batch:
        return Merged()
    _put_gyms(connection, batch, {document.gym_id for document in forgets})
    for document in forgets:
        _erase(connection, document)
    wanted = _without_erased(connection, sets)
    _put_machines(connection, wanted)
    _put_clients(connection, wanted)
    stored = _put_sets(connection, wanted)
    handed = sum(isinstance(document, SetDocument) for document in batch)
    late = len(sets) - len(wanted)
    return Merged(stored, handed - stored - late, len(forgets) + late)


def keep_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Store dead letters, and delete all but the newest DEAD_LETTERS_KEPT."""
    if not letters:
        return
    now_us = time.time_ns() // 1000
    table = tables.dead_letters
    rows = [
        {
            "topic": _storable(letter.topic)[:512],
            "reason": _storable(letter.reason)[:1000],
            "size": len(letter.payload),
            "payload": letter.payload[:DEAD_LETTER_MAX],
            "at_us": now_us,
        }
        for letter in letters[-DEAD_LETTERS_KEPT:]
    ]
    connection.execute(sa.insert(table), rows)
    newest = sa.select(table.c.id).order_by(table.c.id.desc()).offset(DEAD_LETTERS_KEPT).limit(1)
    oldest_gone = connection.execute(newest).scalar()
    if oldest_gone is not None:
        connection.execute(sa.delete(table).where(table.c.id <= oldest_gone))


def _newest(documents: Iterable[SetDocument]) -> list[SetDocument]:
    """The newest document of each set, in the order of their ids."""
    newest: dict[str, SetDocument] = {}
    for document in documents:
        key = _id(document.gym_id, document.set_id)
        if key not in newest or newest[key].revision < document.revision:
            newest[key] = document
    return [newest[key] for key in sorted(newest)]


def _put_gyms(connection: Connection, batch: Sequence[Document], erasing: set[str]) -> None:
    """Store the batch's gyms and lock their rows, exclusively where clients are erased."""
    column = tables.gyms.c
    # On SQLite, become the writer before reading, or another may change what was read.
    connection.execute(sa.update(tables.gyms).where(sa.false()).values(name=""))
    named = {document.gym_id: document.gym_name for document in batch}
    _put_named(connection, tables.gyms, [{"id": key, "name": named[key]} for key in sorted(named)])
    for gym_id in sorted(named):
        row = sa.select(column.id).where(column.id == gym_id)
        connection.execute(row.with_for_update(read=gym_id not in erasing))


def _put_named(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert or rename rows; unchanged rows are not touched."""
    ids = [row["id"] for row in rows]
    found = connection.execute(sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids)))
    known = {row.id: row.name for row in found}
    changed = [row for row in rows if known.get(row["id"]) != row["name"]]
    if changed:
        insert = insert_for(connection, table)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["id"], set_={"name": insert.excluded.name}
            ),
            changed,
        )


def _put_machines(connection: Connection, sets: Sequence[SetDocument]) -> None:
    rows = {
        _id(document.gym_id, document.machine_id): {
            "name": document.machine_name,
            "gym_id": document.gym_id,
        }
        for document in sorted(sets, key=lambda document: document.started)
    }
    _put_named(connection, tables.machines, [{"id": key, **rows[key]} for key in sorted(rows)])


def _put_clients(connection: Connection, sets: Sequence[SetDocument]) -> None:
    since: dict[str, int] = {}
    for document in sets:
        if document.client_id is not None:
            key = _id(document.gym_id, document.client_id)
            since[key] = min(since.get(key, as_us(document.started)), as_us(document.started))
    found = sa.select(tables.clients.c.id).where(tables.clients.c.id.in_(since))
    for known in connection.execute(found).scalars().all():
        del since[known]
    if since:
        rows = [{"id": key, "name": None, "since_us": since[key]} for key in sorted(since)]
        insert = insert_for(connection, tables.clients).on_conflict_do_nothing()
        connection.execute(insert, rows)


def _put_sets(connection: Connection, sets: Sequence[SetDocument]) -> int:
    """Store sets that are newer than the stored revision; gives their count."""
    if not sets:
        return 0
    insert = insert_for(connection, tables.sets).values([_row(document) for document in sets])
    newer = insert.on_conflict_do_update(
        index_elements=["id"],
        set_={name: insert.excluded[name] for name in _row(sets[0]) if name not in ("id", "note")},
        where=tables.sets.c.revision < insert.excluded.revision,
    ).returning(tables.sets.c.id)
    taken = set(connection.execute(newer).scalars())
    fresh = [document for document in sets if _id(document.gym_id, document.set_id) in taken]
    for name in _OF_SET:
        table = tables.metadata.tables[name]
        connection.execute(sa.delete(table).where(table.c.set_id.in_(taken)))
    reps = [
        {"set_id": _id(document.gym_id, document.set_id)}
        | {name: getattr(rep, name) for name in REP_FIELDS}
        for document in fresh
        for rep in document.measured.reps
    ]
    corrections = [
        {
            "set_id": _id(document.gym_id, document.set_id),
            "kind": correction.kind,
            "value": json.dumps(correction.value),
            "who": correction.who,
            "at_us": as_us(correction.at),
            "reason": correction.reason,
        }
        for document in fresh
        for correction in document.corrections
    ]
    if reps:
        connection.execute(sa.insert(tables.reps), reps)
    if corrections:
        connection.execute(sa.insert(tables.corrections), corrections)
    _put_traces(connection, fresh)
    return len(taken)


def _put_traces(connection: Connection, sets: Sequence[SetDocument]) -> None:
    """Store the traces that came; a document without one deletes none."""
    rows = [
        {"set_id": _id(document.gym_id, document.set_id), "samples": document.trace}
        for document in sets
        if document.trace is not None
    ]
    if rows:
        insert = insert_for(connection, tables.traces)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["set_id"], set_={"samples": insert.excluded.samples}
            ),
            rows,
        )


def _row(document: SetDocument) -> dict[str, Any]:
    client_id = document.client_id
    return set_columns(document.measured) | {
        "id": _id(document.gym_id, document.set_id),
        "machine_id": _id(document.gym_id, document.machine_id),
        "client_id": None if client_id is None else _id(document.gym_id, client_id),
        "load_kg": document.load_kg,
        "note": "",
        "started_us": as_us(document.started),
        "detection": document.detection,
        "log": document.log,
        "log_start_us": document.log_start_us,
        "log_end_us": document.log_end_us,
        "revision": document.revision,
    }


def _without_erased(connection: Connection, sets: Sequence[SetDocument]) -> list[SetDocument]:
    asked = {_id(document.gym_id, document.set_id) for document in sets}
    asked |= {_id(document.gym_id, document.client_id or "") for document in sets}
    column = tables.forgotten.c
    gone = set(connection.execute(sa.select(column.id).where(column.id.in_(asked))).scalars())
    return [
        document
        for document in sets
        if _id(document.gym_id, document.set_id) not in gone
        and _id(document.gym_id, document.client_id or "") not in gone
    ]


def _erase(connection: Connection, document: ForgetDocument) -> None:
    """Erase a client with the sets that the gym names and those that are stored here."""
    client_id = _id(document.gym_id, document.client_id)
    column = tables.sets.c
    theirs = connection.execute(sa.select(column.id).where(column.client_id == client_id)).scalars()
    set_ids = sorted({*theirs, *(_id(document.gym_id, set_id) for set_id in document.set_ids)})
    now_us = time.time_ns() // 1000
    rows = [{"id": key, "at_us": now_us} for key in (client_id, *set_ids)]
    connection.execute(insert_for(connection, tables.forgotten).on_conflict_do_nothing(), rows)
    for first in range(0, len(set_ids), 500):
        some = set_ids[first : first + 500]
        for name in (*_OF_SET, "traces", "analyses"):
            table = tables.metadata.tables[name]
            connection.execute(sa.delete(table).where(table.c.set_id.in_(some)))
        connection.execute(sa.delete(tables.sets).where(column.id.in_(some)))
    connection.execute(sa.delete(tables.clients).where(tables.clients.c.id == client_id))


def _storable(text: str) -> str:
    """A text that both databases take: without NUL and surrogates."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _id(gym_id: str, own: str) -> str:
    """An id in the store of many gyms."""
    return f"{gym_id}:{own}"

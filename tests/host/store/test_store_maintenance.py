"""What the keeper of a store does with it: copy, check, prune, erase; all while it is in use."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from disks import small_disk
from legcurl.errors import ConfigError, NoSuchRecordError, StoreError
from legcurl.store import Expected, SetQuery, Store, open_store, tables
from legcurl.store.database import engine_for, url_of
from legcurl.store.locations import open_needed
from legcurl.store.maintenance.backup import back_up
from legcurl.store.maintenance.erase_client import erase_client, find_client
from legcurl.store.maintenance.retention import Retention, prune, vacuum
from legcurl.store.maintenance.verify import measure, verify
from made_sets import FIRST, MACHINE, new_set


def nobody(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def ids(store: Store) -> list[str]:
    return [stored.id for stored in store.find_sets(SetQuery(limit=500)).sets]


# Backup


def test_a_backup_is_the_store_of_one_moment_while_sets_go_on_arriving(sqlite_url, tmp_path):
    copy = tmp_path / "copies" / "monday.db"
    copy.parent.mkdir()
    with open_store(sqlite_url) as store:
        for number in range(20):
            store.add_set(new_set(number))
        arrived = iter(range(20, 1000))
        steps: list[int] = []

        def meanwhile(done: int, total: int) -> None:
            steps.append(total)
            store.add_set(new_set(next(arrived)))

        size = back_up(sqlite_url, copy, meanwhile)
        assert len(ids(store)) == 20 + len(steps)
    assert steps
    assert size == copy.stat().st_size
    assert [path.name for path in copy.parent.iterdir()] == ["monday.db"]
    assert copy.stat().st_mode & 0o077 == 0  # it holds names
    with open_store(f"sqlite:///{copy}") as restored:
        assert len(ids(restored)) == 20
        assert restored.trace("set-0007") == new_set().trace


def test_a_backup_that_fails_leaves_the_one_before(sqlite_url, tmp_path):
    with open_store(sqlite_url) as store:
        for number in range(5):
            store.add_set(new_set(number))
    with small_disk(tmp_path / "disk") as disk:
        target = disk.folder / "backup.db"
        target.write_bytes(b"yesterday's")
        disk.fill()
        with pytest.raises(StoreError, match=r"room|full|written"):
            back_up(sqlite_url, target, nobody)
        assert target.read_bytes() == b"yesterday's"
        assert not (disk.folder / "backup.db.part").exists()


def test_a_damaged_store_makes_no_backup(sqlite_url, tmp_path):
    with open_store(sqlite_url) as store:
        for number in range(8):
            store.add_set(new_set(number))
    broken_in_the_middle(sqlite_url)
    with pytest.raises(StoreError, match="damaged"):
        back_up(sqlite_url, tmp_path / "backup.db", nobody)
    assert not (tmp_path / "backup.db").exists()


def test_a_store_is_no_place_for_its_own_backup(sqlite_url):
    open_store(sqlite_url).close()
    store = Path(sqlite_url.removeprefix("sqlite:///"))
    for end in ("", "-wal", "-shm", ".lock"):
        with pytest.raises(StoreError, match="the store itself"):
            back_up(sqlite_url, store.with_name(f"{store.name}{end}"), nobody)


def test_a_backup_never_replaces_what_is_no_file(sqlite_url: str, tmp_path: Path):
    with open_store(sqlite_url):
        pass
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        with pytest.raises(StoreError, match="is no file"):
            back_up(sqlite_url, place, nobody)
    assert pipe.is_fifo()


def test_a_server_is_backed_up_by_its_own_tools(postgres_url, tmp_path):
    with pytest.raises(StoreError, match="pg_dump"):
        back_up(postgres_url, tmp_path / "backup.db", nobody)


# Verify


def broken_in_the_middle(url: str) -> None:
    with Path(url.removeprefix("sqlite:///")).open("r+b") as file:
        file.seek(0, 2)
        file.seek(file.tell() // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)


def test_a_whole_store_has_no_problems(store):
    store.add_set(new_set(0))
    store.add_set(new_set(1, lifter="quits"))
    store.correct("set-0001", "count", 3, who="coach")
    found = verify(store, nobody)
    assert (found.sets, found.traces, found.problems) == (2, 2, ())


def test_an_unreadable_trace_is_named(store):
    store.add_set(new_set(0))
    store.add_set(new_set(1))
    with store.transaction() as connection:
        broken = sa.update(tables.traces).where(tables.traces.c.set_id == "set-0001")
        connection.execute(broken.values(samples=b"no trace"))
    (problem,) = verify(store, nobody).problems
    assert problem.startswith("set set-0001: A stored trace is damaged")


def test_a_count_that_its_reps_do_not_bear_out_is_named(store):
    store.add_set(new_set())
    with store.transaction() as connection:
        connection.execute(sa.delete(tables.reps).where(tables.reps.c.number == 2))
    (problem,) = verify(store, nobody).problems
    assert problem.startswith("set set-0000: it says")


def test_damaged_pages_are_told(sqlite_url):
    with open_store(sqlite_url) as store:
        for number in range(8):
            store.add_set(new_set(number))
    broken_in_the_middle(sqlite_url)
    with open_store(sqlite_url) as store:
        assert verify(store, nobody).problems


def test_an_unreadable_store_is_not_called_damaged(tmp_path):
    url = f"sqlite:///{tmp_path}"  # as on a disk that is read-only: SQLite opens nothing there
    with (
        Store(engine_for(url_of(url))) as store,
        pytest.raises(StoreError, match=r"cannot be opened.*copy the file"),
    ):
        verify(store, nobody)


# Prune


def test_retention_removes_old_traces_and_sets_with_their_rows(store):
    for number in range(6):
        store.add_set(new_set(number, started=FIRST + timedelta(days=number)))
        store.correct(f"set-{number:04}", "count", 3, who="coach")
    now = FIRST + timedelta(days=6)
    rule = Retention(traces_days=3, sets_days=5)
    expected = prune(store, rule, now, dry_run=True)
    assert len(ids(store)) == 6
    assert prune(store, rule, now) == expected
    assert ids(store) == [f"set-{number:04}" for number in (5, 4, 3, 2, 1)]
    kept = [number for number in range(1, 6) if store.trace(f"set-{number:04}") is not None]
    assert kept == [3, 4, 5]
    assert measure(store).counts["corrections"] == 5
    nothing_left = prune(store, rule, now)
    assert (nothing_left.sets, nothing_left.traces) == (0, 0)


def test_without_a_rule_only_events_that_were_sent_long_ago_go(store):
    store.add_set(new_set())
    of_events(store, ("old", 1), ("waiting", None))
    gone = prune(store, Retention(), FIRST)
    assert (gone.sets, gone.traces, gone.events) == (0, 0, 1)
    with store.reading() as connection:
        assert connection.execute(sa.select(tables.outbox.c.event_id)).scalars().all() == [
            "waiting"
        ]


def of_events(store: Store, *events: tuple[str, int | None], payload: str = "{}") -> None:
    rows = [
        {
            "event_id": event_id,
            "machine_id": MACHINE.id,
            "kind": "set",
            "payload": payload,
            "made_us": 1,
            "sent_us": sent_us,
        }
        for event_id, sent_us in events
    ]
    with store.transaction() as connection:
        connection.execute(sa.insert(tables.outbox), rows)


@pytest.mark.parametrize("rule", [{"traces_days": 0}, {"sets_days": -1}, {"sent_days": 0}])
def test_a_rule_that_would_keep_nothing_is_refused(rule):
    with pytest.raises(ConfigError, match="at least 1 day"):
        Retention(**rule)


def test_room_is_given_back(store):
    for number in range(30):
        store.add_set(new_set(number))
    with store.transaction() as connection:
        connection.execute(sa.delete(tables.traces))
    before = measure(store).size_bytes
    vacuum(store)
    assert len(ids(store)) == 30
    if store.engine.dialect.name == "sqlite":
        assert measure(store).size_bytes < before / 2


# Forget


@pytest.fixture
def somebody(store):
    """A client with three sets and a lot said about them, among the sets of others."""
    client = store.add_client("Wilhelmina Trout")
    other = store.add_client("Somebody Else")
    for number in range(6):
        owner = client.id if number % 2 else other.id
        expected = Expected(owner, 40.0, FIRST)
        store.add_set(new_set(number, id=f"gone-{number}", expected=expected))
    store.change_set("gone-1", {"note": "Wilhelmina Trout slept badly"})
    store.change_set("gone-2", {"note": "trained beside Wilhelmina Trout"})
    store.correct("gone-3", "count", 4, who="coach", reason="Wilhelmina Trout says so")
    store.expect(MACHINE.id, Expected(client.id, 42.5, FIRST))
    of_events(store, ("gone-1-1", None), ("gone-5-1", 7), payload=f'{{"client": "{client.id}"}}')
    of_events(store, ("gone-2-1", None), payload=f'{{"client": "{other.id}"}}')
    with store.transaction() as connection:
        old = {"set_id": "gone-1", "detection": "0", "replaced_us": 1, "result": "{}"}
        connection.execute(sa.insert(tables.analyses), [old])
    return client


def test_a_person_goes_with_all_that_is_theirs_and_nobody_elses(store, somebody):
    expected = find_client(store, somebody.id)
    assert len(ids(store)) == 6
    gone = erase_client(store, somebody.id)
    assert gone == expected
    assert (gone.sets, gone.traces, gone.machines) == (3, 3, 1)
    assert gone.named_in == ("sets.note of gone-2",)
    assert sorted(ids(store)) == ["gone-0", "gone-2", "gone-4"]
    assert store.trace("gone-0") is not None
    assert store.expected(MACHINE.id) == Expected()
    assert [client.name for client in store.clients()] == ["Somebody Else"]
    with pytest.raises(NoSuchRecordError):
        erase_client(store, somebody.id)


def test_no_byte_of_a_person_is_left_in_the_files(sqlite_url, tmp_path):
    with open_store(sqlite_url) as store:
        client = store.add_client("Wilhelmina Trout")
        for number in range(4):
            new = new_set(number, id=f"gone-{number}", expected=Expected(client.id, 40.0, FIRST))
            store.add_set(new)
        store.correct("gone-3", "count", 4, who="coach", reason="Wilhelmina Trout says so")
        store.change_set("gone-1", {"note": "Wilhelmina Trout slept badly"})
        of_events(store, ("gone-1-1", None), payload=f'{{"client": "{client.id}"}}')
        with store.reading() as connection:
            trace = connection.execute(sa.select(tables.traces.c.samples)).scalars().first()
        assert trace is not None
        secrets = {b"Wilhelmina", client.id.encode(), b"gone-1", b"gone-3", trace[100:140]}
        assert {secret for secret in secrets if secret in everything(tmp_path)} == secrets
        erase_client(store, client.id)
        assert {secret for secret in secrets if secret in everything(tmp_path)} == set()
    assert {secret for secret in secrets if secret in everything(tmp_path)} == set()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def test_an_unknown_client_is_not_erased(store):
    for name in ("nobody", "", "a\0b", "half \ud83d"):
        with pytest.raises(NoSuchRecordError, match="no client"):
            erase_client(store, name)


def test_erasing_a_name_like_a_pattern_takes_no_other_events(store):
    with store.transaction() as connection:
        row = {"id": "%_\\", "name": None, "since_us": 1}
        connection.execute(sa.insert(tables.clients), [row])
    of_events(store, ("another", None), payload='{"client": "abcd"}')
    assert erase_client(store, "%_\\").events == 0


def test_a_set_that_ends_after_its_client_was_forgotten_has_none(store):
    client = store.add_client("Wilhelmina Trout")
    entered = Expected(client.id, 40.0, FIRST)
    erase_client(store, client.id)
    store.add_set(new_set(expected=entered))
    assert store.get_set("set-0000").client is None


# Sizes


def test_a_store_tells_what_is_in_it(store):
    store.add_set(new_set(0))
    store.add_set(new_set(1))
    found = measure(store)
    assert found.counts["sets"] == 2
    assert found.counts["traces"] == 2
    assert found.size_bytes > 10_000
    assert found.first == FIRST.isoformat()
    assert found.last == (FIRST + timedelta(minutes=3)).isoformat()


def test_deleted_rows_are_overwritten_at_once(sqlite_url, tmp_path):
    with open_store(sqlite_url) as store:
        store.add_client("Wilhelmina Trout")
        with store.transaction() as connection:
            connection.execute(sa.delete(tables.clients))
    with closing(sqlite3.connect(tmp_path / "legcurl.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Wilhelmina" not in everything(tmp_path)


# What others were told


def kinds(store: Store) -> list[tuple[str, str]]:
    column = tables.outbox.c
    with store.reading() as connection:
        rows = connection.execute(sa.select(column.kind, column.payload).order_by(column.id))
        return [(kind, payload) for kind, payload in rows]


def test_where_a_gym_publishes_its_central_store_is_told_whom_to_forget(url):
    with open_store(url, publishing=True) as store:
        client = store.add_client("Wilhelmina Trout")
        store.add_set(new_set(0, expected=Expected(client.id, 40.0, FIRST)))
        store.add_set(new_set(1))
    with open_needed(url) as store:  # as the command does, beside the service
        erase_client(store, client.id)
        told = kinds(store)
    assert [kind for kind, _ in told] == ["set", "forget"]
    assert "set-0000" not in told[0][1]
    assert '"set-0000"' in told[1][1]


def test_in_a_central_store_an_erased_client_does_not_come_back(store):
    with store.transaction() as connection:
        row = {"id": "north:c1", "name": None, "since_us": 1}
        connection.execute(sa.insert(tables.clients), [row])
        letters = [
            {"topic": "t", "reason": "r", "size": 9, "payload": payload, "at_us": 1}
            for payload in (b'{"client": "c1"', b'{"client": "d2"')
        ]
        connection.execute(sa.insert(tables.dead_letters), letters)
    store.add_set(new_set(0, id="north:s1", expected=Expected("north:c1", 40.0, FIRST)))
    erase_client(store, "north:c1")
    with store.reading() as connection:
        forgotten = connection.execute(sa.select(tables.forgotten.c.id)).scalars().all()
        left = connection.execute(sa.select(tables.dead_letters.c.payload)).scalars().all()
    assert sorted(forgotten) == ["north:c1", "north:s1"]
    assert [bytes(payload) for payload in left] == [b'{"client": "d2"']

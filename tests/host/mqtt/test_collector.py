"""Collectors: what gyms publish is in the central store, once, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from brokers import Mosquitto, no_broker
from collectors import kill_collectors, rows, set_message
from gyms import gym
from legcurl.config.model import MqttConfig, Secret
from legcurl.errors import BrokerRefusedError
from legcurl.mqtt import collector as collecting
from legcurl.mqtt import connection
from legcurl.mqtt.collector import Collector
from legcurl.mqtt.connection import Connection
from legcurl.mqtt.messages import GymName
from legcurl.store import SetQuery, Store, open_store, tables
from legcurl.store.replication import outbox
from made_sets import new_set
from timings import until

LEGCURL = Path(sys.executable).parent / "legcurl"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "PAUSE_MAX_S", 0.2)


@pytest.fixture
def center(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'center.db'}") as store:
        yield store


@asynccontextmanager
async def collector(
    broker: MqttConfig, store: Store, name: str = "one"
) -> AsyncIterator[Collector]:
    made = Collector(broker, store, name=name)
    task = asyncio.create_task(made.run())
    try:
        await until(lambda: made.figures.connected or task.done(), lambda: made.figures)
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def messages(mosquitto: Mosquitto, *payloads: tuple[str, bytes]) -> None:
    speaker = await Connection.open(mosquitto.config, "speaker")
    for topic, payload in payloads:
        await speaker.publish(topic, payload)
    await speaker.close()


def forget_message(client: str, *sets: str, gym_id: str = "north") -> tuple[str, bytes]:
    document = {"schema": 1, "kind": "forget", "id": f"forget-{client}", "client": client}
    document |= {"gym": {"id": gym_id, "name": gym_id}, "sets": list(sets)}
    return f"legcurl/{gym_id}/forget", json.dumps(document).encode()


async def test_two_gyms_with_the_same_names_are_told_apart_in_the_center(
    tmp_path: Path, mosquitto: Mosquitto, center: Store
) -> None:
    async with collector(mosquitto.config, center) as here:
        for name in ("north", "south"):
            (tmp_path / name).mkdir()
            with open_store(f"sqlite:///{tmp_path / name / 'gym.db'}", publishing=True) as store:
                client = store.add_client("Ada Lovelace")
                store.add_set(new_set(1))
                store.change_set("set-0001", {"client_id": client.id, "load_kg": 40.0})
                store.correct("set-0001", "count", 5, who="coach", reason="seen")
            async with gym(tmp_path / name, mosquitto.config, 1, GymName(name, name)) as publishing:
                await publishing.until_sent()
        await until(lambda: here.figures.stored + here.figures.known == 6, lambda: here.figures)
    found = center.find_sets(SetQuery()).sets
    assert sorted(one.id for one in found) == ["north:set-0001", "south:set-0001"]
    assert sorted(machine.id for machine in center.machines()) == ["north:curl-1", "south:curl-1"]
    for one in found:
        assert one.original == new_set(1).result, "the set there equals the set here"
        assert (one.result.completed_reps, one.load_kg, one.started) == (
            5,
            40.0,
            new_set(1).started,
        )
        assert one.client is not None
        assert one.client.name is None
        assert center.trace(one.id) is not None


async def test_the_newest_revision_wins_in_any_order(mosquitto: Mosquitto, center: Store) -> None:
    versions = [set_message(revision=n, load_kg=float(n)) for n in range(1, 6)]
    Random(7).shuffle(versions)
    async with collector(mosquitto.config, center) as here:
        for version in [*versions, *versions]:
            await messages(mosquitto, version)
        await until(lambda: here.figures.stored + here.figures.known == 10, lambda: here.figures)
    (found,) = center.find_sets(SetQuery()).sets
    assert found.load_kg == 5.0
    assert rows(center, tables.reps) == len(found.result.reps)


def deflated(content: bytes) -> str:
    return b64encode(zlib.compress(b"\x01" + content, 9)).decode()


BAD = [
    ("no JSON", b"\xff\xfe garbage", "no JSON"),
    ("deep JSON", b"[" * 200_000, "no JSON"),
    ("no object", b"[1, 2]", "no object"),
    ("no schema", b"{}", "of which `schema`"),
    ("newer", set_message(schema=2)[1], "update it"),
    ("other kind", set_message(kind="rep")[1], "kind 'rep'"),
    ("other gym", set_message(gym={"id": "south", "name": ""})[1], "on a topic of north"),
    ("odd gym", set_message(gym={"id": "nörd/+", "name": ""})[1], "`id` cannot be"),
    ("odd id", set_message(id="x")[1].replace(b'"set-0001"', b'"../../etc"'), "`id` cannot be"),
    ("half a letter", set_message(detection="\ud800")[1], "`detection`"),
    ("a NUL", set_message(machine={"id": "curl-1", "name": "\0"})[1], "`name`"),
    ("no number", set_message(revision="1")[1], "`revision`"),
    ("400 digits", set_message(load_kg=10**400)[1], "`load_kg`"),
    (
        "400 digits of a rep",
        set_message()[1].replace(b'"number": 2', b'"number": ' + b"9" * 400),
        "`number`",
    ),
    (
        "5,000 digits",
        set_message()[1].replace(b'"number": 2', b'"number": ' + b"9" * 5000),
        "no JSON",
    ),
    ("NaN", set_message(load_kg=math.nan)[1], "`load_kg`"),
    (
        "half a letter as a word",
        set_message()[1].replace(b'"muscle_success"', b'"\\ud800"'),
        "surrogate",
    ),
    (
        "deep member",
        set_message(corrections=0)[1].replace(
            b'"corrections": 0', b'"corrections": ' + b"[" * 10_000 + b"]" * 10_000
        ),
        "no JSON",
    ),
    ("before year 1 in UTC", set_message(started="0001-01-01T00:00:00+14:00")[1], "UTC"),
    ("infinite", set_message(load_kg=1e999)[1], "`load_kg`"),
    ("heavy", set_message(load_kg=4000)[1], "500 kg"),
    ("no timezone", set_message(started="2026-01-01T00:00:00")[1], "timezone"),
    ("no date", set_message(started="yesterday")[1], "RFC3339"),
    ("odd outcome", set_message()[1].replace(b'"muscle_success"', b'"magic"'), "`outcome`"),
    ("twice a rep", set_message()[1].replace(b'"number": 2', b'"number": 1'), "same number"),
    ("huge count", set_message(revision=2**40)[1], "`revision`"),
    ("odd trace", set_message(trace="%%%")[1], "base64"),
    ("bomb", set_message(trace=deflated(bytes(50_000_000)))[1], "`trace` cannot be stored"),
    (
        "endless number",
        set_message(trace=deflated(b"\xff" * 99_999))[1],
        "`trace` cannot be stored",
    ),
    ("odd correction", set_message(corrections=[{"kind": "x"}])[1], "`kind`"),
    ("ten megabytes", b"x" * 10_000_000, "10000000 bytes"),
]


async def test_an_unreadable_message_is_counted_and_kept_as_a_dead_letter(
    mosquitto: Mosquitto, center: Store, caplog: pytest.LogCaptureFixture
) -> None:
    topic, good = set_message()
    async with collector(mosquitto.config, center) as here:
        await messages(mosquitto, *((topic, payload) for _, payload, _ in BAD), (topic, good))
        await until(lambda: here.figures.stored, lambda: here.figures)
        assert here.figures.dead == len(BAD)
    kept = center.within(
        lambda c: c.execute(sa.select(tables.dead_letters).order_by(tables.dead_letters.c.id)).all()
    )
    for (name, payload, words), row in zip(BAD, kept, strict=True):
        assert words in row.reason, name
        assert words in caplog.text
        assert (row.topic, row.size) == (topic, len(payload))
        assert len(row.payload) <= 16 * 1024
    async with collector(mosquitto.config, center) as here:
        await messages(mosquitto, set_message(2))
        await until(lambda: here.figures.stored, lambda: here.figures)
        assert here.figures.dead == 0, "none comes again"


async def test_a_document_that_raises_is_dead_lettered_and_the_rest_stored(
    mosquitto: Mosquitto, center: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, put = collecting.set_of, collecting.merge.merge

    def read_or_raise(document):
        return 1 / 0 if document["set"]["id"] == "set-0001" else read(document)

    def put_or_raise(connection, documents):
        if any(document.set_id == "set-0002" for document in documents):
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return put(connection, documents)

    monkeypatch.setattr(collecting, "set_of", read_or_raise)
    monkeypatch.setattr(collecting.merge, "merge", put_or_raise)
    async with collector(mosquitto.config, center) as here:
        await messages(mosquitto, *(set_message(n) for n in (1, 2, 3)))
        await until(lambda: here.figures.stored == 1, lambda: here.figures)
        await until(lambda: here.figures.dead == 2, lambda: here.figures)
    reasons = center.within(
        lambda c: c.execute(sa.select(tables.dead_letters.c.reason)).scalars().all()
    )
    assert sorted(reason.split()[2] for reason in reasons) == ["OverflowError", "ZeroDivisionError"]


def test_dead_letters_are_no_more_than_the_newest(center: Store, monkeypatch) -> None:
    from legcurl.store.replication import merge

    monkeypatch.setattr(merge, "DEAD_LETTERS_KEPT", 5)
    for first in range(0, 12, 4):
        letters = [merge.DeadLetter("t", f"reason {n}", b"") for n in range(first, first + 4)]
        center.within(partial(merge.keep_dead_letters, letters=letters))
    kept = center.within(
        lambda c: c.execute(sa.select(tables.dead_letters.c.reason)).scalars().all()
    )
    assert sorted(kept, key=len) == [f"reason {n}" for n in range(7, 12)]


async def test_a_person_whom_a_gym_forgets_is_gone_and_stays_gone(
    mosquitto: Mosquitto, center: Store
) -> None:
    async with collector(mosquitto.config, center) as here:
        await messages(
            mosquitto,
            set_message(1, client="ada"),
            set_message(2, client="ada"),
            set_message(3, client="bob"),
            set_message(1, gym_id="south", client="ada"),
        )
        await until(lambda: here.figures.stored == 4, lambda: here.figures)
        await messages(mosquitto, forget_message("ada", "set-0001", "set-0009"))
        await until(lambda: here.figures.erased == 1, lambda: here.figures)
        late = set_message(2, client="ada", revision=9), set_message(9, client=None)
        await messages(mosquitto, *late, set_message(4))
        await until(lambda: here.figures.stored == 5, lambda: here.figures)
        assert here.figures.erased == 3
    left = {one.id for one in center.find_sets(SetQuery()).sets}
    assert left == {"north:set-0003", "north:set-0004", "south:set-0001"}
    assert {client.id for client in center.clients()} == {"north:bob", "south:ada"}
    assert rows(center, tables.traces) == 3


async def test_erasing_in_the_gym_reaches_the_center(
    tmp_path: Path, mosquitto: Mosquitto, center: Store
) -> None:
    with open_store(f"sqlite:///{tmp_path / 'gym.db'}", publishing=True) as store:
        client = store.add_client("Ada")
        store.add_set(new_set(1))
        store.change_set("set-0001", {"client_id": client.id})
    async with (
        collector(mosquitto.config, center) as here,
        gym(tmp_path, mosquitto.config) as publishing,
    ):
        await publishing.until_sent()
        await until(lambda: center.clients(), lambda: here.figures)
        await publishing.service.writer.ask(
            lambda store: store.within(
                partial(outbox.announce_forget, client_id=client.id, set_ids=["set-0001"])
            )
        )
        publishing.publisher._news.set()
        await until(lambda: here.figures.erased, lambda: here.figures)
    assert not center.find_sets(SetQuery()).sets
    assert not center.clients()


def test_waiting_messages_of_an_erased_client_are_not_sent() -> None:
    with open_store("sqlite://", publishing=True) as store:
        for number in (1, 2):
            store.add_set(new_set(number))
        store.within(partial(outbox.announce_forget, client_id="ada", set_ids=["set-0001"]))
        kept = store.within(
            lambda c: c.execute(sa.select(tables.outbox.c.event_id)).scalars().all()
        )
    assert sorted(kept) == ["forget-ada", "set-0002-1"]


async def test_messages_wait_while_a_collector_is_away(mosquitto: Mosquitto, center: Store) -> None:
    async with collector(mosquitto.config, center):
        pass
    await messages(mosquitto, *(set_message(n) for n in range(30)))
    mosquitto.stop()
    mosquitto.start()
    async with collector(mosquitto.config, center) as here:
        await until(lambda: here.figures.stored == 30, lambda: here.figures)


async def test_a_database_that_fails_loses_nothing(mosquitto: Mosquitto, center: Store) -> None:
    async with collector(mosquitto.config, center) as here:
        center.within(lambda c: c.execute(sa.text("ALTER TABLE reps RENAME TO gone")))
        await messages(mosquitto, *(set_message(n) for n in range(5)))
        await until(lambda: "reps" in here.figures.trouble, lambda: here.figures)
        assert here.figures.stored == 0
        center.within(lambda c: c.execute(sa.text("ALTER TABLE gone RENAME TO reps")))
        await until(lambda: here.figures.stored == 5, lambda: here.figures)
        assert here.figures.trouble == ""


async def test_a_leaving_collector_stores_its_share_and_gets_no_more(
    mosquitto: Mosquitto, center: Store
) -> None:
    async with collector(mosquitto.config, center, "leaver"):
        pass
    await messages(mosquitto, set_message(1))
    await Collector(mosquitto.config, center, name="leaver").leave()
    assert len(center.find_sets(SetQuery()).sets) == 1
    async with collector(mosquitto.config, center, "stays") as here:
        await messages(mosquitto, *(set_message(n) for n in range(2, 12)))
        await until(lambda: here.figures.stored == 10, lambda: here.figures)


async def test_two_collectors_of_one_name_are_told_and_still_lose_nothing(
    mosquitto: Mosquitto, center: Store
) -> None:
    """Mosquitto 2.0.11 throws one out for the other without a word; newer brokers say so."""
    made = [Collector(mosquitto.config, center, name="one") for _ in range(2)]
    tasks = [asyncio.create_task(one.run()) for one in made]
    await until(lambda: any("is another program there as 'one'" in seen(one) for one in made))
    await messages(mosquitto, set_message(1))
    await until(lambda: sum(one.figures.stored for one in made) == 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def seen(collector: Collector) -> str:
    return collector.figures.trouble


async def test_a_refusing_broker_ends_a_collector_and_a_hanging_one_is_retried(
    tmp_path: Path, center: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Mosquitto(tmp_path / "broker", password="right") as mosquitto,
        pytest.raises(BrokerRefusedError, match="password"),
    ):
        await Collector(replace(mosquitto.config, password=Secret("x")), center, name="one").run()
    monkeypatch.setattr(connection, "ANSWER_S", 0.2)
    async with no_broker(None) as config:
        made = Collector(config, center, name="one")
        task = asyncio.create_task(made.run())
        await until(lambda: "does not answer" in made.figures.trouble)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.long
async def test_the_share_of_a_collector_that_is_gone_waits_for_its_name(
    mosquitto: Mosquitto, center: Store
) -> None:
    """What docs/mqtt.md says of Mosquitto: the dead have their share too, until they leave."""
    session = connection.Session(expires_s=3600, receive_max=100)
    gone = await Connection.open(mosquitto.config, "gone", session=session)
    await gone.subscribe("$share/collectors/legcurl/+/+/set")
    async with collector(mosquitto.config, center, "stays") as here:
        await messages(mosquitto, *(set_message(n) for n in range(20)))
        await until(lambda: here.figures.stored + gone.received.qsize() == 20)
        held = gone.received.qsize()
        assert held, "they share"
        gone.drop()
        await until(lambda: "Client gone closed" in (mosquitto.folder / "log").read_text())
        before = here.figures.stored
        await messages(mosquitto, *(set_message(n) for n in range(20, 40)))
        await until(lambda: here.figures.stored > before)
        left = Collector(mosquitto.config, center, name="gone")
        await left.leave()
        assert left.figures.stored >= held
        await until(lambda: rows(center, tables.sets) == 40, lambda: here.figures)
        await messages(mosquitto, *(set_message(n) for n in range(40, 50)))
        await until(lambda: rows(center, tables.sets) == 50, lambda: here.figures)


async def test_any_collector_may_be_killed_at_any_moment(
    tmp_path: Path, mosquitto: Mosquitto, center: Store
) -> None:
    url = f"sqlite:///{tmp_path / 'center.db'}"
    await kill_collectors(mosquitto, center, url, sets=60, kills=4, seed=1)

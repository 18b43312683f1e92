"""What happens in a gym is published: whole, in order, under ids, whatever the broker does."""

from __future__ import annotations

import asyncio
import base64
import json
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from brokers import Ear, Mosquitto, no_broker, read
from gyms import announce_day, first_told, gym
from legcurl.config.model import Secret
from legcurl.events import LinkChanged, SensorTrouble, SetEnded
from legcurl.mqtt import connection, machine_client
from legcurl.store import Machine, open_store, traces
from made_sets import new_set
from played import play, play_set, play_until
from timings import until

SET = "sim:?seed=5&pace=fast"
TWO_SETS = "sim:?seed=5&sets=2&pace=fast"
OTHER = "sim:?seed=6&lifter=early&pace=fast"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is away is tried again soon."""
    monkeypatch.setattr(machine_client, "PAUSE_MAX_S", 0.2)


async def test_a_set_is_told_rep_by_rep_and_then_whole_with_its_trace(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    async with gym(tmp_path, mosquitto.config) as here:
        play_set(here.machine(), SET)
        await ear.until(lambda: ear.documents("set"))
        stored = here.store.find_sets(_all()).sets[0]
        trace = here.store.trace(stored.id)
    events = ear.documents("rep", "set")

    assert events[-1]["kind"] == "set", "reps are told before the set that they belong to"
    told = events[-1]["set"]
    assert [rep["number"] for rep in told["measured"]["reps"]] == [
        event["number"] for event in events if event["kind"] == "rep" and not event["corrects"]
    ]
    assert {event["set"] for event in events[:-1]} == {told["id"]} == {stored.id}
    assert told["completed_reps"] == stored.result.completed_reps
    assert told["measured"]["start_s"] == stored.original.start_s, "to the last bit"
    assert (told["revision"], told["client"], told["deleted"]) == (1, None, False)
    assert traces.unpack(base64.b64decode(events[-1]["trace"])) == trace
    assert len({event["id"] for event in events}) == len(events)
    assert {message.topic for message in ear.heard if "rep" in message.topic} == {
        "legcurl/north/machine-1/rep"
    }
    assert all(event["gym"] == {"id": "north", "name": "North gym"} for event in events)


async def test_a_correction_tells_the_set_again_as_the_next_revision(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    broker = replace(mosquitto.config, traces=False)
    async with gym(tmp_path, broker) as here:
        client = await here.service.writer.ask(lambda store: store.add_client("Ada Lovelace"))
        play_set(here.machine(), SET)
        await ear.until(lambda: ear.documents("set"))
        set_id = ear.documents("set")[0]["set"]["id"]

        def change(store) -> None:
            store.change_set(set_id, {"client_id": client.id, "note": "for Ada"})
            store.correct(set_id, "count", 3, who="coach", reason="Ada said so")
            store.correct(set_id, "delete", None, who="coach")

        await here.service.writer.ask(change)
        await ear.until(lambda: len(ear.documents("set")) == 4)
    told = [document["set"] for document in ear.documents("set")]
    assert [version["revision"] for version in told] == [1, 2, 3, 4]
    assert [version["client"] for version in told] == [None, client.id, client.id, client.id]
    assert (told[3]["completed_reps"], told[3]["deleted"]) == (3, True)
    assert told[3]["measured"] == told[0]["measured"], "what was measured never changes"
    assert not any(b"Ada" in message.payload for message in ear.heard), "names stay in the gym"
    assert all(document["trace"] is None for document in ear.documents("set"))


async def test_the_status_is_retained_and_changes_when_the_machine_does(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    async with gym(tmp_path, mosquitto.config) as here:
        bus = here.machine().bus
        play_set(here.machine(), SET)
        bus.tell(LinkChanged("lost", "unplugged"))
        await ear.until(lambda: statuses(ear)[-1:] and statuses(ear)[-1]["link"] == "lost")
        bus.tell(LinkChanged("restored", ""))
        bus.tell(SensorTrouble(1.0, "no_magnet", active=True))
        await ear.until(lambda: statuses(ear)[-1]["faults"] == ["no_magnet"])
        assert statuses(ear)[-1]["sensor"]["firmware"] == "0.1.0"
        assert statuses(ear)[-1]["link"] == "up"
        assert len(statuses(ear)) < 12, "ten samples a second are no status"
        async with Ear(mosquitto.config, "legcurl/+/+/status") as late:
            await late.until(lambda: len(late.heard) == 2)
            assert all(message.retained for message in late.heard)
            assert {
                read(message)["machine"]["id"]: read(message)["state"] for message in late.heard
            } == {
                "machine-1": "online",
                "machine-2": "online",
            }
    await ear.until(lambda: statuses(ear)[-1]["state"] == "offline")
    assert statuses(ear)[-1]["reason"] == "stopped"


def statuses(ear: Ear, machine: str = "machine-1") -> list[dict]:
    return [told for told in ear.documents("status") if told["machine"]["id"] == machine]


async def test_events_during_a_brokers_absence_are_published_later_in_order(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    async with gym(tmp_path, mosquitto.config) as here:
        played = play(here.machine(1), TWO_SETS)
        play_until(played, lambda event: isinstance(event, SetEnded))
        await ear.until(lambda: ear.documents("set"))
        mosquitto.stop()
        await until(lambda: "Nothing listens" in here.publisher.figures.trouble)
        play_set(here.machine(2), SET)
        play_until(played, lambda event: isinstance(event, SetEnded))
        await until(lambda: here.publisher.figures.waiting > 2)
        assert here.publisher.figures.connected == 0
        mosquitto.start()
        await ear.leave()
        await ear.listen()
        await here.until_sent()
        await ear.until(lambda: len(set_ids(ear)) == 3)
        assert here.publisher.figures.trouble == ""
    for machine in ("machine-1", "machine-2"):
        kinds = [event["kind"] for event in first_told(ear) if event["machine"]["id"] == machine]
        runs = "".join("s" if kind == "set" else "r" for kind in kinds)
        assert runs.strip("r").count("s") == runs.count("s") == (2 if machine == "machine-1" else 1)
        assert runs.endswith("s")


def set_ids(ear: Ear) -> set[str]:
    return {document["set"]["id"] for document in ear.documents("set")}


async def test_a_day_without_a_broker_loses_no_event_and_keeps_the_order(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    count = 2400
    announce_day(tmp_path, count)
    tracemalloc.start()
    async with gym(tmp_path, mosquitto.config) as here:
        await here.until_sent()
        peak = tracemalloc.get_traced_memory()[1]
        assert here.publisher.figures.sent >= count
    tracemalloc.stop()
    await ear.until(lambda: len(ear.documents("rep")) >= count)
    for machine in ("machine-1", "machine-2"):
        numbers = [e["number"] for e in first_told(ear) if e["machine"]["id"] == machine]
        assert numbers == list(range(1, count // 2 + 1))
    assert peak < 24e6, "most of it the ear's"


async def test_a_broker_that_restarts_again_and_again_gets_everything_in_order(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    count = 600
    announce_day(tmp_path, count)
    async with Ear(mosquitto.config, "legcurl/#") as ear:
        async with gym(tmp_path, mosquitto.config) as here:
            for share in (0.2, 0.5, 0.8):
                await until(lambda share=share: here.publisher.figures.sent > share * count)
                await asyncio.to_thread(mosquitto.stop)
                await asyncio.to_thread(mosquitto.start)
                await ear.leave()
                await ear.listen()
            await here.until_sent()
        await ear.until(lambda: len(first_told(ear)) == count)
        for machine in ("machine-1", "machine-2"):
            numbers = [e["number"] for e in first_told(ear) if e["machine"]["id"] == machine]
            assert numbers == list(range(1, count // 2 + 1))


@pytest.mark.parametrize("says", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20])
async def test_a_hanging_or_garbage_broker_delays_nothing_else(
    tmp_path: Path, says: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_S", 0.3)
    async with no_broker(says) as config, gym(tmp_path, config) as here:
        play_set(here.machine(), SET)
        await until(lambda: here.store.find_sets(_all()).sets)
        await until(lambda: "127.0.0.1" in here.publisher.figures.trouble)
        await until(lambda: here.publisher.figures.waiting > 1)
        assert here.publisher.figures.connected == 0


async def test_a_wrong_password_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path / "broker", password="right") as mosquitto:
        wrong = replace(mosquitto.config, password=Secret("hunter2-wrong"))
        async with gym(tmp_path, wrong) as here:
            await until(lambda: "password" in here.publisher.figures.trouble)
            await until(lambda: "password" in caplog.text)
        assert "hunter2" not in caplog.text


async def test_messages_the_broker_forbids_wait_and_are_reported(tmp_path: Path) -> None:
    rules = "topic write legcurl/north/+/status\ntopic read #\n"
    with Mosquitto(tmp_path / "broker", rules=rules) as mosquitto:
        async with gym(tmp_path, mosquitto.config) as here:
            play_set(here.machine(), SET)
            await until(lambda: "legcurl/north/machine-1/" in here.publisher.figures.trouble)
            assert "Not authorized" in here.publisher.figures.trouble
            await until(lambda: here.publisher.figures.waiting > 0)
            assert here.publisher.figures.sent == 0


@pytest.mark.long
async def test_a_broker_with_a_size_limit_gets_the_set_without_its_trace(
    tmp_path: Path,
) -> None:
    """It says what it takes when one connects; or nothing, and hangs up."""
    for name, more in (("told", "max_packet_size 6500"), ("untold", "message_size_limit 6500")):
        folder = tmp_path / name
        folder.mkdir()
        with Mosquitto(folder / "broker", more=more) as mosquitto:
            async with Ear(mosquitto.config) as ear, gym(folder, mosquitto.config) as here:
                play_set(here.machine(), OTHER)
                await ear.until(lambda ear=ear: ear.documents("set"))
                assert ear.documents("set")[0]["trace"] is None


async def test_the_same_happening_again_is_announced_once(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    """As after a crash, when the sensor's log is read again."""
    for _ in range(2):
        async with gym(tmp_path, mosquitto.config) as here:
            play_set(here.machine(), SET)
            await here.until_sent()
    await ear.until(lambda: ear.documents("set"))
    counts = Counter(event["id"] for event in ear.documents("rep", "set"))
    assert max(counts.values()) == 1
    assert len(ear.documents("set")) == 1


async def test_a_removed_machine_still_sends_its_waiting_messages(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    with open_store(f"sqlite:///{tmp_path / 'gym.db'}", publishing=True) as store:
        store.add_set(new_set(1, machine=Machine("old-machine", "Old")))
    async with gym(tmp_path, mosquitto.config) as here:
        await here.until_sent()
        await ear.until(lambda: "legcurl/north/old-machine/set" in ear.topics())
        await until(lambda: "old-machine" not in here.publisher._clients)
    assert "legcurl/north/old-machine/status" not in ear.topics()


async def test_home_assistant_is_told_of_each_machine_on_request(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with gym(tmp_path, mosquitto.config):
        await asyncio.sleep(0)
    broker = replace(mosquitto.config, home_assistant=True)
    async with Ear(mosquitto.config, "homeassistant/#") as ear:
        async with gym(tmp_path, broker) as here:
            play_set(here.machine(), SET)
            await ear.until(lambda: len(set(ear.topics())) == 12)
            assert not any(message.retained for message in ear.heard), "none before the request"
        configs = {message.topic: json.loads(message.payload) for message in ear.heard}
    assert len({config["unique_id"] for config in configs.values()}) == 12
    reps = configs["homeassistant/sensor/legcurl_north_machine-1/reps/config"]
    assert reps["state_topic"] == "legcurl/north/machine-1/rep"
    assert reps["availability_topic"] == "legcurl/north/machine-1/status"
    assert reps["device"]["name"] == "Curl 1"
    assert reps["device"]["identifiers"] == ["legcurl/north/machine-1"]
    assert len({config["device"]["identifiers"][0] for config in configs.values()}) == 2


def _all():
    from legcurl.store import SetQuery

    return SetQuery()

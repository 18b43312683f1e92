"""A station that has a journal is the one that was there before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
from legcurl.errors import PortNotFoundError
from legcurl.events import Event, LinkChanged, Progress, SamplesMissing, SetEnded, SetStarted
from legcurl.feed import NOT_RUNNING, LiveFeed
from legcurl.intake import Intake
from legcurl.journal import ASIDE, Journal
from legcurl.session import SensorSession
from legcurl.station import Station
from live_sensor import Connection, LiveSensor, LoopbackRoute

ANGLES = leg_curls(count=4)
UNBROKEN = lines(told(decoded(FakeSensor(ANGLES).packets())))
AWAY = Connection(refused=PortNotFoundError("loop: is not there."))
SETTLE_S = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    monkeypatch.setattr("legcurl.feed.BACKOFF_FIRST_S", 0.005)
    monkeypatch.setattr("legcurl.feed.BACKOFF_MAX_S", 0.02)


_opened: list[Journal] = []


@pytest.fixture(autouse=True)
def close_files() -> Iterator[None]:
    yield
    for journal in _opened:
        journal.end()
    _opened.clear()


def station_on(route: LoopbackRoute, folder: Path, journal: Journal | None = None) -> Station:
    """A station as a program that has just started makes it."""
    journal = journal or Journal(folder)
    _opened.append(journal)
    intake = Intake(SensorSession(), lambda: journal)
    station = Station(route.name, LiveFeed(route, intake, journal=journal), intake)
    journal.clock = station.clock_note
    return station


async def follow(
    route: LoopbackRoute, folder: Path, until_s: float | None = None
) -> tuple[Station, list[Event]]:
    """All that one program sees; with `until_s`, up to the moment at which it is killed."""
    events: list[Event] = []
    async with asyncio.timeout(SETTLE_S), station_on(route, folder) as station:
        async for event in station.events():
            events.append(event)
            if until_s is not None and isinstance(event, Progress) and event.t_s >= until_s:
                break
    return station, events


def without_link(events: list[Event]) -> list[str]:
    return lines(event for event in events if not isinstance(event, LinkChanged))


def link_story(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.state, event.reason) for event in events if isinstance(event, LinkChanged)]


async def test_whoever_comes_after_a_kill_has_seen_all_and_asks_for_the_rest(tmp_path: Path):
    sensor = LiveSensor(FakeSensor(ANGLES))
    rng = Random(3)
    for until_s in sorted(rng.uniform(6.0, 50.0) for _ in range(4)):
        await follow(LoopbackRoute(sensor), tmp_path, until_s)
    _, events = await follow(LoopbackRoute(sensor), tmp_path)
    assert without_link(events) == UNBROKEN
    assert link_story(events)[-2:] == [("lost", NOT_RUNNING), ("restored", "")]
    starts = [int.from_bytes(payload[4:], "little") for op, payload in sensor.requests if op == 2]
    assert starts == sorted(starts)
    assert starts[1] > 0, "nothing is asked for twice"


async def test_the_journal_has_what_the_sensors_log_has_no_longer(tmp_path: Path):
    """A short log, a long set: without the journal the first reps would be gone."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    await follow(LoopbackRoute(sensor), tmp_path, until_s=35.0)
    sensor.log.oldest = 2900
    _, events = await follow(LoopbackRoute(sensor), tmp_path)
    assert without_link(events) == UNBROKEN


async def test_what_nobody_has_is_a_gap_and_the_set_is_flagged(tmp_path: Path):
    sensor = LiveSensor(FakeSensor(ANGLES))
    await follow(LoopbackRoute(sensor), tmp_path, until_s=20.0)
    sensor.log.oldest = 2500
    _, events = await follow(LoopbackRoute(sensor), tmp_path)
    (gap,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert gap.reason == "evicted"
    (ended,) = [event for event in events if isinstance(event, SetEnded)]
    assert ended.set.incomplete
    assert ended.set.completed_reps <= 4


async def test_a_sensor_that_is_away_does_not_keep_the_station_from_beginning(tmp_path: Path):
    sensor = LiveSensor(FakeSensor(ANGLES))
    await follow(LoopbackRoute(sensor), tmp_path, until_s=30.0)
    _, events = await follow(LoopbackRoute(sensor, AWAY, AWAY, AWAY, Connection()), tmp_path)
    assert without_link(events) == UNBROKEN
    route = LoopbackRoute(sensor, AWAY, Connection())
    _, first_ever = await follow(route, tmp_path / "other")
    assert without_link(first_ever) == UNBROKEN, "nor if there is nothing to begin with"
    assert [state for state, _ in link_story(first_ever)] == ["lost", "restored"]


async def test_a_set_that_ended_before_the_kill_is_told_with_its_wall_time(tmp_path: Path):
    """The sensor is switched off for good; only the journal knows when it was."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    route = LoopbackRoute(sensor, pace=1.0)
    station, events = await follow(route, tmp_path, until_s=75.0)
    (ended,) = [event for event in events if isinstance(event, SetEnded)]
    told_s = station.wall_time_s(ended.set.start_s)
    await asyncio.sleep(0.3)  # so that an answer from now would be another
    async with station_on(LoopbackRoute(sensor, AWAY), tmp_path) as later:
        again = None
        async with asyncio.timeout(SETTLE_S):
            async for event in later.events():
                if isinstance(event, SetEnded):
                    again = event
                    break
        assert again == ended
        wall_s = later.wall_time_s(ended.set.start_s)
    assert wall_s is not None
    assert told_s is not None
    assert wall_s == pytest.approx(told_s, abs=0.1)


@pytest.mark.parametrize("step_s", [-3.0e8, -3600.0, 86400.0])
async def test_a_wall_clock_that_was_set_moves_no_duration_and_splits_no_set(
    step_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sensor = LiveSensor(FakeSensor(ANGLES))
    route = LoopbackRoute(sensor, pace=1.0)
    await follow(route, tmp_path, until_s=30.0)
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + step_s)
    station, events = await follow(LoopbackRoute(sensor, pace=1.0), tmp_path)
    assert without_link(events) == UNBROKEN
    (ended,) = [event for event in events if isinstance(event, SetEnded)]
    start_s, end_s = (station.wall_time_s(t) for t in (ended.set.start_s, ended.set.end_s))
    assert start_s is not None
    assert end_s is not None
    assert end_s - start_s == pytest.approx(ended.set.end_s - ended.set.start_s, abs=0.05)


async def test_a_sensor_that_lost_power_with_the_host_leaves_an_interrupted_set(tmp_path: Path):
    """Nothing is invented for what came after, and what follows belongs to another set."""
    await follow(LoopbackRoute(LiveSensor(FakeSensor(ANGLES))), tmp_path, until_s=30.0)
    anew = FakeSensor(leg_curls(count=3), boot_id=78)
    _, events = await follow(LoopbackRoute(LiveSensor(anew)), tmp_path)
    first, second = [event.set for event in events if isinstance(event, SetEnded)]
    assert first.outcome == "interrupted"
    assert first.completed_reps == 2
    assert (second.completed_reps, second.incomplete) == (3, False)


async def test_what_breaks_the_session_is_put_aside_and_the_next_station_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sensor = LiveSensor(FakeSensor(ANGLES))
    await follow(LoopbackRoute(sensor), tmp_path, until_s=20.0)
    with monkeypatch.context() as patched:
        patched.setattr("legcurl.motion.SetTracker.push", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await follow(LoopbackRoute(sensor), tmp_path)
    assert len(list((tmp_path / ASIDE).iterdir())) == 1
    _, events = await follow(LoopbackRoute(sensor), tmp_path)
    assert without_link(events) == UNBROKEN


async def test_a_station_of_the_same_program_goes_on_with_the_same_file(tmp_path: Path):
    """A link that cannot be talked to is tried again for ever: that must not fill the disk."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    journal = Journal(tmp_path)
    for until_s in (10.0, 15.0, 20.0, 25.0):
        async with station_on(LoopbackRoute(sensor), tmp_path, journal) as station:
            async for event in station.events():
                if isinstance(event, Progress) and event.t_s >= until_s:
                    break
    assert len(list(tmp_path.iterdir())) == 1
    _, events = await follow(LoopbackRoute(sensor), tmp_path)
    assert without_link(events) == UNBROKEN
    assert sum(isinstance(event, SetStarted) for event in events) == 1

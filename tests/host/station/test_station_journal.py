"""A station that has a journal is the one that was there before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
from legcurl.errors import PortBusyError, PortNotFoundError
from legcurl.events import Event, LinkChanged, Progress, SamplesMissing, SetEnded, SetStarted
from legcurl.recording.journal import ASIDE, Journal
from legcurl.session.sensor_session import RESTART_GUESS_US, SensorSession
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import NOT_RUNNING, LiveFeed
from legcurl.station.station import Station
from live_sensor import Connection, LiveSensor, LoopbackRoute, running_from

ANGLES = leg_curls(count=4)
UNBROKEN = lines(told(decoded(FakeSensor(ANGLES).packets())))
AWAY = Connection(refused=PortNotFoundError("loop: is not there."))
SETTLE_S = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    monkeypatch.setattr("legcurl.concurrency.BACKOFF_FIRST_S", 0.005)
    monkeypatch.setattr("legcurl.concurrency.BACKOFF_MAX_S", 0.02)


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
    queue = EventQueue(SensorSession(), lambda: journal)
    station = Station(route.name, LiveFeed(route, queue, journal=journal), queue)
    journal.clock, journal.learnt = station.clock_note, queue.session.learnt
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


async def test_a_host_after_a_kill_knows_all_and_asks_for_the_rest(tmp_path: Path):
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


async def test_the_journal_has_samples_that_the_sensors_log_lost(tmp_path: Path):
    """A short log, a long set: without the journal the first reps would be gone."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    await follow(LoopbackRoute(sensor), tmp_path, until_s=35.0)
    sensor.log.oldest = 2900
    _, events = await follow(LoopbackRoute(sensor), tmp_path)
    assert without_link(events) == UNBROKEN


async def test_samples_lost_everywhere_are_a_gap_and_flag_the_set(tmp_path: Path):
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
    assert wall_s == pytest.approx(told_s, abs=0.05)


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


async def test_a_set_in_which_link_host_and_host_again_are_lost_is_the_same_set(tmp_path: Path):
    sensor = LiveSensor(FakeSensor(ANGLES))
    cut = (Connection(cut_after=300), Connection(cut_after=2000), Connection(cut_after=500))
    for until_s in (14.0, 29.0):
        await follow(LoopbackRoute(sensor, *cut, Connection()), tmp_path, until_s)
    _, events = await follow(LoopbackRoute(sensor, *cut, Connection()), tmp_path)
    assert without_link(events) == UNBROKEN


async def test_a_restart_between_two_hosts_leaves_a_gap_of_its_true_length(
    tmp_path: Path,
):
    """The host's clock goes on from one program to the next, and with it the set."""
    began_s = monotonic()
    before = FakeSensor(ANGLES[:2600])
    sensor = LiveSensor(before)
    sensor.clock_us = running_from(before.time_us + 26_000_000)
    await follow(LoopbackRoute(sensor, Connection(ends=False), pace=1.0), tmp_path, until_s=30.0)
    anew = FakeSensor(ANGLES[2850:], boot_id=78, time_us=500_000)
    sensor.restart(anew)  # its clock is at 0.5 s, and so this boot began half a second ago
    sensor.clock_us = running_from(0)
    station, events = await follow(LoopbackRoute(sensor, pace=1.0), tmp_path)
    (gap,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert gap.reason == "reboot"
    assert 0.3 < gap.duration_s < 5.0 + monotonic() - began_s, "measured, and not guessed"
    assert gap.duration_s != pytest.approx(RESTART_GUESS_US / 1e6 + 0.5, abs=1e-6)
    (ended,) = [event for event in events if isinstance(event, SetEnded)]
    assert (ended.set.outcome, ended.set.incomplete) == ("stopped", True)
    assert station.session.counts.restarts == 1


async def test_a_clock_that_was_set_back_by_years_moves_nothing_that_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A computer that forgets the time with its power: the set that it was in has the right one."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    for until_s in (30.0, 45.0):
        route = LoopbackRoute(sensor, pace=1.0)
        station, events = await follow(route, tmp_path, until_s)
        started_s = station.wall_time_s(9.0)
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() - 5.0e8)
    station, events = await follow(LoopbackRoute(sensor, pace=1.0), tmp_path)
    (ended,) = [event for event in events if isinstance(event, SetEnded)]
    assert started_s is not None
    assert station.wall_time_s(9.0) == pytest.approx(started_s, abs=0.05)
    later_s = station.wall_time_s(ended.t_s + 5.0)
    assert later_s == pytest.approx(started_s - 5.0e8, abs=1000.0), "and what comes, the new one"


async def test_a_set_of_the_sensors_log_was_when_it_was_lifted(tmp_path: Path):
    """It is told before the first ping is through, and half an hour after it was lifted."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.clock_us = running_from(1800_000_000)
    before_s = time.time()
    started_s, lag_s = None, 0.0
    async with station_on(LoopbackRoute(sensor, pace=1.0), tmp_path) as station:
        async for event in station.events():
            if isinstance(event, SetEnded):
                started_s = station.wall_time_s(event.set.start_s)
                lag_s = 1800.0 - event.set.start_s
                break
    assert started_s == pytest.approx(before_s - lag_s, abs=2.0)


async def test_an_absent_sensors_reasons_are_told_until_it_connects(tmp_path: Path):
    sensor = LiveSensor(FakeSensor(ANGLES))
    await follow(LoopbackRoute(sensor), tmp_path, until_s=20.0)
    busy = Connection(refused=PortBusyError("loop: is open elsewhere."))
    route = LoopbackRoute(sensor, AWAY, AWAY, busy, busy, Connection())
    _, events = await follow(route, tmp_path)
    assert link_story(events) == [
        ("lost", NOT_RUNNING),
        ("lost", "loop: is not there."),
        ("lost", "loop: is open elsewhere."),
        ("restored", ""),
    ]


async def test_two_gyms_on_one_computer_share_nothing(tmp_path: Path):
    one, other = LiveSensor(FakeSensor(ANGLES)), LiveSensor(FakeSensor(leg_curls(count=2)))
    for until_s in (12.0, 20.0):
        await asyncio.gather(
            follow(LoopbackRoute(one), tmp_path / "one", until_s),
            follow(LoopbackRoute(other), tmp_path / "other", until_s),
        )
    (_, first), (_, second) = await asyncio.gather(
        follow(LoopbackRoute(one), tmp_path / "one"),
        follow(LoopbackRoute(other), tmp_path / "other"),
    )
    assert without_link(first) == UNBROKEN
    (ended,) = [event for event in second if isinstance(event, SetEnded)]
    assert ended.set.completed_reps == 2


async def test_items_that_break_a_session_do_not_break_the_next(
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

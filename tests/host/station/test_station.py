"""A station over a link that behaves: its events, its requests, its end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
from legcurl.errors import (
    ConfigError,
    LinkError,
    LinkLostError,
    NotASensorError,
    PortNotFoundError,
    ProtocolVersionError,
    RequestRefusedError,
    StoreError,
)
from legcurl.events import Event, LinkChanged, Progress, SensorSeen, SetEnded
from legcurl.session.sensor_session import SensorSession
from legcurl.station.event_queue import EVENTS_WAITING, EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.station import LIGHT_LATE_S, Station, open_station
from live_sensor import (
    HELLO,
    IDENTIFY,
    PING,
    START,
    STATISTICS,
    Connection,
    LiveSensor,
    LoopbackRoute,
)
from timings import LIMIT_S
from virtual_time import in_virtual_time

ANGLES = leg_curls(count=2)


def station_on(route: LoopbackRoute, *, history: bool = True) -> Station:
    queue = EventQueue(SensorSession())
    return Station(route.name, LiveFeed(route, queue, history=history), queue)


async def all_events(station: Station) -> list[Event]:
    async with station:
        return [event async for event in station.events()]


async def test_events_are_those_of_the_sensors_log() -> None:
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)))
    events = await all_events(station_on(route))
    assert any(isinstance(event, SetEnded) for event in events)
    assert lines(events) == lines(told(decoded(FakeSensor(ANGLES).packets())))


async def test_leaving_releases_link_and_route() -> None:
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), Connection(ends=False))
    async with station_on(route) as station:
        async for event in station.events():
            if isinstance(event, Progress):
                break
        assert route.open_links == 1
    assert route.open_links == 0
    assert route.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_history_the_stream_begins_now() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    events = await all_events(station_on(LoopbackRoute(sensor), history=False))
    assert [type(event) for event in events] == [SensorSeen]
    assert (START, bytes((77, 0, 0, 0)) + b"\xff" * 8) in sensor.requests


async def test_an_unopenable_route_fails_at_once() -> None:
    missing = PortNotFoundError("loop: no such port")
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), Connection(refused=missing))
    with pytest.raises(PortNotFoundError):
        await all_events(station_on(route))
    assert route.connections == 1
    assert route.closed


async def test_a_newer_protocol_is_named_and_left_alone() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES), protocol=[2, 1], firmware="3.0.0")
    with pytest.raises(ProtocolVersionError, match=r"protocol 2\.1, newer than this host's 1\."):
        await all_events(station_on(LoopbackRoute(sensor)))
    assert [op for op, _ in sensor.requests] == [HELLO]


async def test_an_older_protocol_asks_for_new_firmware() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES), protocol=[0, 9])
    with pytest.raises(ProtocolVersionError, match=r"older.*on the sensor"):
        await all_events(station_on(LoopbackRoute(sensor)))


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (b"", "nothing answers"),
        (b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M\r\n", "no legcurl sensor"),
        (b"MicroPython v1.25.0 on 2025-04-15; Raspberry Pi Pico W\r\n>>> ", "firmware does not"),
    ],
)
async def test_a_stranger_is_told_from_a_sensor(noise: bytes, words: str) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.deaf_to = {HELLO: 1000}
    route = LoopbackRoute(sensor, Connection(noise=noise), patience_s=0.1)
    with pytest.raises(NotASensorError, match=words):
        await all_events(station_on(route))


async def test_hello_gets_through_noise_on_the_line() -> None:
    noise = bytes(range(1, 256)) * 40
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), Connection(noise=noise))
    events = await all_events(station_on(route))
    assert lines(events) == lines(told(decoded(FakeSensor(ANGLES).packets())))


async def test_requests_that_get_lost_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legcurl.station.request_client.REPEAT_S", 0.02)
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.deaf_to = {HELLO: 2, START: 1}
    events = await all_events(station_on(LoopbackRoute(sensor)))
    assert lines(events) == lines(told(decoded(FakeSensor(ANGLES).packets())))
    assert [op for op, _ in sensor.requests[:5]] == [HELLO, HELLO, HELLO, START, START]


async def test_a_busy_sensor_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legcurl.station.request_client.BUSY_PAUSE_S", 0.01)
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.busy_for = 3
    events = await all_events(station_on(LoopbackRoute(sensor)))
    assert any(isinstance(event, SetEnded) for event in events)


async def test_the_sensor_can_be_asked_while_it_streams() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    async with station_on(LoopbackRoute(sensor, Connection(ends=False))) as station:
        assert (await station.statistics())["samples"] == len(ANGLES)
        asked_s = sensor.clock_us() / 1e6
        blink = await station.identify(5)
        answered_s = sensor.clock_us() / 1e6
        assert asked_s <= blink.t_s <= answered_s
        assert 0.0 < blink.within_s <= (answered_s - asked_s) / 2 + LIGHT_LATE_S
        with pytest.raises(RequestRefusedError, match="no such request"):
            await station.settings()
    assert (IDENTIFY, b"\x05") in sensor.requests


async def test_a_slow_reader_holds_the_sensor_back() -> None:
    """What nobody reads stays in the sensor's log; memory is bounded."""
    sensor = LiveSensor(FakeSensor(leg_curls(count=30)))
    queue = EventQueue(SensorSession())
    feed = LiveFeed(LoopbackRoute(sensor, Connection(ends=False)), queue)
    async with Station("loop:", feed, queue):
        while not queue.full:
            await asyncio.sleep(0.01)
        cursor = sensor.log.cursor
        assert cursor is not None
        await asyncio.sleep(0.1)
        assert sensor.log.cursor == cursor, "nothing more is taken"
        assert cursor < len(sensor.log.angles)
        waiting = cursor / 100 * 10  # a picture every 0.1 s, and a little more
        assert waiting < EVENTS_WAITING * 1.2


async def test_a_slow_reader_loses_nothing() -> None:
    angles = leg_curls(count=6)
    route = LoopbackRoute(LiveSensor(FakeSensor(angles)))
    events = []
    async with station_on(route) as station:
        async for event in station.events():
            events.append(event)
            if len(events) % 200 == 0:
                await asyncio.sleep(0.01)
    assert lines(events) == lines(told(decoded(FakeSensor(angles).packets())))


async def test_a_reader_that_asks_before_it_reads_gets_its_answer() -> None:
    """The answer is behind samples that the full buffer has no room for."""
    sensor = LiveSensor(FakeSensor(leg_curls(count=30)))
    async with station_on(LoopbackRoute(sensor, Connection(ends=False))) as station:
        await asyncio.sleep(0.3)
        assert (await station.statistics())["samples"] == len(sensor.log.angles)
    assert sensor.requests[-1][0] == STATISTICS


async def test_stop_ends_the_events_with_an_interrupted_set() -> None:
    middle_of_a_set = ANGLES[:1600]
    route = LoopbackRoute(LiveSensor(FakeSensor(middle_of_a_set)), Connection(ends=False))
    events = []
    async with station_on(route) as station:
        async for event in station.events():
            events.append(event)
            if isinstance(event, Progress) and event.t_s > 20.75:  # in the last frame
                await station.stop()
    assert isinstance(events[-1], SetEnded)
    assert events[-1].set.outcome == "interrupted"
    assert lines(events) == lines(told(decoded(FakeSensor(middle_of_a_set).packets())))


@in_virtual_time
async def test_wall_time_follows_from_pings() -> None:
    """The sensor's clock runs on the loop's time, 100 s ahead of zero."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    began_s = asyncio.get_running_loop().time()
    sensor.clock_us = lambda: round((asyncio.get_running_loop().time() - began_s + 100.0) * 1e6)
    route = LoopbackRoute(sensor, Connection(ends=False), silence_s=5.0, pace=1.0)
    async with station_on(route) as station:
        while not any(op == PING for op, _ in sensor.requests):
            await asyncio.sleep(0.01)
        wall_s = station.wall_time_s(100.0)
        assert wall_s == pytest.approx(time.time() - (time.monotonic() - began_s), abs=0.1)


async def test_a_virtual_clock_is_not_compared_with_ours() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    async with station_on(LoopbackRoute(sensor, pace=None)) as station:
        await asyncio.sleep(0.1)
        assert station.wall_time_s(1.0) is None
    assert not any(op == PING for op, _ in sensor.requests)


async def test_a_recording_of_a_station_replays_to_the_same_events(tmp_path: Path) -> None:
    file = tmp_path / "set.legcurl"
    async with open_station("sim:?pace=fast&lifter=aborted", record=file) as station:
        live = [event async for event in station.events()]
    async with open_station(f"replay:{file}?pace=fast") as station:
        replayed = [event async for event in station.events()]
    assert lines(replayed) == lines(live)


async def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "set.legcurl"
    file.write_bytes(b"precious")
    with pytest.raises(StoreError, match="exists already"):
        async with open_station("sim:?pace=fast", record=file):
            pass
    assert file.read_bytes() == b"precious"


async def test_a_recording_takes_no_requests(tmp_path: Path) -> None:
    file = tmp_path / "set.legcurl"
    async with open_station("sim:?pace=fast&lifter=aborted", record=file) as station:
        _ = [event async for event in station.events()]
    async with open_station(f"replay:{file}?pace=fast") as station:
        with pytest.raises(ConfigError, match="recording"):
            await station.statistics()


async def test_a_request_without_a_link_says_so() -> None:
    away = LinkError("loop: away")
    plan = (Connection(cut_after=2000), Connection(refused=away))
    async with station_on(LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), *plan)) as station:
        async for event in station.events():
            if isinstance(event, LinkChanged) and event.state == "lost":
                break
        with pytest.raises(LinkLostError, match="not connected"):
            await station.statistics()


async def test_a_request_under_way_when_the_link_breaks_fails_at_once() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.deaf_to = {STATISTICS: 1000}
    plan = (Connection(cut_after=3000), Connection(refused=LinkError("loop: away")))
    async with station_on(LoopbackRoute(sensor, *plan, patience_s=2 * LIMIT_S)) as station:
        async with asyncio.timeout(LIMIT_S):  # less than its patience
            with pytest.raises(LinkLostError, match="before it answered"):
                await station.statistics()


async def test_a_sensor_without_pings_still_streams() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.unknown = {PING}
    events = await all_events(station_on(LoopbackRoute(sensor, pace=1.0)))
    assert lines(events) == lines(told(decoded(FakeSensor(ANGLES).packets())))
    assert any(op == PING for op, _ in sensor.requests)

"""Whatever a link does, the set is the one that an unbroken link would have given."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise
from random import Random

import pytest
from fake_sensor import PERIOD_US, FakeSensor, decoded, leg_curls, lines, told
from legcurl.concurrency import BACKOFF_JITTER, BACKOFF_MAX_S, Backoff
from legcurl.errors import (
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
    RequestRefusedError,
)
from legcurl.events import Event, LinkChanged, SamplesMissing, SensorSeen, SetEnded
from legcurl.session.sensor_session import Item, SensorSession
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.station import Station
from live_sensor import (
    BAD_REQUEST,
    BUSY,
    HELLO,
    INTERNAL_ERROR,
    START,
    Connection,
    LiveSensor,
    LoopbackRoute,
)
from selection import first_short
from timings import LIMIT_S
from virtual_time import in_virtual_time

ANGLES = leg_curls(count=4)
UNBROKEN = lines(told(decoded(FakeSensor(ANGLES).packets())))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    monkeypatch.setattr("legcurl.concurrency.BACKOFF_FIRST_S", 0.005)
    monkeypatch.setattr("legcurl.concurrency.BACKOFF_MAX_S", 0.02)
    monkeypatch.setattr("legcurl.station.request_client.REPEAT_S", 0.03)


def station_on(route: LoopbackRoute) -> Station:
    queue = EventQueue(SensorSession())
    return Station(route.name, LiveFeed(route, queue), queue)


async def all_events(route: LoopbackRoute) -> list[Event]:
    async with station_on(route) as station:
        return [event async for event in station.events()]


def without_link(events: list[Event]) -> list[str]:
    return lines(event for event in events if not isinstance(event, LinkChanged))


def link_states(events: list[Event]) -> list[str]:
    return [event.state for event in events if isinstance(event, LinkChanged)]


async def test_a_cable_pulled_in_mid_set_costs_nothing() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    events = await all_events(LoopbackRoute(sensor, Connection(cut_after=3000), Connection()))
    assert link_states(events) == ["lost", "restored"]
    assert without_link(events) == UNBROKEN
    starts = [int.from_bytes(payload[4:], "little") for op, payload in sensor.requests if op == 2]
    assert starts[0] == 0
    assert 1500 < starts[1] < len(ANGLES), "the second link goes on where the first one ended"


async def test_a_port_that_stays_away_is_waited_for() -> None:
    errors = (PortNotFoundError("gone"), PortPermissionError("udev is late"), PortBusyError("busy"))
    plan = (
        Connection(cut_after=3000),
        *(Connection(refused=error) for error in errors for _ in range(4)),
        Connection(),
    )
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), *plan)
    events = await all_events(route)
    assert route.connections == 14
    assert link_states(events) == ["lost", "restored"]
    assert without_link(events) == UNBROKEN


@in_virtual_time
async def test_a_silent_link_is_greeted_before_it_is_given_up() -> None:
    """Opening a port restarts some boards: the open one gets another chance."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.stalls_at = 3000
    route = LoopbackRoute(sensor, silence_s=0.3)
    events = await all_events(route)
    assert link_states(events) == ["lost", "restored"]
    assert without_link(events) == UNBROKEN
    assert [op for op, _ in sensor.requests] == [HELLO, START, HELLO, START]
    assert route.connections == 1


@in_virtual_time
async def test_lost_answers_to_start_hold_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that fit again say that the sensor has heard."""
    monkeypatch.setattr("legcurl.station.request_client.REPEAT_S", 2 * LIMIT_S)
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.swallows_starts = True
    sensor.loses = {500, 1500, 3000}
    async with asyncio.timeout(LIMIT_S):  # less than a repetition
        events = await all_events(LoopbackRoute(sensor, silence_s=0.3))
    assert without_link(events) == UNBROKEN
    starts = [int.from_bytes(payload[4:], "little") for op, payload in sensor.requests if op == 2]
    assert starts == [0, 500, 1500, 3000]


@in_virtual_time
async def test_a_link_that_falls_silent_for_good_is_made_anew() -> None:
    plan = (Connection(mute_after=3000), Connection())
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), *plan, silence_s=0.3, patience_s=0.1)
    events = await all_events(route)
    assert link_states(events) == ["lost", "restored"]
    assert without_link(events) == UNBROKEN
    assert route.connections == 2


@pytest.mark.parametrize("seed", first_short(range(8)))
@in_virtual_time
async def test_damaged_bytes_are_asked_for_again(seed: int) -> None:
    route = LoopbackRoute(LiveSensor(FakeSensor(ANGLES)), Connection(damage=0.15), seed=seed)
    assert without_link(await all_events(route)) == UNBROKEN


@pytest.mark.parametrize("seed", first_short(range(8)))
@in_virtual_time
async def test_any_mixture_of_troubles_gives_the_same_set(seed: int) -> None:
    random = Random(seed)
    plan = [
        random.choice(
            (
                Connection(cut_after=random.randint(0, 4000), damage=0.1),
                Connection(mute_after=random.randint(0, 4000)),
                Connection(refused=PortNotFoundError("gone")),
                Connection(noise=random.randbytes(random.randint(1, 3000)), damage=0.1),
            )
        )
        for _ in range(random.randint(2, 6))
    ]
    plan[0] = Connection(cut_after=random.randint(1000, 4000))
    route = LoopbackRoute(
        LiveSensor(FakeSensor(ANGLES)),
        *plan,
        Connection(damage=0.05),
        seed=seed,
        silence_s=0.3,
        patience_s=0.3,
    )
    assert without_link(await all_events(route)) == UNBROKEN


async def test_an_outage_longer_than_the_log_is_an_explicit_gap() -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    route = LoopbackRoute(sensor, Connection(cut_after=3000), Connection())
    events = []
    async with station_on(route) as station:
        async for event in station.events():
            if isinstance(event, LinkChanged) and event.state == "lost":
                sensor.log.oldest = 3000
            events.append(event)
    (gap,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert gap.reason == "evicted"
    assert gap.samples == pytest.approx(gap.duration_s * 1e6 / PERIOD_US)
    sets = [event.set for event in events if isinstance(event, SetEnded)]
    assert 0 < sum(one.completed_reps for one in sets) <= 4, "no rep is invented"
    assert any(one.incomplete for one in sets)


async def test_a_sensor_that_restarts_is_followed_into_its_new_log() -> None:
    """The link stays; the sensor says that it has begun anew."""
    before, after = ANGLES[:2500], leg_curls(count=2)
    sensor = LiveSensor(FakeSensor(before, boot_id=77))
    route = LoopbackRoute(sensor, Connection(ends=True), silence_s=5.0)
    events = []
    async with station_on(route) as station:
        async for event in station.events():
            events.append(event)
            if sensor.log.boot_id == 77 and sensor.log.cursor == len(before):
                sensor.restart(FakeSensor(after, boot_id=78, time_us=100_000))
    seen = [event.boot_id for event in events if isinstance(event, SensorSeen)]
    assert seen == [77, 78]
    assert [event.reason for event in events if isinstance(event, SamplesMissing)] == ["reboot"]
    boots = [payload[:4] for op, payload in sensor.requests if op == START]
    assert boots == [bytes((77, 0, 0, 0)), bytes((78, 0, 0, 0))]
    assert link_states(events) == [], "the link never broke"


async def restarted_while_away(after: FakeSensor) -> LiveSensor:
    """25 s into a set the link is lost and the sensor restarts; the gap has its length."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    def clock_us(zero_s: float) -> int:
        return round((loop.time() - zero_s) * 1e6)

    sensor = LiveSensor(FakeSensor(ANGLES[:2500], boot_id=77, time_us=0))
    sensor.clock_us = partial(clock_us, began_s - 25.0)
    route = LoopbackRoute(sensor, Connection(ends=False), silence_s=0.4, patience_s=0.1, pace=1.0)
    events: list[Event] = []
    restarted_s = 0.0
    async with station_on(route) as station:
        async for event in station.events():
            events.append(event)
            if isinstance(event, LinkChanged) and event.state == "lost":
                restarted_s = loop.time() - began_s
                sensor.log = after
                sensor.clock_us = partial(clock_us, loop.time())
            if isinstance(event, SamplesMissing):
                break
    gap = events[-1]
    assert isinstance(gap, SamplesMissing)
    assert gap.reason == "reboot"
    assert gap.duration_s == pytest.approx(restarted_s + 0.1, abs=0.1)
    assert not any(isinstance(event, SetEnded) for event in events), "the set stays open"
    return sensor


@in_virtual_time
async def test_a_restart_while_the_link_was_away_is_measured_with_our_clock() -> None:
    """The set goes on: the hole has the length that the host's clock gives it."""
    await restarted_while_away(FakeSensor(leg_curls(count=1), boot_id=78, time_us=100_000))


@in_virtual_time
async def test_a_restart_that_keeps_its_boot_id_is_followed_into_its_new_log() -> None:
    """Its clock is behind where it must be: that says it as well as a new id would."""
    after = FakeSensor(leg_curls(count=1, idle_s=1.0), boot_id=77, time_us=100_000)
    sensor = await restarted_while_away(after)
    starts = [int.from_bytes(payload[4:], "little") for op, payload in sensor.requests if op == 2]
    assert starts == [0, 0], "its log may be as long as ours: nothing is asked of it"


async def test_a_restart_that_keeps_its_boot_id_replays_to_the_same_events() -> None:
    """Refusal and hello are on record: nothing else decides."""
    items: list[Item] = []

    class Keeping(SensorSession):
        def push(self, item: Item) -> list[Event]:
            items.append(item)
            return super().push(item)

    sensor = LiveSensor(FakeSensor(ANGLES[:2500]))
    route = LoopbackRoute(sensor, Connection(cut_after=3000), Connection())
    queue = EventQueue(Keeping())
    events: list[Event] = []
    async with Station(route.name, LiveFeed(route, queue), queue) as station:
        async for event in station.events():
            events.append(event)
            if isinstance(event, LinkChanged) and event.state == "lost":
                sensor.log = FakeSensor(leg_curls(count=1, idle_s=0.0)[:1200], time_us=100_000)
    assert [event.reason for event in events if isinstance(event, SamplesMissing)] == ["reboot"]
    assert queue.session.next_index == 1200, "all of the new log came"
    assert lines(told(items)) == lines(events)


@pytest.mark.parametrize("op", [HELLO, START])
@pytest.mark.parametrize("result", [BAD_REQUEST, BUSY, INTERNAL_ERROR])
async def test_a_refusal_after_an_outage_is_an_outage(op: int, result: int) -> None:
    """The log is as long as before: the sensor did not restart, and is asked again."""
    sensor = LiveSensor(FakeSensor(ANGLES))
    route = LoopbackRoute(sensor, Connection(cut_after=3000), Connection())
    events: list[Event] = []
    async with station_on(route) as station:
        async for event in station.events():
            events.append(event)
            if isinstance(event, LinkChanged) and event.state == "lost":
                sensor.refuses = {op: [result] * 3}
    assert sensor.refuses == {op: []}
    assert link_states(events) == ["lost", "restored"]
    assert without_link(events) == UNBROKEN


@pytest.mark.parametrize("op", [HELLO, START])
async def test_a_refusal_at_first_is_told_at_once(op: int) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.refuses = {op: [INTERNAL_ERROR]}
    with pytest.raises(RequestRefusedError, match="internal error"):
        await all_events(LoopbackRoute(sensor))


async def test_another_sensor_on_the_same_port_is_a_new_beginning() -> None:
    first = FakeSensor(ANGLES, boot_id=77, sensor_id="a" * 16)
    sensor = LiveSensor(first)
    route = LoopbackRoute(sensor, Connection(cut_after=3000), Connection())
    events = []
    async with station_on(route) as station:
        async for event in station.events():
            events.append(event)
            if isinstance(event, LinkChanged) and event.state == "lost":
                sensor.log = FakeSensor(leg_curls(count=1), boot_id=78, sensor_id="b" * 16)
    seen = [event.sensor_id for event in events if isinstance(event, SensorSeen)]
    assert seen == ["a" * 16, "b" * 16]


def test_pauses_grow_to_a_limit_and_start_again_after_success() -> None:
    backoff = Backoff("serial:/dev/ttyACM0")
    pauses = [backoff.next_s() for _ in range(20)]
    assert pauses[0] <= 0.0063
    assert all(later > earlier for earlier, later in pairwise(pauses[:3]))
    assert max(pauses) <= 0.02 * (1 + BACKOFF_JITTER)
    backoff.reset()
    assert backoff.next_s() < 0.0063
    assert BACKOFF_MAX_S <= 3.0


def test_pauses_are_the_same_each_time_and_differ_between_stations() -> None:
    def pauses(name: str) -> list[float]:
        backoff = Backoff(name)
        return [backoff.next_s() for _ in range(5)]

    assert pauses("serial:/dev/ttyACM0") == pauses("serial:/dev/ttyACM0")
    assert pauses("serial:/dev/ttyACM0") != pauses("serial:/dev/ttyACM1")


@pytest.mark.long
async def test_twenty_stations_share_a_process() -> None:
    routes = [
        LoopbackRoute(
            LiveSensor(FakeSensor(ANGLES)),
            Connection(cut_after=2000 + 100 * seed, damage=0.05),
            Connection(damage=0.05),
            seed=seed,
        )
        for seed in range(20)
    ]
    for events in await asyncio.gather(*(all_events(route) for route in routes)):
        assert without_link(events) == UNBROKEN
    assert asyncio.all_tasks() == {asyncio.current_task()}

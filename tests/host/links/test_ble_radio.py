"""The link of Bluetooth on a virtual radio, with the real firmware at its other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from time import monotonic

import pytest
from fake_sensor import counted, lines, only
from legcurl.concurrency import until_first
from legcurl.errors import (
    LinkLostError,
    RequestRefusedError,
    SensorInUseError,
    WrongKeyError,
)
from legcurl.events import Event, LinkChanged, Progress, RepEnded, SamplesMissing
from legcurl.links.address import BleAddress, SerialAddress
from legcurl.links.ble.link import BleRoute, look_around
from legcurl.links.serial import SerialRoute
from legcurl.links.sim_address import SimOptions
from legcurl.protocol.frame import Answer, encode_request
from legcurl.protocol.requests import Op
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.radio import Central, VirtualRadio
from legcurl.simulator.runner import SimulatedSensor
from legcurl.station.event_queue import EventQueue
from legcurl.station.key_ring import PairedSensor, new_key
from legcurl.station.live_feed import LiveFeed
from legcurl.station.peer_authentication import PeerAuthentication
from legcurl.station.request_client import RequestClient
from legcurl.station.station import Station, open_station
from selection import first_short
from timings import LIMIT_S

PACE = 12.0
SET = SimOptions(seed=7, lifter="early", pace=PACE, link="ble")
PERIOD_US = 10_000


class Ring:
    """Keys by sensor id."""

    def __init__(self, **keys: bytes) -> None:
        self.keys = keys

    def key(self, sensor_id: str) -> bytes | None:
        return self.keys.get(sensor_id)

    def sensors(self) -> list[PairedSensor]:
        return [PairedSensor(sensor_id, "", key) for sensor_id, key in self.keys.items()]


class Gym:
    """Sensors on one radio, and the computers that are in range of them."""

    def __init__(self, stack: AsyncExitStack, pace: float) -> None:
        self.air = VirtualRadio(pace=pace, seed=1)
        self._stack = stack

    async def sensor(self, options: SimOptions) -> SimulatedSensor:
        return await self._stack.enter_async_context(SimulatedSensor(options, air=self.air))

    async def computer(self, number: int = 1) -> Central:
        address = f"F0:F0:F0:00:00:0{number}"
        return await self._stack.enter_async_context(Central(self.air, address=address))


@asynccontextmanager
async def a_gym(pace: float = PACE) -> AsyncIterator[Gym]:
    async with AsyncExitStack() as stack:
        yield Gym(stack, pace)


def route(sensor: SimulatedSensor, computer: Central) -> BleRoute:
    assert sensor.radio is not None
    return BleRoute(
        BleAddress(sensor.radio.address),
        scanner=computer.scanner_backend,
        client=computer.client_backend,
    )


class Host:
    """A station on a route, and the times of all samples that it was given."""

    def __init__(self, way: BleRoute, ring: Ring | None = None, pace: float = PACE) -> None:
        self.times_us: list[int] = []
        session = SensorSession(on_samples=lambda t_us, _: self.times_us.extend(t_us))
        queue = EventQueue(session)
        way_of_the_world = SimulatedPace(way, pace)
        authentication = PeerAuthentication(way.name, ring or Ring())
        self.station = Station(
            way.name, LiveFeed(way_of_the_world, queue, authentication=authentication), queue
        )

    def is_whole(self) -> bool:
        """Whether no sample is lacking and none came twice."""
        return all(later - earlier == PERIOD_US for earlier, later in pairwise(self.times_us))


class SimulatedPace:
    """A route whose sensor lives `pace` times as fast as we do: its clock says so."""

    def __init__(self, way: BleRoute, pace: float) -> None:
        self.pace = pace
        self.name, self.wired = way.name, way.wired
        self.silence_s, self.patience_s = way.silence_s, way.patience_s
        self.connect, self.close = way.connect, way.close


async def one_set(station: Station, on_event: Callable[[Event], None] | None = None) -> list[Event]:
    """Its events up to the end of the first set that is certain."""
    events: list[Event] = []
    async with asyncio.timeout(LIMIT_S), station:
        async for event in station.events():
            events.append(event)
            if on_event is not None:
                on_event(event)
            if counted(events):
                break
    return events


async def of_a_cable(options: SimOptions) -> list[Event]:
    address = replace(options, link="serial", pace="fast").address()
    async with open_station(address) as station:
        return [event async for event in station.events()]


def reps(events: list[Event]) -> list[str]:
    return lines(only(RepEnded, events))


async def over_the_cable(sensor: SimulatedSensor, op: Op, payload: bytes = b"") -> Answer:
    """Ask by the sensor's USB port."""
    link = await SerialRoute(SerialAddress(sensor.port)).connect()
    try:
        client = RequestClient(link, name="usb", patience_s=10.0)
        answer = await until_first(
            client.discard_frames(),
            client.granted(op, lambda number: encode_request(number, op, payload)),
        )
        assert answer is not None
        return answer
    finally:
        await link.close()


@pytest.mark.parametrize(
    "radio",
    first_short(["", "&mtu=23", "&interval_ms=7.5&loss=0.2", "&interval_ms=100", "&no_memory=0.3"]),
)
async def test_a_set_by_radio_is_byte_for_byte_that_of_a_cable(radio: str) -> None:
    events = []
    for link in ("serial", f"ble{radio}"):
        async with open_station(f"sim:?seed=7&lifter=early&pace=fast&link={link}") as station:
            events.append([event async for event in station.events()])
    assert lines(events[0]) == lines(events[1])
    assert counted(events[0]), "there was a set"


async def test_drops_in_mid_set_lose_nothing_and_repeat_nothing() -> None:
    """By silence, and by the computer's own radio: the sensor's log has it all."""
    async with a_gym() as gym:
        sensor, computer = await gym.sensor(SET), await gym.computer()
        host = Host(route(sensor, computer))

        async def interfere() -> None:
            assert sensor.radio is not None
            for _ in range(3):
                while sensor.radio.peripheral.connections == 0 or not host.times_us:
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0.7)
                controller = sensor.radio.peripheral.controller
                assert controller is not None
                gym.air.silence(controller, 12.0)
                await asyncio.sleep(12.0 / PACE)

        trouble = asyncio.create_task(interfere())
        events = await one_set(host.station)
        trouble.cancel()
    assert [event.state for event in only(LinkChanged, events)][:2] == ["lost", "restored"]
    assert host.is_whole()
    assert reps(events) == reps(await of_a_cable(SET))


@pytest.mark.long
async def test_a_host_that_is_restarted_in_mid_set_finds_the_whole_set() -> None:
    async with a_gym() as gym:
        sensor, computer = await gym.sensor(SET), await gym.computer()
        first = Host(route(sensor, computer))
        async with asyncio.timeout(LIMIT_S), first.station:
            async for event in first.station.events():
                if isinstance(event, RepEnded):
                    break
        second = Host(route(sensor, computer))
        events = await one_set(second.station)
    assert second.is_whole()
    assert second.times_us[0] == first.times_us[0]
    assert reps(events) == reps(await of_a_cable(SET))


@pytest.mark.long
async def test_a_sensor_that_restarts_in_mid_set_is_followed() -> None:
    """Its log begins anew; how long it was away is known from the clocks.

    A hiccup of this computer counts `pace` times on those clocks.
    """
    pace = 3.0
    async with a_gym(pace) as gym:
        sensor = await gym.sensor(replace(SET, pace=pace, fault=("reboot",)))
        host = Host(route(sensor, await gym.computer()), pace=pace)
        events: list[Event] = []
        away_s = heard_s = 0.0  # in our time
        async with asyncio.timeout(LIMIT_S), host.station:
            async for event in host.station.events():
                events.append(event)
                if isinstance(event, SamplesMissing):
                    away_s = monotonic() - heard_s
                if isinstance(event, Progress):
                    heard_s = monotonic()
                if isinstance(event, RepEnded) and only(SamplesMissing, events):
                    break
    missing = only(SamplesMissing, events)
    assert [gap.reason for gap in missing] == ["reboot"]
    assert 0.5 < missing[0].duration_s < 3.0 + pace * away_s
    assert not counted(events), "the set goes on"


async def test_a_second_host_is_told_that_the_sensor_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("legcurl.links.ble.link.FREE_S", 1.0)
    async with a_gym() as gym:
        sensor = await gym.sensor(SET)
        one, other = await gym.computer(1), await gym.computer(2)
        link = await route(sensor, one).connect()
        second = route(sensor, other)
        with pytest.raises(SensorInUseError, match="another host"):
            await second.connect()
        await link.write(b"\0")  # the first has not been disturbed
        await link.close()
        link = await second.connect()
        await link.close()


@pytest.mark.long
async def test_three_sensors_share_one_adapter() -> None:
    async with a_gym() as gym:
        settings = [replace(SET, seed=seed) for seed in (7, 8, 9)]
        sensors = [await gym.sensor(options) for options in settings]
        computer = await gym.computer()
        hosts = [Host(route(sensor, computer)) for sensor in sensors]
        sets = await asyncio.gather(*(one_set(host.station) for host in hosts))
    for host, events, options in zip(hosts, sets, settings, strict=True):
        assert host.is_whole()
        assert not only(LinkChanged, events)
        assert reps(events) == reps(await of_a_cable(options))


async def test_sensors_in_range_are_listed_with_their_use() -> None:
    async with a_gym() as gym:
        computer = await gym.computer()
        one, other = await gym.sensor(SET), await gym.sensor(replace(SET, seed=8))
        link = await route(one, computer).connect()
        listed = await look_around(2.0, scanner=computer.scanner_backend)
        await link.close()
    assert one.radio is not None
    assert other.radio is not None
    assert {heard.address: heard.in_use for heard in listed} == {
        one.radio.address: True,
        other.radio.address: False,
    }
    assert {heard.name for heard in listed} == {"Simulated leg curl"}
    assert all(len(heard.id_tail) == 8 for heard in listed)


async def test_a_sensor_without_power_is_noticed() -> None:
    async with a_gym() as gym:
        sensor = await gym.sensor(SET)
        link = await route(sensor, await gym.computer()).connect()
        await sensor.close()
        with pytest.raises(LinkLostError):
            async with asyncio.timeout(10.0):
                await link.read()
        await link.close()


async def test_a_sensor_proves_itself_and_is_changed_with_its_key() -> None:
    key = new_key()
    async with a_gym() as gym:
        sensor = await gym.sensor(SET)
        await over_the_cable(sensor, Op.KEY_PUT, key)
        way = route(sensor, await gym.computer())
        ring = Ring()
        host = Host(way, ring)
        async with asyncio.timeout(LIMIT_S), host.station as station:
            assert station.hello is not None
            with pytest.raises(RequestRefusedError, match="legcurl pair"):
                await station.change_settings(name="Mine now")
            ring.keys[station.hello.sensor_id] = key
            assert (await station.change_settings(name="Leg curl 3"))["name"] == "Leg curl 3"
        async with asyncio.timeout(LIMIT_S), Host(way, ring).station as station:
            assert station.hello is not None
            assert station.hello.name == "Leg curl 3"


async def test_a_sensor_with_another_key_is_refused_and_named() -> None:
    async with a_gym() as gym:
        sensor, computer = await gym.sensor(SET), await gym.computer()
        async with asyncio.timeout(LIMIT_S), Host(route(sensor, computer)).station as station:
            assert station.hello is not None
            sensor_id = station.hello.sensor_id
        ring = Ring(**{sensor_id: new_key()})
        host = Host(route(sensor, computer), ring)
        with pytest.raises(WrongKeyError, match=f"{sensor_id}.*no key"):
            async with asyncio.timeout(LIMIT_S), host.station:
                pass
        await over_the_cable(sensor, Op.KEY_PUT, new_key())
        host = Host(route(sensor, computer), ring)
        with pytest.raises(WrongKeyError, match=f"{sensor_id}.*says it has the key"):
            async with asyncio.timeout(LIMIT_S), host.station:
                pass
        assert host.station.hello is None, "nothing of it was used"

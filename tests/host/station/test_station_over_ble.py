"""A station over Bluetooth: the set is the one that a cable would have given."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
)
from fake_bluetooth import FakeBluetooth, Peripheral
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
from legcurl.events import Event, LinkChanged
from legcurl.links.address import BleAddress
from legcurl.links.ble.link import BleRoute
from legcurl.links.ble.receive_buffer import ReceiveBuffer
from legcurl.session.sensor_session import SensorSession
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.station import Station
from live_sensor import START, LiveSensor
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
    monkeypatch.setattr("legcurl.station.request_client.REPEAT_S", 0.3)
    monkeypatch.setattr("legcurl.links.ble.link.SETTLE_S", 0.05)
    monkeypatch.setattr("legcurl.links.ble.adapter.SLICE_S", 0.1)
    monkeypatch.setattr("bleak_retry_connector.BLEAK_BACKOFF_TIME", 0.01)


def leg_curl(**how: int) -> Peripheral:
    return Peripheral("Leg curl 1", "E6:01", sensor=LiveSensor(FakeSensor(ANGLES)), **how)  # type: ignore[arg-type]


def station_on(bluetooth: FakeBluetooth, *, waiting: int = 1000) -> Station:
    address = BleAddress("Leg curl 1")
    route = BleRoute(address, scanner=bluetooth.scanner, client=bluetooth.client)
    queue = EventQueue(SensorSession(), limit=waiting)
    return Station(route.name, LiveFeed(route, queue), queue)


async def until_all_came(station: Station) -> None:
    """Stop when the last sample is there: a sensor never ends by itself."""
    while station.session.next_index != len(ANGLES):
        await asyncio.sleep(0.01)
    await station.stop()


async def all_events(station: Station) -> list[Event]:
    async with asyncio.timeout(LIMIT_S), station:
        stopping = asyncio.create_task(until_all_came(station))
        events = [event async for event in station.events()]
        await stopping
        return events


def without_link(events: list[Event]) -> list[str]:
    return lines(event for event in events if not isinstance(event, LinkChanged))


def link_states(events: list[Event]) -> list[str]:
    return [event.state for event in events if isinstance(event, LinkChanged)]


def starts(peripheral: Peripheral) -> list[int]:
    assert peripheral.sensor is not None
    asked = [payload for op, payload in peripheral.sensor.requests if op == START]
    return [int.from_bytes(payload[4:], "little") for payload in asked]


@pytest.mark.parametrize("mtu", [23, 64, 253, 517])
@in_virtual_time
async def test_any_mtu_gives_the_same_set(mtu: int) -> None:
    peripheral = leg_curl(mtu=mtu)
    events = await all_events(station_on(FakeBluetooth(peripheral)))
    assert lines(events) == UNBROKEN
    assert starts(peripheral) == [0]


@pytest.mark.parametrize("seed", first_short(range(4)))
@in_virtual_time
async def test_drops_in_mid_stream_cost_nothing_and_repeat_nothing(seed: int) -> None:
    random = Random(seed)
    peripheral = leg_curl()
    bluetooth = FakeBluetooth(peripheral)
    station = station_on(bluetooth)

    def streams() -> bool:
        """Whether this connection has been asked for the stream, and some of it came."""
        assert peripheral.sensor is not None
        asked = peripheral.central is not None and peripheral.sensor.log.cursor is not None
        return asked and bool(station.session.next_index)

    async def drop_again_and_again() -> None:
        for _ in range(4):
            while not streams():
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.uniform(0.001, 0.02))
            peripheral.drop()
            peripheral.silent = True
            await asyncio.sleep(random.uniform(0.01, 0.1))
            peripheral.silent = False

    dropping = asyncio.create_task(drop_again_and_again())
    events = await all_events(station)
    await dropping
    assert without_link(events) == UNBROKEN
    assert link_states(events) == ["lost", "restored"] * (len(link_states(events)) // 2)
    assert len(starts(peripheral)) >= 3
    assert bluetooth.disconnects == peripheral.connections, "every connection is taken leave of"


@in_virtual_time
async def test_an_adapter_that_is_unplugged_and_back_is_waited_for() -> None:
    peripheral = leg_curl()
    bluetooth = FakeBluetooth(peripheral)
    station = station_on(bluetooth)

    async def unplug() -> None:
        while (station.session.next_index or 0) < 1000:
            await asyncio.sleep(0.001)
        none = BleakBluetoothNotAvailableReason.NO_BLUETOOTH
        bluetooth.scan_fails = [
            BleakDBusError("org.freedesktop.DBus.Error.UnknownObject", ["org.bluez.Adapter1"]),
            *(BleakBluetoothNotAvailableError("No adapters found.", none) for _ in range(5)),
        ]
        peripheral.drop()

    trouble = asyncio.create_task(unplug())
    events = await all_events(station)
    await trouble
    assert without_link(events) == UNBROKEN
    assert link_states(events) == ["lost", "restored"]
    assert not bluetooth.scan_fails


@in_virtual_time
async def test_a_stalled_reader_loses_neither_samples_nor_the_link(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not fit is left out, counted, and asked for again when somebody reads."""
    boxes: list[ReceiveBuffer] = []

    def small() -> ReceiveBuffer:
        boxes.append(ReceiveBuffer(limit=1000))
        return boxes[-1]

    monkeypatch.setattr("legcurl.links.ble.link.ReceiveBuffer", small)
    peripheral = leg_curl()
    station = station_on(FakeBluetooth(peripheral), waiting=10)
    async with asyncio.timeout(LIMIT_S), station:
        events: list[Event] = []
        stalls = 0
        stopping = asyncio.create_task(until_all_came(station))
        async for event in station.events():
            events.append(event)
            # A box that is still full belongs to the stall before: nobody has read the link since.
            if stalls < 2 and len(events) >= 50 * (stalls + 1) and not boxes[0].full:
                stalls += 1
                before = boxes[0].left_out
                while boxes[0].left_out < before + 20:
                    await asyncio.sleep(0.01)
        await stopping
    assert stalls == 2
    assert lines(events) == UNBROKEN
    assert peripheral.connections == 1
    assert len(starts(peripheral)) >= 2
    assert "its samples are not read" in caplog.text
    assert 2 <= caplog.text.count("samples are not read") < 10, "each stall is said once"


@in_virtual_time
async def test_two_stations_on_one_adapter_do_not_disturb_each_other() -> None:
    sensors = [
        Peripheral(f"Leg curl {n}", f"E6:0{n}", f"0000000{n}", LiveSensor(FakeSensor(ANGLES)))
        for n in (1, 2)
    ]
    bluetooth = FakeBluetooth(*sensors)

    def station(number: int) -> Station:
        address = BleAddress(f"Leg curl {number}")
        route = BleRoute(address, scanner=bluetooth.scanner, client=bluetooth.client)
        queue = EventQueue(SensorSession())
        return Station(route.name, LiveFeed(route, queue), queue)

    one, two = await asyncio.gather(*(all_events(station(number)) for number in (1, 2)))
    assert lines(one) == lines(two) == UNBROKEN

"""Several sensors on one adapter: one scan, one connection attempt at a time, nobody starves."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from fake_bluetooth import FakeBluetooth, Peripheral
from fake_sensor import FakeSensor, leg_curls
from legcurl.errors import AdapterOffError, SensorNotFoundError, SensorUnreachableError
from legcurl.links.address import BleAddress
from legcurl.links.ble.link import BleLink, BleRoute
from live_sensor import LiveSensor
from virtual_time import in_virtual_time

ANGLES = leg_curls(count=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    for name, seconds in (("LOOK_S", 1.0), ("SETTLE_S", 0.1), ("CONNECT_S", 0.5)):
        monkeypatch.setattr(f"legcurl.links.ble.link.{name}", seconds)
    monkeypatch.setattr("legcurl.links.ble.adapter.SLICE_S", 0.2)
    monkeypatch.setattr("bleak_retry_connector.BLEAK_BACKOFF_TIME", 0.01)


def leg_curl(number: int, **how: Any) -> Peripheral:
    sensor = LiveSensor(FakeSensor(ANGLES))
    id_tail = f"{number:08x}"
    return Peripheral(
        f"Leg curl {number}", f"E6:00:00:00:00:{number:02X}", id_tail, sensor=sensor, **how
    )


def route(bluetooth: FakeBluetooth, number: int) -> BleRoute:
    address = BleAddress(f"Leg curl {number}")
    return BleRoute(address, scanner=bluetooth.scanner, client=bluetooth.client)


@in_virtual_time
async def test_ten_sensors_take_one_scan_and_connect_one_by_one() -> None:
    bluetooth = FakeBluetooth(*(leg_curl(number) for number in range(10)))
    links = await asyncio.gather(*(route(bluetooth, number).connect() for number in range(10)))
    assert bluetooth.most_scanning == 1
    assert bluetooth.most_connecting == 1
    assert not bluetooth.connected_while_scanning
    assert bluetooth.scans <= 3
    assert all(peripheral.connections == 1 for peripheral in bluetooth.peripherals)
    await asyncio.gather(*(link.close() for link in links))


@in_virtual_time
async def test_the_scan_ends_with_its_last_user() -> None:
    bluetooth = FakeBluetooth(leg_curl(1))
    link = await route(bluetooth, 1).connect()
    assert bluetooth.scanning == 0
    await link.close()
    with pytest.raises(SensorNotFoundError):
        await route(bluetooth, 2).connect()
    assert bluetooth.scanning == 0


@in_virtual_time
async def test_a_cancelled_search_leaves_no_scan() -> None:
    bluetooth = FakeBluetooth()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await route(bluetooth, 1).connect()
    assert bluetooth.scanning == 0


@in_virtual_time
async def test_a_cancelled_search_does_not_wait_for_a_connection() -> None:
    bluetooth = FakeBluetooth(leg_curl(1, connect_hangs=True))
    hanging = asyncio.create_task(route(bluetooth, 1).connect())
    while bluetooth.connecting == 0:
        await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await route(bluetooth, 2).connect()
    assert bluetooth.connecting == 1
    with pytest.raises(SensorUnreachableError):
        await hanging
    assert bluetooth.scans == 1


@in_virtual_time
async def test_unreachable_sensors_do_not_block_the_others() -> None:
    """Five that hang take their turns for ever; one that comes into range gets its own."""
    hanging = [leg_curl(number, connect_hangs=True) for number in range(5)]
    late = leg_curl(9, silent=True)
    bluetooth = FakeBluetooth(*hanging, late)

    async def keep_trying(number: int) -> BleLink:
        way = route(bluetooth, number)
        while True:
            try:
                return await way.connect()
            except (SensorUnreachableError, SensorNotFoundError):
                await asyncio.sleep(0.02)

    hopeless = [asyncio.create_task(keep_trying(number)) for number in range(5)]
    wanted = asyncio.create_task(keep_trying(9))
    await asyncio.sleep(1.5)
    late.silent = False
    began_s = monotonic()
    link = await wanted
    rounds = 5 * 0.5 + 0.2  # each of the others once, and a slice of scanning
    assert monotonic() - began_s < 2 * rounds
    await link.close()
    for task in hopeless:
        task.cancel()
    await asyncio.gather(*hopeless, return_exceptions=True)
    assert bluetooth.most_connecting == 1
    assert not bluetooth.connected_while_scanning


@in_virtual_time
async def test_time_in_which_the_radio_connects_does_not_count_as_having_looked() -> None:
    """Else one sensor that hangs would make another seem absent."""
    late = leg_curl(2, silent=True)
    bluetooth = FakeBluetooth(leg_curl(1, connect_hangs=True), late)
    looking = asyncio.create_task(route(bluetooth, 2).connect())
    for _ in range(3):
        with pytest.raises(SensorUnreachableError):
            await route(bluetooth, 1).connect()
    late.silent = False
    link = await looking
    await link.close()


@in_virtual_time
async def test_an_adapter_that_is_off_is_told_to_every_search() -> None:
    bluetooth = FakeBluetooth(leg_curl(1), leg_curl(2))
    off = BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF)
    bluetooth.scan_fails = [off]
    ended = await asyncio.gather(
        route(bluetooth, 1).connect(), route(bluetooth, 2).connect(), return_exceptions=True
    )
    assert [type(error) for error in ended] == [AdapterOffError, AdapterOffError]
    link = await route(bluetooth, 1).connect()
    await link.close()


@in_virtual_time
async def test_adapters_are_not_shared_between_computers() -> None:
    """Each event loop, backend and adapter name has its own."""
    one, other = FakeBluetooth(leg_curl(1)), FakeBluetooth(leg_curl(1))
    links = await asyncio.gather(route(one, 1).connect(), route(other, 1).connect())
    assert (one.scans, other.scans) == (1, 1)
    await asyncio.gather(*(link.close() for link in links))

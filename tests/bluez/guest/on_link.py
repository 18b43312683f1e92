"""legcurl's Bluetooth link over the real BlueZ: found, connected, and every sample as it was."""

from __future__ import annotations

import asyncio
import json
from statistics import median
from time import monotonic
from typing import Any

import pytest
from adapter import KernelAdapter
from bleak import BleakClient, BleakScanner
from conftest import Surroundings
from legcurl.address import BleAddress
from legcurl.commands import OLDEST, Op, ping_request, read_ping, start_request
from legcurl.errors import AdapterOffError
from legcurl.exchange import Exchange, probe
from legcurl.frame import Samples
from legcurl.links.ble import BleRoute, look_around
from legcurl.links.ble_service import REQUESTS, SERVICE, uuid_of
from legcurl.race import until_first
from worlds import STREAM_100, STREAM_200, PlayedWorld

INFO = uuid_of(0x0005)
ATT_HEAD_BYTES = 3  # of every write and notification
STREAM_S = 30.0
PING_EVERY_S = 0.5
LOOK_S = 5.0  # several advertisements, however busy the computer under the guest is


async def test_a_scan_finds_the_sensor_by_its_service(
    surroundings: Surroundings, adapter: KernelAdapter
) -> None:
    address = await surroundings.start(STREAM_100)
    (found,) = await look_around(LOOK_S)
    assert found.address == address
    assert found.name == "Simulated leg curl", "the scan response was heard as well"
    assert len(found.id_tail) == 8
    assert not found.in_use


async def test_a_sensor_that_is_off_is_not_found(
    surroundings: Surroundings, adapter: KernelAdapter
) -> None:
    """BlueZ remembers devices, connected ones above all; none must be taken for a sensor."""
    await probe(BleRoute(BleAddress(await surroundings.start(STREAM_100))))
    await surroundings.kill()
    assert await look_around(LOOK_S) == []


async def test_requests_may_be_as_long_as_was_negotiated(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any]
) -> None:
    """`mtu_size` reads 23 with BlueZ until somebody asks for it; the link must not use that."""
    address = await surroundings.start(STREAM_100)
    device = await BleakScanner.find_device_by_address(address, service_uuids=[SERVICE])
    assert device is not None
    async with BleakClient(device) as client:
        negotiated = await surroundings.connection()
        requests = client.services.get_characteristic(REQUESTS)
        assert requests is not None
        longest = requests.max_write_without_response_size
        info = json.loads(await client.read_gatt_char(INFO))
    assert longest == negotiated["mtu"] - ATT_HEAD_BYTES
    assert longest > 100
    assert info["name"] == "Simulated leg curl"
    figures.update(negotiated)


async def test_the_sensor_says_who_it_is(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any]
) -> None:
    address = await surroundings.start(STREAM_100)
    began_s = monotonic()
    hello = await probe(BleRoute(BleAddress(address)))
    figures["hello_s"] = round(monotonic() - began_s, 2)
    (found,) = await look_around(LOOK_S)
    assert hello.sensor_id.endswith(found.id_tail)
    assert hello.rate_hz == STREAM_100.rate_hz
    assert not found.in_use, "the sensor is free again"


@pytest.mark.parametrize("world", [STREAM_100, STREAM_200], ids=["100 Hz", "200 Hz"])
async def test_thirty_seconds_arrive_sample_by_sample(
    surroundings: Surroundings,
    adapter: KernelAdapter,
    figures: dict[str, Any],
    world: PlayedWorld,
) -> None:
    """None is lost, none comes twice, and each is what the encoder saw at its time."""
    route = BleRoute(BleAddress(await surroundings.start(world)))
    link = await route.connect()
    try:
        exchange = Exchange(link, name=route.name, patience_s=route.patience_s)
        runs, round_trips_s = await _stream(exchange, STREAM_S)
    finally:
        await link.close()
    samples, repeated = world.check(runs)
    assert samples >= STREAM_S * world.rate_hz
    assert repeated == 0
    assert exchange.decoder.counts.dropped == 0
    assert exchange.counts.repeated_requests == 0
    figures["samples"] = samples
    figures["frames"] = len(runs)
    figures["ping_ms"] = f"{median(round_trips_s) * 1e3:.0f} (max {max(round_trips_s) * 1e3:.0f})"


async def test_an_adapter_that_is_off_is_said_to_be(
    surroundings: Surroundings, adapter: KernelAdapter
) -> None:
    address = await surroundings.start(STREAM_100)
    await adapter.power(on=False)
    with pytest.raises(AdapterOffError, match=r"switched off\. Run: rfkill unblock bluetooth"):
        await BleRoute(BleAddress(address)).connect()
    await adapter.power(on=True)
    hello = await probe(BleRoute(BleAddress(address)))
    assert hello.rate_hz == STREAM_100.rate_hz


async def _stream(exchange: Exchange, seconds: float) -> tuple[list[Samples], list[float]]:
    """All samples from the sensor's first on, for so long; and what pings meanwhile took."""
    runs: list[Samples] = []
    round_trips_s: list[float] = []

    async def receive() -> None:
        while (frames := await exchange.receive()) is not None:
            runs.extend(frame for frame in frames if isinstance(frame, Samples))

    async def ask() -> None:
        await exchange.greet()
        await exchange.granted(Op.START, lambda number: start_request(number, 0, OLDEST))
        until_s = monotonic() + seconds
        while monotonic() < until_s:
            sent_s = monotonic()
            pong = await exchange.granted(Op.PING, lambda number: ping_request(number, 7))
            round_trips_s.append(exchange.answered_s - sent_s)
            assert read_ping(pong).token == 7
            await asyncio.sleep(PING_EVERY_S)

    await until_first(receive(), ask())
    return runs, round_trips_s

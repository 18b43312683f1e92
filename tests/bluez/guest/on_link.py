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
from legcurl.concurrency import until_first
from legcurl.errors import AdapterOffError
from legcurl.links.address import BleAddress
from legcurl.links.ble.gatt import REQUESTS, SERVICE, uuid_of
from legcurl.links.ble.link import PATIENCE_S, BleLink, BleRoute, look_around
from legcurl.protocol.frame import Answer, Samples, encode_request
from legcurl.protocol.requests import OLDEST, Op, Result, ping_request, read_ping, start_request
from legcurl.station.request_client import RequestClient, probe
from surroundings import Surroundings
from worlds import STRANGER, STREAM_100, STREAM_200

INFO = uuid_of(0x0005)
ATT_HEAD_BYTES = 3  # of every write and notification
STREAM_S = 30
PING_EVERY_S = 0.5
LONG_BYTES = 300  # of a request; a calibration is shorter
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
    address = await surroundings.start(STREAM_100)
    await probe(BleRoute(BleAddress(address)))
    await surroundings.kill(address)
    assert await look_around(LOOK_S) == []


async def test_requests_may_be_as_long_as_was_negotiated(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any]
) -> None:
    """`mtu_size` reads 23 with BlueZ until somebody asks for it; the link must not use that."""
    address = await surroundings.start(STRANGER)
    device = await BleakScanner.find_device_by_address(address, service_uuids=[SERVICE])
    assert device is not None
    async with BleakClient(device) as client:
        negotiated = await surroundings.connection(address)
        requests = client.services.get_characteristic(REQUESTS)
        assert requests is not None
        longest = requests.max_write_without_response_size
        info = json.loads(await client.read_gatt_char(INFO))
    assert longest == negotiated["mtu"] - ATT_HEAD_BYTES
    assert longest > LONG_BYTES
    assert info["name"] == "Simulated leg curl"
    figures.update(negotiated)


async def test_a_long_request_gets_through_whatever_the_system_says_of_its_size(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any]
) -> None:
    """BlueZ shows what it remembers of a table before the MTU is known, as 23, and leaves it so."""
    route = BleRoute(BleAddress(await surroundings.start(STREAM_100)))
    for time in ("first", "again"):
        link = await route.connect()
        try:
            client = RequestClient(link, name="sensor", patience_s=PATIENCE_S)
            began_s = monotonic()
            answer = await _ask(client, Op.SETTINGS_PUT, bytes(LONG_BYTES))
            figures[f"{time}_s"] = round(monotonic() - began_s, 2)
        finally:
            await link.close()
        assert answer.result == Result.NOT_ALLOWED, "read in full, and refused over the air"


async def test_the_sensor_tells_its_identity_and_is_free_again(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any]
) -> None:
    began_s = monotonic()
    hello = await probe(BleRoute(BleAddress(await surroundings.start(STREAM_100))))
    figures["hello_s"] = round(monotonic() - began_s, 2)
    assert hello.rate_hz == STREAM_100.rate_hz
    (found,) = await look_around(LOOK_S)
    assert hello.sensor_id.endswith(found.id_tail)
    assert not found.in_use


async def test_half_a_minute_of_two_sensors_arrives_sample_by_sample(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any]
) -> None:
    """None is lost, none comes twice, and each is what the encoder saw at its time."""
    worlds = (STREAM_100, STREAM_200)
    links: list[BleLink] = []
    try:
        for world in worlds:
            address = BleAddress(await surroundings.start(world))
            links.append(await BleRoute(address).connect())
        clients = [RequestClient(link, name="sensor", patience_s=PATIENCE_S) for link in links]
        streams = await asyncio.gather(
            *(
                _stream(client, STREAM_S * world.rate_hz)
                for client, world in zip(clients, worlds, strict=True)
            )
        )
    finally:
        for link in links:
            await link.close()
    for world, client, (runs, round_trips_s) in zip(worlds, clients, streams, strict=True):
        samples, repeated = world.check(runs)
        assert samples >= STREAM_S * world.rate_hz
        assert repeated == 0
        assert client.decoder.counts.dropped == 0
        pings = f"ping {median(round_trips_s) * 1e3:.0f} ms (max {max(round_trips_s) * 1e3:.0f})"
        figures[f"at {world.rate_hz} Hz"] = f"{samples} samples in {len(runs)} frames, {pings}"


async def test_an_adapter_that_is_off_is_reported(
    surroundings: Surroundings, adapter: KernelAdapter
) -> None:
    address = await surroundings.start(STREAM_100)
    await adapter.power(on=False)
    with pytest.raises(AdapterOffError, match=r"switched off\. Run: rfkill unblock bluetooth"):
        await BleRoute(BleAddress(address)).connect()
    await adapter.power(on=True)
    hello = await probe(BleRoute(BleAddress(address)))
    assert hello.rate_hz == STREAM_100.rate_hz


async def _stream(client: RequestClient, samples: int) -> tuple[list[Samples], list[float]]:
    """At least so many samples from the sensor's first on; and what pings meanwhile took, in s."""
    runs: list[Samples] = []
    round_trips_s: list[float] = []

    async def receive() -> None:
        while not runs or runs[-1].index < samples:
            frames = await client.receive()
            assert frames is not None
            runs.extend(frame for frame in frames if isinstance(frame, Samples))

    async def ask() -> None:
        await client.greet()
        await client.granted(Op.START, lambda number: start_request(number, 0, OLDEST))
        while True:
            sent_s = monotonic()
            pong = await client.granted(Op.PING, lambda number: ping_request(number, 7))
            round_trips_s.append(client.answered_s - sent_s)
            assert read_ping(pong).token == 7
            await asyncio.sleep(PING_EVERY_S)

    await until_first(receive(), ask())
    return runs, round_trips_s


async def _ask(client: RequestClient, op: Op, payload: bytes) -> Answer:
    answer = await until_first(
        client.discard_frames(),
        client.ask(op, lambda number: encode_request(number, op, payload)),
    )
    assert answer is not None
    return answer

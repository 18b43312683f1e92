"""bleak on the virtual radio: what its users rely on, with bleak's own classes."""

from __future__ import annotations

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from legcurl.simulator.radio import Central, VirtualRadio
from radio_time import in_radio_time, now
from scripted_firmware import (
    ADDRESS,
    CONNECT,
    DISCONNECT,
    SERVICE,
    VALUE,
    WRITTEN,
    pair,
    scripted,
)


def client_of(central: Central) -> BleakClient:
    return BleakClient(ADDRESS, backend=central.client_backend)


@in_radio_time
async def test_scanning_finds_by_address_by_name_and_by_service() -> None:
    async with pair() as (_, central):
        scanner = central.scanner_backend
        for device in (
            await BleakScanner.find_device_by_address(ADDRESS, backend=scanner),
            await BleakScanner.find_device_by_name("scripted", backend=scanner),
            *await BleakScanner.discover(1.0, service_uuids=[SERVICE], backend=scanner),
        ):
            assert device is not None
            assert (device.address, device.name) == (ADDRESS, "scripted")
        other = "99990001-0000-1000-8000-00805f9b34fb"
        assert await BleakScanner.discover(1.0, service_uuids=[other], backend=scanner) == []


@in_radio_time
async def test_a_device_that_is_not_there_is_not_found_in_time() -> None:
    async with Central(VirtualRadio()) as central:
        began = now()
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient(ADDRESS, timeout=3.0, backend=central.client_backend).connect()
        assert now() - began == pytest.approx(3.0, abs=0.1)


@in_radio_time
async def test_waiting_for_one_device_delays_no_other() -> None:
    async with pair() as (_, central):
        absent = BleakClient("02:99:99:99:99:99", timeout=20.0, backend=central.client_backend)
        waiting = asyncio.create_task(absent.connect())
        await asyncio.sleep(0.5)
        began = now()
        async with client_of(central) as client:
            assert client.is_connected
            assert now() - began < 2.0
        with pytest.raises(BleakDeviceNotFoundError):
            await waiting


@in_radio_time
async def test_an_attempt_that_is_cancelled_is_not_in_the_way_of_the_next() -> None:
    async with pair() as (firmware, central):
        for delay_s in (0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5):
            client = client_of(central)
            attempt = asyncio.create_task(client.connect())
            await asyncio.sleep(delay_s)
            attempt.cancel()
            await asyncio.wait({attempt})
            if client.is_connected:
                await client.disconnect()
            await asyncio.sleep(0.5)
            await firmware.advertise()
        async with client_of(central) as client:
            assert client.is_connected
        await asyncio.sleep(0.1)
        assert central.radio.connections == 0


@in_radio_time
async def test_notifications_come_in_order_and_end_when_they_are_stopped() -> None:
    async with pair(buffers=100) as (firmware, central), client_of(central) as client:
        await firmware.event(CONNECT)
        got: list[int] = []
        await client.start_notify(VALUE, lambda _, value: got.append(value[0]))
        for number in range(50):
            await firmware.notify(bytes((number,)))
        await asyncio.sleep(2.0)
        assert got == list(range(50))
        await client.stop_notify(VALUE)
        await firmware.notify(b"\xff")
        await asyncio.sleep(1.0)
        assert len(got) == 50
        with pytest.raises(BleakError):
            await client.start_notify("99990002-0000-1000-8000-00805f9b34fb", lambda *_: None)


@in_radio_time
async def test_a_long_write_with_response_is_prepared_and_one_without_is_cut() -> None:
    async with pair(mtu=23) as (firmware, central), client_of(central) as client:
        await firmware.call("set_buffer", firmware.value, 100, False)
        await client.write_gatt_char(VALUE, bytes(range(60)), response=True)
        await firmware.event(WRITTEN)
        assert bytes.fromhex(await firmware.call("read", firmware.value)) == bytes(range(60))
        await client.write_gatt_char(VALUE, bytes(range(60)), response=False)
        await firmware.event(WRITTEN)
        assert bytes.fromhex(await firmware.call("read", firmware.value)) == bytes(range(20))
        assert client.mtu_size == 23


@in_radio_time
async def test_a_request_of_a_connection_that_is_lost_fails_then() -> None:
    radio = VirtualRadio(timeout_s=2.0)
    async with pair(radio) as (firmware, central):
        lost: list[float] = []
        client = BleakClient(
            ADDRESS,
            disconnected_callback=lambda _: lost.append(now()),
            backend=central.client_backend,
        )
        await client.connect()
        assert firmware.peripheral.controller is not None
        radio.silence(firmware.peripheral.controller, 30.0)
        began = now()
        with pytest.raises(BleakError, match="disconnected"):
            await client.write_gatt_char(VALUE, b"anybody?", response=True)
        assert now() - began == pytest.approx(2.0, abs=0.1)
        await asyncio.sleep(0.1)
        assert len(lost) == 1
        assert not client.is_connected
        with pytest.raises(BleakError):
            await client.write_gatt_char(VALUE, b"still there?", response=True)


@in_radio_time
async def test_a_protocol_error_keeps_the_connection() -> None:
    async with pair() as (_, central), client_of(central) as client:
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char(VALUE, bytes(600), response=True)
        assert client.is_connected


@in_radio_time
async def test_a_client_connects_again_and_again() -> None:
    async with pair() as (firmware, central):
        client = client_of(central)
        for number in range(20):
            await client.connect()
            await firmware.event(CONNECT)
            got: list[bytes] = []
            await client.start_notify(VALUE, lambda _, value, got=got: got.append(bytes(value)))
            await firmware.notify(bytes((number,)))
            await asyncio.sleep(0.2)
            assert got == [bytes((number,))], "once, and not twice from the connection before"
            await client.disconnect()
            await firmware.event(DISCONNECT)
            await firmware.advertise()
        assert central.radio.connections == 0
        assert len(central.device.connections) == 0


@in_radio_time
async def test_many_clients_share_an_adapter() -> None:
    radio = VirtualRadio(interval_s=0.0075)
    async with Central(radio) as central:
        addresses = [f"02:00:00:00:00:{number:02X}" for number in range(8)]
        firmwares = [scripted(radio, address) for address in addresses]
        entered = [await firmware.__aenter__() for firmware in firmwares]
        clients = [BleakClient(address, backend=central.client_backend) for address in addresses]
        await asyncio.gather(*(client.connect() for client in clients))
        got: dict[int, list[int]] = {number: [] for number in range(8)}
        for number, client in enumerate(clients):
            await client.start_notify(
                VALUE, lambda _, value, number=number: got[number].append(value[0])
            )
        for number, firmware in enumerate(entered):
            await firmware.event(CONNECT)
            assert await firmware.notify(bytes((number,))) == 0
        await asyncio.sleep(1.0)
        assert got == {number: [number] for number in range(8)}
        await asyncio.gather(*(client.disconnect() for client in clients))
        for firmware in firmwares:
            await firmware.__aexit__(None, None, None)


@in_radio_time
async def test_an_adapter_that_goes_tells_its_clients() -> None:
    async with pair() as (firmware, _central):
        other = Central(firmware.peripheral.radio, address="F0:F0:F0:00:00:22")
        await other.power_on()
        lost = asyncio.Event()
        client = BleakClient(
            ADDRESS, disconnected_callback=lambda _: lost.set(), backend=other.client_backend
        )
        await client.connect()
        await other.close()
        await asyncio.wait_for(lost.wait(), 1.0)
        assert not client.is_connected
        await firmware.event(DISCONNECT)

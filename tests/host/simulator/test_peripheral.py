"""A MicroPython process's radio: values, buffers and events are those of MicroPython's stacks."""

from __future__ import annotations

import asyncio
import errno

import pytest
from bleak import BleakClient
from legcurl.simulator.radio import Central, VirtualRadio
from radio_time import in_radio_time, now
from scripted_firmware import (
    ADDRESS,
    CONNECT,
    DISCONNECT,
    INDICATE,
    INDICATED,
    MTU,
    READ,
    VALUE,
    WRITTEN,
    ScriptedFirmware,
    pair,
)


async def connected(central: Central, firmware: ScriptedFirmware) -> BleakClient:
    client = BleakClient(ADDRESS, backend=central.client_backend)
    await client.connect()
    await firmware.event(CONNECT)
    return client


async def read(firmware: ScriptedFirmware) -> bytes:
    return bytes.fromhex(await firmware.call("read", firmware.value))


@in_radio_time
async def test_events_tell_of_the_central_its_mtu_its_writes_and_its_leaving() -> None:
    async with pair(mtu=185) as (firmware, central):
        client = await connected(central, firmware)
        handle, mtu = await firmware.event(MTU)
        assert (handle, mtu) == (firmware.connection, 185)
        await client.write_gatt_char(VALUE, b"hello", response=True)
        assert await firmware.event(WRITTEN) == [firmware.connection, firmware.value]
        assert await read(firmware) == b"hello"
        await client.disconnect()
        assert (await firmware.event(DISCONNECT))[0] == firmware.connection


@in_radio_time
async def test_a_characteristic_holds_20_bytes_unless_it_was_given_a_buffer() -> None:
    async with pair() as (firmware, central):
        client = await connected(central, firmware)
        await client.write_gatt_char(VALUE, bytes(range(30)), response=True)
        await firmware.event(WRITTEN)
        assert await read(firmware) == bytes(range(20)), "the rest is lost in silence"
        await firmware.call("set_buffer", firmware.value, 100, False)
        await client.write_gatt_char(VALUE, bytes(range(30)), response=True)
        await firmware.event(WRITTEN)
        assert await read(firmware) == bytes(range(30))
        assert await read(firmware) == bytes(range(30)), "reading takes nothing away"


@in_radio_time
async def test_an_appending_buffer_adds_up_until_it_is_read() -> None:
    async with pair() as (firmware, central):
        client = await connected(central, firmware)
        await firmware.call("set_buffer", firmware.value, 8, True)
        for piece in (b"abc", b"def", b"ghi"):
            await client.write_gatt_char(VALUE, piece, response=True)
            await firmware.event(WRITTEN)
        assert await read(firmware) == b"abcdefgh"
        assert await read(firmware) == b""


@in_radio_time
async def test_a_central_reads_the_bytes_that_the_firmware_wrote() -> None:
    async with pair(mtu=23) as (firmware, central):
        client = await connected(central, firmware)
        value = bytes(range(200))  # longer than buffer and MTU
        await firmware.call("write", firmware.value, value.hex(), False)
        assert await client.read_gatt_char(VALUE) == value


@in_radio_time
async def test_a_notification_is_cut_to_the_mtu() -> None:
    async with pair(mtu=50) as (firmware, central):
        client = await connected(central, firmware)
        got: list[bytes] = []
        await client.start_notify(VALUE, lambda _, value: got.append(bytes(value)))
        await firmware.notify(bytes(range(100)))
        await asyncio.sleep(1.0)
        assert got == [bytes(range(47))]


@in_radio_time
async def test_buffers_are_full_until_the_radio_has_carried_them() -> None:
    radio = VirtualRadio(timeout_s=20.0)
    async with pair(radio, buffers=5) as (firmware, central):
        await connected(central, firmware)
        await asyncio.sleep(1.0)
        assert firmware.peripheral.controller is not None
        radio.silence(firmware.peripheral.controller, 3.0)
        assert [await firmware.notify(b"x") for _ in range(7)] == [0] * 5 + [errno.ENOMEM] * 2
        await asyncio.sleep(4.0)
        assert [await firmware.notify(b"x") for _ in range(5)] == [0] * 5


@in_radio_time
async def test_a_patient_peripheral_waits_for_room_instead() -> None:
    radio = VirtualRadio(timeout_s=20.0)
    async with pair(radio, buffers=5, patient=True) as (firmware, central):
        client = await connected(central, firmware)
        got: list[bytes] = []
        await client.start_notify(VALUE, lambda _, value: got.append(bytes(value)))
        assert firmware.peripheral.controller is not None
        radio.silence(firmware.peripheral.controller, 3.0)
        began = now()
        assert [await firmware.notify(bytes((n,))) for n in range(50)] == [0] * 50
        assert now() - began >= 3.0
        await asyncio.sleep(1.0)
        assert got == [bytes((n,)) for n in range(50)]


@in_radio_time
async def test_waiting_for_room_ends_with_the_connection() -> None:
    radio = VirtualRadio(timeout_s=2.0)
    async with pair(radio, buffers=1, patient=True) as (firmware, central):
        await connected(central, firmware)
        await asyncio.sleep(1.0)
        assert firmware.peripheral.controller is not None
        radio.silence(firmware.peripheral.controller, 30.0)
        assert await firmware.notify(b"x") == 0
        assert await firmware.notify(b"x") == errno.ENOTCONN


@in_radio_time
async def test_no_memory_refuses_its_share_in_spells_and_the_same_for_a_seed() -> None:
    async def refusals(seed: int) -> list[int]:
        async with pair(buffers=1000, no_memory=0.1, seed=seed) as (firmware, central):
            await connected(central, firmware)
            return [await firmware.notify(b"x") for _ in range(600)]

    once = await refusals(3)
    assert set(once) == {0, errno.ENOMEM}
    spells = "".join("x" if number else " " for number in once).split()
    assert max(map(len, spells)) > 3
    begun = len(spells) / once.count(0)
    assert begun == pytest.approx(0.1, abs=0.04)
    assert await refusals(3) == once
    assert await refusals(4) != once


@in_radio_time
async def test_notifying_without_a_connection_fails() -> None:
    async with pair() as (firmware, _central):
        assert await firmware.notify(b"x") == errno.ENOTCONN
        assert (await firmware.try_("disconnect", 1))[1] is False
        assert (await firmware.try_("read", 999))[0] == errno.EINVAL


@in_radio_time
async def test_an_indication_tells_when_it_was_confirmed() -> None:
    async with pair() as (firmware, central):
        await firmware.call("active", False)
        await firmware.set_up(READ | INDICATE)
        client = await connected(central, firmware)
        got: list[bytes] = []
        await client.start_notify(VALUE, lambda _, value: got.append(bytes(value)))
        await firmware.call("indicate", firmware.connection, firmware.value, b"sure".hex())
        assert await firmware.event(INDICATED) == [firmware.connection, firmware.value, 0]
        assert got == [b"sure"]


@in_radio_time
async def test_the_mtu_is_the_least_of_the_three_limits() -> None:
    for of_radio, of_firmware, of_central, agreed in (
        (517, 300, 517, 300),
        (100, 300, 517, 100),
        (517, 300, 60, 60),
        (23, 300, 517, 23),
    ):
        async with pair(mtu=of_central) as (_, central):
            radio = central.radio
            from legcurl.simulator.radio import FirmwarePeripheral

            firmware = ScriptedFirmware(
                FirmwarePeripheral(radio, "02:00:00:00:00:77", mtu=of_radio)
            )
            await firmware.open()
            await firmware.call("config_set", "mtu", of_firmware)
            await firmware.set_up()
            client = BleakClient("02:00:00:00:00:77", backend=central.client_backend)
            await client.connect()
            assert client.mtu_size == agreed
            await firmware.close()


@in_radio_time
async def test_a_change_of_the_mtu_is_the_next_connection_s() -> None:
    async with pair(mtu=185) as (firmware, central):
        client = await connected(central, firmware)
        assert await firmware.event(MTU) == [firmware.connection, 185]
        firmware.peripheral.mtu = 50
        got: list[bytes] = []
        await client.start_notify(VALUE, lambda _, value: got.append(bytes(value)))
        await firmware.notify(bytes(100))
        await asyncio.sleep(1.0)
        assert list(map(len, got)) == [100], "this one keeps what was agreed"
        await client.disconnect()
        await firmware.event(DISCONNECT)
        await firmware.advertise()
        await connected(central, firmware)
        assert await firmware.event(MTU) == [firmware.connection, 50]
        with pytest.raises(ValueError, match="23 to 517"):
            firmware.peripheral.mtu = 22


@in_radio_time
async def test_a_process_that_ends_vanishes_without_a_word() -> None:
    radio = VirtualRadio(timeout_s=2.0)
    async with Central(radio, address="F0:F0:F0:00:00:22") as central:
        async with pair(radio) as (firmware, _):
            client = await connected(central, firmware)
        began = now()
        assert client.is_connected, "so far nobody knows"
        while client.is_connected:
            await asyncio.sleep(0.01)
        assert now() - began == pytest.approx(2.0, abs=0.1)


@in_radio_time
async def test_switching_the_stack_off_says_goodbye_after_the_last_word() -> None:
    async with pair() as (firmware, central):
        client = await connected(central, firmware)
        got: list[bytes] = []
        await client.start_notify(VALUE, lambda _, value: got.append(bytes(value)))
        for n in range(10):
            await firmware.notify(bytes((n,)))
        await firmware.call("active", False)
        await asyncio.sleep(0.1)
        assert not client.is_connected
        assert len(got) == 10
        await firmware.set_up()
        await client.connect()
        assert client.is_connected


@in_radio_time
async def test_out_of_range_is_silence_both_ways_until_it_is_over() -> None:
    radio = VirtualRadio(timeout_s=20.0)
    async with pair(radio) as (firmware, central):
        client = await connected(central, firmware)
        got: list[bytes] = []
        await client.start_notify(VALUE, lambda _, value: got.append(bytes(value)))
        await firmware.call("out_of_range", True)
        await firmware.notify(b"far")
        await asyncio.sleep(5.0)
        assert got == []
        await firmware.call("out_of_range", False)
        await asyncio.sleep(0.1)
        assert got == [b"far"]

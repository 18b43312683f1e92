"""The firmware over Bluetooth, whole: on the MicroPython VM, against Bumble, through bleak.

Times are of the radio: at pace=8 a second of the sensor takes an eighth here.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from itertools import pairwise
from typing import Any

import pytest
from ble_host import (
    ANSWERS,
    COMPANY,
    INFO,
    REQUESTS,
    SAMPLES,
    SERVICE,
    BleHost,
    address_of,
    advertised,
    connected,
    sensor_on_air,
)
from bleak import BleakClient
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble.device import AdvertisingType
from bumble.hci import OwnAddressType
from legcurl.concurrency import until_first
from legcurl.links.address import SerialAddress
from legcurl.links.serial import SerialRoute
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import Gap, Samples, encode_request
from legcurl.protocol.requests import Op, Result
from legcurl.simulator.radio import Central
from legcurl.simulator.runner import SimulatedSensor, find_engine
from legcurl.simulator.world import HEADER, RATE_HZ, RECORD, World
from legcurl.station.request_client import RequestClient
from selection import first_short
from timings import LIMIT_S

DEVICE_INFORMATION = {
    "00002a29-0000-1000-8000-00805f9b34fb": "legcurl",
    "00002a24-0000-1000-8000-00805f9b34fb": "pico_w",
    "00002a26-0000-1000-8000-00805f9b34fb": "0.1.0",
}
SERIAL_NUMBER = "00002a25-0000-1000-8000-00805f9b34fb"
LONG_NAME = "Die Beinbeugemaschine am Fenster"  # 32 bytes


def check_every_sample(sensor: SimulatedSensor, received: list[Samples | Gap]) -> int:
    """Indexes without a gap, and at each the angle that the encoder saw; how many there were."""
    runs = [run for run in received if isinstance(run, Samples)]
    assert runs == received, "there is a gap"
    end_s = max(run.t_us + len(run.angles) * run.period_us for run in runs) / 1e6
    stream = bytearray()
    for records in World(sensor.options).records():
        stream += records
        if len(stream) > HEADER.size + RECORD.size * RATE_HZ * (end_s + 1):
            break  # the world may go on for ever
    whole = len(stream) - (len(stream) - HEADER.size) % RECORD.size
    seen = [angle >> 4 for angle, _, _ in RECORD.iter_unpack(stream[HEADER.size : whole])]
    index = 0
    for run in runs:
        assert run.index == index
        for place, angle in enumerate(run.angles):
            number, rest = divmod((run.t_us + place * run.period_us) * RATE_HZ, 1_000_000)
            if not rest:
                assert angle >> 4 == seen[number], f"sample {index + place}"
        index += len(run.angles)
    return index


async def ask_by_cable(sensor: SimulatedSensor, op: Op, payload: bytes = b"") -> bytes:
    link = await SerialRoute(SerialAddress(sensor.port)).connect()
    client = RequestClient(link, name="cable", patience_s=LIMIT_S)
    answer = await until_first(
        client.discard_frames(), client.granted(op, lambda n: encode_request(n, op, payload))
    )
    await link.close()
    assert answer is not None
    return answer.payload


async def test_the_advertisement_says_what_it_is_and_that_it_is_free() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        assert sensor.radio is not None
        heard = await advertised(sensor.radio.scanner_backend, address_of(sensor))
        host = await connected(sensor)
        sensor_id = (await host.hello())["sensor_id"]
    assert heard.local_name == "Simulated leg curl"
    assert heard.service_uuids == [SERVICE]
    assert heard.manufacturer_data == {COMPANY: b"\0" + bytes.fromhex(sensor_id)[-4:]}


async def test_a_connected_sensor_advertises_as_in_use_and_takes_no_other() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        assert sensor.radio is not None
        host = await connected(sensor)
        async with Central(sensor.radio.radio, address="F0:F0:F0:00:00:02") as other:
            heard = await advertised(other.scanner_backend, address_of(sensor))
            assert heard.manufacturer_data[COMPANY][0] & 1 == 1
            assert heard.local_name == "Simulated leg curl"
            second = BleakClient(address_of(sensor), timeout=1.0, backend=other.client_backend)
            with pytest.raises(BleakDeviceNotFoundError):
                await second.connect()
            await host.disconnect()
            await advertised(
                other.scanner_backend,
                address_of(sensor),
                until=lambda said: said.manufacturer_data[COMPANY][0] & 1 == 0,
            )
            await second.connect()
            await second.disconnect()


async def test_a_second_central_is_disconnected_and_counted() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        assert sensor.radio is not None
        host = await connected(sensor)
        device = sensor.radio.peripheral.device
        assert device is not None
        async with Central(sensor.radio.radio, address="F0:F0:F0:00:00:02") as other:
            await advertised(other.scanner_backend, address_of(sensor))
            # A stack that missed that it is not to be connected to.
            await device.start_advertising(
                AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
                own_address_type=OwnAddressType.PUBLIC,
            )
            lost = asyncio.Event()
            second = BleakClient(
                address_of(sensor),
                disconnected_callback=lambda _: lost.set(),
                backend=other.client_backend,
            )
            try:
                await second.connect()
            except BleakError:
                assert not second.is_connected  # it went in the middle of discovery
            else:
                await asyncio.wait_for(lost.wait(), LIMIT_S)
        figures = await host.ble_figures()
        assert figures["refused"] == 1
        assert figures["connections"] == 1
        assert figures["connected"] is True


async def held(pinging: bool) -> dict[str, Any]:
    """What a sensor tells after a central has held it for more than half a minute."""
    async with sensor_on_air("sim:?link=ble") as sensor:
        host = await connected(sensor)
        for _ in range(8):
            await asyncio.sleep(4.0)
            if pinging:
                await host.ask(Op.PING, bytes(8))
        if not pinging:
            await asyncio.wait_for(host.lost.wait(), LIMIT_S)
            host = await connected(sensor)
        return await host.ble_figures()


@pytest.mark.long
async def test_an_idle_central_loses_the_sensor_and_pings_keep_it() -> None:
    idle, busy = await asyncio.gather(held(pinging=False), held(pinging=True))
    assert (idle["dismissed"], idle["connections"]) == (1, 2)
    assert (busy["dismissed"], busy["connections"]) == (0, 1)


async def test_the_table_is_that_of_the_protocol() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        host = await connected(sensor)
        services = {service.uuid: service for service in host.client.services}
        ours = {item.uuid: set(item.properties) for item in services[SERVICE].characteristics}
        assert ours == {
            SAMPLES: {"notify"},
            REQUESTS: {"write", "write-without-response"},
            ANSWERS: {"notify"},
            INFO: {"read"},
        }
        for uuid, text in DEVICE_INFORMATION.items():
            assert (await host.client.read_gatt_char(uuid)).decode() == text
        hello = await host.hello()
        assert (await host.client.read_gatt_char(SERIAL_NUMBER)).decode() == hello["sensor_id"]
        info = json.loads(await host.client.read_gatt_char(INFO))
        names = ("protocol", "firmware", "sensor_id", "name", "key_id")
        assert info == {name: hello[name] for name in names}


@pytest.mark.parametrize("mtu", [23, 185, 517])
async def test_requests_and_answers_pass_at_every_mtu(mtu: int) -> None:
    async with sensor_on_air(f"sim:?link=ble&pace=20&mtu={mtu}") as sensor:
        host = await connected(sensor)
        assert host.client.mtu_size == mtu
        long_request = b"\xa5" * 900  # refused, but whole
        assert (await host.ask(Op.CALIBRATION_PUT, long_request)).result == Result.NOT_ALLOWED
        assert (await host.hello())["board"] == "pico_w"
        figures = await host.ble_figures()
        assert figures["mtu"] == mtu
        assert figures["truncated"] == 0
        assert host.largest_piece <= mtu - 3
        assert host.damaged == 0


async def test_an_overlong_write_is_counted_and_the_next_request_answered() -> None:
    async with sensor_on_air("sim:?link=ble&pace=20") as sensor:
        host = await connected(sensor)
        os.kill(sensor.firmware_pid, signal.SIGSTOP)  # its main loop hangs
        try:
            for _ in range(4):
                await host.client.write_gatt_char(REQUESTS, b"\x01" * 500, response=True)
        finally:
            os.kill(sensor.firmware_pid, signal.SIGCONT)
        await host.send(b"\0")
        assert (await host.hello())["board"] == "pico_w"
        statistics = json.loads((await host.ask(Op.STATISTICS)).payload)
        assert statistics["ble"]["truncated"] == 1
        assert statistics["bad_frames"] >= 1


@pytest.mark.parametrize(
    "radio",
    first_short(
        ["mtu=23&loss=0.3", "mtu=23", "mtu=247", "mtu=185&no_memory=0.3", "interval_ms=7.5&mtu=64"]
    ),
)
async def test_a_whole_set_arrives_sample_by_sample(radio: str) -> None:
    async with sensor_on_air(f"sim:?link=ble&pace=fast&lifter=early&seed=3&{radio}") as sensor:
        host = await connected(sensor)
        hello = await host.hello()
        await host.start(hello["boot_id"])
        await asyncio.wait_for(host.lost.wait(), LIMIT_S)
        await asyncio.wait_for(sensor.wait(), LIMIT_S)
        assert host.damaged == 0
        got = check_every_sample(sensor, host.received)
        last_s = sum(1 for _ in World(sensor.options).sensor_trace(100)) / 100
        assert got / 100 > last_s - 0.5, "the farewell takes along what was not sent yet"


@pytest.mark.long
async def test_the_same_samples_come_by_every_radio_and_from_every_engine() -> None:
    """At pace=fast the sensor waits for its radio, so nothing but the seed decides."""
    heard = []
    for radio, engine in (
        ("mtu=517", None),
        ("mtu=23&loss=0.4&no_memory=0.2&interval_ms=100", None),
        ("mtu=64", find_engine("cpython")),
    ):
        address = f"sim:?link=ble&pace=fast&lifter=aborted&seed=8&{radio}"
        async with sensor_on_air(address, engine) as sensor:
            host = await connected(sensor)
            await host.start()
            await asyncio.wait_for(host.lost.wait(), LIMIT_S)
            heard.append(host.received)
    assert heard[0] == heard[1] == heard[2]
    assert len(heard[0]) > 100


async def test_no_memory_delays_and_is_counted() -> None:
    async with sensor_on_air("sim:?link=ble&pace=20&no_memory=0.5") as sensor:
        host = await connected(sensor)
        await host.start()
        await host.samples_until(4000)
        figures = await host.ble_figures()
        assert figures["no_memory"] > 10
        assert check_every_sample(sensor, host.received) >= 4000


async def test_seconds_of_silence_lose_nothing_and_may_keep_the_connection() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        assert sensor.radio is not None
        radio, peripheral = sensor.radio.radio, sensor.radio.peripheral
        radio.preferred = type(radio.preferred)(radio.preferred.interval, 0, 3200)  # 32 s
        host = await connected(sensor)
        await host.start()
        await host.samples_until(300)
        assert peripheral.controller is not None
        radio.silence(peripheral.controller)
        await asyncio.sleep(0.02)  # what had been carried before
        before = host.log.expected
        await asyncio.sleep(5.0 / 8)
        assert host.log.expected == before
        radio.hear(peripheral.controller)
        await host.samples_until(1500)
        figures = await host.ble_figures()
        assert figures["connections"] == 1
        assert figures["no_memory"] >= 1, "the buffers were full"
        check_every_sample(sensor, host.received)


async def test_after_a_supervision_timeout_the_next_connection_resumes() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        assert sensor.radio is not None
        radio, peripheral = sensor.radio.radio, sensor.radio.peripheral
        host = await connected(sensor)
        boot_id = (await host.hello())["boot_id"]
        await host.start(boot_id)
        await host.samples_until(300)
        assert peripheral.controller is not None
        radio.silence(peripheral.controller, 8.0)
        await asyncio.wait_for(host.lost.wait(), LIMIT_S)
        again = await connected(sensor, host.log)
        await again.start(boot_id)
        await again.samples_until(2000)
        assert check_every_sample(sensor, host.received + again.received) >= 2000
        figures = await again.ble_figures()
        assert figures["connections"] == 2
        assert figures["refused"] == 0


async def test_the_next_central_begins_with_a_clean_slate() -> None:
    """Neither half a request nor half an answer nor the stream of the one before is its own."""
    async with sensor_on_air("sim:?link=ble&pace=8&mtu=23") as sensor:
        host = await connected(sensor)
        await host.start()
        await host.client.write_gatt_char(REQUESTS, encode_request(9, Op.HELLO)[:-3], response=True)
        await host.disconnect()
        again = await connected(sensor)
        assert (await again.hello())["board"] == "pico_w"
        await asyncio.sleep(0.2)
        assert again.received == []
        assert again.log.counts.unasked == 0
        assert again.damaged == 0


async def test_a_changed_name_is_advertised_at_once() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        assert sensor.radio is not None
        scanner = sensor.radio.scanner_backend
        settings = json.dumps({"name": LONG_NAME}).encode()
        await ask_by_cable(sensor, Op.SETTINGS_PUT, settings)
        heard = await advertised(
            scanner, address_of(sensor), until=lambda said: said.local_name != "Simulated leg curl"
        )
        assert heard.local_name == LONG_NAME[:29], "shortened to the scan response's room"
        host = await connected(sensor)
        assert json.loads(await host.client.read_gatt_char(INFO))["name"] == LONG_NAME


async def test_a_host_by_air_may_not_change_the_sensor() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        host = await connected(sensor)
        refused = await host.ask(Op.SETTINGS_PUT, b'{"name": "mine"}')
        assert refused.result == Result.NOT_ALLOWED
        assert (await host.hello())["name"] == "Simulated leg curl"


async def test_a_restart_tells_the_central_and_begins_a_new_log() -> None:
    async with sensor_on_air("sim:?link=ble&pace=8") as sensor:
        host = await connected(sensor)
        boot_id = (await host.hello())["boot_id"]
        await host.start(boot_id)
        await ask_by_cable(sensor, Op.REBOOT)
        await asyncio.wait_for(host.lost.wait(), LIMIT_S)
        again = await connected(sensor)
        hello = await again.hello()
        assert hello["boot_id"] != boot_id
        assert (await again.ble_figures())["connections"] == 1
        await again.start(hello["boot_id"])
        await again.samples_until(100)
        assert again.received[0].index == 0


async def test_a_power_cut_is_a_supervision_timeout_and_the_sensor_comes_back() -> None:
    async with sensor_on_air("sim:?link=ble&pace=20&fault=reboot&lifter=early") as sensor:
        host = await connected(sensor)
        boot_id = (await host.hello())["boot_id"]
        await host.start(boot_id)
        await asyncio.wait_for(host.lost.wait(), LIMIT_S)
        assert not sensor.finished
        again = await connected(sensor)
        assert (await again.hello())["boot_id"] != boot_id


async def test_faults_of_the_encoder_come_through_in_band() -> None:
    address = "sim:?link=ble&pace=fast&lifter=early&seed=5&fault=bus_error,no_magnet"
    async with sensor_on_air(address) as sensor:
        host = await connected(sensor)
        await host.start()
        await asyncio.wait_for(host.lost.wait(), LIMIT_S)
        runs = [run for run in host.received if isinstance(run, Samples)]
        assert len(runs) == len(host.received)
        for before, after in pairwise(runs):
            assert after.index == before.index + len(before.angles)
        seen = 0
        for run in runs:
            seen |= run.status
        assert seen & 0x08, "the bus"
        assert seen & 0x01, "the magnet"


async def test_a_host_that_stalls_is_a_radio_that_takes_nothing() -> None:
    async with sensor_on_air(
        "sim:?link=ble&pace=fast&lifter=early&seed=4&fault=host_stall"
    ) as sensor:
        host = await connected(sensor)
        await host.start()
        await asyncio.wait_for(host.lost.wait(), LIMIT_S)
        check_every_sample(sensor, host.received)


@pytest.mark.long
async def test_a_hundred_connections_leave_nothing_behind() -> None:
    async with sensor_on_air("sim:?link=ble&pace=100&interval_ms=7.5") as sensor:
        assert sensor.radio is not None
        host = await connected(sensor)
        await host.ask(Op.PING, bytes(8))
        free = json.loads((await host.ask(Op.STATISTICS)).payload)["free_heap"]
        await host.disconnect()
        for round_ in range(99):
            host = await connected(sensor)
            if round_ % 3:
                await host.start()
            await host.disconnect()
        host = await connected(sensor)
        figures = await host.ble_figures()
        assert figures["connections"] == 101
        assert figures["refused"] == 0
        assert figures["failures"] == 0
        assert sensor.radio.peripheral.connections == 1
        assert sensor.radio.radio.connections == 1
        after = json.loads((await host.ask(Op.STATISTICS)).payload)["free_heap"]
        assert after > free - 60_000, "the log fills, nothing else does"
        await host.disconnect()
        gc.collect()
        hosts = [item for item in gc.get_objects() if isinstance(item, BleHost)]
        assert len(hosts) <= 3, "connections that are over are not kept"


async def test_two_sensors_share_a_radio_and_do_not_mix() -> None:
    async with sensor_on_air("sim:?link=ble&pace=20&seed=1") as one:
        assert one.radio is not None
        other = SimulatedSensor(parse_address("sim:?link=ble&pace=20&seed=2"), air=one.radio.radio)
        async with other, Central(one.radio.radio, address="F0:F0:F0:00:00:09") as central:
            assert other.radio is not None
            hosts = [
                await BleHost(central).connect(sensor.radio.address)
                for sensor in (one, other)
                if sensor.radio is not None
            ]
            for host in hosts:
                await host.start()
            for host in hosts:
                await host.samples_until(1000)
            for host, sensor in zip(hosts, (one, other), strict=True):
                check_every_sample(sensor, host.received)

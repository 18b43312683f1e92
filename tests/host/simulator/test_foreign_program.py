"""A MicroPython program of somebody else's on the radio: unchanged, as on a board."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from legcurl.errors import SensorError
from legcurl.simulator.radio import Central, VirtualRadio
from legcurl.simulator.radio.device import MicropythonDevice
from legcurl.simulator.runner import find_engine

PROGRAM = Path(__file__).with_name("thermometer.py")
TEMPERATURE = "00002a6e-0000-1000-8000-00805f9b34fb"


@pytest.mark.parametrize("engine", [find_engine(), find_engine("cpython")], ids=["vm", "cpython"])
async def test_it_is_found_read_and_heard_and_takes_another_central_afterwards(engine) -> None:
    radio = VirtualRadio(pace=10.0)
    async with MicropythonDevice(radio, PROGRAM, engine=engine), Central(radio) as central:
        for _ in range(2):
            device = await BleakScanner.find_device_by_name(
                "warm", timeout=5.0, backend=central.scanner_backend
            )
            assert device is not None
            async with BleakClient(device, backend=central.client_backend) as client:
                heard: list[int] = []

                def hear(_: object, value: bytearray, heard: list[int] = heard) -> None:
                    heard.append(int.from_bytes(value, "little"))

                await client.start_notify(TEMPERATURE, hear)
                while len(heard) < 20:
                    await asyncio.sleep(0.01)
                assert heard == list(range(heard[0], heard[0] + len(heard)))
                value = int.from_bytes(await client.read_gatt_char(TEMPERATURE), "little")
                assert value >= heard[19]


async def test_its_cause_of_death_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import bluetooth\nble = bluetooth.BLE()\nble.gatts_read(1)\n")
    async with MicropythonDevice(VirtualRadio(), broken) as device:
        with pytest.raises(SensorError, match="OSError"):
            await device.finished()

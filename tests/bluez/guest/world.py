"""The world around the guest's computer: its Bluetooth controller, the air, and sensors in it.

    world.py SOCKET

The kernel has a controller because /dev/vhci is one end of a pipe, and the other end is here:
legcurl's VirtualController, on the same VirtualRadio as the simulated sensors, whose firmware runs
on the MicroPython VM. Everything above, from the kernel's HCI on, is the real thing.

What the steps want to happen comes as lines of JSON on SOCKET, `["method", argument, …]`, and is
answered by `{"done": …}` or `{"failed": "why"}`: see the methods of `World`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from bumble.device import Connection, Device
from bumble.gatt import Characteristic
from bumble.transport import open_transport
from legcurl.errors import SensorError
from legcurl.firmware_files import firmware_directory
from legcurl.links.address import SimAddress, parse
from legcurl.simulator.radio import VirtualRadio
from legcurl.simulator.radio.controller import VirtualController
from legcurl.simulator.radio.simulated_sensor_radio import SimulatedSensorRadio
from legcurl.simulator.runner import SimulatedSensor

ADAPTER_ADDRESS = "C0:1D:00:00:00:01"
START_S = 60.0  # for a sensor to advertise; two processes start, at a tenth of the usual speed
POLL_S = 0.05

# A later firmware, as far as a host that remembers the earlier one is concerned: one more
# characteristic in its first service (hardware revision) moves the handles of all that follow.
LATER_FIRMWARE = """
import bluetooth

_register = bluetooth.BLE.gatts_register_services


def _register_one_more(ble, services):
    uuid, characteristics = services[0]
    revision = (bluetooth.UUID(0x2A27), bluetooth.FLAG_READ)
    return _register(ble, ((uuid, characteristics + (revision,)),) + services[1:])


bluetooth.BLE.gatts_register_services = _register_one_more
"""

log = logging.getLogger("world")


class World:
    """What the steps may do to it. A sensor goes by its Bluetooth address."""

    def __init__(self, radio: VirtualRadio) -> None:
        self._radio = radio
        self._sensors: dict[str, SimulatedSensor] = {}
        self._boots = 0
        self._later_firmware: tempfile.TemporaryDirectory[str] | None = None

    async def start(self, simulation: str, *, later_firmware: bool = False) -> str:
        """Switch a simulated sensor on, and wait until it advertises; its address."""
        options = parse(simulation)
        assert isinstance(options, SimAddress)
        firmware = self._with_another_table() if later_firmware else None
        sensor = SimulatedSensor(
            options.options, air=self._radio, firmware=firmware, boots=self._boots
        )
        self._boots += 1
        await sensor.start()
        assert sensor.radio is not None, "only sensors with a radio"
        address = sensor.radio.address
        assert address not in self._sensors, "it is on"
        self._sensors[address] = sensor
        async with asyncio.timeout(START_S):
            while not _advertises(sensor.radio):
                sensor.raise_failure()
                await asyncio.sleep(POLL_S)
        return address

    async def kill(self, address: str) -> None:
        """Cut a sensor's power. Raises what it has died of before."""
        sensor = self._sensors.pop(address)
        ended = sensor.finished
        await sensor.close()
        if ended:
            sensor.raise_failure()
            raise SensorError("The sensor ended by itself.")

    async def clear(self) -> None:
        """Cut the power of all sensors."""
        for address in tuple(self._sensors):
            await self.kill(address)

    async def drop(self, address: str) -> None:
        """Let the sensor's side end its connection."""
        await self._connection(address).disconnect()

    async def silence(self, address: str, seconds: float) -> None:
        """Let nobody hear the sensor, nor it anybody, for so long."""
        controller = self._on_air(address).peripheral.controller
        assert controller is not None, "its radio is off"
        self._radio.silence(controller, seconds)

    async def connection(self, address: str) -> dict[str, float]:
        """What the sensor's side knows of its connection."""
        connection = self._connection(address)
        return {
            "mtu": connection.att_mtu,
            "interval_ms": connection.parameters.connection_interval,
            "timeout_ms": connection.parameters.supervision_timeout,
        }

    async def table(self, address: str) -> list[int]:
        """The handles of the sensor's characteristics."""
        attributes = self._device(address).gatt_server.attributes
        return [each.handle for each in attributes if isinstance(each, Characteristic)]

    def _connection(self, address: str) -> Connection:
        (connection,) = self._device(address).connections.values()
        return connection

    def _device(self, address: str) -> Device:
        device = self._on_air(address).peripheral.device
        assert device is not None, "its radio is off"
        return device

    def _on_air(self, address: str) -> SimulatedSensorRadio:
        on_air = self._sensors[address].radio
        assert on_air is not None
        return on_air

    def _with_another_table(self) -> Path:
        """A copy of the firmware with one more characteristic."""
        if self._later_firmware is None:
            self._later_firmware = tempfile.TemporaryDirectory(prefix="later-firmware-")
            place = Path(self._later_firmware.name) / "firmware"
            shutil.copytree(firmware_directory(), place)
            main = place / "main.py"
            main.write_text(LATER_FIRMWARE + main.read_text())
        return Path(self._later_firmware.name) / "firmware"


def _advertises(on_air: SimulatedSensorRadio) -> bool:
    device = on_air.peripheral.device
    return device is not None and device.is_advertising


async def answer(world: World, line: bytes) -> dict[str, Any]:
    """Do what a line asks for."""
    began_s = monotonic()
    try:
        method, *arguments = json.loads(line)
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        done = await getattr(world, method)(*arguments, **options)
    except Exception as error:  # the step that asked is told, whatever it was
        log.exception("%s", line.decode().strip())
        return {"failed": f"{type(error).__name__}: {error}"}
    log.info("%s → %s after %.2f s", line.decode().strip(), done, monotonic() - began_s)
    return {"done": done}


async def main(socket: str) -> None:
    """Put a controller behind the kernel and serve the steps until killed."""
    async with await open_transport("vhci") as kernel:
        radio = VirtualRadio()
        VirtualController("adapter", radio, ADAPTER_ADDRESS, kernel.source, kernel.sink)
        world = World(radio)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(json.dumps(await answer(world, line)).encode() + b"\n")
                await writer.drain()
            writer.close()

        await asyncio.start_unix_server(serve, socket)
        log.info("the adapter is there")
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s.%(msecs)03d %(name)s: %(message)s", datefmt="%T"
    )
    asyncio.run(main(sys.argv[1]))

"""The world around the guest's computer: its Bluetooth controller, the air, and a sensor in it.

    world.py SOCKET

The kernel has a controller because /dev/vhci is one end of a pipe, and the other end is here:
legcurl's VirtualController, on the same VirtualRadio as the simulated sensor, whose firmware runs
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
from bumble.transport import open_transport
from legcurl.address import SimAddress, parse
from legcurl.errors import SensorError
from legcurl.simulator.firmware_home import firmware_directory
from legcurl.simulator.radio import VirtualRadio
from legcurl.simulator.radio.controller import VirtualController
from legcurl.simulator.radio.on_air import OnAir
from legcurl.simulator.runner import SimulatedSensor

ADAPTER_ADDRESS = "C0:1D:00:00:00:01"
START_S = 30.0  # for a sensor to advertise; two processes start, at a tenth of the usual speed
POLL_S = 0.05

# A later firmware, as far as a host that remembers the earlier one is concerned: one more
# characteristic (hardware revision, of Device Information) before ours moves all their handles.
LATER_FIRMWARE = """

_earlier_services = _services


def _services():
    device, ours = _earlier_services()
    revision = (bluetooth.UUID(0x2A27), bluetooth.FLAG_READ)
    return (device[0], device[1] + (revision,)), ours
"""

log = logging.getLogger("world")


class World:
    """What the steps may do to it."""

    def __init__(self, radio: VirtualRadio, adapter: VirtualController) -> None:
        self._radio = radio
        self._adapter = adapter
        self._sensor: SimulatedSensor | None = None
        self._boots = 0
        self._later_firmware: tempfile.TemporaryDirectory[str] | None = None

    async def start(self, address: str, *, later_firmware: bool = False) -> str:
        """Switch a simulated sensor on, and wait until it advertises; its Bluetooth address."""
        await self.kill()
        options = parse(address)
        assert isinstance(options, SimAddress)
        firmware = self._with_another_table() if later_firmware else None
        sensor = SimulatedSensor(
            options.options, air=self._radio, firmware=firmware, boots=self._boots
        )
        self._boots += 1
        await sensor.start()
        self._sensor = sensor
        async with asyncio.timeout(START_S):
            while not (self._device and self._device.is_advertising):
                sensor.raise_failure()
                await asyncio.sleep(POLL_S)
        return self._on_air.address

    async def kill(self) -> None:
        """Cut the sensor's power, if there is one. Raises what it has died of before."""
        sensor, self._sensor = self._sensor, None
        if sensor is None:
            return
        ended = sensor.finished
        await sensor.close()
        if ended:
            sensor.raise_failure()
            raise SensorError("The sensor ended by itself.")

    async def drop(self) -> None:
        """Let the sensor's side end the connection."""
        (connection,) = self._connections
        await connection.disconnect()

    async def silence(self, seconds: float) -> None:
        """Let nobody hear the sensor, nor it anybody, for so long."""
        controller = self._on_air.peripheral.controller
        assert controller is not None, "the sensor's radio is off"
        self._radio.silence(controller, seconds)

    async def connection(self) -> dict[str, Any]:
        """What the sensor's side knows of its one connection."""
        (connection,) = self._connections
        parameters = connection.parameters
        return {
            "mtu": connection.att_mtu,
            "interval_ms": parameters.connection_interval,
            "timeout_ms": parameters.supervision_timeout,
        }

    @property
    def _connections(self) -> list[Connection]:
        device = self._device
        assert device is not None, "the sensor's radio is off"
        return list(device.connections.values())

    @property
    def _device(self) -> Device | None:
        return self._on_air.peripheral.device

    @property
    def _on_air(self) -> OnAir:
        assert self._sensor is not None, "there is no sensor"
        assert self._sensor.radio is not None, "the sensor has no radio"
        return self._sensor.radio

    def _with_another_table(self) -> Path:
        """A copy of the firmware with one more characteristic."""
        if self._later_firmware is None:
            self._later_firmware = tempfile.TemporaryDirectory(prefix="later-firmware-")
            place = Path(self._later_firmware.name) / "firmware"
            shutil.copytree(firmware_directory(), place)
            with (place / "sensor" / "links" / "ble.py").open("a") as file:
                file.write(LATER_FIRMWARE)
        return Path(self._later_firmware.name) / "firmware"


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
        adapter = VirtualController("adapter", radio, ADAPTER_ADDRESS, kernel.source, kernel.sink)
        world = World(radio, adapter)

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

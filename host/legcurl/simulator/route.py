"""A sensor that is simulated for this one use: started with the first connection, then as real.

The bytes go through the pseudo-terminal (or TCP port, `link=tcp`) that any program could open, or,
with `link=ble`, through a Bluetooth adapter on a virtual radio; nothing above this route, and not
the link of Bluetooth either, knows that there is no machine. What differs is the end: a world of
pace=fast is over at some time, and then `read` gives b"" where a real cable would be pulled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from legcurl.errors import LinkError, LinkLostError
from legcurl.links.address import SerialAddress, SimAddress
from legcurl.links.route import SILENCE_S, Link
from legcurl.links.serial import SerialRoute
from legcurl.links.tcp import TcpRoute
from legcurl.simulator.runner import PortWatch, SimulatedSensor

# Seconds mean nothing to a fast world, and a busy computer may be slow to start processes: only
# something that is stuck for good takes this long.
SIMULATED_PATIENCE_S = 30.0
# Between a radio that falls silent because its world is over, and the end of the processes.
END_S = 1.0
END_POLL_S = 0.02

if TYPE_CHECKING:
    from legcurl.links.ble.link import BleRoute


class SimulatedRoute:
    """The way to a simulated sensor, and the sensor."""

    def __init__(self, address: SimAddress) -> None:
        options = address.options
        self.name = str(address)
        self.pace = None if isinstance(options.pace, str) else options.pace
        self.silence_s = (
            SIMULATED_PATIENCE_S if self.pace is None else SILENCE_S / min(self.pace, 1.0)
        )
        self.patience_s = SIMULATED_PATIENCE_S
        self.wired = options.link != "ble"
        self.sensor = SimulatedSensor(options, tcp_port=0 if options.link == "tcp" else None)
        self._started = False
        self._radio: BleRoute | None = None

    async def connect(self) -> Link:
        """Start the sensor if this is the first time, and open its port."""
        if not self._started:
            await self.sensor.start()
            self._started = True
        ended = self.sensor.finished  # before the port is opened: that discards what waits in it
        if ended:
            self.sensor.raise_failure()
        if self.sensor.radio is not None:
            return await self._connect_by_radio(ended=ended)
        tcp = self.sensor.tcp_address
        route = SerialRoute(SerialAddress(self.sensor.port)) if tcp is None else TcpRoute(tcp)
        return SimulatedLink(await route.connect(), self.sensor, ended=ended)

    async def close(self) -> None:
        """End the sensor and everything that belongs to it."""
        await self.sensor.close()

    async def _connect_by_radio(self, *, ended: bool) -> SimulatedRadioLink:
        if ended:
            return SimulatedRadioLink(None, self.sensor)
        if self._radio is None:
            from legcurl.links.address import BleAddress
            from legcurl.links.ble.link import BleRoute

            on_air = self.sensor.radio
            assert on_air is not None
            self._radio = BleRoute(
                BleAddress(on_air.address),
                scanner=on_air.scanner_backend,
                client=on_air.client_backend,
            )
        try:
            return SimulatedRadioLink(await self._radio.connect(), self.sensor)
        except LinkError:
            self.sensor.raise_failure()  # a simulation that broke is not to be waited for
            raise


class SimulatedLink:
    """A connection to a simulated sensor."""

    def __init__(self, link: Link, sensor: SimulatedSensor, *, ended: bool) -> None:
        self._link = link
        self._sensor = sensor
        self._ended = ended
        self._watch = PortWatch()

    async def read(self) -> bytes:
        """Wait for bytes; b"" after the end of the world. SensorError if the simulation broke."""
        if self._ended:
            self._sensor.raise_failure()
            return b""
        if self._watch.cut:
            raise LinkLostError("The simulated cable was pulled (sim option outages).")
        chunk = await self._link.read()
        self._watch.push(chunk)
        self._ended = self._watch.ended
        return chunk

    async def write(self, packet: bytes) -> None:
        """Send it all; see Link."""
        await self._link.write(packet)

    async def close(self) -> None:
        """Release the connection; the sensor runs on."""
        await self._link.close()


class SimulatedRadioLink:
    """A Bluetooth connection to a simulated sensor; None is to one that has ended."""

    def __init__(self, link: Link | None, sensor: SimulatedSensor) -> None:
        self._link = link
        self._sensor = sensor

    async def read(self) -> bytes:
        """Wait for bytes; b"" after the end of the world. SensorError if the simulation broke."""
        if self._link is not None:
            try:
                return await self._link.read()
            except LinkLostError:
                if not await self._over():
                    raise
        self._sensor.raise_failure()
        return b""

    async def write(self, packet: bytes) -> None:
        """Send it all; see Link."""
        if self._link is None:
            raise LinkLostError("The simulated sensor has ended.")
        await self._link.write(packet)

    async def close(self) -> None:
        """Release the connection; the sensor runs on."""
        if self._link is not None:
            await self._link.close()

    async def _over(self) -> bool:
        """Whether the connection was lost because the world has ended."""
        left_s = END_S
        while not self._sensor.finished and left_s > 0:
            await asyncio.sleep(END_POLL_S)
            left_s -= END_POLL_S
        return self._sensor.finished

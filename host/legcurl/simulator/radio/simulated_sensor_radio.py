"""The Bluetooth side of one simulated sensor: `sim:?link=ble`.

A radio with the sensor's properties on it (interval, loss), the sensor itself, and an adapter for
the host in this process. Sensors may share a radio, and each still brings an adapter of its own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from legcurl.simulator.radio.air import VirtualRadio
from legcurl.simulator.radio.central import Central
from legcurl.simulator.radio.peripheral import FirmwarePeripheral

if TYPE_CHECKING:
    import socket

    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner

    from legcurl.links.sim_address import SimOptions

# How fast the radio's clock runs where the world's runs as fast as it can. There the firmware
# waits for its radio, so that this decides how long a simulation takes and nothing else.
FAST_PACE = 100.0
LOCAL = 0x02  # the bit of a locally chosen address


class SimulatedSensorRadio:
    """From `start` to `close`; `address` is the sensor's, the backends are for bleak."""

    def __init__(self, options: SimOptions, radio: VirtualRadio | None = None) -> None:
        fast = isinstance(options.pace, str)
        self.radio = radio or VirtualRadio(
            interval_s=options.interval_ms / 1000,
            loss=options.loss,
            seed=options.seed,
            pace=FAST_PACE if isinstance(options.pace, str) else options.pace,
        )
        self.address = _address("sensor", options.seed)
        self.peripheral = FirmwarePeripheral(
            self.radio,
            self.address,
            mtu=options.mtu,
            no_memory=options.no_memory,
            seed=options.seed,
            patient=fast,
        )
        self.central = Central(self.radio, address=_address("host", options.seed))
        self._serving: asyncio.Task[None] | None = None

    @property
    def firmware_end(self) -> socket.socket:
        """The socket that the firmware's process gets."""
        return self.peripheral.firmware_end

    @property
    def scanner_backend(self) -> type[BaseBleakScanner]:
        """For `BleakScanner(backend=…)`."""
        return self.central.scanner_backend

    @property
    def client_backend(self) -> type[BaseBleakClient]:
        """For `BleakClient(backend=…)`."""
        return self.central.client_backend

    async def start(self) -> None:
        """Serve the firmware, whose process has its end of the socket now."""
        await self.central.power_on()
        self._serving = asyncio.create_task(self.peripheral.serve())

    async def close(self) -> None:
        """Take both off the air; the firmware ends."""
        await self.peripheral.close()
        if self._serving is not None:
            self._serving.cancel()
            with suppress(asyncio.CancelledError):
                await self._serving
            self._serving = None
            await self.central.close()


def _address(whose: str, seed: int) -> str:
    octets = bytearray(sha256(f"{whose} {seed}".encode()).digest()[:6])
    octets[0] = octets[0] & 0xFC | LOCAL
    return ":".join(f"{octet:02X}" for octet in octets)

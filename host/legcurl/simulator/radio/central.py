"""A host's Bluetooth adapter on a virtual radio, and what a program sees of it: bleak.

`Central.scanner_backend` and `Central.client_backend` go where bleak takes a backend:

    async with Central(radio) as central:
        device = await BleakScanner.find_device_by_name("X", backend=central.scanner_backend)
        async with BleakClient(device, backend=central.client_backend) as client: ...

Any number of scanners and clients share one adapter. As with BlueZ, a device has to be heard
before it is connected to, a connection attempt that waits for its device holds up no other,
and a client is told when its connection has gone. The adapter always scans actively.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bumble import core, hci
from bumble.device import Advertisement, ConnectionParametersPreferences, Device
from bumble.transport.common import AsyncPipeSink

from legcurl.simulator.radio.backend import client_backend, scanner_backend
from legcurl.simulator.radio.controller import VirtualController
from legcurl.simulator.radio.tolerant import TolerantDevice, TolerantHost

if TYPE_CHECKING:
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner
    from bumble.device import Connection

    from legcurl.simulator.radio.air import VirtualRadio

ADDRESS = "F0:F0:F0:00:00:01"
LARGEST_MTU = 517
# Of an advertiser that was heard a moment ago; over a radio that loses, or that is taken.
CONNECT_S = 2.0


class Central:
    """One adapter; power it on before use, or use it as a context."""

    def __init__(
        self, radio: VirtualRadio, *, address: str = ADDRESS, mtu: int = LARGEST_MTU
    ) -> None:
        self.radio = radio
        self.mtu = mtu
        self.controller = VirtualController(f"central {address}", radio, address)
        self.device = power(self.controller, "legcurl")
        self.scanner_backend: type[BaseBleakScanner] = scanner_backend(self)
        self.client_backend: type[BaseBleakClient] = client_backend(self)
        self._listeners: list[Callable[[Advertisement], None]] = []
        self._connecting = asyncio.Lock()
        self._scanning = asyncio.Lock()

    async def __aenter__(self) -> Central:
        await self.power_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def power_on(self) -> None:
        """Start the adapter."""
        await self.device.power_on()
        self.device.on(Device.EVENT_ADVERTISEMENT, self._hear)

    async def close(self) -> None:
        """Vanish from the radio; connected devices see a supervision timeout."""
        async with self._scanning:  # a command is on its way to the controller
            self._listeners.clear()
            self.controller.detach()
        for connection in list(self.device.connections.values()):
            self.device.host.on_hci_disconnection_complete_event(
                hci.HCI_Disconnection_Complete_Event(
                    status=hci.HCI_ErrorCode.SUCCESS,
                    connection_handle=connection.handle,
                    reason=hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR,
                )
            )
        await self.device.power_off()

    @asynccontextmanager
    async def listening(self, heard: Callable[[Advertisement], None]) -> AsyncIterator[None]:
        """Scan, and pass on every advertisement."""
        await self.listen(heard)
        try:
            yield
        finally:
            await self.unlisten(heard)

    async def listen(self, heard: Callable[[Advertisement], None]) -> None:
        """Begin to pass advertisements to `heard`."""
        async with self._scanning:
            self._listeners.append(heard)
            if len(self._listeners) == 1:
                await self.device.start_scanning(active=True, filter_duplicates=False)

    async def unlisten(self, heard: Callable[[Advertisement], None]) -> None:
        """End it; safe to repeat."""
        async with self._scanning:
            if heard in self._listeners:
                self._listeners.remove(heard)
                if not self._listeners and self.device.powered_on:
                    await self.device.stop_scanning()

    async def connect(self, address: str, timeout_s: float) -> Connection:
        """Connect to the device of that address, once it is heard; TimeoutError if it is not."""
        async with asyncio.timeout(timeout_s):
            while True:
                target = await self._sight(address)
                async with self._connecting:
                    try:
                        return await self._connect(target)
                    except core.TimeoutError:
                        continue  # another was quicker, or it has gone

    async def _sight(self, address: str) -> hci.Address:
        loop = asyncio.get_running_loop()
        sighted: asyncio.Future[hci.Address] = loop.create_future()

        def heard(advertisement: Advertisement) -> None:
            matches = plain(advertisement.address) == address.upper()
            if matches and advertisement.is_connectable and not sighted.done():
                sighted.set_result(advertisement.address)

        async with self.listening(heard):
            return await sighted

    async def _connect(self, target: hci.Address) -> Connection:
        how = self.radio.preferred
        preferences = ConnectionParametersPreferences(
            connection_interval_min=how.interval * 1.25,
            connection_interval_max=how.interval * 1.25,
            max_latency=how.latency,
            supervision_timeout=how.timeout * 10,
        )
        attempt = asyncio.ensure_future(
            self.device.connect(
                target,
                connection_parameters_preferences={hci.Phy.LE_1M: preferences},
                own_address_type=hci.OwnAddressType.PUBLIC,
                timeout=CONNECT_S,
            )
        )
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            # The controller is still at it, and takes no other attempt until this one is over.
            self._connecting_unwanted = asyncio.create_task(_give_up(attempt))
            await asyncio.shield(self._connecting_unwanted)
            raise

    def _hear(self, advertisement: Advertisement) -> None:
        for listener in tuple(self._listeners):
            listener(advertisement)


def power(controller: VirtualController, name: str) -> Device:
    """A Bumble device with that controller, not yet powered on."""
    return TolerantDevice(name=name, host=TolerantHost(controller, AsyncPipeSink(controller)))


def plain(address: hci.Address) -> str:
    """The address as bleak writes it."""
    return address.to_string(with_type_qualifier=False)


async def _give_up(attempt: asyncio.Future[Connection]) -> None:
    try:
        connection = await attempt
    except core.BaseBumbleError:
        return
    await connection.disconnect()

"""A computer's Bluetooth in memory, as bleak's backends: sensors in range, and what can go wrong.

Not a radio (legcurl/simulator/radio is one): this is for what a radio does not do. The system
says that there is no adapter, that the user may not, that a device cannot be connected to; a
write hangs; the table has no service of ours. Where a test does not break it, it works: a
`Peripheral` advertises, takes one central, and carries the bytes of a LiveSensor in pieces.
Every trouble is one of bleak's own exceptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from legcurl.links.ble.gatt import ANSWERS, COMPANY, REQUESTS, SAMPLES, SERVICE
from live_sensor import LiveSensor

ADVERTISING_S = 0.02
CONNECTION_INTERVAL_S = 0.001
PROPERTIES: dict[str, list[Any]] = {
    ANSWERS: ["notify"],
    SAMPLES: ["notify"],
    REQUESTS: ["write", "write-without-response"],
}


@dataclass(eq=False)
class Peripheral:
    """A device in range."""

    name: str
    address: str
    id_tail: str = "8317812f"
    sensor: LiveSensor | None = None
    rssi: int = -60
    in_use: bool = False  # by somebody whom we do not see
    silent: bool = False  # out of range, or off
    mtu: int = 253
    table: tuple[str, ...] = (ANSWERS, SAMPLES, REQUESTS)
    connect_fails: list[Exception] = field(default_factory=list)
    connect_hangs: bool = False
    drops_at_once: bool = False
    writes_hang: bool = False
    central: FakeClient | None = None
    connections: int = 0

    def advertisement(self) -> AdvertisementData:
        busy = self.in_use or self.central is not None
        payload = bytes((busy,)) + bytes.fromhex(self.id_tail)
        return AdvertisementData(
            self.name or None, {COMPANY: payload}, {}, [SERVICE], None, self.rssi, ()
        )

    def drop(self) -> None:
        """End the connection from this side."""
        if self.central is not None:
            self.central.end()


class FakeBluetooth:
    """One computer: its adapter, and who is in range."""

    def __init__(self, *peripherals: Peripheral) -> None:
        self.peripherals = list(peripherals)
        self.scan_fails: list[Exception] = []
        self.scan_hangs = False
        self.stop_fails: list[Exception] = []
        self.scans = 0  # begun
        self.scanning = 0  # at the moment
        self.most_scanning = 0
        self.connecting = 0
        self.most_connecting = 0
        self.connected_while_scanning = False
        self.writes: list[bytes] = []
        self.disconnects = 0
        self.scanner: type[BaseBleakScanner] = type("Scanner", (FakeScanner,), {"system": self})
        self.client: type[BaseBleakClient] = type("Client", (FakeClient,), {"system": self})


class FakeScanner(BaseBleakScanner):
    """bleak's scanner on a FakeBluetooth."""

    system: FakeBluetooth

    def __init__(
        self, detection_callback: Any, service_uuids: list[str] | None, _mode: str, **_options: Any
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        system = self.system
        if system.scan_fails:
            raise system.scan_fails.pop(0)
        if system.scan_hangs:
            await asyncio.Event().wait()
        system.scans += 1
        system.scanning += 1
        system.most_scanning = max(system.most_scanning, system.scanning)
        self._task = asyncio.create_task(self._advertise())

    async def stop(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        self.system.scanning -= 1
        if self.system.stop_fails:
            raise self.system.stop_fails.pop(0)

    async def _advertise(self) -> None:
        while True:
            for peripheral in self.system.peripherals:
                if peripheral.silent:
                    continue
                told = peripheral.advertisement()
                device = self.create_or_update_device(
                    peripheral.address, peripheral.address, told.local_name, peripheral, told
                )
                self.call_detection_callbacks(device, told)
            await asyncio.sleep(ADVERTISING_S)


class FakeClient(BaseBleakClient):
    """bleak's client on a FakeBluetooth."""

    system: FakeBluetooth

    def __init__(self, device: BLEDevice, services: set[str] | None = None, **options: Any) -> None:
        super().__init__(
            device, disconnected_callback=options["disconnected_callback"], timeout=30.0
        )
        self.peripheral: Peripheral = device.details
        self._callbacks: dict[str, Callable[[bytearray], None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._spoken = asyncio.Event()

    @property
    def name(self) -> str:
        return self.peripheral.name

    @property
    def mtu_size(self) -> int:
        return 23  # as BlueZ says, whatever it is

    @property
    def is_connected(self) -> bool:
        return self.peripheral.central is self

    async def connect(self, pair: bool, **_options: Any) -> None:
        system, peripheral = self.system, self.peripheral
        system.connecting += 1
        system.most_connecting = max(system.most_connecting, system.connecting)
        system.connected_while_scanning |= system.scanning > 0
        try:
            await asyncio.sleep(CONNECTION_INTERVAL_S)
            if peripheral.connect_hangs:
                await asyncio.Event().wait()
            if peripheral.connect_fails:
                raise peripheral.connect_fails.pop(0)
            if peripheral.silent or peripheral.in_use or peripheral.central is not None:
                raise BleakError("failed to connect")
        finally:
            system.connecting -= 1
        peripheral.central = self
        peripheral.connections += 1
        self.services = self._table()
        if peripheral.sensor is not None:
            peripheral.sensor.connected()
        self._task = asyncio.create_task(self._listen())
        if peripheral.drops_at_once:
            self.end()

    def end(self) -> None:
        """The connection is over, whoever ended it."""
        if self.peripheral.central is not self:
            return
        self.peripheral.central = None
        self.services = None
        if self._task is not None:
            self._task.cancel()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        self.system.disconnects += 1
        self.end()

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        self._check()
        if self.peripheral.writes_hang:
            await asyncio.Event().wait()
        await asyncio.sleep(CONNECTION_INTERVAL_S)
        self._check()
        assert response, "requests are written with response"
        assert len(data) <= self.peripheral.mtu - 3
        self.system.writes.append(bytes(data))
        if self.peripheral.sensor is not None:
            self.peripheral.sensor.hear(bytes(data))
            self._spoken.set()

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: Any, **_options: Any
    ) -> None:
        self._check()
        self._callbacks[characteristic.uuid] = callback

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        del self._callbacks[characteristic.uuid]

    async def pair(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: Any, **_options: Any) -> bytearray:
        raise NotImplementedError

    async def read_gatt_descriptor(self, descriptor: Any, **_options: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise NotImplementedError

    def _check(self) -> None:
        if not self.is_connected:
            raise BleakError("Not connected")

    def _table(self) -> BleakGATTServiceCollection:
        services = BleakGATTServiceCollection()
        if not self.peripheral.table:
            return services
        service = BleakGATTService(None, 1, SERVICE)
        services.add_service(service)
        for handle, uuid in enumerate(self.peripheral.table, 2):
            room = partial(int, self.peripheral.mtu - 3)
            services.add_characteristic(
                BleakGATTCharacteristic(None, handle, uuid, PROPERTIES[uuid], room, service)
            )
        return services

    async def _listen(self) -> None:
        """Bring what the sensor says, in pieces, each on its characteristic."""
        sensor = self.peripheral.sensor
        assert sensor is not None
        while True:
            said = sensor.speak()
            if not said:
                self._spoken.clear()
                await self._spoken.wait()
                continue
            for packet in said.split(b"\0")[:-1]:
                uuid = ANSWERS if packet[1] == 0x02 else SAMPLES
                whole = packet + b"\0"
                for at in range(0, len(whole), self.peripheral.mtu - 3):
                    await asyncio.sleep(CONNECTION_INTERVAL_S)
                    if uuid in self._callbacks:
                        self._callbacks[uuid](bytearray(whole[at : at + self.peripheral.mtu - 3]))

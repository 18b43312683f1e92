"""bleak's two backend classes over a `Central`: see central.py for how they are used.

They keep to what bleak promises of every backend, and to what its users rely on: errors are
bleak's own, a call that waits when the connection goes ends at once, the callback for
disconnection comes after that, and notifications arrive in the order in which they were sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core
from bumble.core import AdvertisingData
from bumble.device import Peer

if TYPE_CHECKING:
    from bleak.args import SizedBuffer
    from bumble.device import Advertisement, Connection

ATT_HEAD_BYTES = 3
SMALLEST_MTU = 23
PROPERTIES = (  # Core 5.4, volume 3, part G, 3.3.1.1, bit by bit, in bleak's words
    "broadcast",
    "read",
    "write-without-response",
    "write",
    "notify",
    "indicate",
    "authenticated-signed-writes",
    "extended-properties",
)
UUID_LISTS = (
    AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)

T = TypeVar("T")


class Adapter(Protocol):
    """The part of an adapter that its scanners and clients use; central.py has the adapter."""

    mtu: int  # in bytes, the most that it agrees to

    async def listen(self, heard: Callable[[Advertisement], None]) -> None:
        """Pass advertisements to `heard` from now on."""

    async def unlisten(self, heard: Callable[[Advertisement], None]) -> None:
        """Pass it no more."""

    async def connect(self, address: str, timeout_s: float) -> Connection:
        """Connect to a device once it is heard. Raises TimeoutError."""
        ...


def scanner_backend(central: Adapter) -> type[BaseBleakScanner]:
    """The class of scanners of that adapter."""
    return type("VirtualScanner", (VirtualScanner,), {"central": central})


def client_backend(central: Adapter) -> type[BaseBleakClient]:
    """The class of clients of that adapter."""
    return type("VirtualClient", (VirtualClient,), {"central": central})


class VirtualScanner(BaseBleakScanner):
    """Bleak's scanner of one adapter."""

    central: Adapter

    def __init__(
        self,
        detection_callback: Any,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_options: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        """Begin; what was seen before is forgotten."""
        self.seen_devices = {}
        await self.central.listen(self._hear)

    async def stop(self) -> None:
        """End."""
        await self.central.unlisten(self._hear)

    def _hear(self, advertisement: Advertisement) -> None:
        address = advertisement.address.to_string(with_type_qualifier=False)
        said = _said(advertisement)
        if self.is_allowed_uuid(said.service_uuids):
            device = self.create_or_update_device(
                address, address, said.local_name, advertisement.address, said
            )
            self.call_detection_callbacks(device, said)


class VirtualClient(BaseBleakClient):
    """Bleak's client of one adapter."""

    central: Adapter

    def __init__(self, address_or_ble_device: BLEDevice | str, **options: Any) -> None:
        super().__init__(address_or_ble_device, **options)
        device = address_or_ble_device
        self._name = (device.name if isinstance(device, BLEDevice) else None) or self.address
        self._connection: Connection | None = None
        self._lost: asyncio.Future[None] | None = None
        self._subscribers: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """As it was last advertised."""
        return self._name

    @property
    def mtu_size(self) -> int:
        """As the two ends agreed."""
        return self._connection.att_mtu if self._connection else SMALLEST_MTU

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    async def connect(self, pair: bool, **_options: Any) -> None:
        """Connect, agree on an MTU, and find out what the device has."""
        if self._connection is not None:
            raise BleakError("Already connected")
        try:
            connection = await self.central.connect(self.address, self._timeout)
        except TimeoutError as error:
            raise BleakDeviceNotFoundError(
                self.address, f"Device with address {self.address} was not found."
            ) from error
        except core.BaseBumbleError as error:
            raise BleakError(f"connection failed: {error}") from error
        self._connection = connection
        self._lost = asyncio.get_running_loop().create_future()
        self._subscribers.clear()
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
        try:
            async with asyncio.timeout(self._timeout):
                await self._asking(self._discover(Peer(connection)))
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """End the connection, if there is one; returns when it is over."""
        connection, lost = self._connection, self._lost
        if connection is None or lost is None:
            return
        try:
            await connection.disconnect()
        except core.BaseBumbleError:
            if not lost.done():  # it was over before
                self._on_disconnection(0)
        await asyncio.wait({lost})

    async def pair(self, *_arguments: Any, **_options: Any) -> None:
        """Not on this radio."""
        raise NotImplementedError("the virtual radio does not pair")

    async def unpair(self) -> None:
        """Not on this radio."""
        raise NotImplementedError("the virtual radio does not pair")

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_options: Any
    ) -> bytearray:
        """Read a value of any length."""
        return bytearray(await self._asking(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_options: Any
    ) -> bytearray:
        """Read a descriptor."""
        return bytearray(await self._asking(descriptor.obj.read_value()))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        """Write; what does not fit the MTU is prepared piece by piece, or cut without response."""
        room = self.mtu_size - ATT_HEAD_BYTES
        value = bytes(data) if response else bytes(data)[:room]
        await self._asking(characteristic.obj.write_value(value, with_response=response))

    async def write_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, data: SizedBuffer
    ) -> None:
        """Write a descriptor."""
        await self._asking(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self,
        characteristic: BleakGATTCharacteristic,
        callback: Callable[[bytearray], None],
        **_options: Any,
    ) -> None:
        """Subscribe."""
        if characteristic.handle in self._subscribers:
            raise BleakError("Notifications are on already")

        def subscriber(value: bytes) -> None:
            callback(bytearray(value))

        self._subscribers[characteristic.handle] = subscriber
        await self._asking(characteristic.obj.subscribe(subscriber, prefer_notify=True))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe."""
        subscriber = self._subscribers.pop(characteristic.handle, None)
        if subscriber is not None:
            await self._asking(characteristic.obj.unsubscribe(subscriber, force=True))

    async def _discover(self, peer: Peer) -> None:
        if self.central.mtu > SMALLEST_MTU:
            await peer.request_mtu(self.central.mtu)
        found = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            theirs = BleakGATTService(service, service.handle, _text(service.uuid))
            found.add_service(theirs)
            for item in await service.discover_characteristics():
                properties = [word for i, word in enumerate(PROPERTIES) if item.properties >> i & 1]
                characteristic = BleakGATTCharacteristic(
                    item,
                    item.handle,
                    _text(item.uuid),
                    properties,  # type: ignore[arg-type]
                    lambda: self.mtu_size - ATT_HEAD_BYTES,
                    theirs,
                )
                found.add_characteristic(characteristic)
                for descriptor in await item.discover_descriptors():
                    found.add_descriptor(
                        BleakGATTDescriptor(
                            descriptor, descriptor.handle, _text(descriptor.type), characteristic
                        )
                    )
        self.services = found

    async def _asking(self, request: Coroutine[Any, Any, T]) -> T:
        """The answer to a request; BleakError as soon as the connection has gone."""
        if self._connection is None or self._lost is None:
            request.close()
            raise BleakError("Not connected")
        asked = asyncio.ensure_future(request)
        try:
            await asyncio.wait({asked, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done():
                raise BleakError("disconnected")
            return asked.result()
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except core.BaseBumbleError as error:
            raise BleakError(f"request failed: {error}") from error
        finally:
            asked.cancel()

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self.services = None
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
            if self._disconnected_callback is not None:
                asyncio.get_running_loop().call_soon(self._disconnected_callback)


def _said(advertisement: Advertisement) -> AdvertisementData:
    """What an advertisement and its scan response say, in bleak's words."""
    parts = advertisement.data
    kind = AdvertisingData.Type
    name = parts.get(kind.COMPLETE_LOCAL_NAME) or parts.get(kind.SHORTENED_LOCAL_NAME)
    return AdvertisementData(
        local_name=name if isinstance(name, str) else None,
        manufacturer_data=dict(parts.get_all(kind.MANUFACTURER_SPECIFIC_DATA)),
        service_data={},
        service_uuids=[
            _text(uuid)
            for listed in UUID_LISTS
            for uuids in parts.get_all(listed)
            for uuid in uuids
        ],
        tx_power=None,
        rssi=advertisement.rssi,
        platform_data=(advertisement,),
    )


def _text(uuid: core.UUID) -> str:
    return str(UUID(bytes=bytes(reversed(uuid.to_bytes(force_128=True)))))

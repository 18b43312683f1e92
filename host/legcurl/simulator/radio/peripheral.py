"""The radio of one MicroPython process: what its `bluetooth` module asks for is done here.

    peripheral = FirmwarePeripheral(radio, "F0:F0:F0:00:00:02")
    process = start(..., pass_fds=[peripheral.firmware_end.fileno()])
    await peripheral.serve()

The shim `bluetooth` (simulator/shims) in that process sends each call of MicroPython's API as one
message, `[method, argument…]`, and waits for `["r", errno, result]`; events come in between as
`["e", event, [value…]]`. A message is JSON behind its length (2 bytes, little-endian); bytes are
hexadecimal text. When the process ends, its end of the socket closes and the device vanishes from
the radio, as it would with its power; when this end closes, the process ends.

What MicroPython's stacks do with values is done here too: a characteristic holds 20 bytes unless
it was given a buffer, a write beyond that is cut in silence, and so is a notification at MTU − 3.
`buffers` notifications may be on their way; another one is refused with ENOMEM, or, for a
`patient` peripheral, waits for room. In a world that runs as fast as it can, that waiting is what
stops its time. `no_memory` refuses more, at random: it is the share of notifications that find
the buffers full, for one to eight tries.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

from bumble import core, hci
from bumble.device import AdvertisingType, Device

from legcurl.simulator.radio.attributes import Attributes, register
from legcurl.simulator.radio.central import power
from legcurl.simulator.radio.controller import ADVERTISING_UNIT_S, VirtualController

if TYPE_CHECKING:
    from bumble.device import Connection

    from legcurl.simulator.radio.air import VirtualRadio

# Events of MicroPython's `bluetooth`.
CENTRAL_CONNECT = 1
CENTRAL_DISCONNECT = 2
GATTS_WRITE = 3
GATTS_INDICATE_DONE = 20
MTU_EXCHANGED = 21

MTU_RANGE = (23, 517)
DEFAULT_MTU = 256  # NimBLE's preferred MTU unless the firmware configures another
DEFAULT_BUFFERS = 12  # NimBLE's pool on ESP32 (CONFIG_BT_NIMBLE_MSYS_1_BLOCK_COUNT)
LONGEST_STARVATION = 8  # tries
ATT_HEAD_BYTES = 3
ATT_CHANNEL = 4  # of L2CAP
NOTIFICATION = 0x1B  # ATT opcode
FAREWELL_S = 2.0  # of the radio's time, for what is on its way when the stack is switched off

Reply = Any  # what JSON can say


class FirmwarePeripheral:
    """One device on the radio, driven by one MicroPython process."""

    def __init__(
        self,
        radio: VirtualRadio,
        address: str,
        *,
        mtu: int = MTU_RANGE[1],
        buffers: int = DEFAULT_BUFFERS,
        no_memory: float = 0.0,
        seed: int = 0,
        patient: bool = False,
    ) -> None:
        self.radio = radio
        self.address = address
        self.device: Device | None = None
        self.controller: VirtualController | None = None
        self.firmware_end, self._own_end = socket.socketpair()
        self.refused_at_random = 0  # notifications refused because of `no_memory`
        self._preferred_mtu = DEFAULT_MTU
        self.mtu = mtu
        self._gap_name = b"MPY"
        self._buffers = buffers
        self._no_memory = no_memory
        self._rng = Random(f"no memory {seed}")
        self._starved = 0  # tries that will be refused yet
        self._patient = patient
        self._silenced = False
        self._attributes = Attributes()
        self._connections: dict[int, Connection] = {}
        self._on_their_way = 0
        self._room = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._methods: dict[str, Callable[..., Awaitable[Reply]]] = {
            "active": self._active,
            "power_off": self._power_off,
            "out_of_range": self._out_of_range,
            "config_get": self._config_get,
            "config_set": self._config_set,
            "advertise": self._advertise,
            "disconnect": self._disconnect,
            "register": self._register,
            "read": self._read,
            "write": self._write,
            "set_buffer": self._set_buffer,
            "notify": self._notify,
            "indicate": self._indicate,
        }

    @property
    def mtu(self) -> int:
        """The most that it agrees to. A change holds for connections that are made after it."""
        return self._largest_mtu

    @mtu.setter
    def mtu(self, mtu: int) -> None:
        low, high = MTU_RANGE
        if not low <= mtu <= high:
            raise ValueError(f"an MTU is {low} to {high}, not {mtu}")
        self._largest_mtu = mtu
        self._limit_mtu()

    @property
    def connections(self) -> int:
        """How many centrals are connected."""
        return len(self._connections)

    async def serve(self) -> None:
        """Do what the firmware asks for until its end of the socket closes."""
        self.firmware_end.close()  # the process has a copy
        self._own_end.setblocking(False)
        reader, self._writer = await asyncio.open_connection(sock=self._own_end)
        try:
            while True:
                (size,) = struct.unpack("<H", await reader.readexactly(2))
                method, *arguments = json.loads(await reader.readexactly(size))
                try:
                    result, number = await self._methods[method](*arguments), 0
                except OSError as error:
                    result, number = None, error.errno or errno.EIO
                self._say(["r", number, result])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process has ended
        finally:
            await self._power_off()
            self._writer.close()

    async def close(self) -> None:
        """Close the socket, which ends the firmware; `serve` then returns."""
        self.firmware_end.close()
        if self._writer is not None:
            self._writer.close()
        else:
            self._own_end.close()
        await self._power_off()

    def _say(self, message: Reply) -> None:
        assert self._writer is not None
        text = json.dumps(message).encode()
        if not self._writer.is_closing():
            self._writer.write(struct.pack("<H", len(text)) + text)

    def _happen(self, event: int, *values: int | bytes) -> None:
        self._say(["e", event, [v.hex() if isinstance(v, bytes) else v for v in values]])

    async def _active(self, on: bool) -> None:
        if on and self.device is None:
            self.controller = VirtualController(f"mpy {self.address}", self.radio, self.address)
            self.controller.on_carried = self._on_carried
            self.device = power(self.controller, self._gap_name.decode("utf-8", "replace"))
            self.device.on(Device.EVENT_CONNECTION, self._on_connection)
            await self.device.power_on()
            self._limit_mtu()
            if self._silenced:
                self.radio.silence(self.controller)
        elif not on and self.device is not None:
            await self._say_farewell(self.device)
            await self._power_off()

    async def _power_off(self) -> None:
        """Fall silent in mid-word, as a device whose power is cut."""
        device, controller = self.device, self.controller
        self.device = self.controller = None
        self._connections.clear()
        self._attributes = Attributes()
        self._on_their_way = 0
        self._room.set()
        if controller is not None and device is not None:
            controller.detach()
            await device.power_off()

    async def _out_of_range(self, out: bool) -> None:
        """Carried away, or back again.

        In a world that runs as fast as it can, an outage of a minute is over before any timeout of
        this radio is; there it is longer than a supervision timeout by decree.
        """
        self._silenced = out
        if self.controller is None:
            return
        if out:
            self.radio.silence(self.controller)
            if self._patient:
                self.radio.sever(self.controller)
        else:
            self.radio.hear(self.controller)

    async def _say_farewell(self, device: Device) -> None:
        """End the connections; what the firmware sent before goes first."""
        for connection in list(self._connections.values()):
            with suppress(core.BaseBumbleError):
                await connection.disconnect()
        controller = self.controller
        deadline = asyncio.get_running_loop().time() + FAREWELL_S / self.radio.pace
        while controller is not None and self.radio.connections_of(controller):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(self.radio.preferred.interval_s / self.radio.pace)
        await device.stop_advertising()

    async def _config_get(self, name: str) -> Reply:
        values: dict[str, Reply] = {
            "mac": bytes.fromhex(self.address.replace(":", "")).hex(),
            "mtu": self._preferred_mtu,
            "gap_name": self._gap_name.hex(),
        }
        if name not in values:
            raise OSError(errno.EINVAL, name)
        return values[name]

    async def _config_set(self, name: str, value: Reply) -> None:
        if name == "gap_name":
            self._gap_name = bytes.fromhex(value)
        elif name == "mtu" and value >= MTU_RANGE[0]:
            self._preferred_mtu = value
            self._limit_mtu()
        elif name not in ("rxbuf", "addr_mode"):
            raise OSError(errno.EINVAL, name)

    def _limit_mtu(self) -> None:
        if self.device is not None:
            self.device.gatt_server.max_mtu = min(self._preferred_mtu, self._largest_mtu)

    async def _advertise(
        self, interval_us: int | None, advertisement: str, response: str, connectable: bool
    ) -> None:
        device = self._powered()
        if interval_us is None:
            await device.stop_advertising()
            return
        interval_ms = max(interval_us / 1000, ADVERTISING_UNIT_S * 1000)
        kind = (
            AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
            if connectable
            else AdvertisingType.UNDIRECTED_SCANNABLE
        )
        await device.start_advertising(
            kind,
            own_address_type=hci.OwnAddressType.PUBLIC,
            advertising_data=bytes.fromhex(advertisement),
            scan_response_data=bytes.fromhex(response),
            advertising_interval_min=interval_ms,
            advertising_interval_max=interval_ms,
        )

    async def _disconnect(self, handle: int) -> bool:
        connection = self._connections.get(handle)
        if connection is None:
            return False
        self._later(self._end_connection(connection))
        return True

    async def _end_connection(self, connection: Connection) -> None:
        with suppress(core.BaseBumbleError):  # it has gone by itself
            await connection.disconnect()

    async def _register(self, services: Reply) -> Reply:
        device = self._powered()
        self._attributes = Attributes()
        return register(device, self._attributes, services, self._on_write)

    async def _read(self, handle: int) -> str:
        return self._attributes.take(handle).hex()

    async def _write(self, handle: int, value: str, send_update: bool) -> None:
        self._attributes.put(handle, bytes.fromhex(value))
        if send_update:
            attribute = self._attributes.attribute(handle)
            await self._powered().notify_subscribers(attribute, bytes.fromhex(value))

    async def _set_buffer(self, handle: int, size: int, append: bool) -> None:
        self._attributes.set_buffer(handle, size, append=append)

    async def _notify(self, connection: int, handle: int, value: str | None) -> None:
        if self._refuses():
            raise OSError(errno.ENOMEM, "no buffer, as was asked for")
        while True:
            device, peer, chunk = self._outgoing(connection, handle, value)
            if self._on_their_way < self._buffers:
                break
            if not self._patient:
                raise OSError(errno.ENOMEM, "no buffer")
            self._room.clear()
            await self._room.wait()
        self._on_their_way += 1
        attribute = self._attributes.attribute(handle)
        await device.notify_subscriber(peer, attribute, chunk, force=True)

    async def _indicate(self, connection: int, handle: int, value: str | None) -> None:
        device, peer, chunk = self._outgoing(connection, handle, value)
        attribute = self._attributes.attribute(handle)

        async def indicate() -> None:
            status = 0
            try:
                await device.indicate_subscriber(peer, attribute, chunk, force=True)
            except (core.BaseBumbleError, TimeoutError):
                status = 1
            self._happen(GATTS_INDICATE_DONE, connection, handle, status)

        self._later(indicate())

    def _outgoing(
        self, connection: int, handle: int, value: str | None
    ) -> tuple[Device, Connection, bytes]:
        peer = self._connections.get(connection)
        if peer is None or self.device is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        chunk = self._attributes.peek(handle) if value is None else bytes.fromhex(value)
        return self.device, peer, chunk[: peer.att_mtu - ATT_HEAD_BYTES]

    def _refuses(self) -> bool:
        """Whether this notification finds no buffer because `no_memory` says so."""
        if self._starved == 0 and self._rng.random() < self._no_memory:
            self._starved = self._rng.randint(1, LONGEST_STARVATION)
        if self._starved == 0:
            return False
        self._starved -= 1
        self.refused_at_random += 1
        return True

    def _powered(self) -> Device:
        if self.device is None:
            raise OSError(errno.ENODEV, "not active")
        return self.device

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_carried(self, packet: bytes) -> None:
        """One of our packets has arrived: L2CAP length and channel, then ATT."""
        channel = int.from_bytes(packet[2:4], "little")
        if channel == ATT_CHANNEL and packet[4] == NOTIFICATION and self._on_their_way:
            self._on_their_way -= 1
            self._room.set()

    def _on_write(self, connection: Connection, handle: int) -> None:
        self._happen(GATTS_WRITE, connection.handle, handle)

    def _on_connection(self, connection: Connection) -> None:
        handle = connection.handle
        peer = bytes(reversed(bytes(connection.peer_address)))
        kind = int(not connection.peer_address.is_public)
        self._connections[handle] = connection

        def on_disconnection(_reason: int) -> None:
            if self._connections.pop(handle, None) is None:
                return  # the stack was switched off meanwhile
            if not self._connections:
                self._on_their_way = 0
            self._room.set()
            self._happen(CENTRAL_DISCONNECT, handle, kind, peer)

        def on_mtu() -> None:
            self._happen(MTU_EXCHANGED, handle, connection.att_mtu)

        connection.on(connection.EVENT_DISCONNECTION, on_disconnection)
        connection.on(connection.EVENT_CONNECTION_ATT_MTU_UPDATE, on_mtu)
        self._happen(CENTRAL_CONNECT, handle, kind, peer)

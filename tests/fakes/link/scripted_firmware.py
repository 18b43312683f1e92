"""The firmware's end of a radio, spoken by a test: the messages of shims/simradio.py."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from legcurl.simulator.radio import Central, FirmwarePeripheral, VirtualRadio

ADDRESS = "02:00:00:00:00:01"
SERVICE = "12340001-0000-1000-8000-00805f9b34fb"
VALUE = "12340002-0000-1000-8000-00805f9b34fb"
READ, WRITE_NO_RESPONSE, WRITE, NOTIFY, INDICATE = 2, 4, 8, 16, 32
INTERVAL_US = 100_000
CONNECT, DISCONNECT, WRITTEN, INDICATED, MTU = 1, 2, 3, 20, 21


class ScriptedFirmware:
    """Calls MicroPython's API message by message; `events` has what came by itself."""

    def __init__(self, peripheral: FirmwarePeripheral) -> None:
        self.peripheral = peripheral
        self.events: asyncio.Queue[tuple[int, list[Any]]] = asyncio.Queue()
        self.value = 0  # handle of the characteristic
        self.connection = 0
        self._answers: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        end = self.peripheral.firmware_end.dup()
        end.setblocking(False)
        reader, self._writer = await asyncio.open_connection(sock=end)
        self._tasks = [
            asyncio.create_task(self._receive(reader)),
            asyncio.create_task(self.peripheral.serve()),
        ]

    async def close(self) -> None:
        """The process ends."""
        assert self._writer is not None
        self._writer.close()
        await asyncio.wait(self._tasks)

    async def try_(self, method: str, *arguments: Any) -> tuple[int, Any]:
        """(errno, result) of a call."""
        assert self._writer is not None
        text = json.dumps([method, *arguments]).encode()
        self._writer.write(struct.pack("<H", len(text)) + text)
        return await self._answers.get()

    async def call(self, method: str, *arguments: Any) -> Any:
        number, result = await self.try_(method, *arguments)
        assert number == 0, f"{method} raised OSError({number})"
        return result

    async def set_up(self, flags: int = READ | WRITE | WRITE_NO_RESPONSE | NOTIFY) -> None:
        """Power on with one service, and advertise."""
        await self.call("active", True)
        ((self.value,),) = await self.call(
            "register", [[_little(SERVICE), [[_little(VALUE), flags, []]]]]
        )
        await self.advertise()

    async def advertise(self, *, connectable: bool = True, name: str = "scripted") -> None:
        advertisement = b"\x02\x01\x06\x11\x07" + bytes.fromhex(_little(SERVICE))
        response = bytes((len(name) + 1, 9)) + name.encode()
        await self.call("advertise", INTERVAL_US, advertisement.hex(), response.hex(), connectable)

    async def event(self, kind: int) -> list[Any]:
        """The next event of that kind."""
        async with asyncio.timeout(60.0):
            while True:
                number, values = await self.events.get()
                if number == CONNECT:
                    self.connection = values[0]
                if number == kind:
                    return values

    async def notify(self, value: bytes) -> int:
        """The errno of a notification."""
        number, _ = await self.try_("notify", self.connection, self.value, value.hex())
        return number

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                (size,) = struct.unpack("<H", await reader.readexactly(2))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            kind, number, values = json.loads(await reader.readexactly(size))
            if kind == "e":
                self.events.put_nowait((number, values))
            else:
                self._answers.put_nowait((number, values))


@asynccontextmanager
async def scripted(
    radio: VirtualRadio, address: str = ADDRESS, **options: Any
) -> AsyncIterator[ScriptedFirmware]:
    """A firmware that is set up and advertises."""
    firmware = ScriptedFirmware(FirmwarePeripheral(radio, address, **options))
    await firmware.open()
    try:
        await firmware.set_up()
        yield firmware
    finally:
        await firmware.close()


@asynccontextmanager
async def pair(
    radio: VirtualRadio | None = None, *, mtu: int = 517, **options: Any
) -> AsyncIterator[tuple[ScriptedFirmware, Central]]:
    """A firmware, and a host that may connect to it."""
    radio = radio or VirtualRadio()
    async with Central(radio, mtu=mtu) as central, scripted(radio, **options) as firmware:
        yield firmware, central


def _little(uuid: str) -> str:
    return bytes(reversed(bytes.fromhex(uuid.replace("-", "")))).hex()

"""The kernel's adapter as BlueZ shows it on D-Bus: to switch it off and on, as a user would."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

BLUEZ = "org.bluez"
PATH = "/org/bluez/hci0"
ADAPTER = "org.bluez.Adapter1"
PROPERTIES = "org.freedesktop.DBus.Properties"
BUSY = "org.bluez.Error.Busy"
READY_S = 60.0  # for bluetoothd to start and to set the controller up
POLL_S = 0.2


class BusyError(Exception):
    """BlueZ is at something else with the adapter."""


class MissingError(Exception):
    """There is no adapter, or no BlueZ, yet."""


class KernelAdapter:
    """hci0, as a context."""

    def __init__(self) -> None:
        self._bus = MessageBus(bus_type=BusType.SYSTEM)

    async def __aenter__(self) -> Self:
        await self._bus.connect()
        async with asyncio.timeout(READY_S):
            while not await self._exists():
                await asyncio.sleep(POLL_S)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bus.disconnect()

    async def power(self, *, on: bool) -> None:
        """Switch it, and wait until it is. BlueZ, while it sets the adapter up, is "busy"."""
        async with asyncio.timeout(READY_S):
            while await self.powered() != on:
                with suppress(BusyError):
                    await self._call("Set", "ssv", [ADAPTER, "Powered", Variant("b", on)])
                await asyncio.sleep(POLL_S)

    async def powered(self) -> bool:
        """Whether it is on."""
        return (await self._call("Get", "ss", [ADAPTER, "Powered"])).body[0].value

    async def _exists(self) -> bool:
        try:
            await self.powered()
        except MissingError:
            return False
        return True

    async def _call(self, member: str, signature: str, body: list[Any]) -> Message:
        reply = await self._bus.call(
            Message(
                destination=BLUEZ,
                path=PATH,
                interface=PROPERTIES,
                member=member,
                signature=signature,
                body=body,
            )
        )
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            kind = BusyError if reply.error_name == BUSY else MissingError
            raise kind(f"{member} of {PATH}: {reply.error_name} {reply.body}")
        return reply

"""The steps' hand on world.py, which is a process of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from worlds import PlayedWorld

SOCKET = "/tmp/world.socket"


class Surroundings:
    """What a step may do to the world around it. A sensor goes by its Bluetooth address."""

    async def start(self, world: PlayedWorld, **options: bool) -> str:
        """Switch the sensor of a world on; its address."""
        return await self._ask("start", world.on_air, options)

    async def kill(self, address: str) -> None:
        """Cut a sensor's power."""
        await self._ask("kill", address)

    async def drop(self, address: str) -> None:
        """Have a sensor end its connection."""
        await self._ask("drop", address)

    async def silence(self, address: str, seconds: float) -> None:
        """Begin a radio silence of a sensor."""
        await self._ask("silence", address, seconds)

    async def connection(self, address: str) -> dict[str, float]:
        """MTU and parameters, as the sensor's side has them."""
        return await self._ask("connection", address)

    async def table(self, address: str) -> list[int]:
        """The handles of a sensor's characteristics."""
        return await self._ask("table", address)

    async def clear(self) -> None:
        """Cut the power of all sensors; each must have been alive."""
        await self._ask("clear")

    async def _ask(self, method: str, *arguments: Any) -> Any:
        reader, writer = await asyncio.open_unix_connection(SOCKET)
        try:
            writer.write(json.dumps([method, *arguments]).encode() + b"\n")
            answer = json.loads(await reader.readline())
        finally:
            writer.close()
        if "failed" in answer:
            raise AssertionError(f"the world cannot {method}: {answer['failed']}")
        return answer["done"]

"""The service on a real socket, and viewers on the other end of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from legcurl.web.app import create_app
from legcurl.web.live_page import LivePage
from legcurl.web.server import listen, serve
from timings import LIMIT_S

LIMIT = 65536  # bytes that a page reads ahead


@dataclass(frozen=True)
class Message:
    """One server-sent event."""

    event: str
    payload: Any
    id: int | None
    size: int


def messages_in(text: bytes) -> list[Message]:
    """What a piece of an event stream says."""
    found = []
    for block in text.split(b"\n\n"):
        if not block:
            continue
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n"))
        number = fields.get(b"id")
        found.append(
            Message(
                fields[b"event"].decode(),
                json.loads(fields[b"data"]),
                None if number is None else int(number),
                len(block),
            )
        )
    return found


@asynccontextmanager
async def served(page: LivePage) -> AsyncIterator[int]:
    """The page's port, while it and its service run and are served."""
    app = create_app(page, hosts=["127.0.0.1"])
    with listen("127.0.0.1", 0) as door:
        async with page.running():
            task = asyncio.create_task(serve(app, door))
            try:
                yield door.getsockname()[1]
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


class Page:
    """A page that follows the live events, as fast as it is asked to.

    With a small `buffer` (bytes) the service soon notices that it does not read.
    """

    def __init__(
        self, port: int, query: str = "", last_id: int | None = None, buffer: int | None = None
    ) -> None:
        self._buffer = buffer
        self._port = port
        self._query = query
        self._last = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        self._waiting: list[Message] = []
        self._rest = b""

    async def __aenter__(self) -> Self:
        door = socket.socket()
        if self._buffer is not None:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        door.setblocking(False)
        await asyncio.get_running_loop().sock_connect(door, ("127.0.0.1", self._port))
        self._reader, self._writer = await asyncio.open_connection(
            sock=door, limit=self._buffer or LIMIT
        )
        self._writer.write(
            f"GET /api/events{self._query} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"{self._last}\r\n".encode()
        )
        status = await self._reader.readline()
        self.status = int(status.split()[1])
        while (await self._reader.readline()).strip():
            pass
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def next(self) -> Message:
        """The next message. EOFError after the last."""
        async with asyncio.timeout(LIMIT_S):
            while not self._waiting:
                size = int((await self._reader.readline()).strip() or b"0", 16)
                if size == 0:
                    raise EOFError
                self._rest += await self._reader.readexactly(size)
                await self._reader.readline()
                whole, found, rest = self._rest.rpartition(b"\n\n")
                if found:
                    self._waiting += messages_in(whole + found)
                    self._rest = rest
        return self._waiting.pop(0)

    async def until(self, event: str) -> Message:
        """The next message of a kind."""
        while (message := await self.next()).event != event:
            pass
        return message

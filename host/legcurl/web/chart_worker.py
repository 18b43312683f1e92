"""Draws pictures of sets in a process of its own, so that no live view waits for one.

Drawing keeps Python's one lock for a second, in which no event would reach any viewer. So there is
a second process: started when a picture is first wanted, given one set at a time, ended when none
was wanted for a while (matplotlib takes 80 MB). It reads sets from its stdin and writes pictures
to its stdout, each with its length before it, and ends when its stdin does, however we end.

`python -m legcurl.web.chart_worker` is that process.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import struct
import sys
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from legcurl.errors import LegCurlError
from legcurl.store.records import StoredSet, Trace

LENGTH = struct.Struct(">Q")
WAITING_MAX = 8  # pictures; a later request is told to come again
DRAWN_S = 30.0  # a picture that takes longer will never be drawn
IDLE_S = 120.0  # without a wish, the process ends
NICE = 10  # below what is live, where cores are few


class PainterBusyError(LegCurlError):
    """More pictures are wanted at once than can be drawn soon."""


class PainterFailedError(LegCurlError):
    """A picture could not be drawn."""


class Painter:
    """Draws one picture after the other; an async context manager."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._rest: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def paint(self, stored: StoredSet, trace: Trace | None) -> bytes:
        """The picture, as a PNG file."""
        if self._waiting >= WAITING_MAX:
            raise PainterBusyError("Too many pictures are wanted at once: try again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                if self._rest is not None:
                    self._rest.cancel()
                try:
                    async with asyncio.timeout(DRAWN_S):
                        return await self._drawn(pickle.dumps((stored, trace)))
                except (OSError, EOFError, TimeoutError) as error:
                    await self._end()
                    raise PainterFailedError(
                        "The picture could not be drawn: the process that draws has failed."
                    ) from error
                except asyncio.CancelledError:
                    await self._end()  # or the next would be given this picture
                    raise
                finally:
                    loop = asyncio.get_running_loop()
                    self._rest = loop.call_later(IDLE_S, self._let_go)
        finally:
            self._waiting -= 1

    async def _drawn(self, wish: bytes) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", __name__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(LENGTH.pack(len(wish)) + wish)
        await process.stdin.drain()
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        answer = await process.stdout.readexactly(length)
        if not answer:
            raise PainterFailedError("The picture could not be drawn: the service's log says why.")
        return answer

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def paint_for(wishes: IO[bytes], pictures: IO[bytes]) -> None:
    """Draw what is wished for, until there are no more wishes."""
    from legcurl.presentation.charts.stored_set import draw

    while head := wishes.read(LENGTH.size):
        stored, trace = pickle.loads(wishes.read(LENGTH.unpack(head)[0]))
        try:
            picture = draw(stored, trace)
        except Exception as error:  # noqa: BLE001 - one picture that fails is not the end
            sys.stderr.write(f"legcurl: no picture of set {stored.id}: {error!r}\n")
            picture = b""
        pictures.write(LENGTH.pack(len(picture)) + picture)
        pictures.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    os.nice(NICE)
    paint_for(sys.stdin.buffer, sys.stdout.buffer)

"""Live events to many viewers: each message is encoded once, and nobody waits for anybody.

Three kinds of messages, which a viewer that cannot keep up loses in this order: the trace, the
moving figures, and whole states. A whole state says everything about its machine, so a viewer
that lost some is told how many (`gone`) and given the newest state of every machine: it is
behind for a moment and never wrong.

Ids count whole states and stored sets, on from the time at which the service started, so that a
viewer of the service's last run is never taken for one of this. A viewer that comes back with the
id of the last one that it saw gets what it missed, as long as that is kept; otherwise the newest
state of every machine, which is as good.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from legcurl._version import __version__

KEPT = 512  # messages with an id: minutes of a busy room, about 1 MB
QUEUE = 64  # messages that wait for one viewer: six seconds of moving figures
TICK_S = 0.1  # moving figures are sent this often; a person reads no faster
ALIVE_S = 5.0  # the page calls itself blind after 7: see stream.mjs

Snapshot = Callable[[str], dict[str, Any]]
RecentTrace = Callable[[str], list[dict[str, Any]]]


class Viewer:
    """One open page."""

    def __init__(self, machine: str | None) -> None:
        self.machine = machine  # whose trace it wants
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)
        self.skipped = 0  # messages that it lost since it was last told

    def offer(self, message: bytes) -> None:
        """Hand over a message, or count it as lost."""
        if self.skipped:
            self.skipped += 1
            return
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.skipped = 1


class Broadcast:
    """Everything that viewers are told. `snapshot(machine)` gives a machine's whole state.

    `recent_trace(machine)` gives the trace that a viewer of that machine should begin with.
    """

    def __init__(
        self, machines: tuple[str, ...], snapshot: Snapshot, recent_trace: RecentTrace
    ) -> None:
        self.skipped = 0  # messages lost by slow viewers, over all
        self._machines = machines
        self._snapshot = snapshot
        self._recent_trace = recent_trace
        self._viewers: set[Viewer] = set()
        self._last_id = time.time_ns() // 1_000_000
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._moved: dict[str, list[Any]] = {}

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    def watched(self, machine: str) -> bool:
        """Whether anybody wants a machine's trace."""
        return any(viewer.machine == machine for viewer in self._viewers)

    def moved(self, machine: str, figures: list[Any]) -> None:
        """A machine's moving figures; the newest are sent with the next tick."""
        self._moved[machine] = figures

    def changed(self, machine: str) -> None:
        """Something else about a machine changed: it is sent whole, at once."""
        self._keep("machine", self._snapshot(machine))

    def stored(self, payload: dict[str, Any]) -> None:
        """A set was stored."""
        self._keep("set", payload)

    def traced(self, machine: str, payload: dict[str, Any]) -> None:
        """New samples of a machine, for those who watch it."""
        message = None
        for viewer in self._viewers:
            if viewer.machine == machine:
                message = message or encode("trace", payload)
                viewer.offer(message)

    async def run(self) -> None:
        """Send the moving figures as time goes by, and a sign of life now and then."""
        loop = asyncio.get_running_loop()
        alive_s = loop.time() + ALIVE_S
        while True:
            await asyncio.sleep(TICK_S)
            if self._moved:
                self._offer(encode("moving", {"m": self._moved}))
                self._moved = {}
            if loop.time() >= alive_s:
                alive_s = loop.time() + ALIVE_S
                self._offer(encode("alive", {}))

    async def follow(self, machine: str | None, last_id: int | None) -> AsyncIterator[bytes]:
        """All messages for one new viewer, until it goes."""
        viewer = Viewer(machine)
        self._viewers.add(viewer)
        try:
            for message in self._welcome(last_id):
                yield message
            for piece in self._recent_trace(machine) if machine is not None else ():
                yield encode("trace", piece)
            while True:
                yield await viewer.queue.get()
                if viewer.skipped and viewer.queue.empty():
                    skipped, viewer.skipped = viewer.skipped, 0
                    self.skipped += skipped
                    yield encode("gone", {"skipped": skipped})
                    for message in self._everything():
                        yield message
        finally:
            self._viewers.discard(viewer)

    def _welcome(self, last_id: int | None) -> list[bytes]:
        hello = encode("hello", {"version": __version__, "machines": self._machines})
        known = last_id is not None and self._kept and self._kept[0][0] - 1 <= last_id
        if known and last_id is not None and last_id <= self._last_id:
            return [hello, *(message for number, message in self._kept if number > last_id)]
        return [hello, *self._everything()]

    def _everything(self) -> list[bytes]:
        return [encode("machine", self._snapshot(name), self._last_id) for name in self._machines]

    def _keep(self, event: str, payload: dict[str, Any]) -> None:
        self._last_id += 1
        message = encode(event, payload, self._last_id)
        self._kept.append((self._last_id, message))
        self._offer(message)

    def _offer(self, message: bytes) -> None:
        for viewer in self._viewers:
            viewer.offer(message)


def encode(event: str, payload: dict[str, Any], number: int | None = None) -> bytes:
    """One server-sent event."""
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {event}\ndata: {text}\n\n".encode()

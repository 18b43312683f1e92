"""A station's items go into its recording, through the session, and as events to one reader.

An item is recorded before its events are read, so a recording never lacks what a person has seen.
Frames that the session could not use are not recorded (they were known already, or will be sent
again), so in a recording any jump is a hole. The queue of events has a limit; while it is full the
feed takes nothing from its link, and the samples wait in the sensor's log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from legcurl.session.sensor_session import Item, SensorSession

if TYPE_CHECKING:
    from legcurl.events import Event

# A minute and a half of a live set. One read from a link (route.READ_BYTES) may exceed it.
EVENTS_WAITING = 1000
RESTORED_AT_ONCE = 64  # items of a journal before other tasks of the event loop run


class Recorder(Protocol):
    """Keeps items: a recording, or a journal."""

    def write(self, *items: Item) -> None:
        """Keep a batch of items, in its order."""
        ...

    def close(self) -> None:
        """This station writes no more."""
        ...


class EventQueue:
    """Takes items from a feed; gives events to one reader."""

    def __init__(
        self,
        session: SensorSession,
        open_recorder: Callable[[], Recorder] | None = None,
        limit: int = EVENTS_WAITING,
    ) -> None:
        self.session = session
        self._open_recorder = open_recorder
        self._recorder: Recorder | None = None
        self._limit = limit
        self._events: deque[Event] = deque()
        self._finished = False
        self._reader: asyncio.Future[None] | None = None  # that waits for an event
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        """Whether the limit was reached, and the reader has not taken half of it since."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until the reader has caught up."""
        await self._room.wait()

    def take(self, items: list[Item]) -> None:
        """Take what came, in its order. Raises StoreError if it cannot be recorded."""
        if self._recorder is None and self._open_recorder is not None:
            self._recorder = self._open_recorder()
        events, heeded = self._push(items)
        if self._recorder is not None and heeded:
            self._recorder.write(*heeded)
        self._events.extend(events)
        self._tell()

    async def restore(self, items: Iterable[Item]) -> Item | None:
        """Take recorded items, no faster than the events are read; gives the last item."""
        last: Item | None = None
        recorded = iter(items)
        while batch := list(islice(recorded, RESTORED_AT_ONCE)):
            last = batch[-1]
            self._events.extend(self._push(batch)[0])
            self._tell()
            await self.room()
            await asyncio.sleep(0)
        return last

    def finish(self) -> None:
        """No more items come: give what was open as events, and end them."""
        self._events.extend(self.session.finish())
        self._finished = True
        self._tell()
        self._wake()

    def close(self) -> None:
        """Close the recording, if there is one."""
        if self._recorder is not None:
            self._recorder.close()

    async def get(self) -> Event | None:
        """Wait for the next event; None after the last."""
        while not self._events:
            if self._finished:
                return None
            # A future costs less than an asyncio.Event; ten a second for each station.
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        event = self._events.popleft()
        if len(self._events) <= self._limit // 2:
            self._room.set()
        return event

    def _push(self, items: list[Item]) -> tuple[list[Event], list[Item]]:
        """The events of some items, and the items that had an effect."""
        events: list[Event] = []
        heeded: list[Item] = []
        for item in items:
            events += self.session.push(item)
            if self.session.heeded:
                heeded.append(item)
        return events, heeded

    def _tell(self) -> None:
        if len(self._events) >= self._limit:
            self._room.clear()
        if self._events:
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

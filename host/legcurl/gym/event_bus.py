"""One station's events to many who want them, at the speed that each can take.

    hub = Hub(ViewState())
    hub.attach("log", write_down)                     # gets everything
    hub.attach("page", show, everything=False)        # gets what it has time for
    await hub.run(station.events())

Three kinds of sinks hang on a hub. A *listener* is called with every event, the moment it happens;
it may not wait, so it is for those who only take note. A *reader* gets every event as well. It has
a deep queue, and when even that is full the hub takes no more from the station: then the station's
own buffer fills, then the link stands still, and what comes next waits in the sensor's log, minutes
of it. So nothing is lost and memory is bounded, and whoever holds everything up is named
(`held_by`). A *viewer* never holds anything up. Moving pictures that it has not looked at become
one, the state after the last of them; and if it falls behind further it is told how much it missed
and handed the state as it is then, from which it can go on: behind for a moment and never wrong.

The state is folded from the events (`state.apply(event)`, as ViewState does), once, for everybody.
A viewer that joins late begins with it.

A sink that fails is taken off and named; the others do not notice. Only a listener stays: it has
nothing that could grow, and what it missed is one event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from legcurl.events import Event, Progress

log = logging.getLogger(__name__)

READER_ROOM = 4096  # events: five minutes of a set. A disk that thinks for longer is broken.
VIEWER_ROOM = 128  # ten seconds; a viewer that is further behind is better off with the state
PICTURES_AHEAD = 8  # that wait before the newest replaces the one before it
TURN = 64  # events handed on before others have their turn in the event loop
FAREWELL_S = 1.0  # for viewers to look at the end, before they are left to themselves
HELD_LONG_S = 5.0  # a reader that holds everything up for so long is worth a word in the log


class Foldable(Protocol):
    """A picture that events change; never itself, it gives another."""

    def apply(self, event: Event, /) -> Self:
        """The picture after one more event."""
        ...


S = TypeVar("S", bound=Foldable)


@dataclass(frozen=True, slots=True)
class Resync(Generic[S]):
    """To a viewer: forget what you have, this is how it stands. The first word to everyone.

    `skipped` events were never given to it since the last such word. With 0 nothing was: it is the
    beginning, or the newest of pictures that it had no time for.
    """

    state: S
    skipped: int


class Hub(Generic[S]):
    """Hands on the events of one station; `state` is the picture after the last of them."""

    def __init__(self, state: S) -> None:
        self.state = state
        self.failures: dict[str, Exception] = {}  # of sinks that were attached, by name
        self.held_by: str | None = None  # the reader that everything waits for
        self._listeners: dict[str, Callable[[Event], None]] = {}
        self._readers: list[Reader] = []
        self._viewers: list[Viewer[S]] = []
        self._reading: set[asyncio.Task[None]] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._ended = False

    def listen(self, name: str, hear: Callable[[Event], None]) -> None:
        """Have `hear` called with every event, when the state holds it; it returns at once."""
        self._listeners[name] = hear

    def read(self, name: str, room: int = READER_ROOM) -> Reader:
        """Everything from here on, in order. Close it, or everybody may come to wait for it."""
        reader = Reader(name, room)
        self._readers.append(reader)
        if self._ended:
            reader.end()
        return reader

    def watch(self, name: str, room: int = VIEWER_ROOM) -> Viewer[S]:
        """The state as it is, and what comes after it as far as there is time to look."""
        viewer = Viewer(name, self, room)
        self._viewers.append(viewer)
        if self._ended:
            viewer.end()
        return viewer

    def attach(
        self,
        name: str,
        consume: Callable[[Any], Awaitable[None]],
        *,
        everything: bool = True,
    ) -> None:
        """Run a sink of its own: `consume(reader)`, or `consume(viewer)` if not everything.

        What it raises is logged, kept in `failures`, and the end of this sink alone.
        """
        source = self.read(name) if everything else self.watch(name)
        task = asyncio.create_task(self._serve(name, consume, source), name=f"sink {name}")
        sinks = self._reading if everything else self._watching
        sinks.add(task)
        task.add_done_callback(sinks.discard)

    def tell(self, event: Event) -> None:
        """Hand on one event, without waiting for anybody: for what happens beside the station."""
        self.state = self.state.apply(event)
        for name, hear in self._listeners.items():
            try:
                hear(event)
            except Exception as error:
                self.failures[name] = error
                log.exception("%s failed at an event.", name)
        for viewer in self._viewers:
            viewer.offer(event)
        for reader in self._readers:
            reader.put(event)
        self._let_go()

    async def run(self, events: AsyncIterable[Event]) -> None:
        """Hand on all events; returns when they have ended and attached sinks are done with them.

        Raises what the events raise, after that. Cancelled, it ends the sinks as well.
        """
        handed = 0
        cancelled = False
        try:
            async for event in events:
                self.tell(event)
                for reader in self._readers:
                    if reader.full:
                        await self._until_taken(reader)
                handed += 1
                if handed % TURN == 0:
                    await asyncio.sleep(0)
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            self._ended = True
            for sink in (*self._readers, *self._viewers):
                sink.end()
            await self._finish_sinks(wait=not cancelled)

    @property
    def viewers(self) -> int:
        """How many are watching."""
        self._let_go()
        return len(self._viewers)

    async def _until_taken(self, reader: Reader) -> None:
        """Wait for a reader whose queue is full. It may also close, which is as good."""
        self.held_by = reader.name
        try:
            async with asyncio.timeout(HELD_LONG_S):
                await reader.room()
        except TimeoutError:
            log.warning(
                "%s takes no events: everything waits for it, in the sensor's log.", reader.name
            )
            await reader.room()
        finally:
            self.held_by = None

    async def _serve(
        self, name: str, consume: Callable[[Any], Awaitable[None]], source: Reader | Viewer[S]
    ) -> None:
        try:
            await consume(source)
        except Exception as error:
            self.failures[name] = error
            log.exception("%s failed and gets no more events; the others go on.", name)
        finally:
            source.close()

    async def _finish_sinks(self, *, wait: bool) -> None:
        """Readers take what they have, for as long as it takes them; viewers get a moment."""
        try:
            if wait and self._reading:
                await asyncio.wait(self._reading)
            if wait and self._watching:
                await asyncio.wait(self._watching, timeout=FAREWELL_S)
        finally:
            sinks = [*self._reading, *self._watching]
            for task in sinks:
                task.cancel()
            await asyncio.gather(*sinks, return_exceptions=True)

    def _let_go(self) -> None:
        if any(reader.closed for reader in self._readers):
            self._readers = [reader for reader in self._readers if not reader.closed]
        if any(viewer.closed for viewer in self._viewers):
            self._viewers = [viewer for viewer in self._viewers if not viewer.closed]


class Reader:
    """Every event, in order: `async for event in reader`."""

    def __init__(self, name: str, room: int) -> None:
        self.name = name
        self.closed = False
        self._limit = room
        self._queue: deque[Event] = deque()
        self._ended = False
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        event = self._queue.popleft()
        if len(self._queue) <= self._limit // 2:
            self._room.set()
        return event

    @property
    def full(self) -> bool:
        """Whether its limit was reached and half of that has not been taken since."""
        return not self._room.is_set()

    def put(self, event: Event) -> None:
        """Hand it an event."""
        if self.closed:
            return
        self._queue.append(event)
        if len(self._queue) >= self._limit:
            self._room.clear()
        self._arrived.set()

    async def room(self) -> None:
        """Wait until it has caught up, or closed."""
        await self._room.wait()

    def end(self) -> None:
        """There will be no more events."""
        self._ended = True
        self._arrived.set()

    def close(self) -> None:
        """Want no more; safe to repeat."""
        self.closed = True
        self._queue.clear()
        self._room.set()
        self.end()


class Viewer(Generic[S]):
    """What a viewer has time for: `async for what in viewer`, each a Resync or an event."""

    def __init__(self, name: str, hub: Hub[S], room: int) -> None:
        self.name = name
        self.closed = False
        self.skipped = 0  # events that it was never given, over all
        self.replaced = 0  # moving pictures that gave way to a newer one
        self._hub = hub
        self._limit = room
        self._queue: deque[Event | Resync[S]] = deque()
        self._behind = True  # what is next is the state
        self._untold = 0  # skipped since it was last told
        self._ended = False
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Resync[S] | Event:
        while not self._behind and not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        if self._behind:
            if self.closed:
                raise StopAsyncIteration
            self._behind = False
            untold, self._untold = self._untold, 0
            return Resync(self._hub.state, untold)
        return self._queue.popleft()

    def offer(self, event: Event) -> None:
        """Hand it an event, or count it as skipped. The hub's state holds the event already."""
        queue = self._queue
        if self._behind:
            # It gets the state when it looks, and this event is in it. At its beginning, nothing
            # that it had a right to was skipped.
            if self._untold:
                self._skip(1)
            return
        crowded = isinstance(event, Progress) and len(queue) >= PICTURES_AHEAD
        if crowded and isinstance(queue[-1], Progress | Resync):
            # Not the event: what the one before it did to the state would be missing.
            queue[-1] = Resync(self._hub.state, 0)
            self.replaced += 1
            return
        if len(queue) >= self._limit:
            self._fall_behind(1)
            return
        queue.append(event)
        self._arrived.set()

    def end(self) -> None:
        """There will be no more events: a viewer that is behind gets the last state at once."""
        if len(self._queue) > PICTURES_AHEAD:
            self._fall_behind(0)
        self._ended = True
        self._arrived.set()

    def close(self) -> None:
        """Want no more; safe to repeat."""
        self.closed = True
        self._queue.clear()
        self.end()

    def _fall_behind(self, more: int) -> None:
        """Give up what waits, and `more`, for the state."""
        self._skip(len(self._queue) + more)
        self._queue.clear()
        self._behind = True

    def _skip(self, count: int) -> None:
        self._untold += count
        self.skipped += count

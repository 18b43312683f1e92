"""Where a station's items come from: a live sensor, over as many links as it takes.

The feed is a state machine (connection_state.py has its states and the table): it connects, says
hello, has a paired sensor prove its identity, starts the stream at the first index that the
session lacks, asks again for what was lost on the way (go-back-N), and connects again with growing
pauses when the link breaks. On an open link the receiver runs beside each step and hands on all
that comes. What a set is, the feed does not know: it only sees to it that the log arrives.

The first connection is not repeated: the caller that opens a station learns at once that the port
does not exist, or that the sensor refuses. With a journal it is repeated: then the station begins
with what the journal holds, whether or not the sensor is there.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from legcurl.concurrency import Backoff, until_first
from legcurl.errors import LinkError, NotASensorError, RequestRefusedError, UntrustedSensorError
from legcurl.links.route import Link, Route
from legcurl.protocol.frame import Answer, Frame, Samples
from legcurl.protocol.requests import (
    FROM_NOW,
    OLDEST,
    PROMPT_SINCE,
    Hello,
    Op,
    Result,
    refusal,
    start_request,
)
from legcurl.session.annotations import LinkNote
from legcurl.session.sensor_session import HEEDED_OPS, Item
from legcurl.station.boot_clock import BootClock
from legcurl.station.clock_pings import ClockPings
from legcurl.station.connection_state import ConnectionEvent, State, state_after
from legcurl.station.event_queue import EventQueue
from legcurl.station.peer_authentication import TrustGate
from legcurl.station.request_client import RequestClient
from legcurl.station.silence_watch import SilenceWatch

if TYPE_CHECKING:
    from legcurl.recording.journal import Journal
    from legcurl.station.peer_authentication import PeerAuthentication

log = logging.getLogger(__name__)

# How old a sample may get in the sensor before it is sent, where a person watches: with what the
# host and the page need, well below what the eye takes for "at once". 25 frames a second of four
# samples each are some 10 kbit/s more at 100 Hz, which a cable does not notice.
PROMPT_MS = 40
NOT_RUNNING = "legcurl was not running"  # why the link was lost, for readers of the journal

# What may be over when it is tried again. Anything else ends the feed.
RETRIED = (LinkError, NotASensorError, RequestRefusedError, UntrustedSensorError)


class Feed(Protocol):
    """Gives items until there are no more. `ready` is set when the first may come."""

    ready: asyncio.Event

    async def run(self) -> None:
        """Hand on all items. Raises if the source cannot be used at all, or no longer."""
        ...

    async def close(self) -> None:
        """Release what the feed holds, after `run` has ended."""
        ...


@dataclass
class _Connection:
    """What lasts as long as one link."""

    link: Link
    client: RequestClient
    gate: TrustGate
    silence: SilenceWatch
    hello: Hello | None = None
    pings: ClockPings = field(default_factory=ClockPings)
    attention: asyncio.Event = field(default_factory=asyncio.Event)  # the log lacks something
    advanced: asyncio.Event = field(default_factory=asyncio.Event)  # samples came that it lacked


class _OutageNotes:
    """Notes about the link for the session: each loss once, and when it is over."""

    def __init__(self) -> None:
        self.streamed = False  # there has been a stream
        self._reason: str | None = None  # of the loss that lasts

    def lost(self, reason: str) -> list[Item]:
        """The link is lost. While no stream has been, each new reason is worth a note."""
        told = self._reason is not None and (self.streamed or reason == self._reason)
        if told:
            return []
        self._reason = reason
        return [LinkNote("lost", reason)]

    def restored(self) -> list[Item]:
        """Samples come."""
        if self._reason is None:
            return []
        self._reason = None
        return [LinkNote("restored")]


class LiveFeed:
    """The items of one sensor."""

    def __init__(
        self,
        route: Route,
        queue: EventQueue,
        *,
        history: bool = True,
        prompt_ms: int = 0,
        authentication: PeerAuthentication | None = None,
        journal: Journal | None = None,
    ) -> None:
        # Over a cable there is nothing to prove.
        self.authentication = None if route.wired else authentication
        self.ready = asyncio.Event()
        self.clock = BootClock(route.pace, wired=route.wired)
        self.state = State.CONNECTING if journal is None else State.RESTORING
        self._journal = journal
        self._route = route
        self._session = queue.session
        self._queue = queue
        self._first_index = OLDEST if history else FROM_NOW
        # Radio counts its bytes, and a simulation at full speed has no "at once".
        self._prompt_ms = prompt_ms if route.wired and route.pace is not None else 0
        self._backoff = Backoff(route.name)
        self._outage = _OutageNotes()
        self._connection: _Connection | None = None
        self._damaged_before = 0  # packets, on connections that are over

    @property
    def client(self) -> RequestClient | None:
        """For requests; None while there is no link."""
        return None if self._connection is None else self._connection.client

    @property
    def damaged_frames(self) -> int:
        """Packets of which no frame came, on all connections."""
        client = self.client
        now = 0 if client is None else client.decoder.counts.dropped
        return self._damaged_before + now

    async def run(self) -> None:
        """Keep the items coming until the sensor has ended for good."""
        try:
            while self.state is not State.ENDED:
                event = await self._step()
                before, self.state = self.state, state_after(self.state, event)
                log.debug("%s: %s → %s: %s", self._route.name, before, self.state, event.value)
        finally:
            await self._hang_up()

    async def close(self) -> None:
        """Let go of the route."""
        await self._route.close()

    async def _step(self) -> ConnectionEvent:
        """Do what the state says until it ends in an event; on a link, receive meanwhile."""
        steps = [step(self) for step in STEPS[self.state]]
        if self._connection is not None:
            steps.insert(0, self._receive(self._connection))
        try:
            event = await until_first(*steps)
        except RETRIED as error:
            if not self.ready.is_set():
                raise
            await self._hang_up()
            self._queue.take(self._outage.lost(str(error)))
            return ConnectionEvent.LOST
        if event is ConnectionEvent.SILENT:
            silent = f"{self._route.name} has been silent for {self._route.silence_s:g} s."
            self._queue.take(self._outage.lost(silent))
        return event

    async def _restore(self) -> ConnectionEvent:
        """Take what the journal holds: for the reader, a sensor that is not connected."""
        journal, session = self._journal, self._session
        assert journal is not None, "the first state depends on it"
        self.ready.set()
        try:
            last = await self._queue.restore(self.clock.past.noting(journal.items()))
        except Exception:
            journal.set_aside()  # or each later station would end as well
            raise
        self.clock.restored(session.boot_id, session.time_us)
        if last is not None:
            note = self._outage.lost(NOT_RUNNING)
            if not (isinstance(last, LinkNote) and last.state == "lost"):
                self._queue.take(note)
        return ConnectionEvent.RESTORED

    async def _connect(self) -> ConnectionEvent:
        route = self._route
        link = await route.connect()
        client = RequestClient(
            link,
            name=route.name,
            patience_s=route.patience_s,
            first_id=os.urandom(1)[0],  # no answer to an earlier host's request looks like ours
        )
        gate, silence = TrustGate(self.authentication), SilenceWatch(route.silence_s)
        self._connection = _Connection(link, client, gate, silence)
        return ConnectionEvent.CONNECTED

    async def _greet(self) -> ConnectionEvent:
        connection = self._connected()
        connection.hello = await connection.client.greet()
        connection.pings = ClockPings()
        return ConnectionEvent.TRUSTED if connection.gate.is_open else ConnectionEvent.UNPROVED

    async def _prove(self) -> ConnectionEvent:
        connection = self._connected()
        assert connection.hello is not None, "greeting comes before proving"
        for answer, received_s in await connection.gate.prove(connection.client, connection.hello):
            self._queue.take([*self.clock.restart_before(answer, received_s), answer])
        return ConnectionEvent.TRUSTED

    async def _start(self) -> ConnectionEvent:
        """Have the stream come from the first index that the session lacks."""
        connection = self._connected()
        index = self._session.next_index
        connection.advanced.clear()
        event = await until_first(
            self._ask_for_start(connection, self._first_index if index is None else index),
            _granted_unheard(connection),
        )
        if event is ConnectionEvent.GRANTED:
            self._first_index = OLDEST  # of any later boot, all is wanted
            self._outage.streamed = True
            self.ready.set()
        return event

    async def _ask_for_start(self, connection: _Connection, index: int) -> ConnectionEvent:
        boot_id = self._session.boot_id or 0
        hello = self._session.hello
        knows_prompt = hello is not None and hello.protocol >= PROMPT_SINCE
        prompt_ms = self._prompt_ms if knows_prompt else 0
        answer = await connection.client.ask(
            Op.START, lambda number: start_request(number, boot_id, index, prompt_ms)
        )
        if answer.result == Result.STALE_BOOT_ID:
            return ConnectionEvent.RESTARTED
        resumes = index not in (OLDEST, FROM_NOW)
        if answer.result == Result.BAD_REQUEST and resumes and self._session.next_index is None:
            self.clock.forget_boot()  # the session saw a restart in it: the clock is new as well
            return ConnectionEvent.RESTARTED
        refused = refusal(answer)
        if refused is not None:
            raise refused
        return ConnectionEvent.GRANTED

    async def _stream(self) -> ConnectionEvent:
        """Ping, until the log lacks something or begins anew."""
        connection = self._connected()
        while True:
            clock = self.clock.model
            try:
                async with asyncio.timeout(None if clock is None else connection.pings.wait_s()):
                    await connection.attention.wait()
            except TimeoutError:
                if clock is not None:
                    await connection.pings.ping(connection.client, clock, self._route.name)
            connection.attention.clear()
            if self._session.next_index is None:
                return ConnectionEvent.RESTARTED
            if self._session.wants is not None:
                return ConnectionEvent.LACKING

    async def _mind_silence(self) -> ConnectionEvent:
        await self._connected().silence.wait()
        return ConnectionEvent.SILENT

    async def _pause(self) -> ConnectionEvent:
        await asyncio.sleep(self._backoff.next_s())
        return ConnectionEvent.PAUSED

    async def _receive(self, connection: _Connection) -> ConnectionEvent:
        """Hand on what comes, no faster than the events are read, until the sensor ends."""
        client, silence = connection.client, connection.silence
        while True:
            if self._queue.full:
                # An answer may lie behind what has no room: read on while a request waits.
                await until_first(self._queue.room(), client.asking())
            silence.listening()
            frames = await client.receive()
            silence.heard()
            if frames is None:
                return ConnectionEvent.ENDED
            if frames:
                self._accept(frames, connection)

    def _accept(self, frames: list[Frame], connection: _Connection) -> None:
        items: list[Item] = []
        received_s = connection.client.received_s
        for frame in frames:
            if isinstance(frame, Answer) and frame.op not in HEEDED_OPS:
                continue
            if not connection.gate.admits(frame, received_s):
                continue
            if isinstance(frame, Answer):
                items += self.clock.restart_before(frame, received_s)
            elif isinstance(frame, Samples):
                self._backoff.reset()
                self.clock.sampled(received_s)
                items += self._outage.restored()
            items.append(frame)
        before = self._session.next_index
        self._queue.take(items)
        after = self._session.next_index
        if before is not None and after is not None and after > before:
            connection.advanced.set()
        if after is None or self._session.wants is not None:
            connection.attention.set()

    def _connected(self) -> _Connection:
        assert self._connection is not None, "this state has a link"
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._damaged_before += connection.client.decoder.counts.dropped
            connection.client.abandon()
            await connection.link.close()


async def _granted_unheard(connection: _Connection) -> ConnectionEvent:
    """The answer to a start may be lost: that samples fit again says as much, and sooner."""
    await connection.advanced.wait()
    return ConnectionEvent.GRANTED


Step = Callable[[LiveFeed], Coroutine[Any, Any, ConnectionEvent]]

# What the feed does in each state: the first of these to end gives the event.
STEPS: dict[State, tuple[Step, ...]] = {
    State.RESTORING: (LiveFeed._restore,),
    State.CONNECTING: (LiveFeed._connect,),
    State.GREETING: (LiveFeed._greet,),
    State.PROVING: (LiveFeed._prove,),
    State.STARTING: (LiveFeed._start,),
    State.STREAMING: (LiveFeed._stream, LiveFeed._mind_silence),
    State.RESUMING: (LiveFeed._start, LiveFeed._mind_silence),
    State.PAUSING: (LiveFeed._pause,),
}

"""Where a station's items come from: a live sensor, whatever happens to its link.

A `LiveFeed` runs two coroutines side by side on one link. The receiver hands on all that comes;
the steersman says hello, starts the stream from the first index that the session lacks, asks
again when something was lost on the way (go-back-N), and pings for the clock. When the link
breaks, both end, and the feed connects again, for as long as it takes. What a set consists of is
none of its business: it only sees to it that the log arrives.

Four things can end a conversation, and each has its answer:

- the link broke: connect again, with growing pauses;
- the sensor fell silent on a link that looks open: say hello on it, and connect again only if
  that is not answered (opening a port restarts some boards, and a restart costs the log);
- the sensor says that it has restarted, or cannot start where we are because its log begins
  anew under the same boot id: hello and start, on the same link;
- the sensor refuses hello or start for another reason, or cannot show that it is the one whose
  key we have (security_headers.py): as if the link had broken. Of a sensor that has to show it
  first, nothing is taken before it has.

The first connection is not repeated: whoever opens a station wants to hear at once that the port
does not exist, or that the sensor refuses. With a journal it is: then the station begins with what
the journal holds, and is there whether or not the sensor is.
"""

from __future__ import annotations

import asyncio
import logging
import os
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from legcurl.concurrency import Backoff, until_first
from legcurl.errors import (
    FrameError,
    LinkError,
    LinkLostError,
    NotASensorError,
    RequestRefusedError,
    UntrustedSensorError,
)
from legcurl.links.route import Link, Route
from legcurl.protocol.frame import Answer, Frame, Samples
from legcurl.protocol.requests import (
    FROM_NOW,
    OLDEST,
    PROMPT_SINCE,
    Hello,
    Op,
    Result,
    ping_request,
    read_hello,
    read_ping,
    refusal,
    start_request,
)
from legcurl.session.annotations import LinkNote, RestartNote
from legcurl.session.sensor_session import HEEDED_OPS, Item
from legcurl.station.clock_sync import PING_EVERY_S, THERE_BY_RADIO, THERE_BY_WIRE, ClockModel
from legcurl.station.event_queue import Intake
from legcurl.station.request_client import REPEAT_S, Exchange, NoAnswerError
from legcurl.station.wall_clock import PastClocks

if TYPE_CHECKING:
    from legcurl.recording.journal import Journal
    from legcurl.station.peer_authentication import Guard

log = logging.getLogger(__name__)

# From the last sample of a boot to zero of the next one's clock: no board is back sooner.
RESTART_LEAST_S = 0.2
QUICK_PINGS = 4  # at once, so that wall time is known when the first rep is
QUICK_PING_S = 0.25
SILENCE_LOOKS = 8  # in the length of a silence, at whether one could begin
# How old a sample may get in the sensor before it is sent, where somebody looks at it: with what
# the host and the page need, well below what the eye takes for "at once". 25 frames a second of
# four samples each are some 10 kbit/s more at 100 Hz, which a cable does not notice.
PROMPT_MS = 40
NOT_RUNNING = "legcurl was not running"  # why the link was lost, for who reads the journal

# What may be over when it is tried again. Anything else ends the feed.
RETRIED = (LinkError, NotASensorError, RequestRefusedError, UntrustedSensorError)


class SilenceError(LinkLostError):
    """A streaming sensor has sent nothing for too long; the link may be whole."""


class Feed(Protocol):
    """Gives items until there are no more. `ready` is set when the first may come."""

    ready: asyncio.Event

    async def run(self) -> None:
        """Hand on all items. Raises if the source cannot be used at all, or no longer."""
        ...

    async def close(self) -> None:
        """Release what the feed holds, after `run` has ended."""
        ...


class LiveFeed:
    """The items of one sensor, over as many connections as it takes."""

    def __init__(
        self,
        route: Route,
        intake: Intake,
        *,
        history: bool = True,
        prompt_ms: int = 0,
        guard: Guard | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.guard = None if route.wired else guard  # over a cable there is nothing to prove
        self.ready = asyncio.Event()
        self.clock: ClockModel | None = None
        self.exchange: Exchange | None = None
        self.past = PastClocks()  # of those who wrote the journal
        self._journal = journal
        self._route = route
        self._session = intake.session
        self._intake = intake
        self._from = OLDEST if history else FROM_NOW
        # Radio counts its bytes, and a fast world has no "at once".
        self._prompt_ms = prompt_ms if route.wired and route.pace is not None else 0
        self._backoff = Backoff(route.name)
        self._attention = asyncio.Event()  # something is lacking: the steersman must act
        self._fitting = asyncio.Event()  # samples came that the session lacked
        self._clock_boot: int | None = None
        self._sampled_s: float | None = None  # host time at which samples last came
        self._trusted = False  # on this connection
        self._unproven: list[tuple[Answer, float]] = []  # hellos, and when they came
        self._lost = False  # told, and not yet restored
        self._why_away = ""  # why there has been no connection at all, as it was told
        self._met = False  # there has been a connection
        self._streaming = False
        self._listening = False  # the receiver waits for the link, not for who takes the events
        self._heard_s = 0.0
        self._damaged_before = 0  # packets, on connections that are over

    @property
    def damaged_frames(self) -> int:
        """Packets of which no frame came, on all connections."""
        now = 0 if self.exchange is None else self.exchange.decoder.counts.dropped
        return self._damaged_before + now

    async def run(self) -> None:
        """Keep the items coming until the sensor has ended for good."""
        if self._journal is not None:
            await self._restore(self._journal)
        while True:
            try:
                link = await self._route.connect()
                try:
                    await self._talk(link)
                    return
                finally:
                    await link.close()
            except RETRIED as error:
                if not self.ready.is_set():
                    raise
                self._tell_lost(error)
            await asyncio.sleep(self._backoff.next_s())

    async def close(self) -> None:
        """Let go of the route."""
        await self._route.close()

    async def _restore(self, journal: Journal) -> None:
        """Take what earlier stations took; to whoever waits, that is the sensor, not connected."""
        self.ready.set()
        try:
            last = await self._intake.restore(self.past.noting(journal.items()))
        except Exception:
            journal.set_aside()  # or every station after this one would end as well
            raise
        self.past.until_us = self._session.time_us
        self._remember_clock()
        self._lost = last is not None
        if last is not None and not (isinstance(last, LinkNote) and last.state == "lost"):
            self._intake.take([LinkNote("lost", NOT_RUNNING)])

    def _remember_clock(self) -> None:
        """Know the sensor's clock from before: if it has restarted since, how long that took."""
        seen = self.past.last_seen()
        if seen is None or self._route.pace is None:
            return
        sensor_us, host_s = seen
        self.clock = self._new_clock(self._route.pace)
        self.clock.remember(host_s, sensor_us)
        self._clock_boot = self._session.boot_id
        self._sampled_s = host_s

    async def _talk(self, link: Link) -> None:
        """Converse over one link; returns when the sensor has ended for good."""
        exchange = Exchange(
            link,
            name=self._route.name,
            patience_s=self._route.patience_s,
            first_id=os.urandom(1)[0],  # no answer to an earlier host's request looks like ours
        )
        self.exchange = exchange
        self._trusted = self.guard is None
        self._unproven.clear()
        ended = False
        try:
            while not ended:
                self._streaming = False
                try:
                    await until_first(
                        self._receive(exchange), self._steer(exchange), self._mind_silence()
                    )
                except SilenceError as error:
                    self._tell_lost(error)
                else:
                    ended = True
        finally:
            self._damaged_before += exchange.decoder.counts.dropped
            self.exchange = None
            exchange.abandon()

    async def _receive(self, exchange: Exchange) -> None:
        """Hand on what comes, no faster than it is wanted; returns at the end of the sensor."""
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        while True:
            self._listening = True
            frames = await exchange.receive()
            self._listening = False
            if frames is None:
                return
            if frames:
                self._accept(frames, exchange)
                if self._intake.full:
                    # The answer to a request is behind what nobody takes: go on while one waits.
                    await until_first(self._intake.room(), exchange.asking())
                self._heard_s = loop.time()

    async def _mind_silence(self) -> None:
        """Raise SilenceError when a stream has been silent for too long; else never return.

        Beside the receiver, because a time limit on each read would cost more than the reading.
        """
        loop = asyncio.get_running_loop()
        silence_s = self._route.silence_s
        while True:
            if not (self._streaming and self._listening):
                await asyncio.sleep(silence_s / SILENCE_LOOKS)
                continue
            heard_s = self._heard_s
            left_s = heard_s + silence_s - loop.time()
            if left_s > 0:
                await asyncio.sleep(left_s)
                continue
            # It may be us who were busy: let what has come meanwhile be read first.
            await asyncio.sleep(silence_s / SILENCE_LOOKS)
            if self._listening and self._heard_s == heard_s:
                raise SilenceError(f"{self._route.name} has been silent for {silence_s:g} s.")

    def _accept(self, frames: list[Frame], exchange: Exchange) -> None:
        items: list[Item] = []
        for frame in frames:
            if isinstance(frame, Answer):
                if frame.op not in HEEDED_OPS:
                    continue
                if not self._trusted:
                    self._unproven.append((frame, exchange.received_s))
                    continue
                items += self._notes_before(frame, exchange.received_s)
            elif not self._trusted:
                continue  # nobody has asked for it
            elif isinstance(frame, Samples):
                self._backoff.reset()
                self._sampled_s = exchange.received_s
                items += self._tell_restored()
            items.append(frame)
        before = self._session.next_index
        self._intake.take(items)
        after = self._session.next_index
        if before is not None and after is not None and after > before:
            self._fitting.set()
        if self._streaming and (after is None or self._session.wants is not None):
            self._attention.set()

    def _notes_before(self, answer: Answer, received_s: float) -> list[Item]:
        """What the host knows that must be on record before this answer."""
        if answer.op != Op.HELLO or answer.result != Result.OK:
            return []
        try:
            hello = read_hello(answer)
        except FrameError:
            return []  # greet() says so
        if not hello.speaks_ours:
            return []
        if hello.boot_id == self._clock_boot and not self._began_anew(received_s, hello.time_us):
            return []
        before, self.clock = self.clock, None
        if self._route.pace is not None:
            self.clock = self._new_clock(self._route.pace)
            # What the log tells of is told before the first ping is through, and has its time too.
            self.clock.remember(received_s, hello.time_us)
        self._clock_boot = hello.boot_id
        if before is None:
            return []
        zero_us = before.boot_began_us(received_s, hello.time_us)
        return [] if zero_us is None else [RestartNote(hello.boot_id, zero_us)]

    def _new_clock(self, pace: float) -> ClockModel:
        return ClockModel(pace, there=THERE_BY_WIRE if self._route.wired else THERE_BY_RADIO)

    def _began_anew(self, received_s: float, time_us: int) -> bool:
        """Whether this boot began after the last sample came: a restart under the same boot id."""
        pace = self._route.pace
        if pace is None or self._sampled_s is None:
            return False
        return received_s - time_us / 1e6 / pace > self._sampled_s + RESTART_LEAST_S

    async def _steer(self, exchange: Exchange) -> None:
        """Start the stream and keep it whole."""
        await self._begin(exchange)
        pings = 0
        ping_s = monotonic()
        while True:
            try:
                async with asyncio.timeout(self._until_ping(ping_s)):
                    await self._attention.wait()
            except TimeoutError:
                pings += 1
                asked_s = monotonic()
                await self._ping(exchange, pings)
                doubted = self.clock is not None and self.clock.doubted
                quick = pings < QUICK_PINGS or doubted
                ping_s = asked_s + (QUICK_PING_S if quick else PING_EVERY_S)
            self._attention.clear()
            restarted = self._session.next_index is None
            if not restarted and (index := self._session.wants) is not None:
                restarted = not await self._start(exchange, index)
            if restarted:
                await self._begin(exchange)

    async def _begin(self, exchange: Exchange) -> None:
        """Hello, and the stream from where we are."""
        started = False
        while not started:
            hello = await exchange.greet()
            if not self._trusted:
                await self._make_sure(exchange, hello)
            index = self._session.next_index
            started = await self._start(exchange, self._from if index is None else index)
        self._from = OLDEST  # of any later boot, all is wanted
        self._streaming = self._met = True
        self.ready.set()

    async def _make_sure(self, exchange: Exchange, hello: Hello) -> None:
        """Have the sensor show who it is; only then does its hello count."""
        if self.guard is not None:
            await self.guard.check(exchange, hello)
        self._trusted = True
        for answer, received_s in self._unproven:
            self._intake.take([*self._notes_before(answer, received_s), answer])
        self._unproven.clear()

    async def _start(self, exchange: Exchange, index: int) -> bool:
        """Have the stream come from an index; False if the sensor restarted meanwhile."""
        granted: list[bool] = []

        async def ask() -> None:
            granted.append(await self._ask_for_start(exchange, index))

        # The answer may be lost as well. That samples fit again says as much, and sooner.
        self._fitting.clear()
        await until_first(ask(), self._fitting.wait())
        return granted != [False]

    async def _ask_for_start(self, exchange: Exchange, index: int) -> bool:
        boot_id = self._session.boot_id or 0
        prompt_ms = self._prompt_ms if self._knows_prompt() else 0
        answer = await exchange.ask(
            Op.START, lambda number: start_request(number, boot_id, index, prompt_ms)
        )
        if answer.result == Result.STALE_BOOT_ID:
            return False
        resumes = index not in (OLDEST, FROM_NOW)
        if answer.result == Result.BAD_REQUEST and resumes and self._session.next_index is None:
            self._clock_boot = None  # the session took it for a restart: the clock is new as well
            return False
        refused = refusal(answer)
        if refused is not None:
            raise refused
        return True

    def _knows_prompt(self) -> bool:
        hello = self._session.hello
        return hello is not None and hello.protocol >= PROMPT_SINCE

    def _until_ping(self, ping_s: float) -> float | None:
        return None if self.clock is None else max(ping_s - monotonic(), 0.0)

    async def _ping(self, exchange: Exchange, token: int) -> None:
        """Compare the clocks once; an answer that is lost or late is no loss."""
        sent_s = monotonic()
        try:
            answer = await exchange.granted(
                Op.PING, lambda number: ping_request(number, token), patience_s=REPEAT_S
            )
            pong = read_ping(answer)
        except (NoAnswerError, RequestRefusedError, FrameError) as error:
            log.debug("%s: no time of the sensor's clock: %s", self._route.name, error)
            return
        if self.clock is not None and pong.token == token:
            self.clock.ping(sent_s, pong.time_us, exchange.answered_s)

    def _tell_restored(self) -> list[Item]:
        if not self._lost:
            return []
        self._lost = False
        return [LinkNote("restored")]

    def _tell_lost(self, error: Exception) -> None:
        reason = str(error)
        # Why a link broke is told once; why there never was one may change while somebody tries.
        if not self._lost or (not self._met and reason != self._why_away):
            self._lost, self._why_away = True, reason
            self._intake.take([LinkNote("lost", reason)])

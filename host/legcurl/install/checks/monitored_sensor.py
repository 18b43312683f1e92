"""A sensor under installation: measures its stream, and sends it requests.

A station connects, starts the stream, asks again for lost samples and follows the sensor through a
restart. `MonitoredSensor` sees every frame before the station's session does, and counts it
(stream_stats.py, magnet_stats.py). So the checks judge the stream that a station would get.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from legcurl.errors import ConfigError, FrameError, LegCurlError, LinkLostError
from legcurl.install.checks.magnet_stats import MagnetSurvey
from legcurl.install.checks.stream_checks import LinkFigures
from legcurl.install.checks.stream_stats import Run, StreamSurvey
from legcurl.links.address import BleAddress, ReplayAddress
from legcurl.protocol.frame import Answer, Gap, Samples
from legcurl.protocol.requests import Op, Result, read_hello, read_json, read_ping, read_start
from legcurl.session.annotations import LinkNote
from legcurl.session.sensor_session import Item, SensorSession
from legcurl.station.event_queue import EventQueue
from legcurl.station.key_ring import KeyRing
from legcurl.station.live_feed import LiveFeed
from legcurl.station.open_route import route_to
from legcurl.station.peer_authentication import PeerAuthentication
from legcurl.station.station import Station

if TYPE_CHECKING:
    from legcurl.links.address import Address
    from legcurl.protocol.requests import Hello
    from legcurl.station.request_client import RequestClient

GONE_S = 20.0
"""Longest wait for a frame, in s, before the installer is told."""


class MonitoredSensor:
    """One sensor, from `async with` to its end; `on_run` receives each run of samples."""

    def __init__(self, address: Address) -> None:
        if isinstance(address, ReplayAddress):
            raise ConfigError(f"{address} is a recording: there is no sensor to ask.")
        self.address = address
        self.stream = StreamSurvey()
        self.magnet = MagnetSurvey()
        self.on_run: Callable[[Run], None] | None = None
        self.on_restart: Callable[[], None] | None = None
        self.watch_s = inf  # sensor time; later frames are ignored
        self.news = asyncio.Event()  # something came
        self.heard_s = 0.0  # host's monotonic time of the last frame
        self.longest_silence_s = 0.0
        self._route = route_to(address)
        queue = _MonitoredQueue(SensorSession(progress_s=None), self._see)
        target = address.target if isinstance(address, BleAddress) else ""
        authentication = PeerAuthentication(self._route.name, KeyRing(), target)
        self._feed = LiveFeed(self._route, queue, history=False, authentication=authentication)
        self.station = Station(self._route.name, self._feed, queue)  # for requests
        self._reader: asyncio.Task[None] | None = None
        self._clients: list[tuple[RequestClient, int]] = []  # and what it had dropped by its start
        self._lost = 0

    async def __aenter__(self) -> Self:
        await self.station.__aenter__()
        self.heard_s = monotonic()
        self._reader = asyncio.create_task(self._read(), name=f"monitor {self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError, LegCurlError):
                await self._reader
        await self.station.__aexit__(*_)

    @property
    def name(self) -> str:
        """The address."""
        return self._route.name

    @property
    def pace(self) -> float | None:
        """Sensor seconds in one of the host's; None where the clocks are not comparable."""
        return self._route.pace

    @property
    def wired(self) -> bool:
        """Whether the link may change everything without a key."""
        return self._route.wired

    @property
    def hello(self) -> Hello:
        """The sensor's latest hello."""
        hello = self.station.hello
        assert hello is not None, "entering a station waits for hello"
        return hello

    @property
    def ended(self) -> bool:
        """Whether the sensor has ended; only a simulated one does."""
        return self._reader is None or self._reader.done()

    @property
    def link(self) -> LinkFigures:
        """Counts of the frames so far."""
        frames = damaged = 0
        for client, before in self._clients:
            counts = client.decoder.counts
            frames += counts.frames
            damaged += counts.dropped - counts.unknown_type - before
        return LinkFigures(frames, max(damaged, 0), self._lost)

    def raise_failure(self) -> None:
        """Raise the error that ended the stream, or LinkLostError after GONE_S without a frame."""
        if self._reader is not None and self._reader.done():
            self._reader.result()
        elif monotonic() - self.heard_s > GONE_S:
            raise LinkLostError(
                f"{self.name}: nothing has come for {GONE_S:.0f} s. Is the sensor still connected?"
            )

    async def wait(self, seconds: float) -> None:
        """Wait for the next frame, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.news.wait()
        self.news.clear()

    async def statistics(self) -> Mapping[str, Any]:
        """Ask for the sensor's counters, and note those of the magnet."""
        statistics = await self.station.statistics()
        if not isinstance(statistics, Mapping):
            raise FrameError("The sensor's statistics are no JSON object.")
        self.magnet.observe(statistics.get("agc"), statistics.get("magnitude"))
        return statistics

    async def stored_calibration(self) -> Mapping[str, Any] | None:
        """Ask for the sensor's calibration record; None without one."""
        record = read_json(await self.station.request(Op.CALIBRATION_GET))
        return record if isinstance(record, Mapping) else None

    async def ping(self, token: int) -> tuple[float, int, float]:
        """Host's time of asking, the sensor's clock in µs, host's time of the answer."""
        sent_s = monotonic()
        pong = read_ping(await self.station.request(Op.PING, token.to_bytes(8, "little")))
        return sent_s, pong.time_us, monotonic()

    async def _read(self) -> None:
        """Discard the events; their frames are measured already."""
        async for _ in self.station.events():
            pass
        self.news.set()

    def _see(self, item: Item) -> None:
        if self.stream.watched_s >= self.watch_s:
            return
        now_s = monotonic()
        if isinstance(item, Samples | Gap):
            if self.heard_s:
                self.longest_silence_s = max(self.longest_silence_s, now_s - self.heard_s)
            self.heard_s = now_s
            for run in self.stream.push(item):
                self._measure(run)
        elif isinstance(item, Answer):
            self._see_answer(item)
        elif isinstance(item, LinkNote):
            self._lost += item.state == "lost"
        self.news.set()

    def _measure(self, run: Run) -> None:
        self.magnet.push(run)
        if self.on_run is not None:
            self.on_run(run)

    def _see_answer(self, answer: Answer) -> None:
        if answer.result != Result.OK:
            return
        if answer.op == Op.HELLO:
            with suppress(FrameError):
                hello = read_hello(answer)
                self.magnet.encoder = hello.encoder
                self.magnet.referenced_by = hello.referenced_by
        if answer.op != Op.START:
            return
        client = self._feed.client
        if client is not None and all(client is not known for known, _ in self._clients):
            counts = client.decoder.counts
            self._clients.append((client, counts.dropped - counts.unknown_type))
        with suppress(FrameError):  # the session counts it
            start = read_start(answer)
            restarts = self.stream.figures.restarts
            self.stream.started(start.boot_id, start.first)
            if self.stream.figures.restarts != restarts:
                self.magnet.restart()
                if self.on_restart is not None:
                    self.on_restart()
        self.heard_s = monotonic()


class _MonitoredQueue(EventQueue):
    """An event queue that passes each item to `see` first."""

    def __init__(self, session: SensorSession, see: Callable[[Item], None]) -> None:
        super().__init__(session)
        self._see = see

    def take(self, items: list[Item]) -> None:
        """Pass the items to `see`, then queue them."""
        for item in items:
            self._see(item)
        super().take(items)

"""One machine in the gym: its sensor, its calibration, its current set, as one stream of events.

    async with open_station("serial:/dev/ttyACM0") as station:
        async for event in station.events():
            ...

A feed (live_feed.py) keeps items coming; the event queue records them, has the session turn them
into events, and holds these for their one reader. A station is the same for every kind of address;
only a recording takes no requests.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from legcurl.errors import ConfigError, LinkLostError
from legcurl.events import SetEnded, SetStarted
from legcurl.links.address import Address, BleAddress, ReplayAddress, parse
from legcurl.protocol.frame import Answer, encode_request
from legcurl.protocol.requests import Hello, Op, read_json, read_ping
from legcurl.recording.file import Recording, RecordingHeader, RecordingWriter
from legcurl.recording.replay import session_for
from legcurl.session.annotations import WALL_UNKNOWN, ClockNote
from legcurl.session.sensor_session import SensorSession
from legcurl.station.event_queue import EventQueue
from legcurl.station.key_ring import KeyRing
from legcurl.station.live_feed import Feed, LiveFeed
from legcurl.station.open_route import route_to
from legcurl.station.peer_authentication import CHANGES, Keys, PeerAuthentication
from legcurl.station.replay_feed import ReplayFeed
from legcurl.station.wall_clock import WallLine, WallTimes, host_boot
from legcurl.training_method import STANDARD, TrainingMethod

if TYPE_CHECKING:
    from legcurl.events import Event
    from legcurl.motion import Calibration
    from legcurl.recording.journal import Journal
    from legcurl.session.sensor_session import SampleReader
    from legcurl.station.event_queue import Recorder

LIGHT_LATE_S = 0.01  # a long turn of the sensor's main loop, which sets the light once a turn
_PING_TOKEN = bytes(8)  # the answer is known by its request's number


def open_station(
    address: str | Address,
    *,
    calibration: Calibration | None = None,
    method: TrainingMethod | None = None,
    record: str | Path | None = None,
    journal: Journal | None = None,
    history: bool = True,
    prompt_ms: int = 0,
    keys: Keys | None = None,
    on_samples: SampleReader | None = None,
) -> Station:
    """A station for `async with`: entering it connects, leaving it releases everything.

    `calibration` overrides the sensor's own. `method` judges the sets, by default a recording's own
    or the exercise's. `record` names a new file for all that comes in.
    With `history` the stream begins with what the sensor's log still holds, so that a host that
    was restarted in mid-set finds the whole set; without, it begins now. With `prompt_ms` a sensor
    on a cable sends samples when they are so old, and not when a frame is full, for a person who
    watches (live_feed.PROMPT_MS); it costs bytes.

    `keys` are those of the gym's sensors, by default this user's key ring; over Bluetooth, a sensor
    whose key is known has to prove its identity (peer_authentication.py). `on_samples` gets all
    samples, just before the events that follow from them.

    With a `journal` the station begins with what earlier ones took and keeps what it takes; it
    opens without the sensor too, and a first connection that fails is an event as any other.

    Entering raises LinkError, SensorError, StoreError or InputError.
    """
    address = parse(address) if isinstance(address, str) else address

    def open_recorder() -> Recorder:
        if record is None:
            assert journal is not None
            return journal
        started = datetime.now().astimezone()
        header = RecordingHeader(
            started, str(address), calibration, method or STANDARD, in_order=True
        )
        return RecordingWriter(record, header)

    recorder = None if record is None and journal is None else open_recorder
    if isinstance(address, ReplayAddress):
        recording = Recording(address.path)
        session = session_for(recording, calibration, method=method, on_samples=on_samples)
        queue = EventQueue(session, recorder)
        return Station(str(address), ReplayFeed(recording, address.pace, queue), queue)
    session = SensorSession(calibration, method=method or STANDARD, on_samples=on_samples)
    queue = EventQueue(session, recorder)
    route = route_to(address)
    target = address.target if isinstance(address, BleAddress) else ""
    authentication = PeerAuthentication(str(address), KeyRing() if keys is None else keys, target)
    feed = LiveFeed(
        route,
        queue,
        history=history,
        prompt_ms=prompt_ms,
        authentication=authentication,
        journal=journal,
    )
    station = Station(str(address), feed, queue)
    if journal is not None:
        journal.clock, journal.learnt = station.clock_note, queue.session.learnt
    return station


@dataclass(frozen=True, slots=True)
class Blink:
    """When a sensor's light goes dark to flash: a moment of sensor time, and how sure it is."""

    t_s: float
    within_s: float  # either way


@dataclass(frozen=True, slots=True)
class StationCounts:
    """What has gone wrong since a station was opened."""

    damaged_frames: int = 0  # packets of which no frame came
    restarts: int = 0  # of the sensor

    def __add__(self, other: StationCounts) -> StationCounts:
        return StationCounts(
            self.damaged_frames + other.damaged_frames, self.restarts + other.restarts
        )


class Station:
    """One sensor's events, and requests to it. Made by `open_station`."""

    def __init__(self, name: str, feed: Feed, queue: EventQueue) -> None:
        self.name = name
        self.session = queue.session
        self._feed = feed
        self._live = feed if isinstance(feed, LiveFeed) else None  # a recording has no sensor
        self._queue = queue
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._wall_times = WallTimes()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    @property
    def hello(self) -> Hello | None:
        """The sensor's last hello; None before the first."""
        return self.session.hello

    def events(self) -> AsyncIterator[Event]:
        """All events, to one reader, until the sensor or recording has ended or `stop` is called.

        After the last event it raises the error that ended the feed, if one did.
        """
        return _Events(self._queue, self._task, self._note)

    async def stop(self) -> None:
        """Take nothing more; an open set ends here, interrupted, and so do the events."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def request(self, op: Op, payload: bytes = b"") -> Answer:
        """Send a request of docs/protocol.md. Raises RequestRefusedError, LinkLostError.

        Over Bluetooth, a change is sent with the sensor's key. The events need not be read
        meanwhile.
        """
        if self._live is None:
            raise ConfigError(f"{self.name} is a recording: there is no sensor to ask.")
        client, authentication, hello = self._live.client, self._live.authentication, self.hello
        if client is None:
            raise LinkLostError(f"{self.name} is not connected at the moment: try again.")
        if authentication is not None and hello is not None and op in CHANGES:
            return await authentication.granted(client, hello, op, payload)
        return await client.granted(op, lambda number: encode_request(number, op, payload))

    def require_leave(self) -> None:
        """Raise RequestRefusedError if a change of the sensor needs a key that is missing."""
        authentication = None if self._live is None else self._live.authentication
        if authentication is not None and self.hello is not None:
            authentication.key_of(self.hello)

    async def statistics(self) -> Mapping[str, Any]:
        """The sensor's counters since its boot."""
        return read_json(await self.request(Op.STATISTICS))

    async def settings(self) -> Mapping[str, Any]:
        """The sensor's settings."""
        return read_json(await self.request(Op.SETTINGS_GET))

    async def change_settings(self, **fields: object) -> Mapping[str, Any]:
        """Change some settings, all of them or none; gives all settings."""
        return read_json(await self.request(Op.SETTINGS_PUT, json.dumps(fields).encode()))

    async def identify(self, seconds: int) -> Blink:
        """Have the sensor blink, to find the machine or to line up a film."""
        earliest = read_ping(await self.request(Op.PING, _PING_TOKEN))
        await self.request(Op.IDENTIFY, bytes((seconds,)))
        latest = read_ping(await self.request(Op.PING, _PING_TOKEN))
        zero_us = self.session.zero_us or 0
        return Blink(
            t_s=(zero_us + (earliest.time_us + latest.time_us) / 2) / 1e6,
            within_s=(latest.time_us - earliest.time_us) / 2e6 + LIGHT_LATE_S,
        )

    def wall_time_s(self, t_s: float) -> float | None:
        """Wall time, in seconds since 1970, of an event's time; None while it is unknown.

        The moments of a set never move against each other (wall_clock.WallTimes). Ask after the
        event was read, not before.
        """
        t_us = round(t_s * 1e6)
        return self._wall_times.at(t_us, self._wall_line(t_us, t_us))

    def clock_note(self) -> ClockNote | None:
        """How the clocks lie now; None before the first sample."""
        zero_us, t_us = self.session.zero_us, self.session.time_us
        if zero_us is None or t_us is None:
            return None
        line = self._wall_line(t_us, None)
        wall_us = WALL_UNKNOWN if line is None else round(line.at(t_us) * 1e6)
        note = ClockNote(zero_us, t_us, wall_us, 1.0 if line is None else line.rate)
        host_s = None if self._live is None else self._live.clock.host_s(t_us - zero_us)
        if host_s is not None:
            note = replace(note, host_us=round(host_s * 1e6), host_boot=host_boot())
        return note

    def age_s(self, t_s: float) -> float | None:
        """How long ago a moment of the events' time was; None while it is unknown."""
        zero_us = self.session.zero_us
        if self._live is None or zero_us is None:
            return None
        host_s = self._live.clock.host_s(round(t_s * 1e6) - zero_us)
        return None if host_s is None else time.monotonic() - host_s

    @property
    def counts(self) -> StationCounts:
        """What has gone wrong so far."""
        damaged = 0 if self._live is None else self._live.damaged_frames
        return StationCounts(damaged, self.session.counts.restarts)

    def _wall_line(self, t_us: int, known_us: int | None) -> WallLine | None:
        live = self._live
        return None if live is None else live.clock.wall_line(t_us, known_us, self.session.zero_us)

    def _note(self, event: Event) -> None:
        """An event is read: if a set begins or ends with it, fix the set's wall time."""
        if isinstance(event, SetStarted):
            start_us, known_us = round(event.start_s * 1e6), round(event.t_s * 1e6)
            self._wall_times.begin(start_us, self._wall_line(start_us, known_us))
        elif isinstance(event, SetEnded):
            start_us, end_us = round(event.set.start_s * 1e6), round(event.t_s * 1e6)
            self._wall_times.end(start_us, end_us, self._wall_line(start_us, end_us))

    async def _begin(self) -> None:
        """Start the feed; returns when it is ready, raises the error that ends it before."""
        self._task = asyncio.create_task(self._run(), name=f"station {self.name}")
        ready = asyncio.create_task(self._feed.ready.wait())
        try:
            await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._task.done():
            self._task.result()

    async def _end(self) -> None:
        """End the feed and release all, even if cancelled once more on the way."""
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
        finally:
            try:
                await self._feed.close()
            finally:
                self._queue.close()

    async def _run(self) -> None:
        try:
            await self._feed.run()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._queue.finish()


class _Events:
    """The events of a station. No generator: one that is left in the middle must be closed."""

    def __init__(
        self, queue: EventQueue, task: asyncio.Task[None] | None, note: Callable[[Event], None]
    ) -> None:
        self._queue = queue
        self._task = task
        self._note = note

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._queue.get()
        if event is not None:
            self._note(event)
            return event
        if self._task is not None and not self._task.cancelled():
            await asyncio.wait({self._task})
            self._task.result()
        raise StopAsyncIteration

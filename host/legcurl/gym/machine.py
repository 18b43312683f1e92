"""One machine: its picture now, and the task that keeps it so."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from legcurl.concurrency import Backoff
from legcurl.errors import ConfigError, LegCurlError, LinkLostError
from legcurl.events import Event, LinkChanged, SetEnded, SetStarted
from legcurl.gym.event_bus import EventBus
from legcurl.gym.machine_state import MachineState
from legcurl.logs import about_machine
from legcurl.motion import Calibration, KnownDirection
from legcurl.motion.direction import UNKNOWN
from legcurl.protocol.requests import Hello
from legcurl.recording.journal import Journal
from legcurl.station.live_feed import PROMPT_MS
from legcurl.station.station import Station, StationCounts, open_station
from legcurl.training_method import STANDARD, TrainingMethod

log = logging.getLogger(__name__)

JOURNAL_KEPT_S = 600.0  # of a journal at least, whatever was lifted meanwhile
JOURNAL_BEFORE_S = 60.0  # before what is needed: the longest first rep, and a rest before it
REST_S = 5.0  # before a set, for a session to see where it begins
SETS_KNOWN = 256  # of which no journal begins in the middle
BOOTS_KEPT = 16  # of a sensor, newest: a set that began before all of them is long over

SENSOR_ID_MAX = 32  # characters of it that go into a set's id


def set_id(machine: Machine, start_s: float) -> str:
    """The id of a set that began then: the same however often its log is read again."""
    boot = machine.boot_at(start_s)
    zero_us = boot.zero_us if boot is not None else 0
    return f"{_place(machine, boot)}-{round(start_s * 1000 - zero_us / 1000)}"


def _place(machine: Machine, boot: Boot | None) -> str:
    """Which log a moment is in, as ids name it."""
    if boot is None:
        return machine.setup.id
    return f"{_plain(boot.sensor_id)}-{boot.boot_id:08x}"


def _plain(sensor_id: str) -> str:
    """A sensor's id as it can be in an address, whatever the sensor says."""
    return re.sub(r"[^0-9A-Za-z_-]", "_", sensor_id[:SENSOR_ID_MAX]) or "sensor"


@dataclass(frozen=True, slots=True)
class MachineSetup:
    """What the operator says about a machine."""

    id: str
    name: str  # shown; empty: the sensor's own
    address: str
    calibration: Calibration | None = None
    method: TrainingMethod = STANDARD


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of a sensor, whose log and clock began with it.

    `zero_us` is where that clock's zero lies in the machine's time, which goes on across restarts.
    """

    sensor_id: str
    boot_id: int
    zero_us: int


class Follower(Protocol):
    """Follows the machines."""

    def happened(self, machine: Machine, event: Event) -> None:
        """An event of a machine; its `state` holds it already."""
        ...

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Samples of a machine, before the events that follow from them."""
        ...

    def needs_from_s(self, machine: Machine) -> float | None:
        """The time from which a restarted service would need a machine's samples; None: none."""
        ...


class Machine:
    """One machine: its picture now, and the task that keeps it so."""

    def __init__(
        self,
        setup: MachineSetup,
        followers: Sequence[Follower],
        journals: Path | None = None,
        prompt_ms: Callable[[], int] = lambda: PROMPT_MS,
    ) -> None:
        self.setup = setup
        self.bus = EventBus(setup.method)
        self.station: Station | None = None
        self._followers: list[Follower] = []
        self._journals = journals
        self._prompt_ms = prompt_ms  # how old samples may get before the sensor sends them
        self._set_s: float | None = None  # the start of the set that is going on
        self._next: MachineSetup | None = None  # what it becomes when its station may end
        self._ending: asyncio.Task[None] | None = None  # of that station
        self._sets_s: deque[tuple[float, float]] = deque(maxlen=SETS_KNOWN)  # when others were
        self.journal = self._new_journal()
        self.bus.listen("machine", self._note_sets)
        self._boots: deque[Boot] = deque(maxlen=BOOTS_KEPT)
        self._noted: tuple[Hello, int] | None = None  # of the newest boot
        self._counts_before = StationCounts()  # of stations that are over
        for follower in followers:
            self.follow(follower)

    def follow(self, follower: Follower) -> None:
        """Tell `follower` of every event and sample from here on."""
        self._followers.append(follower)
        self.bus.listen(self._name_of(follower), partial(follower.happened, self))

    @property
    def state(self) -> MachineState:
        """The picture after the last event."""
        return self.bus.state

    @property
    def name(self) -> str:
        """What to call it: as the operator says, else as the sensor does."""
        sensor = self.state.sensor
        return self.setup.name or (sensor.name if sensor is not None else "") or self.setup.id

    @property
    def in_set(self) -> bool:
        """Whether a set is going on."""
        return self._set_s is not None

    @property
    def known_direction(self) -> KnownDirection:
        """What is known of the way that the sensor is mounted."""
        return UNKNOWN if self.station is None else self.station.session.known_direction

    @property
    def counts(self) -> StationCounts:
        """What went beside the plan since the machine was set up."""
        now = StationCounts() if self.station is None else self.station.counts
        return self._counts_before + now

    @property
    def journal_trouble(self) -> str:
        """Why what comes in is not kept on disk at the moment; empty if it is."""
        return "" if self.journal is None else self.journal.trouble

    async def run(self) -> None:
        """Follow the sensor for ever; ends only for an invalid address."""
        about_machine(self.setup.id)
        async with aclosing(self._events()) as events:
            await self.bus.run(events)

    def become(self, setup: MachineSetup) -> None:
        """Be what the operator says now.

        A new name holds at once, in mid-set too. Another address, range or method needs another
        station, and waits until the set that is going on is over; where the link is lost, it is
        the way out.
        """
        now = self.setup
        self.setup = replace(now, name=setup.name)
        self._next = None if setup == self.setup else setup
        if self._next is not None and (self._set_s is None or self.state.link == "lost"):
            self._end_station()

    @property
    def _changes(self) -> bool:
        """Whether another station follows at once: a setup waits, or waited and was taken back."""
        return self._next is not None or self._ending is not None

    @property
    def _goes_on_elsewhere(self) -> bool:
        """Whether a set is handed to the next station, by the journal: then no end is its end."""
        return self._ending is not None and self._set_s is not None and self.journal is not None

    def _end_station(self) -> None:
        """Have the station end, so that the next one is another; there may be none."""
        if self.station is not None and self._ending is None:
            self._ending = asyncio.create_task(self.station.stop(), name="station ends")

    async def _take_over(self) -> None:
        """Become what waited for the station to end."""
        self._ending = None
        if self._next is None:
            return
        self.setup, self._next = self._next, None
        self.bus.state = replace(self.bus.state, method=self.setup.method)
        before, self.journal = self.journal, self._new_journal()
        if before is not None:
            await asyncio.to_thread(before.end)

    def _new_journal(self) -> Journal | None:
        """The journal of a station as the setup says, where there is one to keep."""
        setup = self.setup
        # A simulated sensor ends with its station; another of the same seed is not the same one.
        if self._journals is None or setup.address.startswith(("replay:", "sim:")):
            return None
        journal = Journal(
            self._journals / setup.id,
            source=setup.address,
            calibration=setup.calibration,
            method=setup.method,
        )
        journal.needed_from_us = self._needed_from_us
        return journal

    def boot_at(self, t_s: float) -> Boot | None:
        """The start of the sensor whose clock counted a moment; None before there was any."""
        for boot in reversed(self._boots):
            if boot.zero_us <= t_s * 1e6:
                return boot
        return self._boots[0] if self._boots else None

    def wall_time(self, t_s: float) -> datetime:
        """When a moment of the machine's time was; now, where it is unknown."""
        wall_s = self.station.wall_time_s(t_s) if self.station is not None else None
        if wall_s is None:
            wall_s = time.time() - (self.state.t_s - t_s)
        return datetime.fromtimestamp(wall_s, UTC)

    async def _events(self) -> AsyncGenerator[Event, None]:
        """What the machine's stations say, one after the other, and why there is none."""
        backoff = Backoff(self.setup.id)
        over = False
        while not over:
            await self._take_over()
            trouble: Exception = LinkLostError("The simulation or recording is over.")
            try:
                async with self._open_station() as station:
                    async for event in station.events():
                        backoff.reset()
                        if not self._goes_on_elsewhere:
                            yield event
                over = not self._changes
            except ConfigError as error:
                trouble, over = error, not self._changes
            except LegCurlError as error:
                trouble = error
            except Exception as error:
                # One machine's trouble, even a fault of ours, must not end the others.
                log.exception("%s failed", self.setup.id)
                trouble = error
            finally:
                self._counts_before = self.counts
                self.station = None
            if self._changes:
                continue
            lost = LinkChanged("lost", _reason(trouble))
            if (self.state.link, self.state.link_reason) != ("lost", lost.reason):
                yield lost
            if not over:
                await asyncio.sleep(backoff.next_s())

    def _open_station(self) -> Station:
        self._boots.clear()
        self._noted = None
        self.station = open_station(
            self.setup.address,
            calibration=self.setup.calibration,
            method=self.setup.method,
            journal=self.journal,
            prompt_ms=self._prompt_ms(),
            on_samples=self._sampled,
        )
        return self.station

    def _sampled(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        self._note_boot()
        for follower in self._followers:
            name = self._name_of(follower)
            self.bus.call(name, follower.sampled, self, t_us, angle_deg)

    def _name_of(self, follower: Follower) -> str:
        return f"{self.setup.id}: {type(follower).__name__}"

    def _note_sets(self, event: Event) -> None:
        if isinstance(event, SetStarted):
            self._set_s = event.start_s
        elif isinstance(event, SetEnded):
            self._set_s = None
            self._sets_s.append((event.set.start_s, event.t_s))
            if self._next is not None:
                self._end_station()

    def _needed_from_us(self) -> int:
        """The session time from which the journal is needed.

        A set is known when its first rep is over, the sensor's log, too, goes back some minutes,
        and a journal that begins in the middle of a set would tell of another set than there was.
        """
        starts_s = [follower.needs_from_s(self) for follower in self._followers]
        starts_s += [self._set_s, self.state.t_s - JOURNAL_KEPT_S]
        from_s = min(start_s for start_s in starts_s if start_s is not None) - JOURNAL_BEFORE_S
        for start_s, end_s in reversed(self._sets_s):
            if start_s - REST_S <= from_s <= end_s:
                from_s = start_s - REST_S
        return round(from_s * 1e6)

    def _note_boot(self) -> None:
        session = self.station.session if self.station is not None else None
        if session is None or session.hello is None or session.zero_us is None:
            return
        known = (session.hello, session.zero_us)
        if self._noted is not None and known[0] is self._noted[0] and known[1] == self._noted[1]:
            return  # as with every frame but the first
        self._noted = known
        boot = Boot(session.hello.sensor_id, session.hello.boot_id, session.zero_us)
        if not self._boots or self._boots[-1] != boot:
            self._boots.append(boot)


def _reason(trouble: Exception) -> str:
    if isinstance(trouble, LegCurlError):
        return str(trouble)
    return f"legcurl itself failed: {type(trouble).__name__}: {trouble}"

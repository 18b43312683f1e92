"""One simulated set, watched over a link that is whole and over one that is not.

A `Run` is drawn from its seed: who lifts, at which sample rate, how fast the sensor's crystal
runs, what its chip suffers; and what becomes of the link: how many outages, whether it is rough
in between, and when the host is restarted. `watch_whole` leaves the second part out. The sensor is
the real firmware on the MicroPython VM, the host is a station, and what joins them are the
simulation's faults (legcurl/simulator/outage_schedule.py).

All outages of a set together are at most a fifth of it, and one is at most a minute: so a minute
is reached in sets of five minutes and more alone. Some of the runs are such sets.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from legcurl.errors import LinkError
from legcurl.events import CatchingUp, Event, LinkChanged, Progress, SetEnded, SetResult
from legcurl.links.address import SimAddress
from legcurl.links.route import Link
from legcurl.links.sim_address import Link as LinkKind
from legcurl.links.sim_address import SimOptions
from legcurl.recording.file import RecordingHeader, RecordingWriter
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.route import SimulatedRoute
from legcurl.simulator.world import World
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.station import Station

LINK_EVENTS = (LinkChanged, CatchingUp)
LINKS: tuple[LinkKind, ...] = ("serial", "tcp", "ble")
INTERVALS_MS = (7.5, 15.0, 30.0, 100.0)
MTUS = (23, 50, 185, 247, 517)

# Families whose sets end by themselves; short ones more often, for there are many runs.
LIFTERS = ("early", "early", "steady", "sloppy", "quits", "partials")
CHIP_FAULTS = ("", "", "", "no_magnet", "bus_error", "stuck", "weak_magnet")
RATES_HZ = (50, 100, 100, 200)
# Every so many runs, one with a weight so light that the set takes six to ten minutes.
LONG_EVERY = 25
LONG_LOAD = 0.35
LONG_OUTAGES = (1, 1, 2)
# At pace=fast the world runs on without a host until the bridge's buffers are full, and outages on
# top. It is over 30 s after the set.
RUNS_ON_S = 25.0


@dataclass(frozen=True, slots=True)
class Run:
    """What is simulated, and what happens to the link."""

    whole: SimOptions
    broken: SimOptions
    restarts_s: tuple[float, ...]  # sensor time at which a host dies

    @classmethod
    def of(cls, seed: int, link: str) -> Run:
        """The run of a seed: the same set on each kind of link."""
        rng = Random(f"chaos/{seed}")
        chip = rng.choice(CHIP_FAULTS)
        whole = SimOptions(
            seed=seed,
            lifter=rng.choice(LIFTERS),
            rate=rng.choice(RATES_HZ),
            drift_ppm=rng.randint(-100, 100),
            fault=(chip,) if chip else (),
            pace="fast",
        )
        rough = rng.random() < 0.7
        broken = replace(whole, link=link, outages=rng.randint(1, 6))
        if link == "ble":
            stall = ("host_stall",) if rough else ()
            broken = replace(broken, fault=(*whole.fault, *stall), **_air(rough, seed))
        elif rough:
            broken = replace(broken, fault=(*whole.fault, "rough_link"))
        deaths = rng.choice((0, 0, 1, 1, 2))
        if seed % LONG_EVERY == LONG_EVERY - 1:
            whole, broken = (replace(o, lifter="early", load=LONG_LOAD) for o in (whole, broken))
            return cls(whole, replace(broken, outages=rng.choice(LONG_OUTAGES)), ())
        return cls(whole, broken, _mid_set(whole, deaths, rng) if deaths else ())

    @property
    def is_long(self) -> bool:
        """Whether its outages may last for up to a minute."""
        return self.whole.load == LONG_LOAD

    @property
    def hosts(self) -> int:
        """How many hosts follow one another."""
        return len(self.restarts_s) + 1


def _air(rough: bool, seed: int) -> dict[str, Any]:
    """Bluetooth lets no wrong byte through; what it has instead of a rough link.

    The MTU is the first connection's: each later one has another (_SharedRoute).
    """
    rng = Random(f"air/{seed}")
    return {
        "interval_ms": rng.choice(INTERVALS_MS),
        "mtu": rng.choice(MTUS),
        "loss": rng.uniform(0.05, 0.3) if rough else 0.0,
        "no_memory": rng.uniform(0.0, 0.2) if rough else 0.0,
    }


def _mid_set(options: SimOptions, count: int, rng: Random) -> tuple[float, ...]:
    """So many moments in the set, and none so late that the world might end without a host."""
    result = World(options).truth().sets[0].result
    first_s, last_s = result.start_s + 2.0, result.end_s - RUNS_ON_S
    return tuple(sorted(rng.uniform(first_s, max(first_s, last_s)) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class Watched:
    """What one host said; of several, the last one, which saw the end."""

    events: list[Event]
    outages: int  # that some host noticed

    @property
    def sets(self) -> list[SetResult]:
        return [event.set for event in self.events if isinstance(event, SetEnded)]

    @property
    def longest_behind_s(self) -> float:
        """How far the host was behind the sensor when a link was back, at the most."""
        behind_s = [event.behind_s for event in self.events if isinstance(event, CatchingUp)]
        return max(behind_s, default=0.0)

    @property
    def said(self) -> list[Event]:
        """All but what was said about the link."""
        return [event for event in self.events if not isinstance(event, LINK_EVENTS)]


async def watch_whole(run: Run) -> Watched:
    """One host, and a link that holds."""
    return await watch(run.whole)


async def watch_broken(run: Run, record: Path | None = None) -> Watched:
    """Several hosts, and a link that does not. `record` is the last host's recording."""
    return await watch(run.broken, run.restarts_s, record)


async def watch(
    options: SimOptions, restarts_s: tuple[float, ...] = (), record: Path | None = None
) -> Watched:
    route = _SharedRoute(SimulatedRoute(SimAddress(options)))
    outages = 0
    events: list[Event] = []
    try:
        for until_s in (*restarts_s, None):
            last = until_s is None
            events = await _follow(route, until_s, record if last else None)
            outages += sum(isinstance(e, LinkChanged) and e.state == "lost" for e in events)
        return Watched(events, outages)
    finally:
        await route.sensor.close()


async def _follow(route: _SharedRoute, until_s: float | None, record: Path | None) -> list[Event]:
    """One host, from its start to the end of the sensor, or until it dies."""
    while True:
        try:
            return await _follow_once(route, until_s, record)
        except LinkError:
            continue  # the cable was pulled before it was there: whoever starts hosts tries again


async def _follow_once(
    route: _SharedRoute, until_s: float | None, record: Path | None
) -> list[Event]:
    def open_recorder() -> RecordingWriter:
        assert record is not None
        record.unlink(missing_ok=True)  # of a try before this one
        return RecordingWriter(record, RecordingHeader(in_order=True))

    queue = EventQueue(SensorSession(), None if record is None else open_recorder)
    events: list[Event] = []
    async with Station(route.name, LiveFeed(route, queue), queue) as station:
        async for event in station.events():
            events.append(event)
            if until_s is not None and isinstance(event, Progress) and event.t_s >= until_s:
                route.hold()
                break
    return events


class _SharedRoute:
    """A simulated sensor that outlives its host; by radio, no two connections have the same MTU."""

    def __init__(self, route: SimulatedRoute) -> None:
        self.sensor = route
        self._rng = Random(f"mtu/{route.name}")
        self.name = route.name
        self.pace = route.pace
        self.silence_s = route.silence_s
        self.patience_s = route.patience_s
        self.wired = route.wired
        self._held = False

    def hold(self) -> None:
        """A host dies: a sensor on a pseudo-terminal stands until the next one asks for something.

        At pace=fast a set takes less than a second, and a pseudo-terminal that nobody reads may
        take in all that is left of it. How far a sensor gets alone is for the seed to say, with
        outages, and not for how busy this computer is. (By TCP the bridge's buffers are small, and
        by radio time stands until a host asks.)
        """
        sensor = self.sensor.sensor
        if self.wired and sensor.tcp_address is None and not sensor.finished:
            os.kill(sensor.firmware_pid, signal.SIGSTOP)
            self._held = True

    def go_on(self) -> None:
        """The sensor lives again, if it was held."""
        if self._held:
            self._held = False
            os.kill(self.sensor.sensor.firmware_pid, signal.SIGCONT)

    async def connect(self) -> Link:
        on_air = self.sensor.sensor.radio
        if on_air is not None:  # not the first time
            others = [mtu for mtu in MTUS if mtu != on_air.peripheral.mtu]
            on_air.peripheral.mtu = self._rng.choice(others)
        return _Waking(await self.sensor.connect(), self)

    async def close(self) -> None:
        """The next host comes."""


class _Waking:
    """A link whose first word lets the sensor go on."""

    def __init__(self, link: Link, route: _SharedRoute) -> None:
        self._link = link
        self._route = route

    async def read(self) -> bytes:
        return await self._link.read()

    async def write(self, packet: bytes) -> None:
        await self._link.write(packet)
        self._route.go_on()

    async def close(self) -> None:
        await self._link.close()

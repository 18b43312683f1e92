"""A gym in one process: stations on cables, on TCP, and on one Bluetooth adapter, side by side.

    machines = draw_machines(seed, serial=6, tcp=6, ble=8)
    report = await follow_all(machines, until_s=1800.0)

A `Machine` is drawn from its seed: who lifts, the sample rate, the crystal, the chip's faults, and
what its link suffers in every set. All sensors run the real firmware on the MicroPython VM, each in
front of its own world, at pace=fast: nobody waits for a clock, every sensor has something to say
at all times, and the host is the only place where they meet. The Bluetooth sensors share one
virtual radio, and the stations one adapter, as in a gym; so they also share its scan, and connect
one after the other.

Of each station is kept what it takes to say "the same" (its sets, a digest of all it said and of
every sample) and how long it was left waiting; nothing that grows with time but the sets.

How long a station was not served, while its sensor had data, is bounded from three sides, since
nobody can see a byte arrive without being served:

- `away_s`, the longest time between two reads of its link: it was busy, or nobody took its events;
  meanwhile this process computed for `away_busy_s`, which does not depend on who else computes;
- `Report.late_s`, the longest time by which the event loop was late: who reads is served then.
  Of it, `Report.busy_s` at most is of our own making; the rest, the computer was elsewhere;
- `down_s`, the longest time from a link that was lost to the first sample that came after it.

`quiet_s`, the longest time without a sample for any reason at all, holds the time that its own
sensor's processes needed on a busy computer as well.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from random import Random
from time import monotonic, process_time, thread_time
from typing import Any

from legcurl.events import LinkChanged, Progress, SamplesMissing, SetEnded, SetResult
from legcurl.links.address import BleAddress, SimAddress
from legcurl.links.ble.link import BleRoute
from legcurl.links.route import Link, Route
from legcurl.links.sim_address import SimOptions
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.radio import Central, VirtualRadio
from legcurl.simulator.route import SIMULATED_PATIENCE_S, SimulatedRadioLink, SimulatedRoute
from legcurl.simulator.runner import SimulatedSensor
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import RETRIED, LiveFeed
from legcurl.station.station import Station
from runs import CHIP_FAULTS, LINK_EVENTS, MTUS, RATES_HZ

LIFTERS = ("early", "steady", "sloppy", "quits", "partials")
ENOUGH_SETS = 60  # more than anybody does in the time that we watch: the world must not end first
AIR_LOSS = 0.1  # of the radio that all share
AIR_INTERVAL_S = 0.03
# Of the radio's clock. Every advertisement is heard by every controller: at ten times this speed,
# a gym of them would keep this process busier than all stations do.
AIR_PACE = 20.0
# Sensors on cables take all the computer that there is. In a gym each has its own, and neither the
# host nor the radio's ends, which answer it many times for one connection, wait for their work.
GIVE_WAY = 5  # of niceness
OUTAGES = (1, 2, 3)  # in each set
# Two processes each: a computer that starts all of them at once keeps the first ones waiting for
# longer than a host is patient.
STARTED_AT_ONCE = 4
BEAT_S = 0.02
MARKS = 6  # of memory, on the way


@dataclass(frozen=True, slots=True)
class Machine:
    """One sensor, and what becomes of its link."""

    name: str
    whole: SimOptions
    broken: SimOptions


def draw_machines(
    seed: int, *, serial: int, tcp: int, ble: int, lifters: Sequence[str] = LIFTERS
) -> list[Machine]:
    """So many machines of each kind of link; the same ones for the same seed."""
    kinds = ("ble",) * ble + ("tcp",) * tcp + ("serial",) * serial
    return [_draw(1000 * seed + number, kind, lifters) for number, kind in enumerate(kinds)]


def _draw(seed: int, link: str, lifters: Sequence[str]) -> Machine:
    rng = Random(f"many/{seed}")
    chip = rng.choice(CHIP_FAULTS)
    whole = SimOptions(
        seed=seed,
        lifter=rng.choice(lifters),
        rate=rng.choice(RATES_HZ),
        sets=ENOUGH_SETS,
        drift_ppm=rng.randint(-100, 100),
        fault=(chip,) if chip else (),
        pace="fast",
    )
    broken = replace(whole, link=link, outages=rng.choice(OUTAGES))
    if link == "ble":
        broken = replace(broken, mtu=rng.choice(MTUS), no_memory=rng.uniform(0.0, 0.2))
    else:
        broken = replace(broken, fault=(*whole.fault, "rough_link"))
    return Machine(f"{link} {seed}", whole, broken)


def _digest() -> Any:
    return blake2b(digest_size=16)


@dataclass(slots=True)
class Seen:
    """What one station said in the time that we watch, and how it was served."""

    name: str
    until_s: float
    link: str = "serial"
    sets: list[SetResult] = field(default_factory=list)
    missing: list[SamplesMissing] = field(default_factory=list)
    outages: int = 0  # that it noticed
    samples: int = 0
    reached_s: float = 0.0  # time of the sensor
    took_s: float = 0.0  # time of ours, from the first sample to the end
    away_s: float = 0.0
    away_busy_s: float = 0.0
    down_s: float = 0.0
    quiet_s: float = 0.0
    _said: Any = field(default_factory=_digest)
    _sampled: Any = field(default_factory=_digest)
    _first_s: float | None = None
    _last_s: float = 0.0
    _lost_s: float | None = None

    @property
    def same(self) -> tuple[object, ...]:
        """All that must not depend on the link, or on who else is there."""
        digests = self._said.hexdigest(), self._sampled.hexdigest()
        return (self.sets, self.missing, self.samples, *digests)

    def begin(self) -> None:
        """A host comes, and asks for all from the start."""
        self.samples = 0
        self._sampled = _digest()

    def take_samples(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Count samples; those after the end are not ours."""
        now_s = monotonic()
        if self._first_s is None:
            self._first_s = self._last_s = now_s
        self.quiet_s = max(self.quiet_s, now_s - self._last_s)
        self._last_s = now_s
        if self._lost_s is not None:
            self.down_s = max(self.down_s, now_s - self._lost_s)
            self._lost_s = None
        until_us = self.until_s * 1e6
        ours = sum(t < until_us for t in t_us) if t_us[-1] >= until_us else len(t_us)
        self.samples += ours
        pairs = chain.from_iterable(zip(t_us[:ours], angle_deg, strict=False))
        self._sampled.update(array("d", pairs))
        self.reached_s = min(t_us[-1] / 1e6, self.until_s)

    def take(self, event: object) -> bool:
        """Take an event; False once the time is over."""
        if isinstance(event, Progress):
            return event.t_s < self.until_s  # ten a second: the digest of samples covers them
        if isinstance(event, LINK_EVENTS):
            if isinstance(event, LinkChanged) and event.state == "lost":
                self.outages += 1
                self._lost_s = monotonic()
            return True
        self._said.update(repr(event).encode())
        if isinstance(event, SetEnded):
            self.sets.append(event.set)
        elif isinstance(event, SamplesMissing):
            self.missing.append(event)
        return True

    def end(self) -> None:
        """The time that we watch is over."""
        self.took_s = monotonic() - (self._first_s or monotonic())


@dataclass(slots=True)
class Report:
    """All stations, and what they cost this process (the sensors' processes are not in it)."""

    seen: list[Seen]
    wall_s: float = 0.0
    cpu_s: float = 0.0  # from the start of the first sensor; the virtual radio's share included
    late_s: float = 0.0  # the longest that the event loop was late
    busy_s: float = 0.0  # the most that it computed from one beat to the next
    start_kb: int = 0
    peak_kb: int = 0
    marks_kb: list[int] = field(default_factory=list)  # at each MARKS-th of all stations' time

    @property
    def station_minutes(self) -> float:
        """Simulated minutes of all stations together."""
        return sum(seen.reached_s for seen in self.seen) / 60

    @property
    def growth_kb(self) -> int:
        """From the first mark of memory, where the allocator has settled, to the largest other."""
        return max(self.marks_kb[1:], default=0) - self.marks_kb[0] if self.marks_kb else 0

    @property
    def unserved_busy_s(self) -> float:
        """The most that this process computed while a station with a link waited for it."""
        return self.busy_s + max(seen.away_busy_s for seen in self.seen)

    def as_text(self) -> str:
        """The figures, for a person."""
        lines = [
            f"{len(self.seen)} stations, {self.station_minutes:.0f} station minutes in "
            f"{self.wall_s:.0f} s; {sum(len(seen.sets) for seen in self.seen)} sets, "
            f"{sum(seen.outages for seen in self.seen)} outages, "
            f"{sum(seen.samples for seen in self.seen):,} samples, "
            f"{sum(len(seen.missing) for seen in self.seen)} gaps",
            f"CPU of this process: {self.cpu_s:.1f} s, "
            f"{self.cpu_s / self.station_minutes:.3f} s a minute of a station",
            f"memory: {self.start_kb} kB at the start, {self.peak_kb} kB at most, "
            f"{self.growth_kb:+} kB after the first of {MARKS} marks",
            f"event loop: at most {1000 * self.late_s:.0f} ms late, "
            f"{1000 * self.busy_s:.0f} ms computing",
            "link    longest time without being served (busy, + late loop, out of touch), "
            "without a sample, and in all",
        ]
        for link in dict.fromkeys(seen.link for seen in self.seen):
            group = [seen for seen in self.seen if seen.link == link]
            took_s = [seen.took_s for seen in group]
            away_s = max(seen.away_s for seen in group)
            lines.append(
                f"{link:6} {1000 * away_s:8.0f} ms {1000 * (away_s + self.late_s):8.0f} ms "
                f"{max(seen.down_s for seen in group):6.1f} s "
                f"{max(seen.quiet_s for seen in group):6.1f} s "
                f"{min(took_s):6.0f} to {max(took_s):.0f} s"
            )
        return "\n".join(lines)


async def follow_alone(options: SimOptions, until_s: float) -> Seen:
    """One station with nobody else, on whatever link the options say."""
    seen = Seen(options.address(), until_s)
    route = SimulatedRoute(SimAddress(options))
    async with _station(route, seen) as station:
        await _follow(station, seen)
    return seen


async def follow_all(machines: Sequence[Machine], until_s: float) -> Report:
    """All machines at once, over links that break."""
    report = Report([Seen(machine.name, until_s, machine.broken.link) for machine in machines])
    report.start_kb = report.peak_kb = resident_kb()
    began_s, began_cpu_s = monotonic(), process_time()
    starting = asyncio.Semaphore(STARTED_AT_ONCE)
    radio = VirtualRadio(
        interval_s=AIR_INTERVAL_S, loss=AIR_LOSS, seed=machines[0].whole.seed, pace=AIR_PACE
    )
    async with AsyncExitStack() as open_things:
        adapter = await open_things.enter_async_context(Central(radio))
        watching = asyncio.create_task(_watch(report, until_s))
        open_things.callback(watching.cancel)
        routes = [_route(machine.broken, adapter) for machine in machines]

        async def follow(route: Route, seen: Seen) -> None:
            async with starting:
                station = await open_things.enter_async_context(_station(route, seen))
            if isinstance(route, SimulatedRoute):
                _give_way(route.sensor)  # not before it has booted: someone waits for that
            await _follow(station, seen)

        async with asyncio.TaskGroup() as following:
            for route, seen in zip(routes, report.seen, strict=True):
                following.create_task(follow(route, seen))
    report.wall_s, report.cpu_s = monotonic() - began_s, process_time() - began_cpu_s
    return report


def resident_kb() -> int:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@asynccontextmanager
async def _station(route: Route, seen: Seen) -> AsyncIterator[Station]:
    """A station that is connected; a link that breaks before that is tried again."""
    metered = _MeteredRoute(route, seen)
    try:
        while True:
            seen.begin()
            queue = EventQueue(SensorSession(on_samples=seen.take_samples))
            station = Station(route.name, LiveFeed(metered, queue), queue)
            try:
                await station.__aenter__()
            except RETRIED:
                continue
            break
        try:
            yield station
        finally:
            await station.__aexit__(None, None, None)
    finally:
        await route.close()


async def _follow(station: Station, seen: Seen) -> None:
    async for event in station.events():
        if not seen.take(event):
            break
    seen.end()
    await station.stop()  # its sensor has nothing more to say to anybody


async def _watch(report: Report, until_s: float) -> None:
    """Feel how late the loop is, and how large the process."""
    whole_s = until_s * len(report.seen)
    while True:
        due_s, computed_s = monotonic() + BEAT_S, thread_time()
        await asyncio.sleep(BEAT_S)
        report.late_s = max(report.late_s, monotonic() - due_s)
        report.busy_s = max(report.busy_s, thread_time() - computed_s)
        kb = resident_kb()
        report.peak_kb = max(report.peak_kb, kb)
        reached_s = sum(seen.reached_s for seen in report.seen)
        if reached_s >= whole_s * (len(report.marks_kb) + 1) / (MARKS + 1):
            report.marks_kb.append(kb)


def _route(options: SimOptions, adapter: Central) -> Route:
    if options.link == "ble":
        return _SharedAirRoute(options, adapter)
    return SimulatedRoute(SimAddress(options))


class _SharedAirRoute:
    """The way to a simulated sensor on a radio, and through an adapter, that others use as well."""

    pace = None
    wired = False
    silence_s = patience_s = SIMULATED_PATIENCE_S

    def __init__(self, options: SimOptions, adapter: Central) -> None:
        self.name = options.address()
        self._sensor = SimulatedSensor(options, air=adapter.radio)
        self._adapter = adapter
        self._radio: BleRoute | None = None

    async def connect(self) -> Link:
        if self._radio is None:
            await self._sensor.start()
            assert self._sensor.radio is not None
            self._radio = BleRoute(
                BleAddress(self._sensor.radio.address),
                scanner=self._adapter.scanner_backend,
                client=self._adapter.client_backend,
            )
        self._sensor.raise_failure()
        return SimulatedRadioLink(await self._radio.connect(), self._sensor)

    async def close(self) -> None:
        await self._sensor.close()


class _MeteredRoute:
    """A route whose links tell how long nobody read them; closed by who made the route."""

    def __init__(self, route: Route, seen: Seen) -> None:
        self._route = route
        self._seen = seen
        self.name, self.pace, self.wired = route.name, route.pace, route.wired
        self.silence_s, self.patience_s = route.silence_s, route.patience_s

    async def connect(self) -> Link:
        return _MeteredLink(await self._route.connect(), self._seen)

    async def close(self) -> None:
        """The next try needs the same sensor."""


def _give_way(sensor: SimulatedSensor) -> None:
    """Let the sensor's two processes, which are a group, have what others leave."""
    if not sensor.finished and os.getpriority(os.PRIO_PGRP, sensor.world_pid) < GIVE_WAY:
        os.setpriority(os.PRIO_PGRP, sensor.world_pid, GIVE_WAY)


class _MeteredLink:
    def __init__(self, link: Link, seen: Seen) -> None:
        self._link = link
        self._seen = seen
        self._since_s: float | None = None  # the last read, which has ended
        self._since_busy_s = 0.0
        self.write, self.close = link.write, link.close

    async def read(self) -> bytes:
        if self._since_s is not None:
            self._seen.away_s = max(self._seen.away_s, monotonic() - self._since_s)
            busy_s = thread_time() - self._since_busy_s
            self._seen.away_busy_s = max(self._seen.away_busy_s, busy_s)
        try:
            return await self._link.read()
        finally:
            self._since_s, self._since_busy_s = monotonic(), thread_time()

"""Memory of a station over 24 simulated hours of sets.

    make bench-station_memory ARGS='[HOURS]'

A sensor at 100 Hz that sees one simulated set after another, all day, over a link in memory that
damages one packet in sixteen and breaks every ten minutes. The station's whole path is in it:
decoding, log assembly, resuming, the tracker, events and their reader. Only the clock model is
left out, for simulated hours have no pings. Printed on the way: resident memory, and how many
objects the garbage collector knows.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import overload

import legcurl.station.live_feed
import legcurl.station.request_client
from fake_sensor import FakeSensor
from legcurl.events import Progress
from legcurl.links.sim_address import parse_address
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.world import World
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.station import Station
from live_sensor import Connection, LiveSensor, LoopbackRoute

HOURS = 24.0
RATE_HZ = 100
SETS = "sim:?lifter=steady&seed=20001&sets=4"
CUT_AFTER_BYTES = 75_000  # ten minutes of frames
DAMAGE = 1 / 16
MARKS = 12
GOAL_GROWTH_KB = 1024  # after the first mark: the allocator's pools settle, nothing piles up
GOAL_OBJECTS = 500  # more of them after the first mark: a set that is open has some


def main() -> None:
    """Run for a day, or as many hours as the first argument says, and print the figures."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else HOURS
    # Our seconds are hours there.
    legcurl.concurrency.BACKOFF_FIRST_S = legcurl.concurrency.BACKOFF_MAX_S = 0.001
    legcurl.station.request_client.REPEAT_S = 0.02
    print(f"station over {hours:g} simulated hours at {RATE_HZ} Hz")
    began_s = perf_counter()
    marks, told = asyncio.run(run(hours))
    took_s = perf_counter() - began_s
    samples = hours * 3600 * RATE_HZ
    kb = [mark[0] for mark in marks]
    objects = [mark[1] for mark in marks]
    growth_kb, growth = max(kb[1:]) - kb[0], max(objects[1:]) - objects[0]
    print(f"  {', '.join(f'{count} × {event}' for event, count in told.most_common())}")
    print(f"  {samples:,.0f} samples in {took_s:.0f} s, the simulated sensor's share included")
    print(
        f"  after the first mark: {growth_kb:+} kB (goal: ≤ {GOAL_GROWTH_KB}), {growth:+} objects"
    )
    if growth_kb > GOAL_GROWTH_KB or growth > GOAL_OBJECTS:
        sys.exit("a goal is missed")


class Circle(Sequence[int]):
    """A trace that goes round until it is `total` long."""

    def __init__(self, trace: list[int], total: int) -> None:
        self._trace = trace
        self._total = total

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> list[int]: ...
    def __getitem__(self, at: int | slice) -> int | list[int]:
        size = len(self._trace)
        if isinstance(at, int):
            return self._trace[at % size]
        return [self._trace[place % size] for place in range(at.start, at.stop)]


async def run(hours: float) -> tuple[list[tuple[int, int]], Counter[str]]:
    """Follow a sensor for so long; give memory in kB and objects at each mark, and the events."""
    world = World(parse_address(SETS))
    trace = [round(degrees / 360 * 4096) % 4096 * 16 for _, degrees in world.sensor_trace(RATE_HZ)]
    circle = Circle(trace, round(hours * 3600 * RATE_HZ))
    sensor = LiveSensor(FakeSensor(circle))
    route = LoopbackRoute(sensor, Connection(cut_after=CUT_AFTER_BYTES, damage=DAMAGE))
    queue = EventQueue(SensorSession())
    told: Counter[str] = Counter()
    marks: list[tuple[int, int]] = []
    every_s = hours * 3600 / MARKS
    async with Station(route.name, LiveFeed(route, queue), queue) as station:
        async for event in station.events():
            told[event.event] += 1
            if isinstance(event, Progress) and event.t_s >= every_s * (len(marks) + 1):
                sensor.requests.clear()  # the fake's own diary
                gc.collect()
                marks.append((resident_kb(), len(gc.get_objects())))
                print(f"  {event.t_s / 3600:5.1f} h  {marks[-1][0]} kB  {marks[-1][1]} objects")
    told["connections"] = route.connections
    return marks, told


def resident_kb() -> int:
    """What this process has in memory now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:  # no Linux: the most that there ever was grows just as a leak does
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


if __name__ == "__main__":
    main()

"""What a station would give for simulated sets, played onto a machine that has none.

A take goes by much faster than it was lifted; the machine's wall times are when a moment was
played.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache

from legcurl.events import Event, SensorSeen, SetEnded
from legcurl.gym.machine import Boot, Machine
from legcurl.links.sim_address import parse_address
from legcurl.motion import SetTracker
from legcurl.simulator.world import World

FRAME = 25  # samples that come at once
SENSOR = SensorSeen("e66058388317812f", 0x0A0B0C0D, "Leg curl 9", "pico_w", "0.1.0", 100.0)
Samples = tuple[tuple[int, ...], tuple[float, ...]]


@cache
def take(address: str) -> tuple[Samples | Event, ...]:
    """Samples and events, in order."""
    options = parse_address(address)
    trace = list(World(options).sensor_trace(options.rate))
    tracker = SetTracker(progress_s=0.1)
    kept: list[Samples | Event] = [SENSOR]
    for first in range(0, len(trace), FRAME):
        frame = trace[first : first + FRAME]
        samples = tuple(round(t * 1e6) for t, _ in frame), tuple(angle for _, angle in frame)
        kept.append(samples)
        kept += tracker.push(*samples)
    kept += tracker.finish()
    return tuple(kept)


class Times:
    """When which moment of a take was played."""

    def __init__(self) -> None:
        self._t_s: list[float] = []
        self._at: list[datetime] = []

    def passed(self, t_s: float) -> None:
        """The take has come to a moment."""
        self._t_s.append(t_s)
        self._at.append(datetime.now(UTC))

    def at(self, t_s: float) -> datetime:
        """When a moment was played."""
        place = bisect_left(self._t_s, t_s)
        return self._at[place] if place < len(self._at) else datetime.now(UTC)


def play(machine: Machine, address: str, boot: Boot | None = None) -> Iterator[Event]:
    """Play a take onto a machine; after each event the test may look."""
    times = Times()
    machine.wall_time = times.at
    machine._boots.append(boot or boot_of(machine))
    for item in take(address):
        if isinstance(item, tuple):
            times.passed(item[0][0] / 1e6)
            machine._sampled(*item)
        else:
            machine.bus.tell(item)
            yield item


def boot_of(machine: Machine) -> Boot:
    """Each machine has a sensor of its own."""
    return Boot(f"{SENSOR.sensor_id}{machine.setup.id[-1]}", SENSOR.boot_id, 0)


def play_until(played: Iterator[Event], seen: Callable[[Event], bool]) -> Event:
    """Go on until an event that is looked for."""
    return next(event for event in played if seen(event))


def play_set(machine: Machine, address: str) -> SetEnded:
    """A whole set, and what it came to."""
    (ended,) = [event for event in play(machine, address) if isinstance(event, SetEnded)]
    return ended

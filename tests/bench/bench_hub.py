"""What a hub costs, and what viewers of all speeds get of it.

    make bench-hub

A minute of a set is handed on as fast as it goes, to one reader and to more and more viewers, of
which some look at everything, some take 20 ms for each look, and some never look again. The price
of a viewer is what it adds to an event; a live set has about fourteen events a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle
from time import perf_counter

from legcurl.events import Event, Progress
from legcurl.gym.event_bus import Hub, Reader, Viewer
from legcurl.gym.machine_state import ViewState
from legcurl.links.sim_address import SimOptions
from legcurl.motion import SetTracker
from legcurl.simulator.world import World

VIEWERS = (0, 1, 10, 50, 200)
ROUNDS = 5
SLOW_S = 0.02


def set_events() -> list[Event]:
    """What a tracker says about one simulated set, with ten pictures a second."""
    trace = list(World(SimOptions(seed=3, pace="fast")).sensor_trace(100.0))
    tracker = SetTracker(progress_s=0.1)
    t_us = [round(t_s * 1e6) for t_s, _ in trace]
    return [*tracker.push(t_us, [angle for _, angle in trace]), *tracker.finish()]


async def handed_on(events: list[Event], viewers: int) -> tuple[float, Hub[ViewState], int]:
    """Seconds for all of it; the hub; and events that the reader got."""
    hub = Hub(ViewState())
    got = 0

    async def keep(reader: Reader) -> None:
        nonlocal got
        async for _ in reader:
            got += 1

    async def quick(viewer: Viewer[ViewState]) -> None:
        async for _ in viewer:
            pass

    async def slow(viewer: Viewer[ViewState]) -> None:
        async for _ in viewer:
            await asyncio.sleep(SLOW_S)

    async def source() -> AsyncIterator[Event]:
        for event in events:
            yield event

    hub.attach("store", keep)
    manners = cycle((quick, slow, None))
    for number, manner in zip(range(viewers), manners, strict=False):
        if manner is None:
            await anext(hub.watch(f"stuck {number}"))
        else:
            hub.attach(f"viewer {number}", manner, everything=False)
    began_s = perf_counter()
    handing = asyncio.create_task(hub.run(source()))
    while got < len(events):
        await asyncio.sleep(0)
    took_s = perf_counter() - began_s
    await handing
    return took_s, hub, got


def main() -> None:
    """Print a line for each number of viewers."""
    events = set_events()
    pictures = sum(isinstance(event, Progress) for event in events)
    print(f"hub: {len(events)} events of a set, {pictures} of them pictures; the best of {ROUNDS}")
    for viewers in VIEWERS:
        runs = [asyncio.run(handed_on(events, viewers)) for _ in range(ROUNDS)]
        took_s, _, got = min(runs, key=lambda run: run[0])
        print(
            f"  {viewers:3} viewers  {1e6 * took_s / len(events):7.1f} µs an event"
            f"  {len(events) / took_s:9.0f} events/s   the reader got {got} of {len(events)}"
        )


if __name__ == "__main__":
    main()

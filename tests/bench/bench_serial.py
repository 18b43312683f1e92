"""Serial through a pseudo-terminal: what is lost, what is wrong, and how long an event takes.

    make bench-serial ARGS='[SECONDS]'

The real firmware at 200 Hz in real time, through a PTY and pyserial, into a station that records.
Every recorded sample is compared with what the simulated encoder showed at that sample's time.
Latency is the host's own: from the moment at which the bytes of a frame were read to that at
which the reader of `station.events()` holds each event that they caused. Then, for who looks on:
how old what a picture shows is, from the sample to the event in hand, with frames that wait until
they are full and with a sensor that is asked to be prompt.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time, time

from legcurl.events import Progress
from legcurl.links.address import SimAddress, parse
from legcurl.links.sim_address import SimOptions
from legcurl.protocol.frame import Samples
from legcurl.recording.file import Recording, RecordingWriter
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.route import SimulatedLink, SimulatedRoute
from legcurl.simulator.world import HEADER, RATE_HZ, RECORD, World
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import PROMPT_MS, LiveFeed
from legcurl.station.station import Station, open_station

SECONDS = 60.0
SENSOR_HZ = 200
ADDRESS = f"sim:?rate={SENSOR_HZ}&seed=20001&sets=1000"
GOAL_P99_MS = 10.0
AGE_S = 20.0
SETTLED_S = 4.0  # of the sensor: then the past is read and the clocks are compared
TURN = 4096
US_A_RECORD = 1_000_000 // RATE_HZ


def main() -> None:
    """Run for a minute, or as many seconds as the first argument says, and print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.legcurl"
        began_s = process_time()
        latencies = asyncio.run(stream(seconds, file))
        busy = (process_time() - began_s) / seconds
        runs = [item for item in Recording(file) if isinstance(item, Samples)]
    lost, wrong, samples = compare(runs, options())
    ordered = sorted(latencies)
    p99_ms = quantiles(ordered, n=100)[98] * 1e3
    print(f"serial through a PTY at {SENSOR_HZ} Hz for {seconds:g} s (goal: 0 lost, 0 wrong)")
    print(f"  {samples} samples in {len(runs)} frames: {lost} lost, {wrong} wrong")
    print(f"frame read to event in hand, {len(ordered)} events (goal: p99 ≤ {GOAL_P99_MS:g} ms)")
    print(
        f"  median {median(ordered) * 1e3:.2f} ms, p99 {p99_ms:.2f} ms, "
        f"worst {ordered[-1] * 1e3:.2f} ms; host process busy {busy:.1%} of one core"
    )
    print(f"sample to event in hand, {AGE_S:g} s each")
    for prompt, what in ((False, "frames that fill"), (True, f"prompt, {PROMPT_MS} ms")):
        ages_ms = sorted(age * 1e3 for age in asyncio.run(ages(AGE_S, prompt=prompt)))
        print(
            f"  {what}: median {median(ages_ms):.0f} ms, "
            f"p99 {quantiles(ages_ms, n=100)[98]:.0f} ms, worst {ages_ms[-1]:.0f} ms"
        )
    if lost or wrong or p99_ms > GOAL_P99_MS:
        sys.exit("a goal is missed")


def options() -> SimOptions:
    """What is simulated."""
    address = parse(ADDRESS)
    assert isinstance(address, SimAddress)
    return address.options


class TimedRoute(SimulatedRoute):
    """Notes when the last bytes were read."""

    read_s = 0.0

    async def connect(self) -> SimulatedLink:
        link = await super().connect()
        assert isinstance(link, SimulatedLink)
        read = link.read

        async def timed_read() -> bytes:
            chunk = await read()
            self.read_s = perf_counter()
            return chunk

        link.read = timed_read
        return link


async def stream(seconds: float, file: Path) -> list[float]:
    """Record for so long; give the latency of every event."""
    route = TimedRoute(SimAddress(options()))
    queue = EventQueue(SensorSession(), lambda: RecordingWriter(file))
    latencies: list[float] = []
    async with Station(route.name, LiveFeed(route, queue), queue) as station:
        try:
            async with asyncio.timeout(seconds):
                async for _ in station.events():
                    latencies.append(perf_counter() - route.read_s)
        except TimeoutError:
            pass
    return latencies


async def ages(seconds: float, *, prompt: bool) -> list[float]:
    """How old each moving picture is when its reader has it, in s."""
    found: list[float] = []
    async with open_station(ADDRESS, prompt_ms=PROMPT_MS if prompt else 0) as station:
        try:
            async with asyncio.timeout(seconds):
                async for event in station.events():
                    if not isinstance(event, Progress):
                        continue
                    at_s = station.wall_time_s(event.t_s)
                    if at_s is not None and event.t_s > SETTLED_S:
                        found.append(time() - at_s)
        except TimeoutError:
            pass
    return found


def compare(runs: list[Samples], simulated: SimOptions) -> tuple[int, int, int]:
    """Count samples lost, wrong, and all, against the world that the encoder was in."""
    last_us = max(run.t_us + len(run.angles) * run.period_us for run in runs)
    counts = list(islice(encoder_counts(World(simulated)), last_us // US_A_RECORD + 2))
    lost = wrong = samples = expected = 0
    for run in runs:
        lost += abs(run.index - expected)
        expected = run.index + len(run.angles)
        samples += len(run.angles)
        for place, angle in enumerate(run.angles):
            at = (run.t_us + place * run.period_us) / US_A_RECORD
            wrong += not lies_between(counts[int(at)], counts[int(at + 0.5)], angle >> 4)
    return lost, wrong, samples


def lies_between(before: int, after: int, count: int) -> bool:
    """Whether a count of the encoder lies on the short way from one to another."""
    way, gone = ((to - before + TURN // 2) % TURN - TURN // 2 for to in (after, count))
    return 0 <= gone <= way or way <= gone <= 0


def encoder_counts(world: World):
    """What a 12-bit encoder reads at each of the world's records."""
    header = HEADER.size
    for chunk in world.records():
        for angle, _, _ in RECORD.iter_unpack(chunk[header:]):
            yield angle >> 4
        header = 0


if __name__ == "__main__":
    main()

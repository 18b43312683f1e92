"""A whole gym in one process: what 200 stations at 100 Hz cost, and how late an event is.

    make bench-gym ARGS='[--stations N] [--seconds S] [--viewers V] [--together]'
        [--profile]
    make bench-gym ARGS='--hours H [--stations N]'

Simulated sets, encoded as a sensor on a cable sends them to `legcurl serve` (a frame each 40 ms, or
longer ones where there are many: gym.prompt_ms_for), come over links in memory at the times at
which they would. Everything behind the link is the product: decoding, sessions, trackers, hubs, the
journals, the set writer, the store on SQLite, the figures of /metrics, what is published to a
Mosquitto beside it, and the page's live events, read by viewers in a process of their own. Sensors
are switched on when they are, and send when their own frame is full: each is somewhere else in its
frame. With `--together` all of them send at the same moment, the worst that can be. What is
printed:

- CPU: seconds of this process for a second of the gym, without what the simulated sensors take
  when nobody listens but a loop that reads. A busy computer makes the run longer, not the figure
  larger: the gym's time is counted in samples. Beside it, what decoding the same frames and
  nothing else takes.
- memory: growth from a gym of one station to the whole, for each station.
- samples that were lost.
- latency: from the moment at which the frame was there to the event being handed on, which is what
  the goal is for; and how old the event's sample was, in which are the sensor's share (it gathers
  samples for a frame) and the detection's (it looks a little ahead of what it judges). How late
  this computer wakes who only sleeps is told too: a busy one adds that.

`--hours` is the same as fast as it goes, for fewer stations: memory and file handles at marks.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import legcurl.station.station
from bench_station_memory import resident_kb
from bench_web import serve_page
from brokers import Mosquitto
from gym_sensors import RATE_HZ, GymRoute, GymSensor, Lifter
from legcurl.config.model import MqttConfig
from legcurl.events import Event, SamplesMissing, SetEnded
from legcurl.gym.gym import Gym, prompt_ms_for
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.mqtt.messages import GymName
from legcurl.mqtt.publisher import Publishing
from legcurl.protocol.frame import FrameDecoder
from legcurl.service.gc_tuning import tend_garbage
from legcurl.service.service import Service
from legcurl.store import open_store
from legcurl.web.authentication import Access
from legcurl.web.live_page import LivePage
from legcurl.web.server import listen

STATIONS, SECONDS, VIEWERS = 200, 60.0, 20
HOURS_STATIONS = 2
LONG_FRAME = 25  # of a sensor that nobody hurries
TRACES = 8  # simulated lifters; each station begins somewhere else in one of them
SETTLES_S = 5.0
MARKS = 12
CPU_GOAL, MEMORY_GOAL_MB, LATENCY_GOAL_MS = 0.60, 2.0, 50.0
GROWTH_GOAL_KB = 2048
TICK_S = 0.005


def main() -> None:
    """Run what was asked for, print the figures, and fail if a goal is missed."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--stations", type=int)
    asked.add_argument("--seconds", type=float, default=SECONDS)
    asked.add_argument("--viewers", type=int, default=VIEWERS)
    asked.add_argument("--hours", type=float)
    asked.add_argument("--together", action="store_true")
    asked.add_argument("--profile", action="store_true")
    options = asked.parse_args()
    if options.hours is not None:
        missed = asyncio.run(day(options.stations or HOURS_STATIONS, options.hours))
    else:
        missed = asyncio.run(
            minute(
                options.stations or STATIONS,
                options.seconds,
                options.viewers,
                together=options.together,
                profile=options.profile,
            )
        )
    if missed:
        sys.exit("a goal is missed")


# The gym


class Ages:
    """Follows the machines: how old each event is, and what is missing."""

    def __init__(self, routes: dict[str, GymRoute]) -> None:
        self.measuring = False
        self.age_ms: list[float] = []
        self.added_ms: list[float] = []  # since the frame was there
        self.missing = 0
        self.sets = 0
        self.samples = 0
        self._routes = routes

    def happened(self, machine: Machine, event: Event) -> None:
        if isinstance(event, SamplesMissing):
            self.missing += 1
        self.sets += isinstance(event, SetEnded)
        t_s = getattr(event, "t_s", None)
        if not self.measuring or t_s is None or machine.station is None:
            return
        age_s = machine.station.age_s(t_s)
        if age_s is not None:
            self.age_ms.append(age_s * 1e3)
            added_s = time.monotonic() - self._routes[machine.setup.address].due_s
            self.added_ms.append(added_s * 1e3)

    def needs_from_s(self, machine: Machine) -> None: ...

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        self.samples += len(t_us)


def routes_of(
    stations: int,
    frame: int,
    total: int,
    pace: float | None,
    prepared_s: float = 0.0,
    *,
    together: bool = False,
) -> dict[str, GymRoute]:
    """A sensor for each station, and the way to it; found by its address."""
    began = random.Random(stations)
    lifters = [Lifter(seed, frame) for seed in range(1, TRACES + 1)]
    routes = {}
    for number in range(stations):
        lifter = lifters[number % TRACES]
        shift = number * 977 * frame % len(lifter.angles)
        sensor = GymSensor(lifter, shift, number, total)
        sensor.prepare(prepared_s)
        name = f"tcp:gym:{number + 1}"
        ahead_s = 0.0 if together else began.uniform(0, frame / RATE_HZ)
        routes[name] = GymRoute(name, sensor, pace, ahead_s)
    return routes


def gym_service(
    routes: dict[str, GymRoute], store: Any, journals: Path, broker: MqttConfig | None = None
) -> tuple[LivePage, Ages]:
    """The service for these sensors, and its page."""
    legcurl.station.station.route_to = lambda address: routes[str(address)]
    setups = [MachineSetup(f"m{n}", "", address) for n, address in enumerate(routes, 1)]
    publishing = None if broker is None else Publishing(broker, GymName("bench", "Bench"))
    service = Service(Gym(setups, journals=journals), store, publishing=publishing)
    page, ages = LivePage(service, Access({})), Ages(routes)
    service.gym.follow(ages)
    return page, ages


def frame_of(stations: int) -> int:
    """Samples in the frames that the gym asks such a crowd of sensors for."""
    return prompt_ms_for(stations) * RATE_HZ // 1000


async def minute(
    stations: int, seconds: float, viewers: int, *, together: bool, profile: bool
) -> bool:
    """Print what a gym costs in real time; True if a goal is missed."""
    lasts_s = seconds + 3 * SETTLES_S
    frame = frame_of(stations)
    routes = routes_of(stations, frame, 10**9, 1.0, lasts_s, together=together)
    await measured_gym(dict(list(routes.items())[:1]), 2.0, 1, profile=False)
    gc.collect()
    before_kb = resident_kb()
    figures = await measured_gym(routes, seconds, viewers, profile=profile)
    per_station_mb = (figures["kb"] - before_kb) / 1024 / stations
    bare_s = decode_only(routes, seconds, frame)
    sensors = await read_only(stations, frame, together=together)
    share = figures["cpu_s"] / figures["gym_s"] - sensors
    age_ms, added_ms = figures["age_ms"], figures["added_ms"]
    p99_ms, added_p99_ms = (quantiles(one, n=100)[98] for one in (age_ms, added_ms))
    send = "all at the same moment" if together else "each at its own moment"
    print(
        f"{stations} stations at {RATE_HZ} Hz, sending {send}; {viewers} viewers, a broker; "
        f"{figures['gym_s']:.0f} s"
    )
    print(
        f"  CPU {share:.1%} of one core (goal: < {CPU_GOAL:.0%}), "
        f"and {sensors:.1%} for the simulated sensors"
    )
    print(
        f"  baseline, decoding alone: {bare_s / seconds:.1%}, of which all is "
        f"{share * seconds / bare_s:.1f} times as much"
    )
    print(f"  memory {per_station_mb:.2f} MB a station (goal: ≤ {MEMORY_GOAL_MB:g})")
    print(
        f"  {figures['samples']:,} samples, {figures['lost']} lost, {figures['sets']} sets stored, "
        f"{figures['sent']} events published, {figures['waiting']} waiting"
    )
    print(
        f"  {len(age_ms):,} events: handed on {median(added_ms):.1f} ms after the frame was there "
        f"(median), p99 {added_p99_ms:.1f} ms (goal: ≤ {LATENCY_GOAL_MS:g}); "
        f"their samples were {median(age_ms):.0f} and {p99_ms:.0f} ms old"
    )
    print(
        f"  who only slept was up to {figures['asleep_ms']:.0f} ms late, "
        f"p99 {figures['asleep_p99_ms']:.0f} ms"
    )
    late = added_p99_ms - figures["asleep_p99_ms"] > LATENCY_GOAL_MS
    return share > CPU_GOAL or per_station_mb > MEMORY_GOAL_MB or figures["lost"] > 0 or late


async def measured_gym(
    routes: dict[str, GymRoute], seconds: float, viewers: int, *, profile: bool
) -> dict[str, Any]:
    """Run a gym for so long, with so many viewers."""
    context = get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        Mosquitto(Path(folder) / "broker") as mosquitto,
        open_store(f"sqlite:///{folder}/bench.db", publishing=True) as store,
        listen("127.0.0.1", 0) as door,
    ):
        page, ages = gym_service(routes, store, Path(folder) / "journal", mosquitto.config)
        service = page.service
        assert service.publisher is not None
        task = asyncio.create_task(serve_page(page, door))
        ours, theirs = context.Pipe()
        port = door.getsockname()[1]
        others = context.Process(target=look_on, args=(port, viewers, len(routes), theirs))
        others.start()
        machines = service.gym.machines.values()
        while page.broadcast.viewers < viewers or any(m.state.link != "up" for m in machines):
            await asyncio.sleep(0.1)
        tending = asyncio.create_task(tend_garbage(SETTLES_S / 2))  # as `serve` does, later
        await asyncio.sleep(SETTLES_S)
        sent = service.publisher.figures.sent
        profiler = start_profile() if profile else None
        taken, cpu_s = ages.samples, time.process_time()
        ages.measuring = True
        ours.send("begin")
        await asyncio.sleep(seconds)
        ages.measuring = False
        cpu_s = time.process_time() - cpu_s
        taken = ages.samples - taken
        if profiler is not None:
            show_profile(profiler)
        gc.collect()
        kb = resident_kb()
        published = service.publisher.figures
        ours.send("end")
        asleep_ms = sorted(await asyncio.to_thread(ours.recv))
        lost = sum(machine.station is None for machine in machines) + ages.missing
        tending.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        others.join()
        await asyncio.sleep(0)
    return {
        "cpu_s": cpu_s,
        "gym_s": taken / RATE_HZ / len(routes),
        "kb": kb,
        "samples": taken,
        "lost": lost,
        "sets": ages.sets,
        "sent": published.sent - sent,
        "waiting": published.waiting,
        "age_ms": ages.age_ms,
        "added_ms": ages.added_ms,
        "asleep_ms": asleep_ms[-1],
        "asleep_p99_ms": asleep_ms[len(asleep_ms) * 99 // 100],
    }


def decode_only(routes: dict[str, GymRoute], seconds: float, frame: int) -> float:
    """CPU seconds of decoding what so many seconds of the gym bring."""
    frames = round(seconds * RATE_HZ / frame)
    began_s = time.process_time()
    for route in routes.values():
        decoder = FrameDecoder()
        log = route.sensor.log
        for index in range(0, frames * frame, frame):
            decoder.push(log.samples(index, index + frame))
    return time.process_time() - began_s


async def read_only(stations: int, frame: int, *, together: bool) -> float:
    """CPU seconds a second that sensors and their links take, with nothing behind them."""
    routes = routes_of(stations, frame, 10**9, 1.0, 3 * SETTLES_S, together=together)

    async def read(route: GymRoute) -> None:
        link = await route.connect()
        route.sensor.log.cursor = 0
        while True:
            await link.read()

    reading = [asyncio.create_task(read(route)) for route in routes.values()]
    await asyncio.sleep(SETTLES_S / 2)
    began_s, cpu_s = time.monotonic(), time.process_time()
    await asyncio.sleep(2 * SETTLES_S)
    share = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return share


# The viewers


def look_on(port: int, viewers: int, machines: int, told: Connection) -> None:
    """Be so many pages, half of them with one machine up close; tell how late a sleeper wakes."""
    told.send(asyncio.run(_look_on(port, viewers, machines, told)))


async def _look_on(port: int, viewers: int, machines: int, told: Connection) -> list[float]:
    pages = []
    for number in range(viewers):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        query = f"?machine=m{number % machines + 1}" if number % 2 else ""
        writer.write(f"GET /api/events{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        pages.append((asyncio.create_task(_swallow(reader)), writer))
    late_ms: list[float] = [0.0]
    while not told.poll():
        await asyncio.sleep(0.05)
    told.recv()
    while not told.poll():
        began_s = time.monotonic()
        await asyncio.sleep(TICK_S)
        late_ms.append((time.monotonic() - began_s - TICK_S) * 1e3)
    for task, writer in pages:
        task.cancel()
        writer.close()
    return late_ms


async def _swallow(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(1 << 16):
            pass


def start_profile() -> Any:
    """Begin to count where the time goes."""
    import cProfile

    profiler = cProfile.Profile()
    profiler.enable()
    return profiler


def show_profile(profiler: Any) -> None:
    """Print the functions that took the most by themselves, and with what they called."""
    import pstats

    profiler.disable()
    for order in ("tottime", "cumtime"):
        pstats.Stats(profiler).sort_stats(order).print_stats(45)


# A day


async def day(stations: int, hours: float) -> bool:
    """Print memory and file handles at marks of a long time; True if they grow."""
    total = round(hours * 3600 * RATE_HZ) // LONG_FRAME * LONG_FRAME
    routes = routes_of(stations, LONG_FRAME, total, None)
    marks: list[tuple[int, int, int]] = []
    print(f"{stations} stations over {hours:g} simulated hours at {RATE_HZ} Hz")
    began_s = time.process_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"sqlite:///{folder}/bench.db") as store,
        listen("127.0.0.1", 0) as door,
    ):
        page, ages = gym_service(routes, store, Path(folder) / "journal")
        service = page.service
        task = asyncio.create_task(serve_page(page, door))
        _, writer = await asyncio.open_connection("127.0.0.1", door.getsockname()[1])
        writer.write(b"GET /api/events?machine=m1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while len(marks) < MARKS:
            await asyncio.sleep(0.01)
            if ages.samples >= total * stations * (len(marks) + 1) / MARKS:
                gc.collect()
                marks.append((resident_kb(), handles(), len(gc.get_objects())))
                at = hours * len(marks) / MARKS
                print(
                    f"  {at:5.1f} h  {marks[-1][0]} kB, {marks[-1][1]} file handles, "
                    f"{marks[-1][2]} objects, {ages.sets} sets, {service.writer.pending} waiting",
                    flush=True,
                )
        writer.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    kb, files = [mark[0] for mark in marks[1:]], [mark[1] for mark in marks[1:]]
    growth_kb = max(kb) - kb[0]
    more = min(files[-3:]) - min(files[:3])  # a segment of a journal that is being closed is none
    took_s = time.process_time() - began_s
    print(f"  {ages.missing} gaps; {took_s:.0f} s of CPU")
    print(f"  after the second mark: {growth_kb:+} kB (goal: ≤ {GROWTH_GOAL_KB}), {more:+} handles")
    return growth_kb > GROWTH_GOAL_KB or more > 0 or ages.missing > 0


def handles() -> int:
    """How many files and sockets this process has open."""
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0


if __name__ == "__main__":
    main()

"""The coach's page from the inside: how late viewers are, and what a full gym costs.

    make bench-web ARGS='[SECONDS]'

Everything is in one process but the viewers of the first part, which are in another: the real
service on a real socket, machines that are told what stations would tell them.

- 50 viewers at once, in a busy room: from the moment an event happens to that at which each viewer
  has read it; one more viewer does not read at all. The same while pictures of sets are drawn all
  the time, beside the service as it is done, and in a thread of it, as it was. What the computer
  itself adds is told by a process that only sleeps.
- 60 machines at 10 pictures a second: what the service's process does, in shares of a core; beside
  it the same events encoded for each viewer by itself, as a first version would.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median, quantiles
from typing import Any

from legcurl.events import (
    Event,
    PhaseChanged,
    Progress,
    RepEnded,
    SensorSeen,
    SetResult,
    SetStarted,
)
from legcurl.gym.gym import Gym
from legcurl.gym.machine import MachineSetup
from legcurl.links.sim_address import parse_address
from legcurl.motion import analyze
from legcurl.presentation.charts.stored_set import draw
from legcurl.service.service import Service
from legcurl.simulator.world import World
from legcurl.store import Machine, NewSet, StoredSet, open_store
from legcurl.store.records import Trace
from legcurl.web.app import create_app
from legcurl.web.authentication import Access
from legcurl.web.chart_worker import Painter
from legcurl.web.event_stream import encode
from legcurl.web.live_page import LivePage
from legcurl.web.responses import MOVING, moving
from legcurl.web.server import listen, serve

SECONDS = 20.0
VIEWERS = 50
MACHINES = 60
PICTURES_HZ = 10
SAMPLES_HZ = 100
FRAMES_HZ = 25  # of a sensor that is asked to be prompt
PHASE_S = 1.5  # another phase about so often, and with it a whole state
LATE_GOAL_MS = 250.0
CPU_GOAL = 0.20
SETTLES_S = 1.0  # after fifty viewers have come at once
TICK_S = 0.005  # for who only sleeps


def main() -> None:
    """Run both parts, each step so many seconds, and print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    missed = [asyncio.run(fifty_viewers(seconds)), asyncio.run(sixty_machines(seconds))]
    if any(missed):
        sys.exit("a goal is missed")


# The gym


class ToldGym(Gym):
    """A gym whose machines do what the bench tells them."""

    async def __aenter__(self) -> Gym:
        return self


@asynccontextmanager
async def gym_of(machines: int) -> AsyncIterator[tuple[LivePage, int]]:
    """The service with so many machines, and its port."""
    setups = [MachineSetup(f"machine-{n}", "", "sim:") for n in range(1, machines + 1)]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"sqlite:///{folder}/bench.db") as store,
        listen("127.0.0.1", 0) as door,
    ):
        service = Service(ToldGym(setups), store)
        page = LivePage(service, Access({}))
        prepare(service)
        await lift(service, 0.2)
        task = asyncio.create_task(serve_page(page, door))
        try:
            yield page, door.getsockname()[1]
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def serve_page(page: LivePage, door: socket.socket) -> None:
    """Run the service and its page, and serve them until cancelled."""
    app = create_app(page, hosts=["127.0.0.1"])
    async with page.running():
        await serve(app, door)


def prepare(service: Service) -> None:
    """All machines are at the end of a set: whole states are at their longest."""
    _, result = _measured()
    for number, machine in enumerate(service.gym.machines.values()):
        machine.bus.tell(SensorSeen(f"{number:016x}", 1, "", "pico_w", "0.1.0", 100.0))
        machine.bus.tell(SetStarted(0.0, 0.0))
        for rep in result.reps:
            machine.bus.tell(RepEnded(0.0, rep, rep.number))


async def lift(service: Service, seconds: float) -> int:
    """Have all machines lift for so long; gives how many events happened.

    The angle that a machine tells is the host's clock, so that a viewer knows how old it is.
    """
    loop = asyncio.get_running_loop()
    machines = list(service.gym.machines.values())
    began_s, told, frame = loop.time(), 0, 0
    phases = ("bottom", "concentric", "hold", "eccentric")
    while (now_s := loop.time() - began_s) < seconds:
        for number, machine in enumerate(machines):
            if (frame + number) % (FRAMES_HZ // 5) in (0, 2):  # ten times a second, spread out
                step = int(now_s / PHASE_S + number / len(machines))
                t_s = machine.state.t_s
                events: list[Event] = [
                    Progress(now_s, time.monotonic(), 0.5, phases[step % 4], 3, 1.0, 40.0)
                ]
                if step != int(t_s / PHASE_S + number / len(machines)):
                    events.insert(0, PhaseChanged(now_s, phases[step % 4]))
                for event in events:
                    machine.bus.tell(event)
                told += len(events)
            first_us = round(now_s * 1e6)
            count = SAMPLES_HZ // FRAMES_HZ
            times = range(first_us, first_us + count * 10_000, 10_000)
            machine._sampled(times, [100.0] * count)
        frame += 1
        await asyncio.sleep(max(0.0, began_s + frame / FRAMES_HZ - loop.time()))
    return told


# Fifty viewers


async def fifty_viewers(seconds: float) -> bool:
    """Print how late the viewers are; True if a goal is missed."""
    stored, trace = a_set()
    print(f"{VIEWERS} viewers, {MACHINES} machines, one more viewer never reads")
    async with gym_of(MACHINES) as (page, port), Painter() as painter:
        ours_ms = await _lateness_while(page, port, seconds, "")
        beside = _again_and_again(lambda: painter.paint(stored, trace))
        await _lateness_while(page, port, seconds, ", drawing pictures beside", beside)
        inside = _again_and_again(lambda: asyncio.to_thread(draw, stored, trace))
        await _lateness_while(page, port, seconds, ", drawing them in a thread (baseline)", inside)
    return ours_ms > LATE_GOAL_MS


async def _lateness_while(
    page: LivePage,
    port: int,
    seconds: float,
    what: str,
    meanwhile: Coroutine[Any, Any, None] | None = None,
) -> float:
    """Print how late viewers are, in ms, while something else goes on; give what of it is ours."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    viewers = context.Process(target=read_as_viewers, args=(port, seconds, theirs))
    viewers.start()
    theirs.close()
    while page.broadcast.viewers < VIEWERS + 1:
        await asyncio.sleep(0.05)
    other = None if meanwhile is None else asyncio.create_task(meanwhile)
    began_s = time.process_time()
    await lift(page.service, seconds)
    busy = (time.process_time() - began_s) / seconds
    lateness_ms, asleep_ms = await asyncio.to_thread(ours.recv)
    viewers.join()
    if other is not None:
        other.cancel()
    while page.broadcast.viewers:
        await asyncio.sleep(0.05)
    worst_ms = max(max(one) for one in lateness_ms)
    everyone = sorted(late for one in lateness_ms for late in one)
    print(
        f"  {len(everyone)} messages{what}: median {median(everyone):.0f} ms, "
        f"p99 {quantiles(everyone, n=100)[98]:.0f} ms, worst {worst_ms:.0f} ms late "
        f"(goal: ≤ {LATE_GOAL_MS:g} ms)"
    )
    print(f"    service busy {busy:.1%} of one core; who only slept was {asleep_ms:.0f} ms late")
    return worst_ms - asleep_ms


async def _again_and_again(work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await work()


def read_as_viewers(port: int, seconds: float, tell: Connection) -> None:
    """Be fifty pages and a sleeping one; tell how late each message was to each, in ms."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    sleeper = context.Process(target=only_sleep, args=(seconds, theirs))
    sleeper.start()
    lateness = asyncio.run(_read_as_viewers(port, seconds))
    tell.send((lateness, ours.recv()))


def only_sleep(seconds: float, tell: Connection) -> None:
    """Tell how late this computer wakes who only sleeps, in ms at worst."""
    until_s = time.monotonic() + seconds
    worst_s = 0.0
    while (before_s := time.monotonic()) < until_s:
        time.sleep(TICK_S)
        worst_s = max(worst_s, time.monotonic() - before_s - TICK_S)
    tell.send(worst_s * 1e3)


async def _read_as_viewers(port: int, seconds: float) -> list[list[float]]:
    asleep = await _page(port, buffer=4096)
    pages = [await _page(port) for _ in range(VIEWERS)]
    lateness = await asyncio.gather(*(_lateness(reader, seconds) for reader, _ in pages))
    for _, writer in (*pages, asleep):
        writer.close()
    return lateness


async def _page(
    port: int, buffer: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    door = socket.socket()
    if buffer is not None:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    door.setblocking(False)
    await asyncio.get_running_loop().sock_connect(door, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=door, limit=buffer or 1 << 20)
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return reader, writer


async def _lateness(reader: asyncio.StreamReader, seconds: float) -> list[float]:
    """Of each message, its oldest figure: the first; its angle is when it was told."""
    late_ms: list[float] = []
    place = MOVING.index("angle_deg")
    begins_s: float | None = None
    with suppress(asyncio.IncompleteReadError):
        while True:
            line = await reader.readline()
            if not line.startswith(b'data: {"m":'):
                continue
            now_s = time.monotonic()
            told_s = json.loads(line[line.index(b"[") : line.index(b"]") + 1])[place]
            if begins_s is None:  # how it stood when we came
                begins_s = now_s + SETTLES_S
            if now_s > begins_s:
                late_ms.append((now_s - told_s) * 1e3)
            if now_s > begins_s + seconds - 2 * SETTLES_S:
                break  # all end while there is still something to read
    return late_ms


# Sixty machines


async def sixty_machines(seconds: float) -> bool:
    """Print what a full gym costs with a few viewers; True if a goal is missed."""
    few = 3
    async with gym_of(MACHINES) as (page, port):
        pages = [await _page(port) for _ in range(few)]
        readers = [asyncio.create_task(_swallow(reader)) for reader, _ in pages]
        while page.broadcast.viewers < few:
            await asyncio.sleep(0.05)
        began_s = time.process_time()
        told = await lift(page.service, seconds)
        busy_s = time.process_time() - began_s
        for reader in readers:
            reader.cancel()
        naive_s = encoded_for_each(page, told, few)
        figures = {
            name: moving(machine.state) for name, machine in page.service.gym.machines.items()
        }
        whole_s = _seconds_of(lambda: encode("machine", page.snapshot("machine-1"), 1))
        moving_s = _seconds_of(lambda: encode("moving", {"m": figures}))
        for _, writer in pages:
            writer.close()
    print(f"{MACHINES} machines at {PICTURES_HZ} pictures and {SAMPLES_HZ} samples/s, {few} pages")
    print(
        f"  service, pages' reading and this bench: {busy_s / seconds:.1%} of one core "
        f"(goal: < {CPU_GOAL:.0%})"
    )
    print(
        f"  baseline, the same {told} events each encoded whole for each page: "
        f"{naive_s / seconds:.1%} for the encoding alone"
    )
    print(
        f"  one whole state {whole_s * 1e6:.0f} µs; "
        f"moving figures of {MACHINES} machines {moving_s * 1e6:.0f} µs"
    )
    print(f"  memory of the process at most {_memory_mb():.0f} MB")
    return busy_s / seconds > CPU_GOAL


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


def encoded_for_each(page: LivePage, events: int, viewers: int) -> float:
    """Seconds to encode a whole state for each event and viewer, as a first version would."""
    names = list(page.service.gym.machines)
    began_s = time.process_time()
    for number in range(events):
        for _ in range(viewers):
            encode("machine", page.snapshot(names[number % len(names)]), number)
    return time.process_time() - began_s


def _seconds_of(work: Callable[[], object], times: int = 300) -> float:
    began_s = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began_s) / times


def _memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform == "linux" else 1024 * 1024)


def a_set() -> tuple[StoredSet, Trace]:
    """A simulated set, as it comes out of the store."""
    trace, result = _measured()
    new = NewSet("bench", Machine("curl-1", "Leg curl 1"), datetime.now(UTC), result, trace)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"sqlite:///{folder}/bench.db") as store,
    ):
        store.add_set(new)
        return store.get_set("bench"), trace


@cache
def _measured() -> tuple[Trace, SetResult]:
    samples = list(World(parse_address("sim:?seed=5&pace=fast")).sensor_trace(SAMPLES_HZ))
    trace = Trace(tuple(round(t * 1e6) for t, _ in samples), tuple(a for _, a in samples))
    (result,) = analyze([t for t, _ in samples], list(trace.angle_deg))
    return trace, result


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    main()

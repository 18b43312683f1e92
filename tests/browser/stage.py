"""A gym on a stage: the real service and page, its machines played from simulated sets.

A `Take` is what a station would give for one simulated lifter: samples and events, in order.
`Stage` serves the real application and lets a test play any machine up to a moment and leave it
there, so that a page can be looked at in every state, and a picture is the same each time.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from legcurl.events import Event, SensorSeen
from legcurl.gym.gym import Gym
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.gym.machine_state import MachineState
from legcurl.links.sim_address import parse_address
from legcurl.motion import SetTracker
from legcurl.service.service import Service
from legcurl.simulator.world import World
from legcurl.store import Store, open_store
from legcurl.web.app import create_app
from legcurl.web.authentication import Access
from legcurl.web.live_page import LivePage
from legcurl.web.server import listen, serve
from timings import LIMIT_S

FRAME = 25  # samples that come at once, as from a sensor at 100 Hz
PROGRESS_S = 0.1
_T = TypeVar("_T")


@dataclass(frozen=True)
class Samples:
    """What a station's `on_samples` was given at once."""

    t_us: tuple[int, ...]
    angle_deg: tuple[float, ...]


Take = tuple[Samples | Event, ...]
Moment = Callable[[MachineState], bool]


@cache
def take(address: str) -> Take:
    """Everything that a station at this simulated sensor would give."""
    options = parse_address(address)
    trace = list(World(options).sensor_trace(options.rate))
    tracker = SetTracker(progress_s=PROGRESS_S)
    kept: list[Samples | Event] = [sensor(options.seed)]
    for first in range(0, len(trace), FRAME):
        frame = trace[first : first + FRAME]
        samples = Samples(
            tuple(round(t_s * 1e6) for t_s, _ in frame), tuple(angle for _, angle in frame)
        )
        kept.append(samples)
        kept.extend(tracker.push(samples.t_us, samples.angle_deg))
    kept.extend(tracker.finish())
    return tuple(kept)


def sensor(seed: int) -> SensorSeen:
    """Who a simulated sensor would say it is."""
    return SensorSeen(f"{seed:016x}", seed, f"Leg curl {seed}", "pico_w", "0.1.0", 100.0)


class StagedMachine(Machine):
    """A machine that does nothing by itself, and for which a whole set is one moment."""

    async def run(self) -> None:
        """Nothing."""

    def wall_time(self, t_s: float) -> datetime:
        """Now: what a test did before it played a set was before that set."""
        return datetime.now(UTC)


class StagedGym(Gym):
    """A gym of such machines."""

    def __init__(self, setups: Sequence[MachineSetup]) -> None:
        super().__init__(())
        self.machines = {setup.id: StagedMachine(setup, ()) for setup in setups}


class Stage:
    """The service, running in a thread of its own. Made by `staged`."""

    def __init__(self, page: LivePage, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.page = page
        self.service = page.service
        self.url = url
        self._loop = loop
        self._played: dict[str, int] = {}
        self._takes: dict[str, Take] = {}

    def play(self, machine: str, address: str, until: Moment) -> None:
        """Go on with a machine's take until its picture is as wanted."""
        played = take(address)
        if self._takes.get(machine) is not played:
            self._takes[machine], self._played[machine] = played, 0
        self._in_loop(self._play(machine, played, until))

    def tell(self, machine: str, event: Event) -> None:
        """An event that is in no take."""

        async def told() -> None:
            self.service.gym.machines[machine].bus.tell(event)

        self._in_loop(told())

    def ask(self, work: Callable[[Store], _T]) -> _T:
        """Do something with the store."""
        return self._in_loop(self.service.writer.ask(work))

    def do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run something of the service in its own loop."""
        return self._in_loop(coroutine)

    async def _play(self, name: str, played: Take, until: Moment) -> None:
        machine: Machine = self.service.gym.machines[name]
        at = self._played[name]
        while at < len(played):
            item = played[at]
            at += 1
            if isinstance(item, Samples):
                for follower in (self.service.writer, self.page):
                    follower.sampled(machine, item.t_us, item.angle_deg)
                continue
            machine.bus.tell(item)
            if until(machine.state):
                break
        else:
            raise LookupError(f"{name}: the take has no such moment")
        self._played[name] = at

    def _in_loop(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(LIMIT_S)


@contextmanager
def staged(
    folder: Path, names: Sequence[str], access: Access | None = None, port: int = 0
) -> Iterator[Stage]:
    """A stage with machines of these names; their ids are machine-1, machine-2, ..."""
    setups = [MachineSetup(f"machine-{n}", name, "sim:") for n, name in enumerate(names, 1)]
    loop = asyncio.new_event_loop()
    with open_store(f"sqlite:///{folder / 'stage.db'}") as store, listen("127.0.0.1", port) as door:
        page = LivePage(Service(StagedGym(setups), store), access or Access({}))
        serving = loop.create_task(serve_page(page, door))
        thread = threading.Thread(target=_run, args=(loop, serving), name="stage")
        thread.start()
        try:
            yield Stage(page, f"http://127.0.0.1:{door.getsockname()[1]}/", loop)
        finally:
            loop.call_soon_threadsafe(serving.cancel)
            thread.join(LIMIT_S)


async def serve_page(page: LivePage, door: socket.socket) -> None:
    """Run the page and its service, and serve them until cancelled."""
    app = create_app(page, hosts=["127.0.0.1"])
    async with page.running():
        await serve(app, door)


def _run(loop: asyncio.AbstractEventLoop, serving: asyncio.Task[None]) -> None:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(asyncio.gather(serving, return_exceptions=True))
    left = asyncio.all_tasks(loop)  # requests that were cancelled, and now let go of what they had
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=LIMIT_S))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()

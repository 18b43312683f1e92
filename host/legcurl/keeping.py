"""Keeps every set that ends in the store, however long the disk takes.

A `SetKeeper` follows the machines of a gym. It holds the samples since the set that is going on
began (and a little before: a first rep is known only when it is over), makes a `NewSet` of what
ends, and has one thread write them, in order, again and again until the store takes them. What
waits is bounded only by the sets that people can lift: one is 20 kB, and a gym of 60 machines with
a dead disk makes 100 MB in a day. `pending` and `trouble` say so.

The same thread serves everybody else who wants something of the store (`ask`), so the store is
used by one thread at a time and the event loop by none of its waits.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from legcurl._version import __version__
from legcurl.errors import StoreError
from legcurl.events import Event, SetEnded
from legcurl.store.records import Expected, Machine, NewSet, Trace

if TYPE_CHECKING:
    from legcurl.gym import Machine as GymMachine
    from legcurl.store import Store

log = logging.getLogger(__name__)

BEFORE_SET_S = 3.0  # of the trace that is kept with a set, before its start and after its end
FIRST_REP_S = 60.0  # kept while no set is known: the longest first rep, and some
LONGEST_SET_S = 1800.0
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0

_T = TypeVar("_T")
Kept = Callable[["GymMachine", NewSet], None]


class SetKeeper:
    """Follows machines and keeps their sets. `kept` is told of each set that is stored."""

    def __init__(self, store: Store, kept: Kept) -> None:
        self.trouble = ""  # why sets wait, if they do
        self._store = store
        self._kept = kept
        self._tapes: dict[str, Tape] = {}
        self._expected: dict[str, Expected] = {}
        self._waiting: asyncio.Queue[tuple[GymMachine, NewSet]] = asyncio.Queue()
        self._unwritten = 0
        self._thread = ThreadPoolExecutor(1, "store")
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Sets that have ended and are not in the store yet."""
        return self._unwritten

    async def __aenter__(self) -> SetKeeper:
        self._task = asyncio.create_task(self._write(), name="set keeper")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what waits, once more, and let go of the thread."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while not self._waiting.empty():
            machine, new = self._waiting.get_nowait()
            try:
                await self._put(machine, new)
            except StoreError as error:
                log.error("set %s could not be stored: %s", new.id, error)  # noqa: TRY400
        self._thread.shutdown()

    async def ask(self, work: Callable[[Store], _T]) -> _T:
        """Have the store's thread do something with the store."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, self._store)

    def expect(self, machine_id: str, expected: Expected) -> None:
        """Who lifts next on a machine, and what: for the sets from now on."""
        self._expected[machine_id] = expected

    def expected(self, machine_id: str) -> Expected:
        """Who lifts on a machine, as far as anybody said."""
        return self._expected.get(machine_id, Expected())

    def sampled(self, machine: GymMachine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Keep samples for the set that they may belong to."""
        tape = self._tapes.setdefault(machine.setup.id, Tape())
        tape.add(t_us, angle_deg)
        tape.forget_before(
            machine.state.t_s - (LONGEST_SET_S if machine.state.stage == "during" else FIRST_REP_S)
        )

    def happened(self, machine: GymMachine, event: Event) -> None:
        """Take a set that has ended."""
        if not isinstance(event, SetEnded):
            return
        setup, result = machine.setup, event.set
        tape = self._tapes.get(setup.id, Tape())
        new = NewSet(
            id=set_id(machine, result.start_s),
            machine=Machine(setup.id, machine.name),
            started=machine.wall_time(result.start_s),
            result=result,
            trace=tape.cut(result.start_s - BEFORE_SET_S, result.end_s + BEFORE_SET_S),
            expected=self.expected(setup.id),
            detection=__version__,
        )
        self._unwritten += 1
        self._waiting.put_nowait((machine, new))

    async def _write(self) -> None:
        while True:
            machine, new = await self._waiting.get()
            pause_s = RETRY_FIRST_S
            try:
                while not await self._tried(machine, new):
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, RETRY_MAX_S)
            except asyncio.CancelledError:
                self._waiting.put_nowait((machine, new))  # for the last try
                raise

    async def _tried(self, machine: GymMachine, new: NewSet) -> bool:
        try:
            await self._put(machine, new)
        except StoreError as error:
            if str(error) != self.trouble:
                log.error("set %s waits: %s", new.id, error)  # noqa: TRY400
            self.trouble = str(error)
            return False
        self.trouble = ""
        return True

    async def _put(self, machine: GymMachine, new: NewSet) -> None:
        await self.ask(lambda store: store.add_set(new))
        self._unwritten -= 1
        self._kept(machine, new)


class Tape:
    """The newest samples of a machine."""

    def __init__(self) -> None:
        self._t_us = array("q")
        self._angle_deg = array("d")
        self._forgotten = 0  # samples at the front that are no longer wanted

    def add(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Take the samples that came next; times that go back begin a new tape."""
        if self._t_us and t_us and t_us[0] <= self._t_us[-1]:
            self.__init__()
        self._t_us.extend(t_us)
        self._angle_deg.extend(angle_deg)

    def forget_before(self, t_s: float) -> None:
        """Let go of what is older; the memory is freed when half of it is."""
        self._forgotten = bisect_left(self._t_us, round(t_s * 1e6), self._forgotten)
        if 2 * self._forgotten > len(self._t_us):
            del self._t_us[: self._forgotten]
            del self._angle_deg[: self._forgotten]
            self._forgotten = 0

    def cut(self, from_s: float, to_s: float) -> Trace:
        """The samples of a while."""
        first = bisect_left(self._t_us, round(from_s * 1e6))
        last = bisect_right(self._t_us, round(to_s * 1e6))
        return Trace(tuple(self._t_us[first:last]), tuple(self._angle_deg[first:last]))


def set_id(machine: GymMachine, start_s: float) -> str:
    """An id that the same set has whenever it is told, and no other set.

    The sensor and its boot say which log, and the start says where in it.
    """
    sensor = machine.state.sensor
    log_of = f"{sensor.sensor_id}-{sensor.boot_id:08x}" if sensor is not None else machine.setup.id
    return f"{log_of}-{round(start_s * 1000)}"

"""How well the service works: `ok`, `degraded` or `failing`.

`degraded`: a person should look, but nothing is lost (a sensor or the broker is away). `failing`:
sets cannot be stored, or the event loop stands still. `/healthz` answers with it, and systemd's
watchdog gets its message by it (systemd.py).

The store is probed at most every few seconds, when the health is asked for: a write transaction
that changes nothing finds a read-only disk, a locked database and a deleted one. A task measures
how late the event loop is.

`hung` says that a restart would help, because the store's thread does not move. (While the loop
stands still, systemd misses its message.) A restart would not help with a full disk: it would lose
the sets that wait in memory.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from legcurl.errors import LegCurlError

if TYPE_CHECKING:
    from legcurl.gym.gym import Gym
    from legcurl.service.set_writer import SetWriter
    from legcurl.store import Store

PROBE_EVERY_S = 3.0  # at most, however often a monitor asks
PROBE_TAKES_S = 2.0  # then the health is given without the probe
SLOW_S = 15.0  # longer than any query: then it takes no sets either
STUCK_S = 60.0  # longer than any disk takes
TICK_S = 0.25
LAG_KEPT = round(10.0 / TICK_S)  # the worst of the last ten seconds is told
LAG_DEGRADED_S = 0.25  # a viewer begins to notice it
LAG_FAILING_S = 5.0  # a link's own buffers hold no more of a stream
FREE_MIN = 8 << 20  # bytes on the disk: a checkpoint of the database takes 4 MB, a set 20 kB
FREE_LOW = 256 << 20

Status = Literal["ok", "degraded", "failing"]
Trouble = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health of the service; `reasons` are sentences, the worst first."""

    status: Status
    reasons: tuple[str, ...]
    hung: bool = False


class Health:
    """The health of one service; an async context manager that measures the loop's lag."""

    def __init__(self, gym: Gym, writer: SetWriter) -> None:
        self.store_trouble = ""  # what the last probe found
        self._gym = gym
        self._writer = writer
        self._watched: list[tuple[Status, Trouble]] = []
        self._lags: deque[float] = deque(maxlen=LAG_KEPT)
        self._ticking: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._asked_s = 0.0  # when the probe that is under way, or the last one, was begun
        self._answered_s: float | None = None

    def watch(self, trouble: Trouble, status: Status = "degraded") -> None:
        """Include another part: `trouble()` gives a sentence, or \"\" while it works."""
        self._watched.append((status, trouble))

    @property
    def lag_s(self) -> float:
        """How late the loop was in the last ten seconds, at worst."""
        return max(self._lags, default=0.0)

    async def __aenter__(self) -> Health:
        self._ticking = asyncio.create_task(self._tick(), name="health")
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._ticking, self._probe):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def judge(self) -> Verdict:
        """The health now, after at most PROBE_TAKES_S."""
        await self._ask_store()
        failing: list[str] = []
        degraded: list[str] = []
        if self._writer.trouble:
            failing.append(self._writer.trouble)
        elif self.store_trouble:
            failing.append(self.store_trouble)
        waited_s = self._waited_s()
        if waited_s >= PROBE_TAKES_S:
            told = failing if waited_s > SLOW_S else degraded
            told.append(f"The store has not answered for {waited_s:.0f} s.")
        lag_s = self.lag_s
        if lag_s > LAG_DEGRADED_S:
            told = failing if lag_s > LAG_FAILING_S else degraded
            told.append(f"The service was {lag_s:.1f} s late within the last ten seconds.")
        for status, trouble in self._watched:
            said = trouble()
            if said:
                (failing if status == "failing" else degraded).append(said)
        for name, machine in self._gym.machines.items():
            if machine.state.link != "up":
                degraded.append(f"{name}: the sensor is away.")
            if machine.journal is not None and machine.journal.trouble:
                degraded.append(f"{name}: {machine.journal.trouble}")
            degraded += [f"{name}: the sensor reports {fault}." for fault in machine.state.faults]
        status: Status = "failing" if failing else "degraded" if degraded else "ok"
        return Verdict(status, (*failing, *degraded), hung=waited_s > STUCK_S)

    async def _ask_store(self) -> None:
        """Probe the store, unless a probe is recent or still runs."""
        now_s = time.monotonic()
        if self._probe is None or self._probe.done():
            if self._answered_s is not None and now_s - self._asked_s < PROBE_EVERY_S:
                return
            self._asked_s = now_s
            self._probe = asyncio.create_task(self._probe_store(), name="probe of the store")
        await asyncio.wait({self._probe}, timeout=PROBE_TAKES_S)

    async def _probe_store(self) -> None:
        try:
            await self._writer.ask(probe)
            self.store_trouble = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the store is not well
            self.store_trouble = str(error) if isinstance(error, LegCurlError) else repr(error)
        self._answered_s = time.monotonic()

    def _waited_s(self) -> float:
        """How long the running probe has taken."""
        if self._probe is None or self._probe.done():
            return 0.0
        return time.monotonic() - self._asked_s

    async def _tick(self) -> None:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(TICK_S)
            self._lags.append(max(time.monotonic() - began_s - TICK_S, 0.0))


def probe(store: Store) -> None:
    """Check that the store can take a set. Raises StoreError with the reason."""
    from legcurl.errors import StoreError

    file = store.file
    if file is not None:
        if not file.exists():
            raise StoreError(f"The database {file} is gone: what is stored now will be lost.")
        free = free_bytes(file)
        if free < FREE_MIN:
            raise StoreError(
                f"The disk of {file} is full ({free >> 10} kB are left): make room on it."
            )
    store.probe()


def free_bytes(file: Path) -> int:
    """Free bytes on the disk of a file."""
    disk = os.statvfs(file.parent)
    return disk.f_bavail * disk.f_frsize

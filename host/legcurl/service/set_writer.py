"""Writes every set that ends to the store, however long the disk takes.

`SetWriter` follows the machines of a gym. It keeps the samples since the current set began (and a
little before: a first rep is known only when it is over), makes a `NewSet` of each set that ends,
and has one thread write it, again and again until the store takes it. The queue has no bound but
the sets that people lift: one takes 20 kB, and 60 machines with a dead disk make 100 MB a day.
`pending` and `trouble` report it.

Other parts use the store through the same thread (`ask`), so that only one thread uses the store
and the event loop never waits for it.

**Whose set it is.** Client and load are entered for one set: the set whose last attempt ends next.
Then the entry is used up: a set without a name is corrected with one touch, but a set under the
name of the client before goes unnoticed. An entry made after the last attempt, in the rest that
ends the set, is for the next set. After a restart, sets of the past are found once more: those that
are stored already use up no entry.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from legcurl._version import __version__
from legcurl.errors import StoreError
from legcurl.events import Event, SetEnded
from legcurl.gym.machine import _place, set_id
from legcurl.service.sample_buffer import SampleBuffer
from legcurl.store.records import Expected, LogSpan, Machine, NewSet

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine as GymMachine
    from legcurl.store import Store

log = logging.getLogger(__name__)

BEFORE_SET_S = 3.0  # of the trace that is kept with a set, before its start and after its end
FIRST_REP_S = 60.0  # kept while no set is known: the longest first rep, and some
LONGEST_SET_S = 1800.0
FORGOTTEN_EACH = 256  # samples: often enough, and no work for every frame
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0
FAREWELL_S = 1.5  # for the store, at the end: a service is over within five seconds
STORED_KNOWN = 2000  # sets: what journals and sensors' logs of a gym of 60 tell again, and more
STORED_WITHIN_S = 10.0  # the machines do not wait for a store that hangs
ENTRIES_MAX = 16  # for one set; the oldest goes first
NOBODY = Expected()

_T = TypeVar("_T")
Stored = Callable[["GymMachine", str], None]


class SetWriter:
    """Follows machines and stores their sets; calls `stored(machine, set_id)` for each."""

    def __init__(self, store: Store, stored: Stored) -> None:
        self.trouble = ""  # why sets wait, if they do
        self._store = store
        self._tell_stored = stored
        self._buffers: dict[str, SampleBuffer] = {}
        self._entries: dict[str, list[Expected]] = {}  # oldest first
        self._stored: tuple[LogSpan, ...] = ()  # when the service started
        self._waiting: deque[tuple[GymMachine, NewSet]] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "store")
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Sets that have ended and are not in the store yet."""
        return len(self._waiting)

    async def __aenter__(self) -> SetWriter:
        try:
            async with asyncio.timeout(STORED_WITHIN_S):
                self._stored = await self.ask(lambda store: store.newest_spans(STORED_KNOWN))
        except (StoreError, TimeoutError) as error:
            said = str(error) or "the store does not answer."
            log.error("which sets are stored is not known: %s", said)  # noqa: TRY400 - it says why
        self._task = asyncio.create_task(self._write(), name="set writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Try once more to write what waits, for a short time, and end the thread."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(FAREWELL_S):
                while self._waiting and await self._write_first():
                    pass
        except TimeoutError:
            self.trouble = "The store does not answer."
        if self._waiting:
            log.error(
                "Sets that are not stored: %d. %s Start again soon: their sensors still have them.",
                len(self._waiting),
                self.trouble,
            )
        # A store that hangs is left behind: waiting for its thread would hang as well.
        nothing = asyncio.get_running_loop().run_in_executor(self._thread, int)
        hanging = (await asyncio.wait({nothing}, timeout=FAREWELL_S))[1]
        self._thread.shutdown(wait=not hanging, cancel_futures=True)

    async def ask(self, work: Callable[[Store], _T]) -> _T:
        """Run a function in the store's thread, and give its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, self._store)

    def expect(self, machine_id: str, expected: Expected) -> None:
        """Enter client and load for a machine's next set, at `expected.since`."""
        entries = self._entries.setdefault(machine_id, [])
        entries.append(expected)
        del entries[:-ENTRIES_MAX]

    def expected(self, machine_id: str) -> Expected:
        """What is entered for a machine's next set."""
        entries = self._entries.get(machine_id)
        return entries[-1] if entries else NOBODY

    def let_go(self, machine_id: str) -> None:
        """Forget a machine that is gone; its sets that wait are stored all the same."""
        self._buffers.pop(machine_id, None)
        self._entries.pop(machine_id, None)

    def sampled(self, machine: GymMachine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Keep samples for the set that they may belong to."""
        buffer = self._buffers.setdefault(machine.setup.id, SampleBuffer())
        buffer.add(t_us, angle_deg)
        if len(buffer) % FORGOTTEN_EACH >= len(t_us):
            return
        buffer.forget_before(
            machine.state.t_s - (LONGEST_SET_S if machine.state.stage == "during" else FIRST_REP_S)
        )

    def needs_from_s(self, machine: GymMachine) -> float | None:
        """Where the first set of a machine begins that is not stored yet."""
        starts_s = [new.result.start_s for whose, new in self._waiting if whose is machine]
        return min(starts_s, default=None)

    def happened(self, machine: GymMachine, event: Event) -> None:
        """Queue a set that has ended."""
        if not isinstance(event, SetEnded):
            return
        result = event.set
        setup = machine.setup
        boot = machine.boot_at(result.start_s)
        new = NewSet(
            id=set_id(machine, result.start_s),
            machine=Machine(setup.id, machine.name),
            started=machine.wall_time(result.start_s),
            result=result,
            trace=self._buffers.get(setup.id, SampleBuffer()).cut(
                result.start_s - BEFORE_SET_S, result.end_s + BEFORE_SET_S
            ),
            detection=__version__,
            log=_place(machine, boot) if boot is not None else "",
            log_zero_us=boot.zero_us if boot is not None else 0,
        )
        if not any(span.holds(new) for span in self._stored):
            expected = self._use_up(setup.id, machine.wall_time(result.end_s))
            new = replace(new, expected=expected)
        self._waiting.append((machine, new))
        self._arrived.set()

    def _use_up(self, machine_id: str, ended: datetime) -> Expected:
        """Take the entry of a set whose last attempt ended then; later entries stay."""
        entries = self._entries.get(machine_id, [])
        used = NOBODY
        while entries and entries[0].since is not None and entries[0].since <= ended:
            used = entries.pop(0)
        # What a later entry only took over from the used one was not entered for the next.
        self._entries[machine_id] = [
            replace(
                entry,
                client_id=None if entry.client_id == used.client_id else entry.client_id,
                load_kg=None if entry.load_kg == used.load_kg else entry.load_kg,
            )
            for entry in entries
        ]
        return used

    async def _write(self) -> None:
        pause_s = RETRY_FIRST_S
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            if await self._write_first():
                pause_s = RETRY_FIRST_S
                continue
            self._waiting.rotate(-1)  # what is wrong with one set must not hold up the others
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    async def _write_first(self) -> bool:
        """Try to store the set that has waited longest. It waits until it is in the store."""
        machine, new = self._waiting[0]
        try:
            set_id = await self.ask(lambda store: store.add_set(new))
        except Exception as error:  # noqa: BLE001 - even a bug of ours must not lose a set
            said = str(error) if isinstance(error, StoreError) else repr(error)
            if said != self.trouble:
                log.error("set %s waits: %s", new.id, said)  # noqa: TRY400 - nor every time
            self.trouble = said
            return False
        self._waiting.popleft()
        self.trouble = ""
        try:
            self._tell_stored(machine, set_id)
        except Exception:
            log.exception("set %s is stored, but its followers were not told.", set_id)
        return True

"""Writes reps into the outbox when they end, for live displays and automations.

The store announces a set when it stores it; its reps are announced before, one by one. Both go
through the store's thread, so the reps of a set are in the outbox before the set. Reps that gather
while the disk is busy become one transaction. Beyond REPS_WAITING the oldest are dropped and
counted; the message of the set has them again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from legcurl.errors import StoreError
from legcurl.events import Event, RepCorrected, RepEnded, RepResult, SetEnded, SetStarted
from legcurl.gym.machine import set_id
from legcurl.mqtt.messages import rep_body
from legcurl.store.replication import outbox
from legcurl.store.replication.outbox import Announcement

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine
    from legcurl.store import Store

log = logging.getLogger(__name__)

REPS_WAITING = 10_000
_T = TypeVar("_T")


class Ask(Protocol):
    """Runs work in the store's thread: set_writer.SetWriter.ask."""

    def __call__(self, work: Callable[[Store], _T]) -> Awaitable[_T]:
        """Run `work`; gives its result or raises its error."""
        ...


class RepPublisher:
    """Announces the reps of all machines; calls `announced` with the ids of their machines."""

    def __init__(self, ask: Ask, announced: Callable[[set[str]], None]) -> None:
        self.dropped = 0
        self._ask = ask
        self._announced = announced
        self._began_s: dict[str, float] = {}  # of the current set, by machine
        self._waiting: deque[Announcement] = deque()
        self._scheduled = False
        self._flushing: set[asyncio.Task[None]] = set()

    def happened(self, machine: Machine, event: Event) -> None:
        """Take a rep that ended, or one that was corrected."""
        name = machine.setup.id
        if isinstance(event, SetStarted):
            self._began_s[name] = event.start_s
        elif isinstance(event, RepEnded):
            self._tell(machine, event.rep, event.rep, event.completed_reps, None)
        elif isinstance(event, RepCorrected):
            about = event.new or event.old
            if about is not None:
                self._tell(machine, about, event.new, event.completed_reps, event.reason)
        elif isinstance(event, SetEnded):
            self._began_s.pop(name, None)

    def flush(self) -> None:
        """Schedule the writing of what waits."""
        if self._waiting and not self._scheduled:
            self._scheduled = True
            task = asyncio.create_task(self._flush(), name="reps to the outbox")
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)

    async def settle(self) -> None:
        """Write what waits, and wait for it."""
        self.flush()
        await asyncio.gather(*self._flushing, return_exceptions=True)

    def _tell(
        self,
        machine: Machine,
        about: RepResult,
        rep: RepResult | None,
        completed_reps: int,
        reason: str | None,
    ) -> None:
        of_set = set_id(machine, self._began_s.get(machine.setup.id, about.start_s))
        body = rep_body(
            machine,
            of_set,
            number=about.number,
            rep=rep,
            completed_reps=completed_reps,
            reason=reason,
        )
        event_id = outbox.rep_event_id(of_set, about.number, _unnamed(body))
        if len(self._waiting) >= REPS_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(Announcement(event_id, machine.setup.id, "rep", body))
        self.flush()

    async def _flush(self) -> None:
        try:
            machine_ids = await self._ask(self._write)
        except StoreError as error:
            log.warning("%d reps wait to be told: %s", len(self._waiting), error)
        else:
            self._announced(machine_ids)

    def _write(self, store: Store) -> set[str]:
        """Write all that waits, in the store's thread; gives the ids of its machines.

        A rep that ends after this began is written by the next call, which still comes before its
        set is stored. If the store fails, all of it waits.
        """
        self._scheduled = False
        batch: list[Announcement] = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        try:
            store.within(partial(outbox.announce, announcements=batch))
        except StoreError:
            self._waiting.extendleft(reversed(batch))
            raise
        return {one.machine_id for one in batch}


def _unnamed(body: dict[str, Any]) -> dict[str, Any]:
    """The part of a body that its event id depends on: a new name of the machine changes no id."""
    return {name: value for name, value in body.items() if name != "machine"}

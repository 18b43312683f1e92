"""A gym's events to its broker: one `Sender` a machine, and the books that they share.

The publisher follows the gym's machines (reps as they end, statuses as they change) and the outbox
(sets, written with their changes: store/outbox.py). Whatever is wrong with the broker, nothing
else is held up: events wait in the outbox, `figures` says how many and why, and it is tried again
for ever, at most half a minute apart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from legcurl.config.model import Config, MqttConfig
from legcurl.errors import StoreError
from legcurl.events import Event, Progress
from legcurl.gym.measures import Measure
from legcurl.mqtt.machine_client import Sender
from legcurl.mqtt.messages import GymName
from legcurl.mqtt.rep_publisher import Ask, RepAnnouncer
from legcurl.store.replication import outbox

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as StoreConnection

    from legcurl.gym.gym import Gym
    from legcurl.gym.machine import Machine
    from legcurl.store import Store

log = logging.getLogger(__name__)

CONNECT_AT_ONCE = 2
BATCHES_AT_ONCE = 8  # so a gym of any size that catches up has some 2 MB of events in memory
BOOKS_PAUSE_S = 0.2  # rows that were sent are marked together
LOOK_S = 10.0  # another process may have announced something
PRUNE_S = 3600.0


@dataclass(frozen=True, slots=True)
class PublisherFigures:
    """How it goes, for health and metrics."""

    machines: int  # that should be at the broker
    connected: int
    waiting: int  # events in the outbox
    sent: int  # since the start
    unheard: int  # of these, to nobody: no program subscribes to them
    dropped: int  # reps, while the store took none: their sets have them
    trouble: str  # why events wait, if they do


@dataclass(frozen=True, slots=True)
class Publishing:
    """To whom a gym publishes, and as whom."""

    broker: MqttConfig
    gym: GymName

    def publisher(self, store: Store, ask: Ask) -> Publisher:
        """What does it, for a store and its thread."""
        return Publisher(self.broker, self.gym, store, ask)


def publishing_of(config: Config) -> Publishing | None:
    """What a configuration says of it; None without a broker."""
    if config.mqtt is None:
        return None
    return Publishing(config.mqtt, GymName(config.gym.id, config.gym.name or config.gym.id))


class Publisher:
    """Follows a gym and publishes; an async context manager inside the set writer."""

    def __init__(self, broker: MqttConfig, gym: GymName, store: Store, ask: Ask) -> None:
        self.unmarked: set[int] = set()
        self._broker = broker
        self._gym = gym
        self._store = store
        self._ask = ask
        self._reps = RepAnnouncer(ask, self._announced)
        self._senders: dict[str, Sender] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._door = asyncio.Semaphore(CONNECT_AT_ONCE)
        self._room = asyncio.Semaphore(BATCHES_AT_ONCE)
        self._news = asyncio.Event()
        self._books: asyncio.Task[None] | None = None
        self._waiting = 0
        self._sent = 0
        self._unheard = 0
        self._store_trouble = ""
        self._said = ""
        self._pruned_s = -PRUNE_S

    async def __aenter__(self) -> Publisher:
        loop = asyncio.get_running_loop()
        self._store.announced = lambda: loop.call_soon_threadsafe(self._news.set)
        self._books = asyncio.create_task(self._keep_books(), name="outbox")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take leave of the broker; what waits is sent at the next start."""
        self._store.announced = lambda: None
        await self._reps.settle()
        tasks = [*self._tasks.values(), *((self._books,) if self._books is not None else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await self._update()
        except StoreError as error:
            log.warning("%d events may be sent again: %s", len(self.unmarked), error)

    @property
    def figures(self) -> PublisherFigures:
        """How it goes."""
        machines = [sender for sender in self._senders.values() if sender.machine is not None]
        return PublisherFigures(
            machines=len(machines),
            connected=sum(sender.connected for sender in machines),
            waiting=max(0, self._waiting - len(self.unmarked)),
            sent=self._sent,
            unheard=self._unheard,
            dropped=self._reps.dropped,
            trouble=self.trouble(),
        )

    def trouble(self) -> str:
        """Why events wait, or nothing while they do not (health.Trouble)."""
        troubles = [sender.trouble for sender in self._senders.values() if sender.trouble]
        return self._store_trouble or (troubles[0] if troubles else "")

    def measures(self) -> Iterable[Measure]:
        """Figures for /metrics (metrics.MeasureSource)."""
        now = self.figures
        yield Measure("legcurl_mqtt_connected", "Machines at the broker.", now.connected)
        yield Measure("legcurl_mqtt_waiting", "Events in the outbox.", now.waiting)
        yield Measure("legcurl_mqtt_sent", "Events that the broker took.", now.sent, "counter")
        yield Measure(
            "legcurl_mqtt_unheard", "Events that nobody subscribed to.", now.unheard, "counter"
        )
        yield Measure(
            "legcurl_mqtt_dropped", "Reps not told because the store stood.", now.dropped, "counter"
        )

    def follow(self, gym: Gym) -> None:
        """Be at the broker for each of a gym's machines, also before anything happens there."""
        for machine in gym.machines.values():
            self._sender(machine.setup.id, machine).wake()

    async def retire(self, machine_id: str) -> None:
        """A machine is no longer there: say so, and leave what waits to be sent without it."""
        sender, task = self._senders.pop(machine_id, None), self._tasks.pop(machine_id, None)
        if sender is not None and task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._news.set()

    def happened(self, machine: Machine, event: Event) -> None:
        """Follow a machine; called in the event loop (gym.Follower)."""
        if isinstance(event, Progress):
            return
        self._reps.happened(machine, event)
        self._sender(machine.setup.id, machine).look()

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Samples are not published: a set's message has them (gym.Follower)."""

    def needs_from_s(self, machine: Machine) -> None:
        """A rep is told at once, and its set tells it again: nothing (gym.Follower)."""

    def acknowledged(self, ids: Sequence[int], *, unheard: int) -> None:
        """Note rows that the broker has (sender.Books)."""
        if not ids:
            return
        self.unmarked.update(ids)
        self._sent += len(ids)
        self._unheard += unheard
        self._news.set()

    def changed(self) -> None:
        """Look at the books soon: there is something to say (sender.Books)."""
        self._news.set()

    def _announced(self, machine_ids: set[str]) -> None:
        for machine_id in machine_ids:
            self._sender(machine_id, None).wake()

    def _sender(self, machine_id: str, machine: Machine | None) -> Sender:
        """The sender of a machine, started if it is new, or anew if it had no machine before."""
        sender = self._senders.get(machine_id)
        if sender is not None and (machine is None or sender.machine is machine):
            return sender
        if sender is not None:
            self._tasks[machine_id].cancel()
        sender = Sender(
            self._broker,
            self._gym,
            machine_id,
            machine=machine,
            ask=self._ask,
            books=self,
            door=self._door,
            room=self._room,
        )
        task = asyncio.create_task(sender.run(), name=f"publishing for {machine_id or 'the gym'}")
        task.add_done_callback(partial(self._ended, machine_id))
        self._senders[machine_id], self._tasks[machine_id] = sender, task
        return sender

    def _ended(self, machine_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(machine_id) is task:
            del self._tasks[machine_id], self._senders[machine_id]

    async def _keep_books(self) -> None:
        """Mark what was sent, and wake whoever has something to send."""
        while True:
            try:
                for machine_id in await self._update():
                    self._sender(machine_id, None).wake()
                self._store_trouble = ""
            except StoreError as error:
                self._store_trouble = str(error)
            except Exception as error:
                # Even a fault of ours must not end the books: then all would wait, unsaid.
                log.exception("the outbox cannot be read")
                self._store_trouble = repr(error)
            self._reps.flush()
            self._say()
            await asyncio.sleep(BOOKS_PAUSE_S)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                continue
            self._news.clear()

    async def _update(self) -> dict[str, int]:
        """Bring the outbox up to date; gives how many events wait, by machine."""
        sent = tuple(self.unmarked)
        prune = time.monotonic() - self._pruned_s > PRUNE_S

        def update(connection: StoreConnection) -> dict[str, int]:
            outbox.mark_sent(connection, sent)
            if prune:
                outbox.prune(connection)
            return outbox.waiting_by_machine(connection)

        counts = await self._ask(lambda store: store.within(update))
        self.unmarked.difference_update(sent)
        if prune:
            self._pruned_s = time.monotonic()
        self._waiting = sum(counts.values())
        return counts

    def _say(self) -> None:
        """Log what is wrong when it begins and when it changes, and that it is over."""
        trouble = self.trouble()
        if trouble == self._said:
            return
        if trouble:
            log.warning("Events wait in the outbox (%d now): %s", self._waiting, trouble)
        else:
            log.info("Events reach %s again.", self._broker.where)
        self._said = trouble

"""A gym's events to its broker: one `MachineClient` per machine, and the outbox that they share.

The publisher follows the gym's machines (reps when they end, statuses when they change) and the
outbox (sets and their changes: store/replication/outbox.py). A failing broker stops nothing else:
events wait in the outbox, `figures` says how many and why, and the publisher tries again for ever,
at most half a minute apart.
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
from legcurl.mqtt.machine_client import MachineClient
from legcurl.mqtt.messages import GymName
from legcurl.mqtt.rep_publisher import Ask, RepPublisher
from legcurl.store.replication import outbox

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as StoreConnection

    from legcurl.gym.gym import Gym
    from legcurl.gym.machine import Machine
    from legcurl.store import Store

log = logging.getLogger(__name__)

CONNECT_AT_ONCE = 2
BATCHES_AT_ONCE = 8  # which bounds the events in memory to about 2 MB
MARK_PAUSE_S = 0.2  # rows that were sent are marked together
LOOK_S = 10.0  # between two reads of the outbox: other processes write to it as well
PRUNE_S = 3600.0


@dataclass(frozen=True, slots=True)
class PublisherFigures:
    """Counts for health and metrics."""

    machines: int  # that publish
    connected: int
    waiting: int  # events in the outbox
    sent: int  # since the start
    unheard: int  # of these, without a subscriber
    dropped: int  # reps that the store did not take in time; their sets hold them
    trouble: str  # why events wait, if they do


@dataclass(frozen=True, slots=True)
class Publishing:
    """The broker that a gym publishes to, and its name there."""

    broker: MqttConfig
    gym: GymName

    def publisher(self, store: Store, ask: Ask) -> Publisher:
        """The publisher of a store; `ask` runs work in the store's thread."""
        return Publisher(self.broker, self.gym, store, ask)


def publishing_of(config: Config) -> Publishing | None:
    """The `Publishing` of a configuration; None without a broker."""
    if config.mqtt is None:
        return None
    return Publishing(config.mqtt, GymName(config.gym.id, config.gym.name or config.gym.id))


class Publisher:
    """Follows a gym and publishes. An async context manager; its store must be open meanwhile."""

    def __init__(self, broker: MqttConfig, gym: GymName, store: Store, ask: Ask) -> None:
        self.unmarked: set[int] = set()
        self._broker = broker
        self._gym = gym
        self._store = store
        self._ask = ask
        self._reps = RepPublisher(ask, self._announced)
        self._clients: dict[str, MachineClient] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._connecting = asyncio.Semaphore(CONNECT_AT_ONCE)
        self._sending = asyncio.Semaphore(BATCHES_AT_ONCE)
        self._news = asyncio.Event()
        self._outbox_task: asyncio.Task[None] | None = None
        self._waiting = 0
        self._sent = 0
        self._unheard = 0
        self._store_trouble = ""
        self._said = ""
        self._pruned_s = -PRUNE_S

    async def __aenter__(self) -> Publisher:
        loop = asyncio.get_running_loop()
        self._store.announced = lambda: loop.call_soon_threadsafe(self._news.set)
        self._outbox_task = asyncio.create_task(self._mark_and_wake(), name="outbox")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect; events that wait are sent at the next start."""
        self._store.announced = lambda: None
        await self._reps.settle()
        tasks = [
            *self._tasks.values(),
            *((self._outbox_task,) if self._outbox_task is not None else ()),
        ]
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
        """The counts of now."""
        machines = [client for client in self._clients.values() if client.machine is not None]
        return PublisherFigures(
            machines=len(machines),
            connected=sum(client.connected for client in machines),
            waiting=max(0, self._waiting - len(self.unmarked)),
            sent=self._sent,
            unheard=self._unheard,
            dropped=self._reps.dropped,
            trouble=self.trouble(),
        )

    def trouble(self) -> str:
        """Why events wait; empty if they do not (health.Trouble)."""
        troubles = [client.trouble for client in self._clients.values() if client.trouble]
        return self._store_trouble or (troubles[0] if troubles else "")

    def measures(self) -> Iterable[Measure]:
        """Measures for /metrics (metrics.MeasureSource)."""
        now = self.figures
        yield Measure("legcurl_mqtt_connected", "Machines at the broker.", now.connected)
        yield Measure("legcurl_mqtt_waiting", "Events in the outbox.", now.waiting)
        yield Measure("legcurl_mqtt_sent", "Events that the broker took.", now.sent, "counter")
        yield Measure(
            "legcurl_mqtt_unheard", "Events without a subscriber.", now.unheard, "counter"
        )
        yield Measure(
            "legcurl_mqtt_dropped", "Reps not told because the store stood.", now.dropped, "counter"
        )

    def follow(self, gym: Gym) -> None:
        """Connect a client for each of a gym's machines."""
        for machine in gym.machines.values():
            self._client_of(machine.setup.id, machine).wake()

    async def retire(self, machine_id: str) -> None:
        """Publish that a machine is gone; the events that wait are still sent."""
        client, task = self._clients.pop(machine_id, None), self._tasks.pop(machine_id, None)
        if client is not None and task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._news.set()

    def happened(self, machine: Machine, event: Event) -> None:
        """Take an event of a machine, in the event loop (gym.Follower)."""
        if isinstance(event, Progress):
            return
        self._reps.happened(machine, event)
        self._client_of(machine.setup.id, machine).look()

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Ignored: the message of a set has its samples (gym.Follower)."""

    def needs_from_s(self, machine: Machine) -> None:
        """None: reps are published at once, and again with their set (gym.Follower)."""

    def acknowledged(self, ids: Sequence[int], *, unheard: int) -> None:
        """See `Acknowledgements`."""
        if not ids:
            return
        self.unmarked.update(ids)
        self._sent += len(ids)
        self._unheard += unheard
        self._news.set()

    def changed(self) -> None:
        """See `Acknowledgements`."""
        self._news.set()

    def _announced(self, machine_ids: set[str]) -> None:
        for machine_id in machine_ids:
            self._client_of(machine_id, None).wake()

    def _client_of(self, machine_id: str, machine: Machine | None) -> MachineClient:
        """The client of a machine; started if there is none, or if it had no machine before."""
        client = self._clients.get(machine_id)
        if client is not None and (machine is None or client.machine is machine):
            return client
        if client is not None:
            self._tasks[machine_id].cancel()
        client = MachineClient(
            self._broker,
            self._gym,
            machine_id,
            machine=machine,
            ask=self._ask,
            acknowledgements=self,
            connecting=self._connecting,
            sending=self._sending,
        )
        task = asyncio.create_task(client.run(), name=f"publishing for {machine_id or 'the gym'}")
        task.add_done_callback(partial(self._ended, machine_id))
        self._clients[machine_id], self._tasks[machine_id] = client, task
        return client

    def _ended(self, machine_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(machine_id) is task:
            del self._tasks[machine_id], self._clients[machine_id]

    async def _mark_and_wake(self) -> None:
        """Mark what was sent, and wake the clients that have events to send."""
        while True:
            try:
                for machine_id in await self._update():
                    self._client_of(machine_id, None).wake()
                self._store_trouble = ""
            except StoreError as error:
                self._store_trouble = str(error)
            except Exception as error:
                # A programming error must not end this task: all events would wait unnoticed.
                log.exception("the outbox cannot be read")
                self._store_trouble = repr(error)
            self._reps.flush()
            self._log_trouble()
            await asyncio.sleep(MARK_PAUSE_S)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                continue
            self._news.clear()

    async def _update(self) -> dict[str, int]:
        """Mark and prune sent events; gives how many wait, by machine."""
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

    def _log_trouble(self) -> None:
        """Log a trouble when it begins, changes and ends."""
        trouble = self.trouble()
        if trouble == self._said:
            return
        if trouble:
            log.warning("Events wait in the outbox (%d now): %s", self._waiting, trouble)
        else:
            log.info("Events reach %s again.", self._broker.where)
        self._said = trouble

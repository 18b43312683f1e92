"""Publishes one machine: its status with a last will, and its events in order.

Each machine has a connection of its own, because a connection has one last will and MQTT keeps the
order within a connection. The client reads a batch of at most WINDOW events from the outbox, sends
it, and reads the next when the broker has answered each, so memory holds one batch. After a break
it sends what was not acknowledged again, in order, with the same ids.

A client without a machine (one that is no longer configured, or the gym itself) publishes no
status; it ends when no events wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from legcurl.concurrency import Backoff
from legcurl.config.model import MqttConfig
from legcurl.errors import BrokerError, BrokerRefusedError, LegCurlError, StoreError
from legcurl.mqtt.connection import (
    NO_SUBSCRIBERS,
    PACKET_TOO_LARGE,
    TAKEN_OVER,
    Connection,
    Will,
)
from legcurl.mqtt.discovery import discovery
from legcurl.mqtt.duplicate_client import DuplicateClient
from legcurl.mqtt.messages import (
    GymName,
    client_id,
    event_message,
    offline,
    online,
    status_message,
    topic,
)
from legcurl.store.replication import outbox
from legcurl.store.replication.outbox import Waiting

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine
    from legcurl.mqtt.rep_publisher import Ask

log = logging.getLogger(__name__)

WINDOW = 16  # events in flight; brokers accept 20 by default
BATCH_BYTES = 256 * 1024  # of a batch; a larger event is a batch of its own
HEADER_MAX = 1024  # of a packet, beside its payload: topic, ids
PAUSE_MAX_S = 30.0
STORE_PAUSE_S = 2.0
CLOSE_S = 1.5
BREAKS_MAX = 3  # at one event; then it is sent without its trace


class Acknowledgements(Protocol):
    """What the clients of a gym report to: the publisher."""

    @property
    def unmarked(self) -> set[int]:
        """Ids of rows that the broker acknowledged and the outbox has not marked yet."""
        ...

    def acknowledged(self, ids: Sequence[int], *, unheard: int) -> None:
        """The broker has acknowledged these rows; `unheard` of them had no subscriber."""
        ...

    def changed(self) -> None:
        """A client's `trouble` has changed."""
        ...


class MachineClient:
    """Keeps one machine connected until it is cancelled."""

    def __init__(
        self,
        broker: MqttConfig,
        gym: GymName,
        machine_id: str,
        *,
        machine: Machine | None,
        ask: Ask,
        acknowledgements: Acknowledgements,
        connecting: asyncio.Semaphore,
        sending: asyncio.Semaphore,
    ) -> None:
        self.machine = machine
        self.connected = False
        self.trouble = ""  # why events wait, if they do
        self._broker = broker
        self._gym = gym
        self._machine_id = machine_id
        self._ask = ask
        self._acknowledgements = acknowledgements
        self._connecting = connecting  # bounds attempts, each of which may hang
        self._sending = sending  # bounds batches in memory
        self._woken = asyncio.Event()
        self._rows_wait = True  # perhaps; set to read the outbox
        self._drained = False
        self._without_trace: set[str] = set()  # events that were refused for their size
        self._broke_at = ""  # the event at which the connection broke last,
        self._breaks = 0  # and how many times in a row
        self._told: dict[str, Any] | None = None  # the status at the broker
        self._described: object = None  # what the discovery at the broker was made of
        self._name = machine.name if machine is not None else machine_id

    def wake(self) -> None:
        """Events wait in the outbox; read it, and publish the status if it changed."""
        self._rows_wait = True
        self._woken.set()

    def look(self) -> None:
        """Publish the status if it changed. Called many times a rep, so the outbox is not read."""
        self._woken.set()

    async def run(self) -> None:
        """Connect and publish, again after each break; returns only without a machine."""
        name = client_id(self._gym.id, self._machine_id)
        backoff, duplicate = Backoff(name, PAUSE_MAX_S), DuplicateClient(name)
        while not self._drained:
            taken_over = False
            try:
                async with self._connecting:
                    connection = await self._connect()
                try:
                    self.connected = True
                    await self._talk(connection, backoff.reset)
                except BrokerError as error:
                    raise duplicate.explained(connection, error) from error
                finally:
                    self.connected = False
                    await self._leave(connection)
            except BrokerRefusedError as error:
                taken_over = error.code == TAKEN_OVER
                self._note(error)
            except LegCurlError as error:
                self._note(error)
            except Exception as error:
                # A programming error in one client must not end the others.
                log.exception("publishing for %s failed", self._machine_id or "the gym")
                self._say(repr(error))
            if not self._drained:
                await asyncio.sleep(PAUSE_MAX_S if taken_over else backoff.next_s())

    async def _connect(self) -> Connection:
        will = None
        if self.machine is not None:
            gone = offline(self._machine_id, self.machine.name, "vanished")
            will = Will(self._topic("status"), status_message(self._gym, gone))
        name = client_id(self._gym.id, self._machine_id)
        return await Connection.open(self._broker, name, will=will)

    async def _talk(self, connection: Connection, works: Callable[[], None]) -> None:
        """Publish until the connection is lost, or (without a machine) no events wait."""
        self._told = None
        self._described = None
        self._rows_wait = True
        watching = asyncio.create_task(connection.lost.wait(), name="watching the connection")
        watching.add_done_callback(lambda _: self._woken.set())
        try:
            while not connection.lost.is_set():
                self._woken.clear()
                await self._tell_status(connection)
                while self._rows_wait:
                    await self._send_batch(connection)
                    await self._tell_status(connection)
                    if connection.steady:
                        works()
                self._say("")
                if connection.steady:
                    works()
                if self.machine is None:
                    self._drained = True
                    return
                await self._woken.wait()
        finally:
            watching.cancel()
        raise connection.trouble or BrokerError(f"{self._broker.where} is gone.")

    async def _tell_status(self, connection: Connection) -> None:
        if self.machine is None:
            return
        described = self.machine.name, self.machine.state.sensor
        if self._broker.home_assistant and described != self._described:
            for where, config in discovery(self._gym, self.machine):
                await connection.publish(where, config, retain=True)
            self._described = described
        status = online(self.machine)
        if status != self._told:
            self._name = self.machine.name
            message = status_message(self._gym, status)
            await connection.publish(self._topic("status"), message, retain=True)
            self._told = status

    async def _send_batch(self, connection: Connection) -> None:
        """Send the next batch."""
        async with self._sending:
            self._rows_wait = False  # an event that comes while the outbox is read sets it again
            batch = await self._next_batch()
            sent = [
                connection.send(self._topic(row.kind), self._message(connection, row))
                for row in batch
            ]
            await connection.all_told(sent)
        taken: list[int] = []
        unheard = 0
        refused: BrokerError | None = None
        for row, told in zip(batch, sent, strict=True):
            error = told.exception()
            if error is None:
                taken.append(row.id)
                unheard += told.result() == NO_SUBSCRIBERS
                self._without_trace.discard(row.event_id)
            elif isinstance(error, BrokerError):
                refused = refused or error
                if isinstance(error, BrokerRefusedError) and error.code == PACKET_TOO_LARGE:
                    self._without_trace.add(row.event_id)
        self._acknowledgements.acknowledged(taken, unheard=unheard)
        if len(batch) == WINDOW or sum(row.size for row in batch) >= BATCH_BYTES:
            self._rows_wait = True  # the batch ended at its limit, not with the outbox
        if refused is not None:
            if connection.lost.is_set():
                self._suspect(next(row for row in batch if row.id not in taken))
            raise refused

    def _suspect(self, row: Waiting) -> None:
        """Count breaks at one event: some brokers disconnect on a message that is too large."""
        self._breaks = self._breaks + 1 if row.event_id == self._broke_at else 1
        self._broke_at = row.event_id
        if self._breaks >= BREAKS_MAX:
            self._without_trace.add(row.event_id)

    async def _next_batch(self) -> list[Waiting]:
        """Read the next batch from the outbox, as soon as the store can be read."""
        next_rows = partial(
            outbox.waiting,
            machine_id=self._machine_id,
            rows=WINDOW,
            size=BATCH_BYTES,
            traces=self._broker.traces,
        )
        while True:
            besides = frozenset(self._acknowledgements.unmarked)
            try:
                return await self._ask(
                    lambda store, besides=besides: store.within(partial(next_rows, besides=besides))
                )
            except StoreError as error:
                self._note(error)
            await asyncio.sleep(STORE_PAUSE_S)

    def _message(self, connection: Connection, row: Waiting) -> bytes:
        """The message of a row, without its trace if the broker would refuse the size."""
        message = event_message(self._gym, row)
        too_large = len(message) + HEADER_MAX > connection.packet_max
        if row.trace is not None and (too_large or row.event_id in self._without_trace):
            log.warning(
                "%s is sent without its trace: %s takes no message of %d bytes.",
                row.event_id,
                self._broker.where,
                len(message),
            )
            message = event_message(self._gym, Waiting(row.id, row.event_id, row.kind, row.payload))
        return message

    async def _leave(self, connection: Connection) -> None:
        """Publish that the machine is offline, and disconnect."""
        if connection.lost.is_set():
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                if self.machine is not None:
                    gone = offline(self._machine_id, self._name, "stopped")
                    message = status_message(self._gym, gone)
                    await connection.publish(self._topic("status"), message, retain=True)
                await connection.close()
        except (BrokerError, TimeoutError):
            connection.drop()  # then the broker publishes the last will

    def _note(self, error: LegCurlError) -> None:
        self._say(str(error))

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._acknowledgements.changed()

    def _topic(self, kind: str) -> str:
        return topic(self._gym.id, self._machine_id, kind)

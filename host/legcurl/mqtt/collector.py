"""Stores the messages of many gyms from a broker; killing it at any point loses nothing.

Any number of collectors share a subscription; the broker gives each message to one of them. A
collector acknowledges a message after the database has committed it. The broker keeps a session
(SESSION_S), so a collector that restarts gets the messages again that it had not acknowledged. A
repeated message changes nothing: store/replication/merge.py keeps the higher revision. So each set
is stored once, without a transaction across broker and database.

Invalid messages (no JSON, another schema, an invalid field, too large, anything that raises) are
counted, logged, kept in the table `dead_letters` and acknowledged: a retry cannot help.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, IntegrityError

from legcurl.concurrency import Backoff
from legcurl.config.model import MqttConfig
from legcurl.errors import BrokerError, BrokerRefusedError, InputError, LegCurlError, StoreError
from legcurl.mqtt.connection import TAKEN_OVER, Connection, Received, Session
from legcurl.mqtt.duplicate_client import DuplicateClient
from legcurl.mqtt.messages import ROOT
from legcurl.store.replication import merge
from legcurl.store.replication.merge import DeadLetter, Document, Merged
from legcurl.store.replication.set_document import forget_of, read_document, set_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as StoreConnection

    from legcurl.store import Store

log = logging.getLogger(__name__)

SHARE = "collectors"
SESSION_S = 30 * 24 * 3600  # how long the broker keeps what comes while a collector is away
BATCH_MAX = 256  # messages in a transaction, and sent ahead by the broker
BATCH_BYTES = 8 * 1024 * 1024
MESSAGE_MAX = 8 * 1024 * 1024  # a set of half an hour with its trace has half a megabyte
PAUSE_MAX_S = 30.0
QUIET_S = 2.0  # without a message, after which a collector that leaves has had all of its own


@dataclass(frozen=True, slots=True)
class CollectorFigures:
    """Counts of a collector since it started."""

    stored: int = 0  # sets, or newer versions of sets
    known: int = 0  # messages of revisions that are stored already
    erased: int = 0  # clients, and sets that came after their client was erased
    dead: int = 0  # dead-lettered messages
    connected: bool = False
    trouble: str = ""


@dataclass(slots=True)
class _Batch:
    """Messages that were read: documents to merge, and dead letters."""

    documents: list[Document] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


class Collector:
    """Collects until it is cancelled, or another client connects with its name."""

    def __init__(
        self,
        broker: MqttConfig,
        store: Store,
        *,
        name: str,
        share: str = SHARE,
        counted: Callable[[CollectorFigures], None] = lambda _: None,
    ) -> None:
        self.figures = CollectorFigures()
        self._broker = broker
        self._store = store
        self._name = name
        self._topics = [f"$share/{share}/{ROOT}/+/+/set", f"$share/{share}/{ROOT}/+/forget"]
        self._counted = counted
        self._duplicate = DuplicateClient(name)
        self._backoff = Backoff(name, PAUSE_MAX_S)
        self._thread = ThreadPoolExecutor(1, "collector")
        self._last_reason = ""

    async def run(self) -> None:
        """Collect for ever. BrokerRefusedError if the broker refuses at once, or the name is taken.

        Other errors are logged, set as `trouble`, and tried again.
        """
        try:
            met = False
            while True:
                try:
                    connection = await self._connect()
                    met = True
                    try:
                        await connection.subscribe(*self._topics)
                        self._change(connected=True)
                        await self._collect(connection)
                    except BrokerError as error:
                        raise self._duplicate.explained(connection, error) from error
                    finally:
                        self._change(connected=False)
                        await connection.close()
                except BrokerRefusedError as error:
                    if error.code == TAKEN_OVER:
                        raise BrokerRefusedError(
                            f"Another collector is at {self._broker.where} as {self._name!r}: "
                            "give each its own --id.",
                            error.code,
                        ) from error
                    if not met:
                        raise
                    self._note(error)
                except LegCurlError as error:
                    self._note(error)
                await asyncio.sleep(self._backoff.next_s())
        finally:
            self._thread.shutdown(wait=True)

    async def leave(self) -> None:
        """Store what the broker still holds for this collector, and delete its session."""
        try:
            connection = await self._connect()
            self._change(connected=True)
            await connection.unsubscribe(*self._topics)
            try:
                while True:
                    async with asyncio.timeout(QUIET_S):
                        first = await connection.received.get()
                    await self._take(connection, first)
            except TimeoutError:
                await connection.close(forget_session=True)
        finally:
            self._thread.shutdown(wait=True)

    async def _connect(self) -> Connection:
        session = Session(expires_s=SESSION_S, receive_max=BATCH_MAX)
        return await Connection.open(self._broker, self._name, session=session)

    async def _collect(self, connection: Connection) -> None:
        """Store what arrives until the connection is lost."""
        lost = asyncio.create_task(connection.lost.wait())
        coming: asyncio.Task[Received] | None = None
        try:
            while not lost.done():
                coming = asyncio.create_task(connection.received.get())
                await asyncio.wait((coming, lost), return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    await self._take(connection, coming.result())
        finally:
            lost.cancel()
            if coming is not None:
                coming.cancel()
        if connection.trouble is not None:
            raise connection.trouble

    async def _take(self, connection: Connection, first: Received) -> None:
        """Store a batch, then acknowledge it."""
        messages = [first]
        size = len(first.payload)
        while len(messages) < BATCH_MAX and size < BATCH_BYTES and connection.received.qsize():
            messages.append(connection.received.get_nowait())
            size += len(messages[-1].payload)
        loop = asyncio.get_running_loop()
        while not connection.lost.is_set():
            try:
                merged, letters = await loop.run_in_executor(
                    self._thread, self._store_all, messages
                )
            except StoreError as error:
                self._note(error)
                await asyncio.sleep(self._backoff.next_s())
                continue
            for message in messages:
                connection.acknowledge(message)
            self._backoff.reset()
            self._say(letters)
            self._change(
                stored=self.figures.stored + merged.stored,
                known=self.figures.known + merged.known,
                erased=self.figures.erased + merged.erased,
                dead=self.figures.dead + len(letters),
                trouble="",
            )
            return

    def _store_all(self, messages: Sequence[Received]) -> tuple[Merged, list[DeadLetter]]:
        """Read and store a batch, in the collector's thread; gives what became of it."""
        batch = _Batch()
        for message in messages:
            try:
                batch.documents.append(_read(message))
            except InputError as error:
                batch.letters.append(DeadLetter(message.topic, str(error), message.payload))
            except Exception as error:  # noqa: BLE001 - it would raise again after each restart
                batch.letters.append(_unexpected(message, error))
        try:
            return self._store.within(lambda c: _put(c, batch)), batch.letters
        except StoreError as error:
            if not isinstance(error.__cause__, DataError | IntegrityError):
                raise
            letter = DeadLetter(messages[0].topic, str(error), messages[0].payload)
        except Exception as error:  # noqa: BLE001 - drivers raise many kinds for a bad value
            letter = _unexpected(messages[0], error)
        if len(messages) == 1:
            self._store.within(lambda c: merge.keep_dead_letters(c, [letter]))
            return Merged(), [letter]
        # The database cannot hold one of them: store each alone, and dead-letter that one.
        merged, letters = Merged(), []
        for message in messages:
            more, bad = self._store_all([message])
            merged, letters = merged + more, letters + bad
        return merged, letters

    def _say(self, letters: Sequence[DeadLetter]) -> None:
        """Log the reason of dead letters, once for the same reason in a row."""
        for letter in letters:
            if letter.reason != self._last_reason:
                log.warning(
                    "A message on %s cannot be read: %s It is in the table dead_letters.",
                    letter.topic,
                    letter.reason,
                )
            self._last_reason = letter.reason

    def _note(self, error: LegCurlError) -> None:
        if str(error) != self.figures.trouble:
            log.warning("%s It is tried again.", error)
        self._change(trouble=str(error))

    def _change(self, **figures: int | bool | str) -> None:
        self.figures = replace(self.figures, **figures)
        self._counted(self.figures)


def _read(message: Received) -> Document:
    """The document in a message. InputError if it is invalid."""
    if len(message.payload) > MESSAGE_MAX:
        raise InputError(
            f"It has {len(message.payload)} bytes; no set has more than {MESSAGE_MAX}."
        )
    document = read_document(message.payload)
    levels = message.topic.split("/")
    kind = levels[-1]
    if document.get("kind") != kind:
        raise InputError(f"It is of kind {document.get('kind')!r:.40}, on a topic for {kind!r}.")
    read = set_of(document) if kind == "set" else forget_of(document)
    named = [
        read.gym_id,
        *([read.machine_id] if not isinstance(read, merge.ForgetDocument) else []),
    ]
    if levels[1:-1] != named:  # the broker's rules allow a gym its own topics only
        raise InputError(f"It is of {'/'.join(named)}, on a topic of {'/'.join(levels[1:-1])}.")
    return read


def _unexpected(message: Received, error: Exception) -> DeadLetter:
    log.error("A message on %s raised an error.", message.topic, exc_info=error)
    reason = f"It raised {type(error).__name__} ({error})."
    return DeadLetter(message.topic, reason, message.payload)


def _put(connection: StoreConnection, batch: _Batch) -> Merged:
    merged = merge.merge(connection, batch.documents)
    merge.keep_dead_letters(connection, batch.letters)
    return merged

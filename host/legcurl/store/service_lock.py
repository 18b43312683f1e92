"""Allows one service at a time on a store, and tells the second which process has it.

    with service_lock(url, "legcurl serve"):
        with open_store(url) as store: ...

Take the lock before opening the store: opening may upgrade the tables, and an older service that
still runs could not read them. On SQLite the lock is a locked file beside the database, on
PostgreSQL an advisory lock of its own connection, one per gym. Both end with the process, so a
crash leaves nothing to clean up. Only services that write sets take it, not reports or backups.
"""

from __future__ import annotations

import logging
import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from legcurl.errors import StoreError
from legcurl.file_lock import FileLock, NoLocksError, holder_of
from legcurl.store.database import engine_for, file_of, refusal, shown, url_of

log = logging.getLogger(__name__)

LOCK_END = ".lock"  # appended to the database's file name
LOCK_NAMESPACE = 0x6C656763  # the first half of our keys among PostgreSQL's advisory locks
NAME_BYTES = 63  # of an application's name in PostgreSQL

_HOLDER = sa.text(
    "SELECT a.application_name, a.client_addr FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :locks AND l.objid = :gym "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TRY = sa.text("SELECT pg_try_advisory_lock(:locks, :gym)")


class ServiceLock(Protocol):
    """A lock on a store, until it is released."""

    def keep(self) -> None:
        """Check the lock, and take it again if it was lost; StoreError if another has it."""
        ...

    def release(self) -> None:
        """Unlock the store."""
        ...


@contextmanager
def service_lock(url: str, owner: str, *, gym_id: str = "") -> Iterator[ServiceLock]:
    """Lock a store while the block runs. StoreError names the process that has it already.

    `owner` names this process to others, such as "legcurl serve". In a store of many gyms, `gym_id`
    is the gym whose sets are written.
    """
    place = url_of(url)
    if place.get_backend_name() == "sqlite":
        file = file_of(place)
        held: ServiceLock = _NoLock() if file is None else _FileLock(file, owner)
    else:
        held = _ServerLock(place, owner, gym_id)
    try:
        yield held
    finally:
        held.release()


class _NoLock:
    """For a store in memory, which no other process can open."""

    def keep(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


class _FileLock:
    """A locked file beside the database, which names its holder."""

    def __init__(self, database: Path, owner: str) -> None:
        lock = database.with_name(f"{database.name}{LOCK_END}")
        try:
            self._lock = FileLock(lock, mode=0o644)
        except BlockingIOError as error:
            raise _taken(str(database), holder_of(lock)) from error
        except NoLocksError as error:
            raise StoreError(
                f"{lock} cannot be locked ({error.strerror}): keep the store on a disk of this "
                "computer."
            ) from error
        except OSError as error:
            raise StoreError(
                f"{lock} cannot be opened ({error.strerror}). Does its folder exist, and may this "
                "user write there?"
            ) from error
        try:
            self._lock.name_holder(_described(owner))
        except OSError as error:  # a full disk: the lock holds, it only has no name
            log.warning("%s does not say who holds it: %s", lock, error.strerror)

    def keep(self) -> None:
        """Do nothing: a locked file stays locked."""

    def release(self) -> None:
        """Unlock the file."""
        self._lock.release()


class _ServerLock:
    """An advisory lock of a PostgreSQL server, held by its own connection."""

    def __init__(self, url: URL, owner: str, gym_id: str) -> None:
        self._url = url
        named = url.update_query_dict({"application_name": _described(owner)[:NAME_BYTES]})
        self._engine = engine_for(named).execution_options(isolation_level="AUTOCOMMIT")
        self._key = {"locks": LOCK_NAMESPACE, "gym": zlib.crc32(gym_id.encode()) >> 1}
        self._connection: Connection | None = None
        try:
            self._take()
        except BaseException:
            self.release()
            raise

    def keep(self) -> None:
        """Take the lock again if its connection broke, as when the server restarted."""
        if self._connection is not None:
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except SQLAlchemyError:
                self._drop()
            else:
                return
        self._take()

    def release(self) -> None:
        """Close the connection, which ends the lock."""
        self._drop()
        self._engine.dispose()

    def _take(self) -> None:
        try:
            connection = self._engine.connect()
            if connection.execute(_TRY, self._key).scalar():
                self._connection = connection
                return
            holder = connection.execute(_HOLDER, self._key).first()
            connection.close()
        except SQLAlchemyError as error:
            raise refusal(self._url, error) from error
        said = "" if holder is None else f"{holder[0]}, from {holder[1] or 'its own computer'}"
        raise _taken(shown(self._url), said)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # closed, not back into the pool with its lock
            self._connection.close()
            self._connection = None


def _described(owner: str) -> str:
    return f"{owner}, process {os.getpid()} on {socket.gethostname()}"


def _taken(store: str, holder: str) -> StoreError:
    return StoreError(
        f"The store {store} is in use by {holder or 'another legcurl'}. Only one service may write "
        "into a store: end that one, or give this one a store of its own with --store."
    )

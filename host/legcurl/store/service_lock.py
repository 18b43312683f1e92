"""One service at a time on a store; the second is told which process the first is.

    with claim(url, "legcurl serve"):
        with open_store(url) as store: ...

The claim comes before the store is opened: opening may upgrade it, and an older service that still
runs would not know its tables any more. On SQLite it is a locked file beside the database, on
PostgreSQL an advisory lock of a connection of its own, one a gym: both go with the process, however
that ends, so nothing has to be cleaned up after a crash. Only who writes sets makes a claim;
reports, backups and other readers may be many.
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

LOCK_END = ".lock"  # behind the database's name
CLAIM_LOCKS = 0x6C656763  # the first half of our keys among PostgreSQL's advisory locks
NAME_BYTES = 63  # PostgreSQL keeps so much of an application's name

_HOLDER = sa.text(
    "SELECT a.application_name, a.client_addr FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :locks AND l.objid = :gym "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TRY = sa.text("SELECT pg_try_advisory_lock(:locks, :gym)")


class Claim(Protocol):
    """A claim on a store, until it is released."""

    def keep(self) -> None:
        """Be sure that it still holds; StoreError if another has it now. Ask now and then."""
        ...

    def release(self) -> None:
        """Let another have the store."""
        ...


@contextmanager
def claim(url: str, owner: str, *, gym_id: str = "") -> Iterator[Claim]:
    """Have a store for this process while the block runs. StoreError names who has it already.

    `owner` is what that other process is told, such as "legcurl serve"; `gym_id` is whose sets are
    written, where a store is that of many gyms.
    """
    place = url_of(url)
    if place.get_backend_name() == "sqlite":
        file = file_of(place)
        held: Claim = _Nothing() if file is None else _FileClaim(file, owner)
    else:
        held = _ServerClaim(place, owner, gym_id)
    try:
        yield held
    finally:
        held.release()


class _Nothing:
    """The claim on a store in memory: nobody else can have it."""

    def keep(self) -> None:
        """It does."""

    def release(self) -> None:
        """Nothing to let go of."""


class _FileClaim:
    """A locked file beside the database, in which the holder says who it is."""

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
        """A locked file stays locked."""

    def release(self) -> None:
        """Unlock the file."""
        self._lock.release()


class _ServerClaim:
    """An advisory lock of a PostgreSQL server, held by a connection that does nothing else."""

    def __init__(self, url: URL, owner: str, gym_id: str) -> None:
        self._url = url
        named = url.update_query_dict({"application_name": _described(owner)[:NAME_BYTES]})
        self._engine = engine_for(named).execution_options(isolation_level="AUTOCOMMIT")
        self._key = {"locks": CLAIM_LOCKS, "gym": zlib.crc32(gym_id.encode()) >> 1}
        self._connection: Connection | None = None
        try:
            self._take()
        except BaseException:
            self.release()
            raise

    def keep(self) -> None:
        """A server that was restarted has forgotten us: take it again."""
        if self._connection is not None:
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except SQLAlchemyError:
                self._drop()
            else:
                return
        self._take()

    def release(self) -> None:
        """Close the connection, and with it goes the lock."""
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

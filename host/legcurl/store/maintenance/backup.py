"""Backs up a store on SQLite while it is in use.

The copy is made in a read transaction, so it shows the store at one moment whatever is written
meanwhile. It is written under another name, checked, synced, and renamed last: a file with the
backup's name is complete.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL

from legcurl import durable_file
from legcurl.errors import StoreError
from legcurl.store.database import BUSY_S, refusal, shown, url_of
from legcurl.store.locations import file_of
from legcurl.store.service_lock import LOCK_END

PAGES_AT_ONCE = 1000  # 4 MB
# The files of a store: a backup in place of the lock would let a second service start.
BESIDE_STORE = ("-wal", "-shm", "-journal", LOCK_END)


def back_up(store_url: str, target: Path, report: Callable[[int, int], None]) -> int:
    """Copy a store into a file, which is replaced if there is one; gives the copy's bytes.

    `report(done, total)` is called with pages. StoreError if the store, the copy or the location
    has a problem; `target` is then unchanged.
    """
    url = url_of(store_url)
    source = file_of(url)
    if source is None:
        raise StoreError(
            f"{shown(url)} is kept by its own tools: pg_dump --format=custom --file {target.name} "
            f"'{shown(url).replace(':***', '')}' makes a backup, pg_restore reads it."
        )
    part = target.with_name(f"{target.name}.part")
    own = {source, *(source.with_name(f"{source.name}{end}") for end in BESIDE_STORE)}
    if own & {target.resolve(), part.resolve()}:
        raise StoreError(f"{target} belongs to the store itself: name another file for the backup.")
    if target.exists() and not target.is_file():
        raise StoreError(f"{target} is there and is no file: name another one for the backup.")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # it holds names
        _copy(url, source, part, report)
        _check(part)
        durable_file.rename(part, target)
    except OSError as error:
        raise StoreError(f"{target} could not be written: {error.strerror}.") from error
    finally:
        for left in (part, *(part.with_name(f"{part.name}{end}") for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(url: URL, source: Path, part: Path, report: Callable[[int, int], None]) -> None:
    def tell(_status: int, remaining: int, total: int) -> None:
        report(total - remaining, total)

    try:
        with closing(_opened(source)) as read, closing(sqlite3.connect(part)) as written:
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment it shows
            read.backup(written, pages=PAGES_AT_ONCE, progress=tell)
            written.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
    except sqlite3.Error as error:
        if part.exists() and _is_full(error):
            raise StoreError(f"{part.parent} has no room for the backup: make room.") from error
        raise refusal(url, error) from error


def _opened(source: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{source.as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None
    )


def _check(part: Path) -> None:
    try:
        with closing(sqlite3.connect(part)) as copy:
            said = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
            dangling = copy.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        said, dangling = [str(error)], []
    if said != ["ok"] or dangling:
        raise StoreError(
            f"The copy is damaged, and so is the store: {'; '.join(said)}. No backup was made; see "
            "'legcurl store verify'."
        )


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    )

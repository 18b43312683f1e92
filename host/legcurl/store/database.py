"""The database of a store: connections, transactions and errors.

From the URL that an operator writes, this makes an engine whose transactions are the same on SQLite
and PostgreSQL: all or nothing, changes of tables included. Each database error becomes a
`StoreError` with a remedy. Messages never hold a password: only `shown` formats a URL.

Transactions on SQLite begin explicitly. Python's driver begins one only before the first change of
a row, so a new table would be committed at once, and an interrupted upgrade would leave half of it.
Transactions that may write begin with `BEGIN IMMEDIATE`: if two began by reading, SQLite would
refuse one of them without waiting.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, SQLAlchemyError

from legcurl.errors import StoreError

BUSY_S = 5.0  # another process may hold the file for the length of a backup's step
CONNECT_S = 10
# A server that vanished without a word must not hold the store's thread for TCP's quarter of an
# hour. Seconds, but for the last one, which is in ms.
LIVELINESS = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_READING = {"legcurl_reading": True}
_UNREACHABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
)


def url_of(text: str) -> URL:
    """The URL of a store. StoreError if it is invalid; the message holds no password."""
    scheme = text.partition(":")[0]
    remedy = "Write sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    if "://" not in text:
        raise StoreError(f"{scheme[:80]!r}: no such store. {remedy}.")
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError) as error:
        # The parser's message may quote a part of the password.
        raise StoreError(
            f"{scheme}://…: no such store. {remedy}; in a password, write %40 for @, %2F for / "
            "and %3A for a colon."
        ) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise StoreError(f"{url.drivername}://…: no such store. {remedy}.")
    return url.set(drivername=driver)


def file_of(url: URL) -> Path | None:
    """The file of a store on SQLite; None if it is in memory or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).resolve()


def shown(url: URL) -> str:
    """A store's URL for messages, without its password and query."""
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def engine_for(url: URL) -> Engine:
    """The engine of a store. It connects on first use."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    asked = {name: value for name, value in LIVELINESS.items() if name not in url.query}
    try:
        # A connection that broke since it was used last is replaced before it is used.
        return sa.create_engine(url, pool_pre_ping=True, connect_args=asked)
    except ImportError as error:
        raise StoreError(
            f"A store on PostgreSQL needs more packages ({error.name or error}): "
            "pip install 'legcurl[postgres]'"
        ) from error


@contextmanager
def transaction(engine: Engine, *, reading: bool = False) -> Iterator[Connection]:
    """One transaction, all or nothing; database errors become StoreError.

    With `reading`, it may not write, and it does not wait for other writers.
    """
    options = _READING if reading else {}
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise refusal(engine.url, error) from error


@contextmanager
def outside_transactions(engine: Engine) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Gives a function that runs statements outside of transactions, such as VACUUM."""
    raw = None
    try:
        raw = engine.raw_connection()
        raw.rollback()
        if engine.dialect.name == "postgresql":
            raw.driver_connection.autocommit = True  # type: ignore[union-attr]

        def run(statement: str) -> list[tuple[Any, ...]]:
            assert raw is not None
            cursor = raw.cursor()
            try:
                cursor.execute(statement)
                return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            finally:
                cursor.close()

        yield run
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise refusal(engine.url, error) from error
    finally:
        if raw is not None:
            raw.invalidate()  # its settings differ from those of the pool


def refusal(url: URL, error: Exception) -> StoreError:
    """The StoreError of a database error, with its remedy."""
    said = getattr(error, "orig", None) or error
    if isinstance(error, IntegrityError):
        return StoreError(f"The database refused a change: {said}")
    if isinstance(said, sqlite3.Error):
        return StoreError(_of_sqlite(url, said))
    return StoreError(f"The database {shown(url)} failed: {said}. {_remedy_of_postgresql(said)}")


def unreachable(error: StoreError) -> bool:
    """Whether an error means that the database could not be opened, not that it is damaged."""
    cause = error.__cause__
    said = getattr(cause, "orig", None) or cause
    if isinstance(said, sqlite3.Error):
        return getattr(said, "sqlite_errorcode", 0) & 0xFF in _UNREACHABLE
    return isinstance(cause, OperationalError)  # a server that is away


def _of_sqlite(url: URL, said: sqlite3.Error) -> str:
    place = f"The database {shown(url)}"
    match getattr(said, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return (
                f"{place} is locked by another program ({said}). End what has it open: a database "
                "browser, a copy that hangs, or another legcurl."
            )
        case sqlite3.SQLITE_FULL:
            return f"{place}: its disk is full ({said}). Make room; what was stored is unharmed."
        case sqlite3.SQLITE_READONLY:
            return (
                f"{place} is read-only ({said}). Its file, its folder and their disk must be "
                "writable for the user that legcurl runs as."
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return (
                f"{place} is damaged ({said}). It was left as it is. End the service, move the "
                "file and those of its name that end in -wal and -shm away, and put a backup in "
                "its place; 'legcurl store verify' tells what is wrong with it."
            )
        case sqlite3.SQLITE_CANTOPEN:
            return (
                f"{place} cannot be opened ({said}). Does its folder exist, and may this user "
                "write there? From a disk that is read-only, copy the file and those of its name "
                "that end in -wal and -shm to another, and name the copy."
            )
        case _:
            return (
                f"{place} failed: {said}. Is its disk failing, full or read-only? The system's "
                "log (dmesg) may know."
            )


def _remedy_of_postgresql(said: object) -> str:
    text = str(said)
    state = getattr(said, "sqlstate", None) or ""
    if "password" in text or "authentication" in text or state.startswith("28"):
        return "Check user and password, and the server's pg_hba.conf."
    if state == "3D000" or ("database" in text and "does not exist" in text):
        return "Create the database first: createdb."
    if state.startswith("53"):
        return "The server is out of disk, memory or connections."
    if state in ("42501", "25006"):
        return "The user must be allowed to write, and the server be no read-only replica."
    return "Does the server run, and can this computer reach it?"


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set SQLite to sync each commit, wait for locks and check references."""
    connection.isolation_level = None  # _begin_sqlite begins transactions
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={round(BUSY_S * 1000)}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten, not only unlinked
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = "legcurl_reading" in connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

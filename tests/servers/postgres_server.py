"""A PostgreSQL server of the tests' own, from Debian's package, and databases on it by the dozen.

It listens on a free port of this computer with a password, as an operator's would, in a folder
that goes with it, and forgoes what makes it safe against power cuts. It ends with its owner,
however that ends: a shell holds it and waits for the other end of a pipe.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic, sleep

import psycopg
from psycopg import sql
from timings import LIMIT_S

USER = "legcurl"
PASSWORD = "to/be@escaped:9"
PASSWORD_IN_URL = "to%2Fbe%40escaped%3A9"
TRIES = 5  # of a port, in case that another process takes it first
_HOLD = '"$@" & server=$!; read -r _; kill -INT $server; wait $server'
_QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}


class PostgresServer:
    """A server that runs; `new_database` gives the URL of an empty one."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._settings = {**_QUICK, **(settings or {})}
        self._numbers = count(1)
        self._holder: subprocess.Popen[bytes] | None = None
        self._owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self.port = 0

    def create(self) -> None:
        """Make the cluster."""
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._owner is not None:
            entry = pwd.getpwnam(self._owner)
            for path in (self._folder, secret):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        made = subprocess.run(
            [program("initdb"), "-D", self._folder / "cluster", "-U", USER, "-A", "scram-sha-256",
             "--pwfile", secret, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            user=self._owner, group=self._owner, extra_groups=self._groups(),
            cwd=self._folder, capture_output=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr.decode()

    def start(self) -> None:
        """Start the server; after `stop`, on the port that it had."""
        for _ in range(TRIES):
            port = self.port or _free_port()
            settings = [
                part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")
            ]
            with (self._folder / "log").open("ab") as log:
                self._holder = subprocess.Popen(
                    ["sh", "-c", _HOLD, "sh", program("postgres"), "-D", self._folder / "cluster",
                     "-p", str(port), "-k", self._folder, *settings],
                    user=self._owner, group=self._owner, extra_groups=self._groups(),
                    cwd=self._folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=log, start_new_session=True,
                )  # fmt: skip
            if self._answers(port):
                self.port = port
                return
            self.stop()
        raise AssertionError(f"PostgreSQL does not start:\n{(self._folder / 'log').read_text()}")

    def stop(self) -> None:
        """End the server at once; whoever is connected loses the connection."""
        if self._holder is None:
            return
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait(LIMIT_S)
        self._holder = None

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, as an operator writes it."""
        return f"postgresql://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{self.port}/{database}"

    def new_database(self, like: str = "template0") -> str:
        """A new database, empty or like another that nobody uses; gives its name."""
        name = f"legcurl_{next(self._numbers)}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.run(made.format(sql.Identifier(name), sql.Identifier(like)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def run(self, statement: sql.SQL | sql.Composed, database: str = "postgres") -> None:
        """Run a statement outside of transactions."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def _answers(self, port: int) -> bool:
        until = monotonic() + LIMIT_S
        assert self._holder is not None
        ended = self._folder / "cluster" / "postmaster.pid"
        seen = False
        while monotonic() < until and self._holder.poll() is None:
            seen = seen or ended.exists()
            if seen and not ended.exists():
                return False
            try:
                psycopg.connect(
                    host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres"
                ).close()
            except psycopg.OperationalError:
                sleep(0.05)
                continue
            return True
        return False

    def _groups(self) -> list[int] | None:
        return None if self._owner is None else []


@contextmanager
def postgres_server(settings: dict[str, str] | None = None) -> Iterator[PostgresServer]:
    """A server for a while."""
    folder = Path(tempfile.mkdtemp(prefix="legcurl-pg-"))  # pytest's own is closed to the server
    server = PostgresServer(folder, settings)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def program(name: str) -> Path:
    """One of PostgreSQL's programs, of the newest version that is installed."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    places = [folder / name for folder in reversed(folders)]
    found = next((place for place in places if place.exists()), None) or shutil.which(name)
    assert found, f"{name} is missing: run tests/debian-packages postgres=postgresql"
    return Path(found)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

"""Runs the real `legcurl` command, in a pipe or on a pseudo-terminal, and counts what is left."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Any

LEGCURL = Path(sys.executable).parent / "legcurl"
PATIENCE_S = 30.0


def command(*arguments: str | Path) -> list[str]:
    return [str(LEGCURL), *map(str, arguments)]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; stdout and stderr are pipes."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, **environment},
    )


def events_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def processes_of(seed: int) -> list[int]:
    """Processes of simulated sensors with this seed, which tests choose to be unique."""
    marks = (f"seed={seed}".encode(), f"LEGCURL_SEED={seed}\0".encode())
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            about = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            running = (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:  # it has just ended
            continue
        if running and any(mark in about for mark in marks):
            found.append(int(folder.name))
    return found


def gone(seed: int, within_s: float = 5.0) -> bool:
    """Whether nothing is left of the simulated sensor within a short while."""
    until = time.monotonic() + within_s
    while processes_of(seed):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


class Terminal:
    """The command on a pseudo-terminal of a given size, as somebody would sit before it."""

    def __init__(
        self, *arguments: str | Path, size: tuple[int, int] = (80, 24), **environment: str
    ) -> None:
        master, slave = os.openpty()
        self.master, self.slave = master, slave
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "COLORTERM")
        }
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=self._own_terminal,
            env={**inherited, "TERM": "xterm-256color", **environment},
        )

    def _own_terminal(self) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for end in (self.master, self.slave):
            if end >= 0:
                os.close(end)

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.slave)

    def until(self, wanted: bytes) -> bytes:
        """Read until these bytes have come; give everything seen so far."""
        deadline = time.monotonic() + PATIENCE_S
        while wanted not in self.seen:
            assert time.monotonic() < deadline, f"{wanted!r} never came: {self.seen[-2000:]!r}"
            assert self._read(1.0) or self.process.poll() is None, f"ended: {self.seen[-2000:]!r}"
        return self.seen

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window to another size; the kernel tells the program."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self.master)
        self.master = -1

    def end(self) -> int:
        """Read until the command has ended; give its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen[-2000:]!r}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def _read(self, wait_s: float) -> bool:
        if not select.select([self.master], [], [], wait_s)[0]:
            return False
        self.seen += os.read(self.master, 65536)
        return True

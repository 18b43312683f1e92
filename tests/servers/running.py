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
from itertools import count
from pathlib import Path
from typing import Any

from timings import LIMIT_S, wait_until

LEGCURL = Path(sys.executable).parent / "legcurl"
PATIENT_LEGCURL = Path(__file__).resolve().parents[1] / "shared" / "patient_legcurl.py"
# A shell that runs the tests in its background has SIGINT ignored.
HEEDING_CTRL_C = ("env", "--default-signal=INT")


def command(*arguments: str | Path) -> list[str]:
    """A command line; of a service, that of one which may take its time to end."""
    program = [sys.executable, PATIENT_LEGCURL] if arguments[:1] == ("serve",) else [LEGCURL]
    return [*map(str, program), *map(str, arguments)]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; stdout and stderr are pipes."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, **environment},
    )


def events_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


class Running:
    """The command in the background, its stdout and stderr in pipes.

    Leaving the context kills what is still running. Every process that it starts inherits a mark
    of this run, by which `leftovers` finds it.
    """

    def __init__(self, *arguments: str | Path, through: tuple[str, ...] = ()) -> None:
        self._mark = _new_mark()
        self.process = subprocess.Popen(
            [*HEEDING_CTRL_C, *through, *command(*arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict([*os.environ.items(), self._mark]),
        )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """Wait for the next line on stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop_reading(self) -> None:
        """Close the reading end of its stdout, as `head` does."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; give the exit code."""
        return self.process.wait(LIMIT_S)

    def complaints(self) -> str:
        """What it wrote to stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def leftovers(self) -> list[int]:
        """Its processes that do not end."""
        return _leftovers(self._mark)


_marks = count()


def _new_mark() -> tuple[str, str]:
    return "LEGCURL_TEST", f"{os.getpid()}-{next(_marks)}"


def _marked(mark: tuple[str, str]) -> list[int]:
    wanted = "=".join(mark).encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # it has just ended, or is somebody else's
            continue
    return found


def _leftovers(mark: tuple[str, str]) -> list[int]:
    wait_until(lambda: not _marked(mark), lambda: _marked(mark))
    return []


class Terminal:
    """The command on a pseudo-terminal of a given size, as somebody would sit before it."""

    def __init__(
        self, *arguments: str | Path, size: tuple[int, int] = (80, 24), **environment: str
    ) -> None:
        master, slave = os.openpty()
        self.master, self.slave = master, slave
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        self._mark = _new_mark()
        self.seen = b""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "COLORTERM")
        }
        self.process = subprocess.Popen(
            [*HEEDING_CTRL_C, *command(*arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=self._own_terminal,
            env={**inherited, "TERM": "xterm-256color", **environment, **dict([self._mark])},
        )

    def _own_terminal(self) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
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
        deadline = time.monotonic() + LIMIT_S
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
        deadline = time.monotonic() + LIMIT_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen[-2000:]!r}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def leftovers(self) -> list[int]:
        """Its processes that do not end."""
        return _leftovers(self._mark)

    def _read(self, wait_s: float) -> bool:
        if not select.select([self.master], [], [], wait_s)[0]:
            return False
        self.seen += os.read(self.master, 65536)
        return True

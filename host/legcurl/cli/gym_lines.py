"""What `serve` says of its machines where no picture can be drawn: a line for what matters.

A service must not stand still because nobody reads what it says (a pager, a stopped terminal, a
full pipe). So the lines go through a short queue to a thread that may wait, and what finds no room
is counted and left out. The thread writes to the file itself, past Python's buffer, so that it can
be left behind when the program ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from queue import Full, Queue
from threading import Thread

from legcurl.events import Event
from legcurl.view.words import line, printable

ROOM = 200  # lines


class GymLines:
    """Lines to stdout, from many machines."""

    def __init__(self) -> None:
        self.skipped = 0  # since one found room
        self._lines: Queue[str] = Queue(ROOM)
        self._file = sys.stdout.fileno()
        Thread(target=self._write, name="lines", daemon=True).start()

    def hear(self, name: Callable[[], str], event: Event) -> None:
        """Say what an event means, if it matters afterwards."""
        told = line(event)
        if told is not None:
            self.say(f"{printable(name())}: {told}")

    def say(self, text: str) -> None:
        """Write a line as soon as somebody reads, or leave it out."""
        skipped = f"({self.skipped} lines were not read in time.)\n" if self.skipped else ""
        try:
            self._lines.put_nowait(f"{skipped}{text}\n")
        except Full:
            self.skipped += 1
        else:
            self.skipped = 0

    def _write(self) -> None:
        while True:
            waiting = self._lines.get().encode()
            try:
                while waiting:
                    waiting = waiting[os.write(self._file, waiting) :]
            except OSError:  # nobody will read any more; the service goes on
                waiting = b""

"""Writing to a terminal or pipe without ever waiting for it, for a service that others look at.

A service must not stand still because its output is not read: a pager, a terminal that was
stopped with Ctrl-S or whose network is slow, a full pipe. So what is said goes through a short
queue to a thread that may wait, and what finds no room is counted and left out. The thread writes
to the file itself, past Python's buffer, so that it can be left behind when the program ends.
"""

from __future__ import annotations

import io
import os
from queue import Full, Queue
from threading import Thread
from time import monotonic, sleep
from typing import TextIO

FRAMES_ROOM = 4  # of a picture: the next one has everything
FAREWELL_S = 0.5  # for what was said last, at the end
POLL_S = 0.005


class UnhurriedFile(io.TextIOBase):
    """Stands for `out`: what is written between two flushes is written as one, or not at all."""

    def __init__(self, out: TextIO, room: int) -> None:
        self.skipped = 0  # flushes that found no room
        self._text: list[str] = []
        self._pieces: Queue[bytes] = Queue(room)
        self._file = out.fileno()
        self._encoding = out.encoding
        self._tty = out.isatty()
        Thread(target=self._write_pieces, name="terminal", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override] - of IOBase it is an attribute
        """The file's."""
        return self._encoding

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._tty

    def fileno(self) -> int:
        """The file's, for a terminal's size."""
        return self._file

    def write(self, text: str, /) -> int:
        """Keep a text until the next flush."""
        self._text.append(text)
        return len(text)

    def flush(self) -> None:
        """Hand over what was written, or leave it out."""
        piece = "".join(self._text).encode(self._encoding, "replace")
        self._text.clear()
        try:
            if piece:
                self._pieces.put_nowait(piece)
        except Full:
            self.skipped += 1

    def settle(self) -> None:
        """Wait a moment for what was handed over, at the end."""
        until_s = monotonic() + FAREWELL_S
        while self._pieces.unfinished_tasks and monotonic() < until_s:
            sleep(POLL_S)

    def _write_pieces(self) -> None:
        while True:
            piece = self._pieces.get()
            try:
                while piece:
                    piece = piece[os.write(self._file, piece) :]
            except OSError:  # the reader has gone; the service goes on
                piece = b""
            self._pieces.task_done()

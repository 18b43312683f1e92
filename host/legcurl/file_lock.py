"""A lock file that one process at a time holds.

The kernel unlocks it when its process ends, however that happens, so no lock is ever stale. The
holder may write its name into the file, for the message that the next one shows. Not the library
`filelock`: it truncates the file before it has the lock, and with that erases the holder's name.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

HOLDER_BYTES = 200


class NoLocksError(OSError):
    """The file's disk has no locks, as some network disks."""


class FileLock:
    """The lock on a file, held until `release` or the end of the `with` block.

    Raises BlockingIOError if another holds it, unless told to `wait`; NoLocksError; and any other
    OSError if the file cannot be opened.
    """

    def __init__(self, file: Path, *, mode: int = 0o600, wait: bool = False) -> None:
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise
        except OSError as error:
            self.release()
            raise NoLocksError(error.errno, error.strerror) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: object, _where: TracebackType | None
    ) -> None:
        self.release()

    def name_holder(self, holder: str) -> None:
        """Write the holder's name into the file. Raises OSError; the lock stays held."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{holder}\n".encode(), 0)

    def release(self) -> None:
        """Unlock; safe to repeat. The file stays: without it two could lock two files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder_of(file: Path) -> str:
    """What the holder of a lock file has written into it, or an empty string."""
    try:
        with file.open("rb") as written:
            return written.read(HOLDER_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""

"""One legcurl at a time on a sensor, as far as this computer goes.

BlueZ shares a Bluetooth connection among all programs of a computer, so a second legcurl would
not be turned away by the sensor: both would steer the one stream. And it keeps the connection of
a program that crashed, so "in use" may mean our own past. A locked file tells the two apart: the
kernel lets go of it with the process, however that ended.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from legcurl.errors import SensorInUseError


class Claim:
    """This process's claim on a sensor, until `release`. Raises SensorInUseError."""

    def __init__(self, address: str, *, name: str) -> None:
        plain = "".join(letter for letter in address if letter.isalnum()).lower()
        file = _directory() / f"legcurl-ble-{plain}.lock"
        try:
            self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:  # another user's, in a directory that all share
            raise _taken(name) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise _taken(name) from error

    def release(self) -> None:
        """Let another have the sensor. Safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _taken(name: str) -> SensorInUseError:
    return SensorInUseError(
        f"{name} is in use by another legcurl on this computer: end that one, or look at what it "
        "shows."
    )


def _directory() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())

"""One legcurl process at a time uses a sensor, on this computer.

All programs of a computer share one Bluetooth connection in BlueZ, so the sensor does not see that
a second legcurl comes, and both would steer the one stream. BlueZ also keeps the connection of a
program that crashed, so "in use" may be our own earlier process. A lock tells the two apart.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from legcurl.errors import SensorInUseError
from legcurl.file_lock import FileLock


def lock_sensor(address: str, *, name: str) -> FileLock:
    """Lock a sensor for this process. Raises SensorInUseError."""
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    plain = "".join(letter for letter in address if letter.isalnum()).lower()
    try:
        return FileLock(folder / f"legcurl-ble-{plain}.lock")
    except OSError as error:  # locked, or another user's in a folder that all share
        raise SensorInUseError(
            f"{name} is in use by another legcurl on this computer: end that one, or look at what "
            "it shows."
        ) from error

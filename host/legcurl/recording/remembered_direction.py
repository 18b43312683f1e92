"""What a service on this computer has learnt of the way that a sensor is mounted.

A machine's journal keeps it across restarts (session/annotations.py, LearntNote); here a command
looks it up that talks to the sensor itself.
"""

from __future__ import annotations

from pathlib import Path

from legcurl.errors import InputError
from legcurl.recording.file import SUFFIX, Recording
from legcurl.session.annotations import LearntNote


def remembered_direction(journals: Path, source: str) -> int | None:
    """The sign of flexion on the axis of the sensor at address `source`, 0 while it is not sure.

    `journals` holds a folder for each machine. None: no journal there has learnt of
    that sensor.
    """
    newest: tuple[float, str, int] | None = None  # when, which segment, direction
    for path in journals.glob(f"*/*{SUFFIX}"):
        try:
            with Recording(path) as segment:
                if segment.header.source == source:
                    notes = [item.direction for item in segment if isinstance(item, LearntNote)]
                    if notes:
                        found = (path.stat().st_mtime, path.name, notes[-1])
                        newest = found if newest is None else max(newest, found)
        except (InputError, OSError):
            continue  # a damaged segment remembers nothing
    return None if newest is None else newest[2]

"""What has to change on a board, from the files that are there to those that should be.

main.py goes first and comes last, under another name until all else has been read back: at every
moment between, a board that starts finds no program and does nothing. Files that are right stay.
Whatever else lies in our package goes, above all sources of an older copy: MicroPython prefers
`x.py` to `x.mpy`. Other files are the owner's and stay, a sensor's settings among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from legcurl.firmware_files import ENTRY
from legcurl.install.flash.firmware_build import PACKAGE, SensorFile
from legcurl.install.flash.raw_repl import StoredFile

NEW_ENTRY = "main.new"  # main.py under way
CRASH_LOG = "crash.log"  # of the firmware before: firmware/sensor/crash.py
CRASH_LOGS = (CRASH_LOG, "crash.new")
BELONGINGS = tuple(
    f"{name}.{version}"
    for name in ("settings", "calibration", "key")
    for version in ("json", "new", "old")
)  # of the sensor: firmware/sensor/settings.py
# Of flash beside our files: settings and their older versions, a crash log, what the file system
# itself needs for a block or two of each.
SPARE_BYTES = 32_768

Stored = Mapping[str, StoredFile | None]  # see RawRepl.files


@dataclass(frozen=True, slots=True)
class Change:
    """Remove, make directories, write: in this order."""

    remove: tuple[str, ...]  # main.py first; directories (ending in /) last, the deepest first
    make: tuple[str, ...]
    write: tuple[SensorFile, ...]  # main.py last
    freed_bytes: int  # by what is removed or written over

    @property
    def bytes(self) -> int:
        """How much there is to write."""
        return sum(len(file.content) for file in self.write)

    def fits(self, free_bytes: int) -> bool:
        """Whether a flash with so much room takes it, and what a sensor adds later."""
        return not self.write or self.bytes + SPARE_BYTES <= free_bytes + self.freed_bytes


def plan_change(files: Sequence[SensorFile], there: Stored, *, erase: bool) -> Change:
    """From what is there to `files`, of which main.py is the last."""
    wanted = {file.path for file in files}
    needed = {directory for path in wanted for directory in _directories_above(path)}
    write = [file for file in files if not _is_right(file, there)]
    stale = {path for path in there if path.startswith(f"{PACKAGE}/")} - wanted - needed
    stale |= {path for path in (NEW_ENTRY, *CRASH_LOGS) if path in there}
    if erase:
        stale |= {path for path in BELONGINGS if path in there}
    if ENTRY in there and (write or stale):
        stale.add(ENTRY)
        if write[-1:] != [files[-1]]:
            write.append(files[-1])
    replaced = stale | {file.path for file in write}
    return Change(
        remove=tuple(sorted(stale, key=_removal_order)),
        make=tuple(sorted(needed - set(there))),
        write=tuple(write),
        freed_bytes=sum(stored.size for path in replaced if (stored := there.get(path))),
    )


def _is_right(file: SensorFile, there: Stored) -> bool:
    stored = there.get(file.path)
    return stored is not None and stored.digest == file.digest


def _removal_order(path: str) -> tuple[bool, bool, int, str]:
    return (path != ENTRY, path.endswith("/"), -path.count("/"), path)


def _directories_above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) + "/" for depth in range(len(parts))]

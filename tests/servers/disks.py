"""Disks that fill up, or cannot be written: real ones, a few hundred kB large."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_KB = 2048
PROBE_BYTES = 4096


class SmallDisk:
    """A disk of its own at `folder`, if this user may mount one; else a limit on files' sizes.

    Both make the system refuse a write, which is all that a database sees of a full disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mounted = _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder))
        self._before: tuple[int, int] | None = None

    def fill(self) -> None:
        """Leave no room."""
        if not self.mounted:
            self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (PROBE_BYTES, self._before[1]))
            return
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"\0" * PROBE_BYTES)
            except OSError:
                return

    def clear(self) -> None:
        """Make room again."""
        if self._before is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
            self._before = None
        (self.folder / "ballast").unlink(missing_ok=True)

    def make_read_only(self) -> None:
        """Let nobody write any more, not even root. No file may be open for writing."""
        if self.mounted:
            assert _run("mount", "-o", "remount,ro", str(self.folder))
        else:
            for path in (*self.folder.iterdir(), self.folder):
                path.chmod(path.stat().st_mode & ~0o222)
            self.fill()  # for root, whom modes do not stop

    def make_writable(self) -> None:
        """Let who may write again."""
        if self.mounted:
            assert _run("mount", "-o", "remount,rw", str(self.folder))
        else:
            self.clear()
            for path in (self.folder, *self.folder.iterdir()):
                path.chmod(path.stat().st_mode | 0o200)

    def close(self) -> None:
        self.clear()
        if self.mounted:
            assert _run("umount", "-l", str(self.folder))
        else:
            self.make_writable()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """A small disk for a while."""
    folder.mkdir()
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        disk.close()


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0

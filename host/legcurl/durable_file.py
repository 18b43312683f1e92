"""Files that survive a power cut: under its name a file is complete, or it is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO


@contextmanager
def complete_file(file: Path, *, replace: bool, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A new file, which gets its name, and its place on the disk, at the end of the block.

    If the block raises, what was under that name stays. Without `replace`, a file that is there
    is a FileExistsError. Raises OSError. `mode` is that of open(), less the umask.
    """
    part = file.with_name(f".{file.name}.{token_hex(4)}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(part, flags, mode), "wb") as writing:
            yield writing
            writing.flush()
            os.fsync(writing.fileno())
        if replace:
            part.replace(file)
        else:
            os.link(part, file)  # unlike a renaming, it refuses what came there meanwhile
        sync(file.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def rename(part: Path, file: Path) -> None:
    """Give a file that is written its name, in place of what has it, for good."""
    sync(part)
    part.replace(file)
    sync(file.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

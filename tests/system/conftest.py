"""System tests: the real firmware on the MicroPython VM, through a pseudo-terminal, to events."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.is_dir():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def is_alive():
    return alive

"""The limit of every wait in the tests.

A test waits for a condition, never for a while. The limit ends only what hangs: a computer with
ten times more work than it can do stays below it. pytest's `timeout` (pytest.ini) is longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

LIMIT_S = 300.0
POLL_S = 0.01


def nothing_more() -> str:
    return "the condition stays false"


def wait_until(
    true: Callable[[], object],
    otherwise: Callable[[], object] = nothing_more,
    *,
    poll_s: float = POLL_S,
) -> None:
    """Wait until `true()` holds; if it never does, `otherwise()` says what is the case instead."""
    for _ in _looks_in_vain(true, otherwise):
        time.sleep(poll_s)


async def until(
    true: Callable[[], object],
    otherwise: Callable[[], object] = nothing_more,
    *,
    poll_s: float = POLL_S,
) -> None:
    """As `wait_until`, in an event loop."""
    for _ in _looks_in_vain(true, otherwise):
        await asyncio.sleep(poll_s)


def _looks_in_vain(true: Callable[[], object], otherwise: Callable[[], object]) -> Iterator[None]:
    deadline_s = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline_s, otherwise()
        yield

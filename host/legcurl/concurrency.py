"""Coroutines side by side, of which the first to end ends the others; and growing pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any, TypeVar

_Result = TypeVar("_Result")

BACKOFF_FIRST_S = 0.1  # a re-plugged port is there within a fraction of a second
BACKOFF_MAX_S = 3.0  # a lifter waits beside the machine: look often, it costs next to nothing
BACKOFF_GROWTH = 2.0
BACKOFF_JITTER = 0.25  # of a pause, either way: stations that broke together must not retry so


async def until_first(*coroutines: Coroutine[Any, Any, _Result]) -> _Result:
    """Run all until one returns or raises; cancel the rest, wait for them, and do the same.

    If several raise or return at once, an exception wins, and then the earliest argument. Unlike
    a TaskGroup, an exception comes out as it is, and a return ends the others too.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return next(task.result() for task in tasks if task in done)


class Backoff:
    """Growing pauses between attempts, seeded so that a test sees the same ones each time."""

    def __init__(self, seed: str, longest_s: float | None = None) -> None:
        self._random = Random(seed)
        self._pause_s = BACKOFF_FIRST_S
        self._longest_s = BACKOFF_MAX_S if longest_s is None else longest_s

    def reset(self) -> None:
        """Start again from the shortest: the last attempt led to something."""
        self._pause_s = BACKOFF_FIRST_S

    def next_s(self) -> float:
        """How long to wait before the next attempt."""
        pause_s = self._pause_s
        self._pause_s = min(pause_s * BACKOFF_GROWTH, self._longest_s)
        return pause_s * self._random.uniform(1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER)

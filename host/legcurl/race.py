"""Coroutines side by side, of which the first to end ends the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_first(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run all until one returns or raises; cancel the rest, wait for them, raise what was raised.

    If several raise, the earliest argument's exception wins. Unlike a TaskGroup, an exception
    comes out as it is, and a return ends the others too.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

"""Garbage collection in a service that runs for years.

Nearly all objects of a service are freed by reference counts. The collector is only needed for
reference cycles, which are rare, and each full collection walks over every object that stays: with
200 stations it stops the event loop for a quarter of a second, several times a minute. So young
objects are collected seldom, and objects that stay are frozen once the stations are up.
"""

from __future__ import annotations

import asyncio
import gc

YOUNG = 20_000  # objects more made than freed, before the young ones are looked at
YOUNG_LOOKS, OLDER_LOOKS = 20, 20  # of the younger before the next older are looked at too
SETTLES_S = 20.0  # until stations, connections and caches are there, which stay
AGAIN_S = 3600.0  # for what has come to stay since


async def tend_garbage(settles_s: float = SETTLES_S) -> None:
    """Run until cancelled."""
    gc.set_threshold(YOUNG, YOUNG_LOOKS, OLDER_LOOKS)
    await asyncio.sleep(settles_s)
    while True:
        gc.collect()
        gc.freeze()
        await asyncio.sleep(AGAIN_S)

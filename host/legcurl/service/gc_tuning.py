"""When the interpreter looks for garbage, in a service that runs for years.

Nearly all that a service makes is freed the moment that nobody wants it. What the collector is for,
objects in circles, comes now and then (an exception that holds its own frame), and what it costs is
a walk over everything that stays: with 200 stations a quarter of a second in which no event is
handed on, several times a minute. So it looks at young objects seldom, and never again at those
that stay, once the stations are up.
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

"""Regular work of a service on its store: retention, and the lock that keeps other services out.

Retention runs soon after a start and then once a day, in the store's thread, a few rows at a time.
The lock is checked once a minute: a database server that restarted has lost it, and it is taken
again, or another service has it, which is logged. None of this ends the service: a set that is
stored twice is recognised, a set that is not stored is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from legcurl.errors import StoreError
from legcurl.store.maintenance.retention import Pruned, Retention, prune
from legcurl.store.service_lock import ServiceLock

if TYPE_CHECKING:
    from legcurl.store import Store
    from legcurl.store.service_lock import ServiceLock

log = logging.getLogger(__name__)

LOCK_CHECK_S = 60.0
FIRST_PRUNE_S = 300.0  # after a start there is more urgent work: sets that the sensors still have
PRUNE_S = 24 * 3600.0

Ask = Callable[[Callable[["Store"], Any]], Awaitable[Any]]


async def keep_house(ask: Ask, lock: ServiceLock, retention: Retention) -> None:
    """Run until cancelled. `ask` runs a function in the store's thread: see set_writer.py."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep_lock(lock), name="the store's lock")
            tasks.create_task(_prune_daily(ask, retention), name="retention")
    except Exception:  # sets are still stored
        log.exception("Maintenance of the store has ended: restart the service soon.")


async def _keep_lock(lock: ServiceLock) -> None:
    trouble = ""
    while True:
        await asyncio.sleep(LOCK_CHECK_S)
        said = ""
        try:
            await asyncio.to_thread(lock.keep)
        except StoreError as error:
            said = str(error)
        if said != trouble:
            trouble = said
            if said:
                log.error("%s", said)
            else:
                log.warning("The lock on the store holds again.")


async def _prune_daily(ask: Ask, retention: Retention) -> None:
    await asyncio.sleep(FIRST_PRUNE_S)
    while True:
        try:
            gone: Pruned = await ask(lambda store: prune(store, retention, datetime.now(UTC)))
        except StoreError as error:
            log.warning("Old sets and traces were not deleted: %s", error)
        else:
            if gone.traces or gone.sets:
                log.info("Deleted %d old traces and %d old sets.", gone.traces, gone.sets)
        await asyncio.sleep(PRUNE_S)

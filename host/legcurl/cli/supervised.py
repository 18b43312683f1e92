"""A service under systemd: it says when it is ready, shows that it is alive, and how it is.

The watchdog gets its sign only while the event loop turns (the sign is sent from it) and nothing
hangs: see `Verdict.hung` for what a restart would help and what it would not. It gets three in the
period that systemd allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legcurl.service.service import Service
    from legcurl.service.systemd import Notifier

STATUS_EVERY_S = 10.0  # without a watchdog
SIGNS_A_PERIOD = 3


@asynccontextmanager
async def supervised(service: Service, notifier: Notifier) -> AsyncIterator[None]:
    """Tell systemd of the service, from its start to the beginning of its end."""
    task = asyncio.create_task(_tell(service, notifier), name="systemd")
    try:
        yield
    finally:
        notifier.stopping()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        notifier.close()


async def _tell(service: Service, notifier: Notifier) -> None:
    await service.started.wait()
    notifier.ready()
    every_s = STATUS_EVERY_S
    if notifier.watchdog_s is not None:
        every_s = min(every_s, notifier.watchdog_s / SIGNS_A_PERIOD)
    while True:
        verdict = await service.health.judge()
        machines = service.gym.machines
        up = sum(machine.state.link == "up" for machine in machines.values())
        text = f"{verdict.status}: {up} of {len(machines)} sensors"
        if verdict.reasons:
            text += f". {verdict.reasons[0]}"
        if verdict.hung:
            notifier.status(text)
        else:
            notifier.alive(text)
        await asyncio.sleep(every_s)

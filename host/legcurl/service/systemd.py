"""Tells systemd that the service is ready, how it is, and that it is alive (sd_notify(3)).

The protocol is one datagram a message to the socket that $NOTIFY_SOCKET names; a name that begins
with "@" is in the abstract namespace. Without systemd there is no socket and nothing is sent.

The watchdog message is sent from the event loop, three times in the period that systemd allows, as
long as nothing hangs: see `Verdict.hung` for what a restart would help.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from legcurl.service.service import Service

log = logging.getLogger(__name__)

STATUS_MAX = 200  # characters that `systemctl status` shows in a line
STATUS_EVERY_S = 10.0  # without a watchdog
SIGNS_A_PERIOD = 3


class Notifier:
    """Tells one socket; without one it does nothing. `watchdog_s` is how often it wants a sign."""

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._socket: socket.socket | None = None
        if address:
            name = f"\0{address[1:]}" if address.startswith("@") else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            try:
                self._socket.connect(name)
            except OSError as error:
                log.warning("systemd's socket %s cannot be used: %s", address, error)
                self.close()

    @classmethod
    def from_environment(cls) -> Self:
        """What systemd has put there; taken out, so that no process of ours speaks for us."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        period_us = os.environ.pop("WATCHDOG_USEC", "")
        pid = os.environ.pop("WATCHDOG_PID", "")
        wanted = period_us.isdecimal() and int(period_us) > 0 and pid in ("", str(os.getpid()))
        return cls(address, int(period_us) / 1e6 if wanted else None)

    def ready(self, status: str = "") -> None:
        """The service does what it is for; also after a reload."""
        self._tell("READY=1", *_status(status))

    def reloading(self) -> None:
        """The configuration is read again; `ready` says that this is over."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def status(self, text: str) -> None:
        """A sentence for `systemctl status`."""
        self._tell(*_status(text))

    def alive(self, status: str = "") -> None:
        """A sign for the watchdog."""
        self._tell("WATCHDOG=1", *_status(status))

    def stopping(self) -> None:
        """The service has begun to end."""
        self._tell("STOPPING=1", *_status("ending"))

    def close(self) -> None:
        """Tell nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *words: str) -> None:
        if self._socket is None or not words:
            return
        try:
            self._socket.send("\n".join(words).encode())
        except OSError as error:  # full, or gone: the service goes on
            log.warning("systemd was not told %s: %s", words[0], error)


def _status(text: str) -> list[str]:
    line = " ".join(text.split())[:STATUS_MAX]
    return [f"STATUS={line}"] if line else []


@asynccontextmanager
async def supervised(service: Service, notifier: Notifier) -> AsyncIterator[None]:
    """Tell systemd how a running service is: ready at first, stopping at the end."""
    task = asyncio.create_task(_tell(service, notifier), name="systemd")
    try:
        yield
    finally:
        notifier.stopping()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        notifier.close()


async def _tell(service: Service, notifier: Notifier) -> None:
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

"""SIGHUP to a service that has a file: it is read again, and what may change while running does.

Machines come, go and change their names; PINs change and sign everybody out. The rest is told to
wait for the next start. An invalid file changes nothing: it is said what is wrong with
it, and the service goes on as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from legcurl.cli.serve_config import LOOPBACK, Wanted, hashes_of, setups_of, token_of
from legcurl.errors import ConfigError, LegCurlError

if TYPE_CHECKING:
    from legcurl.config import Config
    from legcurl.service.systemd import Notifier
    from legcurl.web.live_page import LivePage

log = logging.getLogger(__name__)


class Reloader:
    """Has a service follow its configuration, one reading at a time."""

    def __init__(self, page: LivePage, wanted: Wanted, config: Config, notifier: Notifier) -> None:
        self.changed: Callable[[], None] = lambda: None  # called when the machines may be others
        self._page = page
        self._wanted = wanted
        self._started = config  # what cannot change while running is as it says
        self._config = config
        self._notifier = notifier  # of systemd, which waits for the end of a reload
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read it again, soon. Asked while it is being read, it is read once more."""
        self._asked.set()

    async def run(self) -> None:
        """Serve what is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._notifier.reloading()
            try:
                await self._reload()
            except LegCurlError as error:
                log.error("The configuration stays as it was: %s", error)  # noqa: TRY400 - ours
            except Exception:
                # A fault of ours in it must not make the service deaf to the next one.
                log.exception("The configuration could not be followed.")
            finally:
                self._notifier.ready()

    async def _reload(self) -> None:
        config = await asyncio.to_thread(self._wanted.read)  # it looks into files
        before, page = self._config, self._page
        refuse_what_needs_a_start(self._started, config)
        if _secrets(config) != _secrets(before):
            hashes = await asyncio.to_thread(hashes_of, config)
            page.access.replace(hashes, metrics_token=token_of(config))
            page.broadcast.dismiss()
        await page.service.apply(setups_of(config))
        self._config = config
        self.changed()
        for warning in config.warnings:
            log.warning("%s.", warning)
        for name in _waiting(self._started, config):
            log.warning("What changed in %s waits for the next start.", name)
        log.info("The configuration is read again: %d machines.", len(config.machines))


def refuse_what_needs_a_start(started: Config, config: Config) -> None:
    """Raise ConfigError for what a service that began otherwise cannot follow."""
    if config.web.pin is None and started.web.host not in LOOPBACK:
        raise ConfigError(
            f"The service listens beyond this computer ({started.web.host}) until it is started "
            "anew, and needs a PIN until then."
        )
    if started.machines and not config.machines:
        # More likely a file that an editor has not written yet than a gym without machines.
        raise ConfigError("It names no machine any more. To follow none, end the service.")
    if config.machines and not started.machines:
        raise ConfigError(
            "The service began without machines, to show a store of many gyms, and has no claim "
            "on it: start it anew to follow some."
        )


def _secrets(config: Config) -> tuple[object, ...]:
    return config.web.pin, config.web.view_pin, config.web.metrics_token


def _waiting(before: Config, config: Config) -> list[str]:
    """The sections of which something is not as it was when the service started, which keeps it."""
    kept = {
        "[gym]": (before.gym, config.gym),
        "[store]": (before.store, config.store),
        "[web]": (
            (before.web.host, before.web.port, before.web.allow_hosts),
            (config.web.host, config.web.port, config.web.allow_hosts),
        ),
        "[mqtt]": (before.mqtt, config.mqtt),
        "[log]": (before.log, config.log),
    }
    return [name for name, (then, now) in kept.items() if then != now]

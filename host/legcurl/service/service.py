"""What runs while `legcurl serve` does: machines, set writer, publisher, health and metrics.

`Service` puts these parts together, starts and stops them in order, and changes the machines while
it runs. Whatever shows them to people (web/live_page.py) is a `ServiceFollower`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from legcurl.errors import StoreError
from legcurl.gym.machine import Follower
from legcurl.service.health import Health
from legcurl.service.metrics import Metrics
from legcurl.service.set_writer import SetWriter
from legcurl.store.records import Expected
from legcurl.store.records import Machine as StoredMachine

if TYPE_CHECKING:
    from legcurl.gym.gym import Gym
    from legcurl.gym.machine import Machine, MachineSetup
    from legcurl.mqtt.publisher import Publishing
    from legcurl.store import Store

log = logging.getLogger(__name__)


class ServiceFollower(Follower, Protocol):
    """Follows the machines and what the service does with them. Every method returns at once."""

    def machines_changed(self) -> None:
        """Machines came, went or changed their names."""
        ...

    def entry_changed(self, machine_id: str) -> None:
        """Another client or load is entered for a machine's next set."""
        ...

    def set_stored(self, machine: Machine, set_id: str) -> None:
        """A set of a machine is in the store; the machine may be gone."""
        ...


class Service:
    """A gym, its store and what connects them. `gym` must not run yet."""

    def __init__(self, gym: Gym, store: Store, *, publishing: Publishing | None = None) -> None:
        self.gym = gym
        self.store = store
        self.writer = SetWriter(store, self._set_stored)
        self.publisher = publishing.publisher(store, self.writer.ask) if publishing else None
        self.health = Health(gym, self.writer)
        self.metrics = Metrics(gym, self.writer, self.health)
        self._followers: list[ServiceFollower] = []
        if self.publisher is not None:
            gym.follow(self.publisher)  # first: a machine's reps are published before their set
            self.health.watch(self.publisher.trouble)
            self.metrics.add(self.publisher)
        gym.follow(self.writer)
        gym.follow(self.metrics)

    def follow(self, follower: ServiceFollower) -> None:
        """Tell `follower` of everything from here on."""
        self._followers.append(follower)
        self.gym.follow(follower)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start all parts, and stop them in the right order at the end."""
        for machine_id in self.gym.machines:
            self._enter_again(machine_id, self.store.expected(machine_id))
        async with self.writer, self.health, self.publisher or nullcontext(), self.gym:
            if self.publisher is not None:
                self.publisher.follow(self.gym)
            yield

    async def apply(self, setups: Sequence[MachineSetup]) -> None:
        """Follow these machines from here on; machines that stay the same are not disturbed."""
        before = set(self.gym.machines)
        await self.gym.apply(setups)
        machines = self.gym.machines
        gone, new = before - machines.keys(), machines.keys() - before
        for machine_id in gone:
            self.writer.let_go(machine_id)
        for follower in self._followers:
            follower.machines_changed()
        if self.publisher is not None:
            for machine_id in gone:
                await self.publisher.retire(machine_id)
            self.publisher.follow(self.gym)
        for machine_id in new:
            try:
                expected = await self.writer.ask(
                    lambda store, name=machine_id: store.expected(name)
                )
            except StoreError as error:  # the machine runs all the same
                log.warning("Who lifts next on %s cannot be looked up: %s", machine_id, error)
                continue
            self._enter_again(machine_id, expected)
            self._entry_changed(machine_id)

    async def expect(self, machine_id: str, expected: Expected) -> None:
        """Enter client and load for a machine's next set, here and in the store."""
        named = StoredMachine(machine_id, self.gym.machines[machine_id].name)

        def remember(store: Store) -> None:
            store.put_machine(named)
            store.expect(machine_id, expected)

        await self.writer.ask(remember)
        self.writer.expect(machine_id, expected)
        self._entry_changed(machine_id)

    def _enter_again(self, machine_id: str, expected: Expected) -> None:
        """Take over what was entered before the service ended or the machine was taken out."""
        if expected.since is not None:
            self.writer.expect(machine_id, expected)

    def _entry_changed(self, machine_id: str) -> None:
        for follower in self._followers:
            follower.entry_changed(machine_id)

    def _set_stored(self, machine: Machine, set_id: str) -> None:
        for follower in self._followers:
            follower.set_stored(machine, set_id)

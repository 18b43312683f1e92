"""Many machines at once, each with its station and its state.

A `Gym` runs each machine as a task of its own. A sensor that is away is tried again for ever; what
is wrong is part of the machine's state and never an exception that ends the other machines.

A `Follower` follows all machines. Its methods are called in the event loop, with one machine's
samples and events in order, and return at once. What may take long (a database on a slow disk)
belongs behind a queue: see set_writer.py. To follow a single machine, listen to its `bus`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from math import ceil
from pathlib import Path

from legcurl.errors import ConfigError
from legcurl.gym.machine import Follower, Machine, MachineSetup
from legcurl.identifiers import MACHINE_ID, MACHINE_ID_MAX, id_rule
from legcurl.recording.journal import Journal, Syncer
from legcurl.station.live_feed import PROMPT_MS

log = logging.getLogger(__name__)

# Where there are more machines than this, a page shows tiles and no eye follows each.
CROWD = 60
PROMPT_MAX_MS = 240  # of one octet: docs/protocol.md


def prompt_ms_for(machines: int) -> int:
    """How old samples may get in the sensors of so many machines.

    A frame costs the host much the same however many samples are in it: the more machines, the
    longer their frames, so that a second has no more of them than with CROWD machines.
    """
    return min(PROMPT_MS * max(ceil(machines / CROWD), 1), PROMPT_MAX_MS)


class Gym:
    """All machines; also an async context manager.

    `journals` is the folder for what each of them takes (journal.py); None: nothing is kept.
    """

    def __init__(
        self,
        setups: Sequence[MachineSetup],
        followers: Sequence[Follower] = (),
        journals: Path | None = None,
    ) -> None:
        check_setups(setups)
        self._followers = list(followers)
        self._folder = journals
        self.machines = {setup.id: self._machine(setup) for setup in setups}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._syncer = Syncer(self._journals)

    async def __aenter__(self) -> Gym:
        self._syncer.start()
        for machine in self.machines.values():
            self._start(machine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await _cancelled(self._tasks.values())
        self._tasks.clear()
        await asyncio.to_thread(self._syncer.end)

    def follow(self, follower: Follower) -> None:
        """Tell `follower` of every machine from here on, also of those that come later."""
        self._followers.append(follower)
        for machine in self.machines.values():
            machine.follow(follower)

    async def apply(self, setups: Sequence[MachineSetup]) -> None:
        """Become the gym of these machines. Machines that stay as they are do not notice.

        ConfigError, and nothing is changed, for invalid setups. From the moment that
        there are others, nothing is waited for: the caller is the first to know of them.
        """
        check_setups(setups)
        wanted = {setup.id for setup in setups}
        gone = [machine for name, machine in self.machines.items() if name not in wanted]
        await _cancelled([self._tasks.pop(machine.setup.id) for machine in gone])
        for machine in gone:
            if machine.in_set:
                log.warning(
                    "%s was taken out in mid-set: the set goes on if it comes back soon.",
                    machine.name,
                )
            if machine.journal is not None:
                await asyncio.to_thread(machine.journal.end)
        self.machines = {
            setup.id: self.machines.get(setup.id) or self._machine(setup) for setup in setups
        }
        for setup in setups:
            machine = self.machines[setup.id]
            machine.become(setup)
            task = self._tasks.get(setup.id)
            if task is None or task.done():  # new, or its address was invalid until now
                self._start(machine)

    def _machine(self, setup: MachineSetup) -> Machine:
        return Machine(setup, self._followers, self._folder, self._prompt_ms)

    def _prompt_ms(self) -> int:
        return prompt_ms_for(len(self.machines))

    def _start(self, machine: Machine) -> None:
        name = machine.setup.id
        self._tasks[name] = asyncio.create_task(machine.run(), name=f"machine {name}")

    def _journals(self) -> list[Journal]:
        return [machine.journal for machine in self.machines.values() if machine.journal]


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    """End tasks and wait until they have."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def check_setups(setups: Sequence[MachineSetup]) -> None:
    """Refuse ids that cannot be, or stand for two machines."""
    seen: set[str] = set()
    for setup in setups:
        if not MACHINE_ID.fullmatch(setup.id):
            raise ConfigError(f"{setup.id!r} is no machine's id: use {id_rule(MACHINE_ID_MAX)}.")
        if setup.id in seen:
            raise ConfigError(f"Two machines have the id {setup.id!r}: give each its own.")
        seen.add(setup.id)

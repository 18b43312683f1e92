"""Everything that runs while the service does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from legcurl.errors import StoreError
from legcurl.events import Event, Progress, SetStarted
from legcurl.gym.gym import Gym
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.service.health import Health
from legcurl.service.metrics import Metrics
from legcurl.service.set_writer import SetKeeper
from legcurl.store.records import Expected, StoredSet
from legcurl.store.records import Machine as StoredMachine
from legcurl.web.authentication import Access
from legcurl.web.chart_worker import Painter
from legcurl.web.event_stream import Broadcast
from legcurl.web.live_trace import TracePacer
from legcurl.web.machine_json import moving
from legcurl.web.responses import machine_json

if TYPE_CHECKING:
    from legcurl.mqtt.publisher import Publishing
    from legcurl.store import Store

log = logging.getLogger(__name__)

PICTURES_KEPT = 32  # some 60 kB each


class Service:
    """Everything that runs while the service does; an async context manager."""

    def __init__(
        self,
        setups: Sequence[MachineSetup],
        store: Store,
        access: Access,
        journals: Path | None = None,
        *,
        publishing: Publishing | None = None,
    ) -> None:
        self.access = access
        self.store = store
        self.started = asyncio.Event()  # it does what it is for
        self.keeper = SetKeeper(store, self._kept)
        self.publisher = publishing.publisher(store, self.keeper.ask) if publishing else None
        # The publisher first: a machine's reps are told before the set that they belong to.
        first = (self.publisher,) if self.publisher is not None else ()
        self.metrics = Metrics(self)
        self.health = Health(lambda: self.gym, self.keeper)
        if self.publisher is not None:
            self.health.watch(self.publisher.trouble)
            self.metrics.add(self.publisher)
        self.gym = Gym(setups, (*first, self.keeper, self, self.metrics), journals)
        self.broadcast = Broadcast(tuple(self.gym.machines), self.snapshot, self.recent_trace)
        self.last_sets: dict[str, str] = {}
        self.client_names: dict[str, str] = {}  # for the machines' pictures, by id
        self._pacers = {machine: TracePacer() for machine in self.gym.machines}
        self._painter = Painter()
        self._pictures: dict[object, bytes] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything started, and at the end stopped in the right order."""
        self.client_names = {client.id: client.name or "" for client in self.store.clients()}
        for machine in self.gym.machines:
            self._expect_again(machine, self.store.expected(machine))
        async with self.keeper, self._painter, self.health:
            ticking = asyncio.create_task(self.broadcast.run(), name="broadcast")
            try:
                async with self.publisher or nullcontext(), self.gym:
                    if self.publisher is not None:
                        self.publisher.follow(self.gym)
                    self.started.set()
                    yield
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)

    async def apply(self, setups: Sequence[MachineSetup]) -> None:
        """Follow these machines from here on; those that did not change do not notice."""
        before = {name: machine.name for name, machine in self.gym.machines.items()}
        for setup in setups:  # their samples may come before anything else is done
            self._pacers.setdefault(setup.id, TracePacer())
        await self.gym.apply(setups)
        machines = self.gym.machines
        gone = [name for name in self._pacers if name not in machines]
        for name in gone:
            del self._pacers[name]
            self.last_sets.pop(name, None)
            self.keeper.let_go(name)
        if list(before) != list(machines):
            self.broadcast.room(tuple(machines))
        for name, machine in machines.items():
            if before.get(name, machine.name) != machine.name:
                self.broadcast.changed(name)
        if self.publisher is not None:
            for name in gone:
                await self.publisher.retire(name)
            self.publisher.follow(self.gym)
        for name in [name for name in machines if name not in before]:
            try:
                expected = await self.keeper.ask(partial(_expected, name))
            except StoreError as error:  # the machine is there all the same
                log.warning("Who lifts next on %s cannot be looked up: %s", name, error)
                continue
            self._expect_again(name, expected)
            self.broadcast.changed(name)

    def snapshot(self, machine: str) -> dict[str, Any]:
        """A machine's whole state, as the page gets it."""
        return machine_json(self, machine)

    def happened(self, machine: Machine, event: Event) -> None:
        """Tell the viewers."""
        name = machine.setup.id
        if isinstance(event, SetStarted):
            self.last_sets.pop(name, None)
        self.broadcast.moved(name, moving(machine.state))
        if not isinstance(event, Progress):
            self.broadcast.changed(name)

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Tell those viewers that draw this machine's trace; keep some for those who come later."""
        name = machine.setup.id
        if not self.broadcast.watched(name):
            self._pacers[name].put_aside(machine, t_us, angle_deg)
            return
        piece = self._pacers[name].push(machine, t_us, angle_deg)
        if piece is not None:
            self.broadcast.traced(name, {"machine": name, **piece})

    def needs_from_s(self, machine: Machine) -> None:
        """Viewers are shown the present: nothing."""

    def recent_trace(self, machine: str) -> list[dict[str, Any]]:
        """What a viewer who has just opened a machine's trace should see at once."""
        pacer = self._pacers.get(machine)  # None: the machine is gone, and somebody still looks
        return [] if pacer is None else [{"machine": machine, **piece} for piece in pacer.recent()]

    async def expect(self, machine: str, expected: Expected) -> None:
        """Remember who lifts next, here and in the store."""
        named = StoredMachine(machine, self.gym.machines[machine].name)

        def remember(store: Store) -> None:
            store.put_machine(named)
            store.expect(machine, expected)

        await self.keeper.ask(remember)
        self.keeper.expect(machine, expected)
        self.broadcast.changed(machine)

    async def picture(self, stored: StoredSet) -> bytes:
        """The picture of a set as it stands, drawn when it is first asked for."""
        as_it_stands = (stored.id, stored.machine.name, stored.corrections)
        known = self._pictures.get(as_it_stands)
        if known is None:
            trace = await self.keeper.ask(lambda store: store.trace(stored.id))
            known = await self._painter.paint(stored, trace)
            while len(self._pictures) >= PICTURES_KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[as_it_stands] = known
        return known

    def end(self) -> None:
        """Let everybody go who would stay for ever: the service is about to end."""
        self.broadcast.end()

    def _expect_again(self, machine: str, expected: Expected) -> None:
        """Who was to lift next when the service ended, or the machine was taken out."""
        if expected.since is not None:
            self.keeper.expect(machine, expected)

    def _kept(self, machine: Machine, set_id: str) -> None:
        name = machine.setup.id
        if self.gym.machines.get(name) is not machine:  # it is gone; its set is stored
            self.broadcast.stored({"machine": name, "set_id": set_id})
            return
        if machine.state.stage != "during":
            self.last_sets[name] = set_id
        self.broadcast.stored({"machine": name, "set_id": set_id})
        self.broadcast.changed(name)


def _expected(machine: str, store: Store) -> Expected:
    return store.expected(machine)

"""Many machines at once: each keeps its station going, folds its picture, and hands on its sets.

A `Gym` is started once and runs until it is closed. Each machine is a task of its own: a sensor
that is not there yet, or no longer, is tried again for ever, and what is wrong is part of the
machine's picture, never an exception that ends the others. Whoever wants to follow gives a
`Follower`; its methods are called in the event loop, one machine's events in order, and must
return at once. What may take long (a database on a slow disk) belongs behind a queue: see
keeping.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from legcurl.errors import ConfigError, LegCurlError, LinkLostError
from legcurl.events import Event, LinkChanged, SetEnded
from legcurl.feed import Backoff
from legcurl.motion import Calibration
from legcurl.station import Station, open_station
from legcurl.view.state import ViewState

log = logging.getLogger(__name__)

ID_MAX = 64


@dataclass(frozen=True, slots=True)
class MachineSetup:
    """What the operator says about a machine."""

    id: str
    name: str  # shown; empty: the sensor's own
    address: str
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class FinishedSet:
    """A set that has ended on a machine, with all that is needed to keep it."""

    id: str  # the same if the same set is told again, after a restart of this program
    machine: MachineSetup
    started: datetime
    event: SetEnded
    t_us: tuple[int, ...]
    angle_deg: tuple[float, ...]


class Follower(Protocol):
    """Somebody who follows the machines."""

    def happened(self, machine: Machine, event: Event) -> None:
        """An event of a machine; its `state` holds it already."""
        ...

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Samples of a machine, just before the events that follow from them."""
        ...


class Machine:
    """One machine: its picture now, and the task that keeps it so."""

    def __init__(self, setup: MachineSetup, followers: Sequence[Follower]) -> None:
        self.setup = setup
        self.state = ViewState()
        self.station: Station | None = None
        self._followers = followers

    @property
    def name(self) -> str:
        """What to call it: as the operator says, else as the sensor does."""
        sensor = self.state.sensor
        return self.setup.name or (sensor.name if sensor is not None else self.setup.id)

    async def run(self) -> None:
        """Follow the sensor for ever; ends only for an address that cannot be meant."""
        backoff = Backoff(self.setup.id)
        while True:
            try:
                await self._follow(backoff)
            except ConfigError as error:
                self._lost(error)
                return
            except LegCurlError as error:
                self._lost(error)
            except Exception as error:
                # One machine's trouble, even a fault of ours, must not end the others.
                log.exception("%s failed", self.setup.id)
                self._lost(error)
            else:
                self._lost(LinkLostError("The simulation or recording is over."))
                return
            await asyncio.sleep(backoff.next_s())

    async def _follow(self, backoff: Backoff) -> None:
        async with open_station(
            self.setup.address, calibration=self.setup.calibration, on_samples=self._sampled
        ) as station:
            self.station = station
            try:
                async for event in station.events():
                    backoff.reset()
                    self._tell(event)
            finally:
                self.station = None

    def behind_s(self) -> float:
        """How old the picture is: after a lost link, until the sensor's log is read."""
        wall_s = self.station.wall_time_s(self.state.t_s) if self.station is not None else None
        return 0.0 if wall_s is None else max(0.0, time.time() - wall_s)

    def wall_time(self, t_s: float) -> datetime:
        """When a moment of the sensor's clock was; now, where nobody can tell."""
        wall_s = self.station.wall_time_s(t_s) if self.station is not None else None
        if wall_s is None:
            wall_s = time.time() - (self.state.t_s - t_s)
        return datetime.fromtimestamp(wall_s, UTC)

    def _sampled(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        for follower in self._followers:
            follower.sampled(self, t_us, angle_deg)

    def _tell(self, event: Event) -> None:
        self.state = self.state.apply(event)
        for follower in self._followers:
            follower.happened(self, event)

    def _lost(self, error: Exception) -> None:
        known = isinstance(error, LegCurlError)
        reason = str(error) if known else f"legcurl itself failed: {type(error).__name__}: {error}"
        if self.state.link != "lost" or self.state.link_reason != reason:
            self._tell(LinkChanged("lost", reason))


class Gym:
    """All machines; also an async context manager."""

    def __init__(self, setups: Sequence[MachineSetup], followers: Sequence[Follower] = ()) -> None:
        _check(setups)
        self.machines = {setup.id: Machine(setup, followers) for setup in setups}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Gym:
        for machine in self.machines.values():
            task = asyncio.create_task(machine.run(), name=f"machine {machine.setup.id}")
            self._tasks.append(task)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


def _check(setups: Sequence[MachineSetup]) -> None:
    seen: set[str] = set()
    for setup in setups:
        if not setup.id or len(setup.id) > ID_MAX or not setup.id.isprintable() or "/" in setup.id:
            raise ConfigError(
                f"{setup.id!r} is no machine's id: use up to {ID_MAX} letters, digits and dashes."
            )
        if setup.id in seen:
            raise ConfigError(f"Two machines have the id {setup.id!r}: give each its own.")
        seen.add(setup.id)


def numbered(addresses: Sequence[str]) -> list[MachineSetup]:
    """Machines for addresses alone, as `legcurl serve --station` gives them."""
    return [MachineSetup(f"machine-{n}", "", address) for n, address in enumerate(addresses, 1)]


def renamed(setup: MachineSetup, name: str) -> MachineSetup:
    """The same machine under another name."""
    return replace(setup, name=name)

"""A gym that publishes: its machines do what a test plays, all else is the product."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from brokers import Ear
from legcurl.config.model import MqttConfig
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.mqtt.messages import GymName
from legcurl.mqtt.publisher import Publisher, Publishing
from legcurl.service.service import Service
from legcurl.store import Store, open_store
from legcurl.store.replication import outbox
from legcurl.store.replication.outbox import Announcement
from room import StillGym
from timings import LIMIT_S, until

GYM = GymName("north", "North gym")


@dataclass
class PublishingGym:
    """A running service that publishes."""

    service: Service
    store: Store
    publisher: Publisher

    def machine(self, number: int = 1) -> Machine:
        return self.service.gym.machines[f"machine-{number}"]

    async def until_sent(self) -> None:
        """Until nothing waits any more, neither for the disk nor for the broker."""
        await until(lambda: self.service.writer.pending == 0)
        await self.publisher._reps.settle()
        async with asyncio.timeout(LIMIT_S):
            while await self.service.writer.ask(lambda store: store.within(_count)):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def gym(
    folder: Path, broker: MqttConfig, machines: int = 2, named: GymName = GYM
) -> AsyncIterator[PublishingGym]:
    """A gym with machine-1, machine-2, ... and the same store each time."""
    setups = [MachineSetup(f"machine-{n}", f"Curl {n}", "sim:") for n in range(1, machines + 1)]
    with open_store(f"sqlite:///{folder / 'gym.db'}", publishing=True) as store:
        service = Service(StillGym(setups), store, publishing=Publishing(broker, named))
        assert service.publisher is not None
        async with service.running():
            await asyncio.sleep(0)  # whatever was started has begun
            yield PublishingGym(service, store, service.publisher)


def _count(connection: object) -> int:
    return sum(outbox.waiting_by_machine(connection).values())  # type: ignore[arg-type]


def announce_day(folder: Path, count: int) -> None:
    """What two machines say in a long day."""
    told = [
        Announcement(
            f"set-rep-{number}",
            f"machine-{1 + number % 2}",
            "rep",
            {
                "machine": {"id": f"machine-{1 + number % 2}", "name": "Curl"},
                "set": "set",
                "number": 1 + number // 2,
                "rep": None,
                "completed_reps": 0,
                "corrects": False,
                "reason": "x" * 500,
            },
        )
        for number in range(count)
    ]
    with open_store(f"sqlite:///{folder / 'gym.db'}", publishing=True) as store:
        store.within(partial(outbox.announce, announcements=told))


def first_told(ear: Ear) -> list[dict]:
    """Events without their repetitions, in the order in which they were first heard."""
    told = {event["id"]: event for event in reversed(ear.documents("rep", "set", "forget"))}
    seen: list[dict] = []
    for event in ear.documents("rep", "set", "forget"):
        if told.pop(event["id"], None) is not None:
            seen.append(event)
    return seen

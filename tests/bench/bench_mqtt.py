"""What it costs to publish sets from the outbox and to collect them, beside bare messages.

    make bench-mqtt ARGS='[SETS]'

A gym of eight machines has SETS sets in its outbox (traces and all) and sends them to a Mosquitto
on this computer; a collector takes them into an SQLite file. Beside it the same bytes are published
by the same client with nothing behind it, sixteen in flight: what the broker and MQTT alone take.
Memory is what the process grew by while it published.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

from brokers import Mosquitto
from gyms import gym
from legcurl.mqtt.collector import Collector
from legcurl.mqtt.connection import Connection
from legcurl.mqtt.machine_client import WINDOW
from legcurl.mqtt.messages import GymName, event_message
from legcurl.store import Machine, open_store
from legcurl.store.replication import outbox
from made_sets import new_set

MACHINES = 8


def fill(folder: Path, count: int) -> list[bytes]:
    """Sets into a gym's store; gives their messages."""
    with open_store(f"sqlite:///{folder / 'gym.db'}", publishing=True) as store:
        for number in range(count):
            machine = Machine(f"machine-{1 + number % MACHINES}", "Curl")
            store.add_set(new_set(number, machine=machine))
        rows = [
            row
            for n in range(1, MACHINES + 1)
            for row in store.within(
                partial(
                    outbox.waiting, machine_id=f"machine-{n}", rows=count, size=2**40, traces=True
                )
            )
        ]
    return [event_message(GymName("north", "North"), row) for row in rows]


async def bare(mosquitto: Mosquitto, messages: list[bytes]) -> float:
    """Seconds to publish these with nothing behind it."""
    speaker = await Connection.open(mosquitto.config, "bare")
    began_s = perf_counter()
    for first in range(0, len(messages), WINDOW):
        some = messages[first : first + WINDOW]
        await speaker.all_told([speaker.send("bare/set", message) for message in some])
    took_s = perf_counter() - began_s
    await speaker.close()
    return took_s


async def published(mosquitto: Mosquitto, folder: Path, count: int) -> tuple[float, float]:
    """Seconds to publish what is in the outbox, and MB by which the process grew."""
    before_kb = getrusage(RUSAGE_SELF).ru_maxrss
    began_s = perf_counter()
    async with gym(folder, mosquitto.config, MACHINES) as here:
        while here.publisher.figures.sent < count:
            await asyncio.sleep(0.005)
        took_s = perf_counter() - began_s
    return took_s, (getrusage(RUSAGE_SELF).ru_maxrss - before_kb) / 1000


async def collected(mosquitto: Mosquitto, folder: Path, count: int) -> float:
    """Seconds to take in what the broker holds for a collector that was away."""
    with open_store(f"sqlite:///{folder / 'center.db'}") as store:
        collector = Collector(mosquitto.config, store, name="one")
        began_s = perf_counter()
        task = asyncio.create_task(collector.run())
        while collector.figures.stored + collector.figures.known < count:
            await asyncio.sleep(0.005)
        took_s = perf_counter() - began_s
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return took_s


async def known(mosquitto: Mosquitto, folder: Path) -> None:
    """Have the broker keep what comes for a collector."""
    with open_store(f"sqlite:///{folder / 'center.db'}") as store:
        collector = Collector(mosquitto.config, store, name="one")
        task = asyncio.create_task(collector.run())
        while not collector.figures.connected:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        messages = fill(folder, count)
        size = sum(map(len, messages)) / len(messages)
        with Mosquitto(folder / "broker") as mosquitto:
            await known(mosquitto, folder)
            bare_s = await bare(mosquitto, messages)
            published_s, peak = await published(mosquitto, folder, count)
            collected_s = await collected(mosquitto, folder, count)
    print(f"{count} sets of {size / 1000:.1f} kB on {MACHINES} machines")
    print(f"bare messages   {count / bare_s:7.0f} /s")
    print(
        f"published       {count / published_s:7.0f} sets/s  {bare_s / published_s:.2f} of bare, "
        f"memory grew by {peak:.1f} MB"
    )
    print(f"collected       {count / collected_s:7.0f} sets/s  {bare_s / collected_s:.2f} of bare")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))

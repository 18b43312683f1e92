"""Collectors as processes, to be killed, and the messages of a gym that they store."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from random import Random

import sqlalchemy as sa
from brokers import Mosquitto, until
from legcurl.mqtt.connection import Connection
from legcurl.store import Store, open_store, tables
from legcurl.store.replication import outbox
from made_sets import new_set
from timings import LIMIT_S

LEGCURL = Path(sys.executable).parent / "legcurl"


@cache
def told_set() -> tuple[str, str | None]:
    """What the outbox has of a set, and its trace."""
    with open_store("sqlite://", publishing=True) as store:
        store.add_set(new_set(0, lifter="early", seed=6))
        (row,) = store.within(
            partial(outbox.waiting, machine_id="curl-1", rows=1, size=1, traces=True)
        )
    return row.payload, row.trace


def set_message(number: int = 1, gym_id: str = "north", **changes: object) -> tuple[str, bytes]:
    """A message as a gym would send it, with some members of its set otherwise."""
    payload, trace = told_set()
    document = {"schema": 1, "kind": "set", "gym": {"id": gym_id, "name": gym_id.title()}}
    document |= {"id": f"set-{number:04}-1", **json.loads(payload), "trace": trace}
    document["set"]["id"] = f"set-{number:04}"
    document["set"]["started"] = new_set(number, lifter="early", seed=6).started.isoformat()
    for name, value in changes.items():
        if name in document:
            document[name] = value
        else:
            document["set"][name] = value
    return f"legcurl/{gym_id}/curl-1/set", json.dumps(document).encode()


def rows(store: Store, table: sa.Table) -> int:
    return (
        store.within(lambda c: c.execute(sa.select(sa.func.count()).select_from(table)).scalar())
        or 0
    )


def revisions(center: Store) -> dict[int, int]:
    column = tables.sets.c.revision
    counted = sa.select(column, sa.func.count()).group_by(column)
    return {row[0]: row[1] for row in center.within(lambda c: c.execute(counted).all())}


class Collecting:
    """`legcurl collect` as a process, to be killed and started again."""

    def __init__(self, broker: str, store: str, name: str) -> None:
        self._arguments = ["--broker", broker, "--store", store, "--id", name, "--json"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(LEGCURL), "collect", *self._arguments], stdout=subprocess.DEVNULL
        )

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(LIMIT_S)
            self.process = None


async def kill_collectors(
    mosquitto: Mosquitto, center: Store, url: str, *, sets: int, kills: int, seed: int
) -> None:
    """Publish sets to three collectors of which one after the other is killed, at odd moments."""
    random = Random(seed)
    changed = range(0, sets, 5)
    collectors = [Collecting(mosquitto.url, url, f"collector-{n}") for n in range(3)]
    try:
        for one in collectors:
            one.start()
        log = mosquitto.folder / "log"
        await until(lambda: log.read_text().count("$share/collectors/legcurl/+/forget") >= 3)
        speaker = await Connection.open(mosquitto.config, "speaker")
        told = [set_message(number, gym_id=f"gym-{number % 4}") for number in range(sets)]
        told += [set_message(n, gym_id=f"gym-{n % 4}", revision=2) for n in changed]
        random.shuffle(told)
        share = len(told) // kills
        for number in range(kills):
            sent = [speaker.send(*one) for one in told[number * share : (number + 1) * share]]
            await asyncio.sleep(random.uniform(0.0, 0.15))
            victim = random.choice(collectors)
            victim.end()
            await speaker.all_told(sent)
            victim.start()
        await speaker.all_told([speaker.send(*one) for one in told[kills * share :]])
        await speaker.close()
        await until(lambda: rows(center, tables.sets) == sets, lambda: rows(center, tables.sets))
        wanted = {1: sets - len(changed), 2: len(changed)}
        await until(lambda: revisions(center) == wanted, lambda: revisions(center))
        assert rows(center, tables.reps) == sets * len(new_set(lifter="early", seed=6).result.reps)
        assert rows(center, tables.traces) == sets
    finally:
        for one in collectors:
            one.end()

"""A configuration that is edited again and again in mid-set leaves every set as it would have been.

Real processes: a sensor for each machine, which goes on whatever happens, and `legcurl serve
--config`, which is told to read its file again (SIGHUP) after each edit. Machines change their
names, their order and their ranges, are taken out and come back, and some edits are invalid. A
range is changed only where the service shows a set: before its first rep is over there is none that
anybody could know of, and the new range holds at once. `make test-all` edits for one
round, `make test-chaos` for many.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from legcurl.events import plain
from legcurl.store import SetQuery, open_store
from test_kills import ALL, LIFTERS, MACHINES, sensors, undisturbed
from timings import LIMIT_S, wait_until

LEGCURL = str(Path(sys.executable).parent / "legcurl")
ROUNDS = 20 if ALL else 1
EDITS = 24  # in each round, if the sets last for so many: a computer that is busy makes fewer
BROKEN = ("[web\n", "[[machine]]\nid = 'x'\n", "", "[web]\npin = '1234'\n", "port = 1\n")
OTHER_RANGE = "extended_deg = 250.0\nflexed_deg = 100.0\n"


@dataclass(frozen=True)
class Entry:
    """A machine in the file."""

    id: str
    address: str
    name: str
    range: str = ""
    is_there: bool = True

    def __str__(self) -> str:
        return (
            f"[[machine]]\nid = '{self.id}'\nname = '{self.name}'\naddress = '{self.address}'\n"
            f"{self.range}\n"
        )


def edited(entries: list[Entry], rng: Random, in_set: set[str]) -> list[Entry]:
    """The file's machines after one more edit. One that is taken out comes back as it began."""
    entries = list(entries)
    number = rng.randrange(len(entries))
    entry = entries[number]
    match rng.choice(("name", "name", "range", "out", "in", "in", "order")):
        case "name":
            entries[number] = replace(entry, name=f"name {rng.randrange(1000)}")
        case "range" if entry.id in in_set:
            entries[number] = replace(entry, range="" if entry.range else OTHER_RANGE)
        case "out":
            entries[number] = replace(entry, range="", is_there=False)
        case "in":
            entries = [replace(one, is_there=True) for one in entries]
        case "order":
            rng.shuffle(entries)
    if not any(one.is_there for one in entries):
        entries[number] = replace(entries[number], is_there=True)
    return entries


def in_set(url: str) -> set[str]:
    """The machines on which somebody lifts, as the service knows it."""
    with urllib.request.urlopen(f"{url}api/stations", timeout=LIMIT_S) as answer:
        return {one["id"] for one in json.load(answer) if one["stage"] == "during"}


def stored(database: Path) -> list[Any]:
    with open_store(f"sqlite:///{database}") as store:
        return list(store.find_sets(SetQuery(limit=100)).sets)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_file_that_is_edited_in_mid_set_changes_no_set(seed: int, tmp_path: Path):
    rng = Random(f"reloads/{seed}")
    sims = [
        f"sim:?seed={2000 + 1000 * seed + number}&lifter={LIFTERS[number % len(LIFTERS)]}"
        for number in range(MACHINES)
    ]
    expected = {f"curl-{number}": undisturbed(sim) for number, sim in enumerate(sims)}
    file, database = tmp_path / "gym.toml", tmp_path / "gym.db"

    def write(machines: str) -> None:
        file.write_text(f"[store]\nurl = 'sqlite:///{database}'\n[web]\nport = 0\n{machines}")

    with sensors(sims) as addresses:
        entries = [
            Entry(f"curl-{number}", address, f"name {number}")
            for number, address in enumerate(addresses)
        ]
        write("\n".join(map(str, entries)))
        with subprocess.Popen(
            [LEGCURL, "serve", "--config", str(file), "--quiet"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as service:
            assert service.stdout is not None
            url = service.stdout.readline().strip()
            edits = 0
            while edits < EDITS and len(stored(database)) < MACHINES:
                time.sleep(rng.uniform(0.0, 0.25))
                if rng.random() < 0.2:
                    file.write_text(rng.choice(BROKEN))
                else:
                    entries = edited(entries, rng, in_set(url))
                    write("\n".join(str(one) for one in entries if one.is_there))
                service.send_signal(signal.SIGHUP)
                edits += 1
            entries = [replace(one, is_there=True) for one in entries]
            write("\n".join(map(str, entries)))
            service.send_signal(signal.SIGHUP)
            wait_until(lambda: len(stored(database)) >= MACHINES, poll_s=0.2)
            time.sleep(1.0)  # in which one of them would be told a second time
            service.send_signal(signal.SIGTERM)
            assert service.stderr is not None
            said = service.stderr.read()
            assert service.wait(LIMIT_S) == 143, said
    sets = stored(database)
    assert {one.machine.id: plain(one.original) for one in sets} == expected, said
    assert len(sets) == MACHINES, "and none of them twice"
    assert edits > 1, "some edits at least were made while people lifted"
    assert "could not be followed" not in said
    assert "Traceback" not in said

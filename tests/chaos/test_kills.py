"""A service that is killed at any moment, and started again, stores the sets it would have stored.

Real processes: a sensor for each machine, which goes on whatever happens, and `legcurl serve`,
which `kill -9` ends again and again in the middle of their sets. `make test` kills a few times,
`make test-chaos` till a hundred sets have been through it.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from legcurl.events import plain
from legcurl.store import SetQuery, open_store

LEGCURL = str(Path(sys.executable).parent / "legcurl")
ALL = os.environ.get("LEGCURL_CHAOS") == "all"
MACHINES = 4  # side by side, so that each kill meets as many sets at other moments of theirs
ROUNDS = 25 if ALL else 1
KILLS = 4  # in each round
PACE = 16  # a set of a minute and a half takes five seconds
LIFTERS = ("steady", "early", "sloppy", "quits")
PATIENCE_S = 90.0  # for all sets to be stored, on a computer that is busy


@cache
def undisturbed(sim: str) -> dict[str, Any]:
    """The set that a lifter's sensor gives to a service that nobody kills."""
    done = subprocess.run(
        [LEGCURL, "watch", f"{sim}&pace=fast", "--sets", "1", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    (ended,) = [
        event["set"]
        for event in map(json.loads, done.stdout.splitlines())
        if event["event"] == "set_ended"
    ]
    return ended


@contextmanager
def sensors(sims: list[str]) -> Iterator[list[str]]:
    """A sensor for each, at an address of its own."""
    processes = [
        subprocess.Popen(
            [LEGCURL, "simulate", f"{sim}&pace={PACE}", "--tcp", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for sim in sims
    ]
    try:
        addresses = []
        for process in processes:
            assert process.stdout is not None
            addresses.append("tcp:" + process.stdout.readline().strip().rpartition("tcp:")[2])
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


class ServiceProcess:
    """`legcurl serve`, as often as it takes."""

    def __init__(self, folder: Path, addresses: list[str]) -> None:
        self.database = folder / "gym.db"
        self._stations = [
            word
            for number, address in enumerate(addresses)
            for word in ("--station", f"curl {number}={address}")
        ]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it serves: it follows the sensors by then, or is about to."""
        self._process = subprocess.Popen(
            [
                *(LEGCURL, "serve", "--quiet", "--port", "0"),
                *("--store", f"sqlite:///{self.database}", *self._stations),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("http://")

    def end(self, how: signal.Signals) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.send_signal(how)
        self._process.wait()
        self._process.stdout.close()

    def sets(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What is stored: id, machine, and the set as it was measured."""
        with open_store(f"sqlite:///{self.database}") as store:
            page = store.find_sets(SetQuery(limit=100))
        return [(one.id, one.machine.name, plain(one.original)) for one in page.sets]

    def wait_for_sets(self, count: int) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while len(self.sets()) < count and time.monotonic() < until_s:
            time.sleep(0.2)


@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_service_that_is_killed_in_mid_set_stores_the_same_sets(seed: int, tmp_path: Path):
    rng = Random(f"kills/{seed}")
    sims = [
        f"sim:?seed={1000 * seed + number}&lifter={LIFTERS[number % len(LIFTERS)]}"
        for number in range(MACHINES)
    ]
    expected = {f"curl {number}": undisturbed(sim) for number, sim in enumerate(sims)}
    with sensors(sims) as addresses:
        service = ServiceProcess(tmp_path, addresses)
        lacking = []
        for _ in range(KILLS):
            service.start()
            time.sleep(rng.uniform(0.0, 0.8))
            service.end(signal.SIGKILL)
            lacking.append(MACHINES - len(service.sets()))
        service.start()
        service.wait_for_sets(MACHINES)
        stored = service.sets()
        service.end(signal.SIGTERM)
    assert {machine: one for _, machine, one in stored} == expected
    assert len(stored) == MACHINES, "and none of them twice"
    assert lacking[0] > 0, "the first kill at least was in the middle of sets"


def test_sets_that_waited_for_the_disk_when_the_service_was_killed_are_stored(tmp_path: Path):
    """Their sensors are gone by then, too: only the journal has them."""
    sims = ["sim:?seed=71&lifter=early", "sim:?seed=72&lifter=quits"]
    expected = {f"curl {number}": undisturbed(sim) for number, sim in enumerate(sims)}
    with sensors(sims) as addresses:
        service = ServiceProcess(tmp_path, addresses)
        open_store(f"sqlite:///{service.database}").close()
        service.start()
        blocking = sqlite3.connect(service.database, isolation_level=None)
        blocking.execute("BEGIN IMMEDIATE")
        journals = Path(f"{service.database}.journal")
        wait_until_over(journals, {name: one["end_s"] for name, one in expected.items()})
        assert service.sets() == []
        service.end(signal.SIGKILL)
    blocking.close()
    service.start()
    service.wait_for_sets(len(sims))
    stored = service.sets()
    service.end(signal.SIGTERM)
    assert {machine: one for _, machine, one in stored} == expected


def wait_until_over(journals: Path, ends_s: dict[str, float]) -> None:
    """Until each machine's journal goes on for long enough after its set that the set is over."""
    from legcurl.journal import Journal
    from legcurl.notes import ClockNote

    until_s = time.monotonic() + PATIENCE_S
    for folder, end_s in zip(sorted(ends_s), ends_s.values(), strict=True):
        number = int(folder.split()[-1]) + 1
        while time.monotonic() < until_s:
            notes = [
                item.t_us
                for item in Journal(journals / f"machine-{number}").items()
                if isinstance(item, ClockNote)
            ]
            if notes and notes[-1] > (end_s + 25.0) * 1e6:
                break
            time.sleep(0.2)

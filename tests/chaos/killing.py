"""Sensors that go on whatever happens, and a service that is started as often as it takes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from legcurl.events import plain
from legcurl.store import SetQuery, open_store
from timings import LIMIT_S, wait_until

LEGCURL = str(Path(sys.executable).parent / "legcurl")
HURRIED = Path(__file__).with_name("hurried.py")
# A set of a minute and a half takes eleven seconds; and what a sensor's log holds takes more than a
# minute, so that a computer that is busy has started the service some times before it is over.
PACE = 8


@cache
def undisturbed(sim: str) -> dict[str, Any]:
    """The set that a lifter's sensor gives to a service that nobody kills."""
    done = subprocess.run(
        [LEGCURL, "watch", f"{sim}&pace=fast", "--sets", "1", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
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
        self.hurry: float | None = None  # the sensors' pace, for clocks that can be compared
        self._stations = [
            word
            for number, address in enumerate(addresses)
            for word in ("--station", f"curl {number}={address}")
        ]
        self._process: subprocess.Popen[str] | None = None

    def start(self, dies: str = "") -> None:
        """Returns when it serves: it follows the sensors by then, or is about to.

        With `dies` it is killed at that step of storing its first set (hurried.py).
        """
        command = [LEGCURL]
        if self.hurry is not None:
            command = [sys.executable, str(HURRIED), str(self.hurry), dies]
        self._process = subprocess.Popen(
            [
                *(*command, "serve", "--quiet", "--port", "0"),
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
        self.wait()

    def wait(self) -> int:
        """Until it is over, by whomever; minus the signal's number if it was killed."""
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(LIMIT_S)
        self._process.stdout.close()
        return code

    def sets(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What is stored: id, machine, and the set as it was measured."""
        with open_store(f"sqlite:///{self.database}") as store:
            page = store.find_sets(SetQuery(limit=100))
        return [(one.id, one.machine.name, plain(one.original)) for one in page.sets]

    def started(self) -> dict[str, datetime]:
        """When the sets began, by their ids."""
        with open_store(f"sqlite:///{self.database}") as store:
            return {one.id: one.started for one in store.find_sets(SetQuery(limit=100)).sets}

    def wait_for_sets(self, count: int) -> None:
        wait_until(lambda: len(self.sets()) >= count, self.sets, poll_s=0.2)

"""A service that is killed at any moment, and started again, stores the sets it would have stored.

Real processes: a sensor for each machine, which goes on whatever happens, and `legcurl serve`,
which `kill -9` ends again and again in the middle of their sets. `make test-all` kills a few times,
`make test-chaos` till a hundred sets have been through it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from killing import PACE, ServiceProcess, sensors, undisturbed
from legcurl.store import open_store
from timings import wait_until

ALL = os.environ.get("LEGCURL_CHAOS") == "all"
MACHINES = 4  # side by side, so that each kill meets as many sets at other moments of theirs
ROUNDS = 25 if ALL else 1
KILLS = 4  # in each round
STORED_SEEDS = (81, 82)
# A simulated sensor that lives eight times as fast falls behind where the computer is busy, and
# so does its clock. With a clock that is steady, tests/host/station holds 50 ms.
STARTED_WITHIN_S = 3.0
LIFTERS = ("steady", "early", "sloppy", "quits")


@pytest.mark.long
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
            time.sleep(rng.uniform(0.0, 1.6))
            service.end(signal.SIGKILL)
            lacking.append(MACHINES - len(service.sets()))
        service.start()
        service.wait_for_sets(MACHINES)
        stored = service.sets()
        service.end(signal.SIGTERM)
    assert {machine: one for _, machine, one in stored} == expected
    assert len(stored) == MACHINES, "and none of them twice"
    assert lacking[0] > 0, "the first kill at least was in the middle of sets"


@pytest.mark.long
def test_sets_waiting_for_the_disk_survive_a_killed_service(tmp_path: Path):
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


@pytest.mark.long
def test_a_service_killed_in_mid_store_stores_the_set_once_at_its_time(
    tmp_path: Path,
):
    """Before the transaction, in the middle of it, and after it, before anybody was told."""
    sims = [f"sim:?seed={seed}&lifter=early&sets=60" for seed in STORED_SEEDS]
    with sensors(sims) as addresses:
        service = ServiceProcess(tmp_path, addresses)
        service.hurry = PACE
        for step in ("before", "inside", "after"):
            service.start(dies=step)
            assert service.wait() == -signal.SIGKILL
            assert len(service.sets()) == (step == "after")
        service.start()
        service.wait_for_sets(len(sims))
        stored, started = service.sets(), service.started()
        service.end(signal.SIGTERM)
        # The same sensors, followed by a service that nobody kills and that knows nothing of it.
        other = ServiceProcess(tmp_path / "undisturbed", addresses)
        other.database.parent.mkdir()
        other.hurry = PACE
        other.start()
        other.wait_for_sets(len(sims))
        expected, began = other.sets(), other.started()
        other.end(signal.SIGTERM)
    ids = {set_id for set_id, _, _ in stored} & {set_id for set_id, _, _ in expected}
    assert {name for set_id, name, _ in stored if set_id in ids} == {"curl 0", "curl 1"}
    assert first_of(stored, ids) == first_of(expected, ids)
    for set_id in ids:
        late_s = (started[set_id] - began[set_id]).total_seconds()
        assert abs(late_s) < STARTED_WITHIN_S, set_id


def first_of(stored: list[tuple[str, str, Any]], ids: set[str]) -> list[tuple[str, str, Any]]:
    return sorted(one for one in stored if one[0] in ids)


def wait_until_over(journals: Path, ends_s: dict[str, float]) -> None:
    """Until each machine's journal goes on for long enough after its set that the set is over."""
    from legcurl.recording.journal import Journal
    from legcurl.session.annotations import ClockNote

    def reached_s(folder: str) -> float:
        number = int(folder.split()[-1]) + 1
        items = Journal(journals / f"machine-{number}").items()
        return max((item.t_us / 1e6 for item in items if isinstance(item, ClockNote)), default=0.0)

    wait_until(
        lambda: all(reached_s(folder) > end_s + 25.0 for folder, end_s in ends_s.items()),
        poll_s=0.2,
    )

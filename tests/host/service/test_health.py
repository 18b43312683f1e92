"""`/healthz` tells the truth: what fails, what only wants somebody's look, and what hangs."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from legcurl.events import LinkChanged, SensorTrouble
from legcurl.service import health
from legcurl.service.health import Verdict
from played import play_set
from room import Room, room
from timings import LIMIT_S, until

SET = "sim:?seed=5&pace=fast"


@pytest.fixture(autouse=True)
def asks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_EVERY_S", 0.0)


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        for machine in made.service.gym.machines.values():
            play_set(machine, SET)
        await until(lambda: not made.service.writer.pending)
        yield made


async def judged(here: Room) -> Verdict:
    return await here.service.health.judge()


async def test_with_all_sensors_and_a_store_all_is_well(here: Room):
    assert await judged(here) == Verdict("ok", ())
    told = (await here.get("/healthz")).json()
    assert told["ok"]
    assert told["machines"] == {"machine-1": "up", "machine-2": "up"}


async def test_a_sensor_that_is_away_wants_a_look_and_is_no_failure(here: Room):
    here.service.gym.machines["machine-2"].bus.tell(LinkChanged("lost", "unplugged"))
    verdict = await judged(here)
    assert verdict.status == "degraded"
    assert verdict.reasons == ("machine-2: the sensor is away.",)
    answer = await here.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_a_fault_of_a_sensor_wants_a_look(here: Room):
    trouble = SensorTrouble(1.0, "no_magnet", active=True)
    here.service.gym.machines["machine-1"].bus.tell(trouble)
    assert (await judged(here)).reasons == ("machine-1: the sensor reports no_magnet.",)


async def test_unstored_sets_fail_the_health_check_without_a_restart(here: Room):
    here.service.writer.trouble = "The disk is full."
    verdict = await judged(here)
    assert verdict == Verdict("failing", ("The disk is full.",), hung=False)
    assert (await here.get("/healthz")).status_code == 503


async def test_a_database_that_was_deleted_is_noticed_before_the_next_set(
    here: Room, tmp_path: Path
):
    (tmp_path / "room.db").unlink()
    verdict = await judged(here)
    assert verdict.status == "failing"
    assert "is gone" in verdict.reasons[0]


async def test_a_locked_database_is_noticed(here: Room, tmp_path: Path):
    with sqlite3.connect(tmp_path / "room.db") as other:
        other.execute("BEGIN IMMEDIATE")
        verdict = await judged(here)
        other.rollback()
    other.close()
    assert verdict.status == "failing"
    assert "locked" in verdict.reasons[0]
    assert (await judged(here)).status == "ok"


async def test_a_full_disk_is_noticed_before_the_next_set(
    here: Room, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "free_bytes", lambda file: 4096)
    verdict = await judged(here)
    assert verdict.status == "failing"
    assert "4 kB are left" in verdict.reasons[0]


async def test_a_store_that_does_not_answer_is_slow_then_failing_then_hung(
    here: Room, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "PROBE_TAKES_S", 0.01)
    monkeypatch.setattr(health, "SLOW_S", LIMIT_S)
    monkeypatch.setattr(health, "STUCK_S", LIMIT_S)
    let_go = threading.Event()
    monkeypatch.setattr(here.service.store, "probe", let_go.wait)
    try:
        verdict = await judged(here)
        assert (verdict.status, verdict.hung) == ("degraded", False)
        assert "has not answered" in verdict.reasons[0]
        monkeypatch.setattr(health, "SLOW_S", 0.0)
        verdict = await judged(here)
        assert (verdict.status, verdict.hung) == ("failing", False)
        monkeypatch.setattr(health, "STUCK_S", 0.0)
        assert (await judged(here)).hung
    finally:
        let_go.set()
    async with asyncio.timeout(LIMIT_S):
        while (await judged(here)).status != "ok":
            await asyncio.sleep(0.01)


async def test_a_loop_that_stood_still_is_noticed(here: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "LAG_DEGRADED_S", 0.25)
    monkeypatch.setattr(health, "LAG_FAILING_S", 0.5)
    async with asyncio.timeout(LIMIT_S):
        while here.service.health.lag_s < health.LAG_FAILING_S:
            await asyncio.sleep(health.TICK_S / 2)  # the clock has begun a tick
            time.sleep(health.LAG_FAILING_S + health.TICK_S)
            await asyncio.sleep(health.TICK_S)
    verdict = await here.service.health.judge()
    assert verdict.status == "failing"
    assert not verdict.hung, "who judges moves"
    assert "late" in verdict.reasons[0]


async def test_other_parts_are_counted_in(here: Room):
    said = {"broker": "", "journal": ""}
    here.service.health.watch(lambda: said["broker"])
    here.service.health.watch(lambda: said["journal"], "failing")
    assert (await judged(here)).status == "ok"
    said["broker"] = "The broker is away."
    assert await judged(here) == Verdict("degraded", ("The broker is away.",))
    said["journal"] = "The journal cannot be written."
    verdict = await judged(here)
    assert verdict.status == "failing"
    assert verdict.reasons[0] == "The journal cannot be written.", "the worst first"


async def test_frequent_health_checks_do_not_reach_the_disk(
    here: Room, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "PROBE_EVERY_S", 1000.0)
    await judged(here)
    asked: list[bool] = []
    monkeypatch.setattr(here.service.store, "probe", lambda: asked.append(True))
    for _ in range(50):
        await here.get("/healthz")
    assert asked == []


async def test_a_probe_changes_nothing(here: Room, tmp_path: Path):
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.suffix != ".db-shm"}
    await judged(here)
    after = {file: file.read_bytes() for file in tmp_path.iterdir() if file.suffix != ".db-shm"}
    assert before == after


async def test_a_probe_that_fails_in_a_way_of_its_own_is_a_failure_too(
    here: Room, monkeypatch: pytest.MonkeyPatch
):
    def fails() -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(here.service.store, "probe", fails)
    assert "nobody thought" in (await judged(here)).reasons[0]

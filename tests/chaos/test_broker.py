"""Brokers and collectors that die, for long: every seed of it under LEGCURL_CHAOS=all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest
from brokers import Ear, Mosquitto, until
from collectors import kill_collectors
from gyms import announce_day, first_told, gym
from legcurl.mqtt import collector, machine_client
from legcurl.store import open_store

ALL = os.environ.get("LEGCURL_CHAOS") == "all"
KILLS = range(10) if ALL else range(1)
RESTARTS = range(10) if ALL else range(1)
DAY = 60_000 if ALL else 3000  # events of a gym without a broker


@pytest.mark.long
@pytest.mark.parametrize("seed", KILLS)
async def test_killed_collectors_store_each_set_exactly_once(tmp_path: Path, seed: int) -> None:
    sets, kills = (600, 25) if ALL else (40, 3)
    with Mosquitto(tmp_path / "broker") as mosquitto:
        url = f"sqlite:///{tmp_path / 'center.db'}"
        with open_store(url) as center:
            await kill_collectors(mosquitto, center, url, sets=sets, kills=kills, seed=seed)


@pytest.mark.parametrize("seed", RESTARTS)
async def test_a_broker_that_comes_and_goes_gets_a_day_in_order(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_client, "PAUSE_MAX_S", 0.2)
    monkeypatch.setattr(collector, "PAUSE_MAX_S", 0.2)
    random = Random(seed)
    announce_day(tmp_path, DAY)
    with Mosquitto(tmp_path / "broker") as mosquitto:
        async with Ear(mosquitto.config, "legcurl/#") as ear:
            async with gym(tmp_path, mosquitto.config) as here:
                for _ in range(12 if ALL else 2):
                    sent = here.publisher.figures.sent + random.randrange(DAY // 20)
                    await until(
                        lambda sent=sent: here.publisher.figures.sent >= min(sent, DAY),
                    )
                    await asyncio.to_thread(mosquitto.stop)
                    await asyncio.sleep(random.uniform(0, 0.3))
                    await asyncio.to_thread(mosquitto.start)
                    await ear.leave()
                    await ear.listen()
                await until(lambda: here.publisher.figures.sent >= DAY)
            await ear.until(lambda: len(first_told(ear)) == DAY)
            for machine in ("machine-1", "machine-2"):
                numbers = [e["number"] for e in first_told(ear) if e["machine"]["id"] == machine]
                assert numbers == list(range(1, DAY // 2 + 1))

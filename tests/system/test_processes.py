"""However a simulation ends, nothing of it is left: no process, no task, no folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from legcurl.errors import SensorError
from legcurl.events import Event, Progress, SetEnded
from legcurl.firmware_files import firmware_directory
from legcurl.links.address import SimAddress, parse
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.route import SimulatedRoute
from legcurl.simulator.runner import SimulatedSensor
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.station import Station, open_station
from selection import first_short
from timings import LIMIT_S, wait_until

IsAlive = Callable[[int], bool]

HOST = """
import asyncio
from legcurl.links.address import parse
from legcurl.simulator.runner import SimulatedSensor
from legcurl.station import open_station

async def main():
    async with SimulatedSensor(parse({address!r}).options) as sensor:
        print(sensor.firmware_pid, sensor.world_pid, flush=True)
        async with open_station("serial:" + sensor.port) as station:
            async for event in station.events():
                print(event.event, flush=True)

asyncio.run(main())
"""

WATCHER = """
import asyncio, sys
from legcurl.station import open_station

async def main():
    async with open_station("serial:" + sys.argv[1]) as station:
        async for event in station.events():
            print(event.event, flush=True)

asyncio.run(main())
"""


def simulated(address: str) -> tuple[Station, SimulatedSensor]:
    parsed = parse(address)
    assert isinstance(parsed, SimAddress)
    route = SimulatedRoute(parsed)
    queue = EventQueue(SensorSession())
    return Station(route.name, LiveFeed(route, queue), queue), route.sensor


@pytest.mark.parametrize("link", ["serial", "tcp"])
async def test_leaving_a_station_ends_its_processes(
    link: str, is_alive: IsAlive, caplog: pytest.LogCaptureFixture
) -> None:
    station, sensor = simulated(f"sim:?link={link}")
    async with station:
        pids = (sensor.firmware_pid, sensor.world_pid)
        assert all(is_alive(pid) for pid in pids)
    assert not any(is_alive(pid) for pid in pids)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.sleep(0)
    assert caplog.messages == []


async def test_leaving_a_fast_world_in_mid_set_ends_its_processes(is_alive: IsAlive) -> None:
    """The firmware is blocked in a write that nobody reads."""
    station, sensor = simulated("sim:?pace=fast&sets=50")
    async with station:
        await asyncio.sleep(1.0)
        pids = (sensor.firmware_pid, sensor.world_pid)
        assert is_alive(pids[0])
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.parametrize("delay_ms", first_short([50, 0, 5, 20, 100, 200, 400]))
async def test_cancelling_at_any_moment_leaves_nothing(
    delay_ms: int, is_alive: IsAlive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    station, sensor = simulated("sim:?pace=fast")

    async def use() -> None:
        async with station:
            async for _ in station.events():
                pass

    using = asyncio.create_task(use())
    await asyncio.sleep(delay_ms / 1000)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not any(is_alive(pid) for pid in (sensor.firmware_pid, sensor.world_pid) if pid)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("address", ["sim:", "sim:?pace=fast&sets=50"])
def test_no_orphan_survives_its_parent(
    number: signal.Signals, address: str, is_alive: IsAlive
) -> None:
    command = [sys.executable, "-c", HOST.format(address=address)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as host:
        assert host.stdout is not None
        pids = [int(pid) for pid in host.stdout.readline().split()]
        for _ in range(5):
            host.stdout.readline()
        assert all(is_alive(pid) for pid in pids)
        host.send_signal(number)
        host.stdout.close()
        host.wait(LIMIT_S)
    wait_until(lambda: not any(map(is_alive, pids)))


async def test_a_host_that_is_killed_in_mid_set_is_replaced_by_another() -> None:
    """The second host finds the set from its first rep on in the sensor's log."""
    parsed = parse("sim:?pace=20&seed=11&lifter=early")
    assert isinstance(parsed, SimAddress)
    async with SimulatedSensor(parsed.options) as sensor:
        first = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WATCHER, sensor.port), stdout=asyncio.subprocess.PIPE
        )
        assert first.stdout is not None
        while (await first.stdout.readline()) != b"rep\n":
            pass
        first.kill()
        await first.communicate()
        events: list[Event] = []
        async with open_station(f"serial:{sensor.port}") as station:
            async for event in station.events():
                events.append(event)
                if isinstance(event, SetEnded):
                    break
    async with open_station("sim:?pace=fast&seed=11&lifter=early") as station:
        unbroken = [e.set async for e in station.events() if isinstance(e, SetEnded)]
    assert [event.set for event in events if isinstance(event, SetEnded)] == unbroken


@pytest.mark.long
@pytest.mark.parametrize("victim", ["firmware", "world"])
async def test_a_simulation_that_breaks_is_an_error_and_no_end(victim: str) -> None:
    station, sensor = simulated("sim:?pace=20&seed=11&lifter=early")
    events: list[Event] = []

    async def follow_and_kill() -> None:
        pid = 0
        async for event in station.events():
            events.append(event)
            if isinstance(event, Progress) and event.t_s > 45.0 and not pid:
                pid = sensor.firmware_pid if victim == "firmware" else sensor.world_pid
                os.kill(pid, signal.SIGKILL)

    async with station:
        with pytest.raises(SensorError, match=rf"{victim} ended by signal 9"):
            await follow_and_kill()
    assert isinstance(events[-1], SetEnded), "what was open is closed first"
    assert events[-1].set.outcome == "interrupted"


async def test_firmware_that_crashes_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "firmware"
    (broken / "boards").mkdir(parents=True)
    (broken / "boards" / "pico_w.json").write_bytes(
        (firmware_directory() / "boards" / "pico_w.json").read_bytes()
    )
    (broken / "main.py").write_text("raise ValueError('no magnet in the drawer')")
    monkeypatch.setattr("legcurl.simulator.runner.firmware_directory", lambda: broken)
    station, _ = simulated("sim:")
    with pytest.raises(
        SensorError, match=r"ended with code 1: ValueError: no magnet in the drawer"
    ):
        async with station:
            pass

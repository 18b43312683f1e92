"""The gym changes while it runs, and whoever did not change does not notice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from legcurl.cli.serve_reload import refuse_what_needs_a_start
from legcurl.config import Config, MachineConfig, WebConfig
from legcurl.errors import ConfigError
from legcurl.events import Event, LinkChanged, Progress, SetEnded, SetStarted
from legcurl.gym.gym import Gym
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.links.sim_address import parse_address
from legcurl.motion import Calibration
from legcurl.recording.file import Recording
from legcurl.simulator.runner import SimulatedSensor
from legcurl.web.event_stream import Broadcast
from played import play_set
from room import room
from timings import LIMIT_S, until

SIM = "lifter=early&seed=7&pace=16"


def setup(name: str, address: str = "tcp:127.0.0.1:1", **fields: Any) -> MachineSetup:
    return MachineSetup(name, name.title(), address, **fields)


class Witness:
    """Follows a gym and remembers."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {}
        self._news = asyncio.Event()

    def happened(self, machine: Machine, event: Event) -> None:
        self.events.setdefault(machine.setup.id, []).append(event)
        self._news.set()

    def sampled(self, machine: Machine, t_us: object, angle_deg: object) -> None:
        pass

    def needs_from_s(self, machine: Machine) -> None:
        pass

    def of(self, machine: str, kind: type) -> list[Any]:
        return [event for event in self.events.get(machine, []) if isinstance(event, kind)]

    async def sees(self, machine: str, kind: type) -> Any:
        """The first event of a kind, as soon as there is one."""
        async with asyncio.timeout(LIMIT_S):
            while not self.of(machine, kind):
                self._news.clear()
                await self._news.wait()
        return self.of(machine, kind)[0]


@asynccontextmanager
async def sensors(*queries: str) -> AsyncIterator[list[str]]:
    """Simulated sensors that outlive stations, and their addresses."""
    started = [SimulatedSensor(parse_address(f"sim:?{query}")) for query in queries]
    for sensor in started:
        await sensor.__aenter__()
    try:
        yield [f"serial:{sensor.port}" for sensor in started]
    finally:
        for sensor in started:
            await sensor.__aexit__(None, None, None)


@pytest.mark.long
async def test_an_added_machine_is_followed_and_a_removed_one_released(tmp_path: Path):
    witness = Witness()
    async with (
        sensors(SIM, SIM.replace("seed=7", "seed=8")) as (one, two),
        Gym([setup("one", one)], [witness], tmp_path) as gym,
    ):
        await witness.sees("one", SetStarted)
        station = gym.machines["one"].station
        await gym.apply([setup("two", two), setup("one", one)])
        assert list(gym.machines) == ["two", "one"], "in the order of the file"
        await witness.sees("two", Progress)
        assert gym.machines["one"].station is station, "and nobody else was disturbed"
        await gym.apply([setup("one", one)])
        assert list(gym.machines) == ["one"]
        quiet = len(witness.events["two"])
        ended = await witness.sees("one", SetEnded)
        assert ended.set.outcome == "muscle_success"
        assert len(witness.events["two"]) == quiet


async def test_a_new_name_holds_at_once_and_the_set_goes_on(tmp_path: Path):
    witness = Witness()
    async with sensors(SIM) as (one,), Gym([setup("one", one)], [witness], tmp_path) as gym:
        await witness.sees("one", SetStarted)
        machine, station = gym.machines["one"], gym.machines["one"].station
        await gym.apply([MachineSetup("one", "The other name", one)])
        assert (machine.name, machine.station) == ("The other name", station)
        ended = await witness.sees("one", SetEnded)
        assert len(witness.of("one", SetStarted)) == 1
        assert not ended.set.incomplete


@pytest.mark.long
async def test_another_range_waits_until_the_set_is_over(tmp_path: Path):
    witness = Witness()
    async with sensors(SIM) as (one,), Gym([setup("one", one)], [witness], tmp_path) as gym:
        await witness.sees("one", SetStarted)
        machine, station = gym.machines["one"], gym.machines["one"].station
        calibration = Calibration(10.0, 100.0)
        await gym.apply([setup("one", one, calibration=calibration)])
        assert machine.station is station
        assert machine.setup.calibration is None
        ended = await witness.sees("one", SetEnded)
        assert ended.set.outcome == "muscle_success"
        await until(
            lambda: (
                machine.setup.calibration == calibration and machine.station not in (None, station)
            )
        )


@pytest.mark.long
async def test_a_new_address_takes_effect_at_once_on_an_idle_machine(tmp_path: Path):
    witness = Witness()
    async with sensors(SIM) as (one,), Gym([setup("one")], [witness], tmp_path) as gym:
        await until(lambda: gym.machines["one"].state.link == "lost")
        await gym.apply([setup("one", one)])
        await witness.sees("one", SetEnded)


@pytest.mark.long
async def test_a_change_that_is_taken_back_at_once_leaves_the_machine_going(tmp_path: Path):
    witness = Witness()
    async with sensors(SIM) as (one,), Gym([setup("one", one)], [witness], tmp_path) as gym:
        await witness.sees("one", Progress)
        machine = gym.machines["one"]
        assert not machine.in_set
        await gym.apply([setup("one", one, calibration=Calibration(10.0, 100.0))])
        await gym.apply([setup("one", one)])
        ended = await witness.sees("one", SetEnded)
        assert ended.set.outcome == "muscle_success"
        assert machine.setup == setup("one", one)


async def test_a_machines_new_range_is_written_into_its_journal(tmp_path: Path):
    witness = Witness()
    async with sensors(SIM) as (one,), Gym([setup("one")], [witness], tmp_path) as gym:
        machine = gym.machines["one"]
        calibration = Calibration(10.0, 100.0)
        await gym.apply([setup("one", one, calibration=calibration)])
        await witness.sees("one", Progress)
        assert machine.journal is not None
        machine.journal.sync()
        with Recording(max((tmp_path / "one").glob("*"))) as newest:
            assert (newest.header.source, newest.header.calibration) == (one, calibration)


async def test_a_set_under_way_is_handed_to_the_station_at_another_address(tmp_path: Path):
    """As a plug that was pulled in mid-set and put into the next socket."""
    witness = Witness()
    async with sensors(SIM) as (port,):
        second = tmp_path / "ttyOther"
        second.symlink_to(port.removeprefix("serial:"))
        first = tmp_path / "ttyFirst"
        first.symlink_to(port.removeprefix("serial:"))
        journals = tmp_path / "journals"
        async with Gym([setup("one", f"serial:{first}")], [witness], journals) as gym:
            await witness.sees("one", SetStarted)
            machine = gym.machines["one"]
            first.unlink()
            machine.bus.tell(LinkChanged("lost", "pulled"))
            await gym.apply([setup("one", f"serial:{second}")])
            ended = await witness.sees("one", SetEnded)
            assert ended.set.outcome == "muscle_success"
            assert not ended.set.incomplete
            assert machine.setup.address == f"serial:{second}"


@pytest.mark.long
async def test_a_machine_taken_out_in_mid_set_goes_on_with_it_when_it_is_back(tmp_path: Path):
    witness = Witness()
    async with sensors(SIM) as (one,), Gym([setup("one", one)], [witness], tmp_path) as gym:
        await witness.sees("one", SetStarted)
        await gym.apply([])
        assert gym.machines == {}
        assert not witness.of("one", SetEnded), "it is not over"
        await gym.apply([setup("one", one)])
        ended = await witness.sees("one", SetEnded)
        assert ended.set.outcome == "muscle_success"
        assert not ended.set.incomplete


@pytest.mark.parametrize("name", ["", "a b", "x" * 65])
async def test_an_invalid_machine_changes_nothing(name: str):
    async with Gym([setup("one")]) as gym:
        machines = dict(gym.machines)
        with pytest.raises(ConfigError):
            await gym.apply([setup("one"), setup(name)])
        with pytest.raises(ConfigError):
            await gym.apply([setup("one"), setup("one")])
        assert gym.machines == machines


async def test_a_set_under_way_is_stored_under_the_new_name(tmp_path: Path):
    async with room(tmp_path) as here:
        first = next(iter(here.service.gym.machines.values()))
        renamed = MachineSetup(first.setup.id, "New name", first.setup.address)
        others = [machine.setup for machine in list(here.service.gym.machines.values())[1:]]
        gym = here.service.gym
        first.become(renamed)
        play_set(first, "sim:?lifter=early&seed=5&pace=fast")
        async with asyncio.timeout(LIMIT_S):
            while not (found := (await here.get("/api/sets")).json()["sets"]):
                await asyncio.sleep(0.02)
        assert found[0]["machine"] == {"id": first.setup.id, "name": "New name"}
        assert len(gym.machines) == 1 + len(others)


async def hear(stream: AsyncIterator[bytes]) -> list[tuple[str, Any]]:
    async with asyncio.timeout(LIMIT_S):
        text = await anext(stream)
    return [
        (block.split("event: ")[1].split("\n")[0], json.loads(block.split("data: ")[1]))
        for block in text.decode().split("\n\n")
        if block
    ]


async def test_viewers_are_told_which_machines_there_are_now():
    broadcast = Broadcast(("one",), lambda name: {"id": name}, lambda _: [])
    stream = broadcast.follow(None, None)
    greeting = (await hear(stream))[0]
    assert greeting[1]["machines"] == ["one"]
    broadcast.moved("one", [1])
    broadcast.room(("two", "three"))
    told = await hear(stream)
    assert told[0][1]["machines"] == ["two", "three"]
    assert [one["id"] for event, one in told if event == "machine"] == ["two", "three"]
    broadcast.changed("two")
    await hear(stream)
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_returning_page_is_not_told_of_removed_machines():
    broadcast = Broadcast(("one", "two"), lambda name: {"id": name}, lambda _: [])
    broadcast.changed("one")
    broadcast.changed("two")
    last = broadcast._last_id - 1
    broadcast.room(("two",))
    back = broadcast.follow(None, last)
    told = await hear(back)
    assert [one["id"] for event, one in told if event == "machine"] == ["two"]
    await back.aclose()  # type: ignore[attr-defined]


async def test_viewers_need_not_wait_for_a_store_that_hangs(tmp_path: Path):
    async with room(tmp_path) as here:
        service = here.service
        stream = here.page.broadcast.follow(None, None)
        await hear(stream)
        hanging = asyncio.Event()

        async def hang(_: object) -> Any:
            await hanging.wait()

        service.writer.ask = hang  # type: ignore[method-assign]
        setups = [machine.setup for machine in service.gym.machines.values()]
        applying = asyncio.create_task(service.apply([*setups, setup("new")]))
        greeting = (await hear(stream))[0]
        assert greeting[1]["machines"] == ["machine-1", "machine-2", "new"]
        assert not applying.done()
        applying.cancel()
        await asyncio.gather(applying, return_exceptions=True)
        del service.writer.ask
        await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("started", "now", "said"),
    [
        ("machine", "", "names no machine any more"),
        ("", "machine", "start it anew to follow some"),
        ("open machine", "machine", "needs a PIN until then"),
    ],
)
def test_changes_that_need_a_restart_are_refused_whole(started: str, now: str, said: str):
    """An editor that empties a file before it writes it must not end a room full of sets."""

    def config(words: str) -> Config:
        machines = (MachineConfig("one", "sim:"),) if "machine" in words else ()
        web = WebConfig(host="0.0.0.0") if "open" in words else WebConfig()
        return Config(machines=machines, web=web)

    with pytest.raises(ConfigError, match=said):
        refuse_what_needs_a_start(config(started), config(now))
    refuse_what_needs_a_start(config(now), config(now))


async def test_new_pins_end_every_session_and_its_event_stream(tmp_path: Path):
    broadcast = Broadcast(("one",), lambda name: {"id": name}, lambda _: [])
    stream = broadcast.follow(None, None)
    await hear(stream)
    broadcast.dismiss()
    with suppress(StopAsyncIteration):
        while await anext(stream) == b"":
            pass
    assert broadcast.viewers == 0
    from legcurl.web.authentication import Access, hashed

    access = Access({"change": hashed("2468")})
    signed_in = await access.sign_in("2468")
    assert signed_in is not None
    access.replace({"change": hashed("1357")})
    assert access.who(signed_in[0]) is None
    assert await access.sign_in("2468") is None
    assert await access.sign_in("1357") is not None

"""Machines with real simulated sensors: they come, go, and tell each set once."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from legcurl.errors import ConfigError
from legcurl.events import SetEnded
from legcurl.gym.gym import Gym
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.links.sim_address import SimOptions
from legcurl.service.service import Service
from legcurl.simulator.runner import SimulatedSensor
from legcurl.simulator.world import World
from legcurl.store import SetQuery, open_store
from legcurl.web.authentication import Access
from legcurl.web.live_page import LivePage
from timings import until

QUICK = SimOptions(seed=11, lifter="early", sets=4, pace=20.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def service_of(folder: Path, *addresses: str):
    setups = [MachineSetup(f"machine-{n}", "", text) for n, text in enumerate(addresses, 1)]
    with open_store(f"sqlite:///{folder / 'gym.db'}") as store:
        service = Service(Gym(setups), store)
        async with service.running():
            yield service


def machine_of(service: Service) -> Machine:
    return service.gym.machines["machine-1"]


async def test_a_sensor_that_comes_late_goes_and_comes_again_is_followed(tmp_path: Path) -> None:
    port = free_port()
    async with service_of(tmp_path, f"tcp:127.0.0.1:{port}") as service:
        machine = machine_of(service)
        await until(lambda: machine.state.link == "lost")
        assert str(port) in machine.state.link_reason
        assert machine.name == "machine-1"
        async with SimulatedSensor(QUICK, tcp_port=port):
            await until(lambda: machine.state.link == "up" and machine.state.angle_deg is not None)
            assert machine.name == "Simulated leg curl"
            before = machine.state.t_s
        await until(lambda: machine.state.link == "lost")
        async with SimulatedSensor(replace(QUICK, seed=12), tcp_port=port, boots=1):
            await until(lambda: machine.state.link == "up" and machine.state.t_s > before)


async def test_a_set_is_stored_once_though_the_service_restarts_in_mid_set(tmp_path: Path) -> None:
    port = free_port()
    truth = World(QUICK).truth().sets[0].result
    async with SimulatedSensor(QUICK, tcp_port=port):
        async with service_of(tmp_path, f"tcp:127.0.0.1:{port}") as service:
            await until(lambda: machine_of(service).state.completed_reps >= 2)
            assert machine_of(service).state.stage == "during"
        async with service_of(tmp_path, f"tcp:127.0.0.1:{port}") as service:
            store = service.store
            await until(lambda: store.find_sets(SetQuery()).sets)
            (stored,) = store.find_sets(SetQuery()).sets
        assert stored.original.completed_reps == truth.completed_reps
        assert stored.original.outcome == truth.outcome
        # The sensor's log still holds the whole set: a third service measures it again.
        async with service_of(tmp_path, f"tcp:127.0.0.1:{port}") as service:
            told: list[SetEnded] = []
            machine = machine_of(service)
            machine.bus.listen(
                "test", lambda event: told.append(event) if isinstance(event, SetEnded) else None
            )
            await until(lambda: told and service.writer.pending == 0)
            assert told[0].set == stored.original
            ids = [one.id for one in service.store.find_sets(SetQuery()).sets]
            assert ids.count(stored.id) == 1
            assert ids[-1] == stored.id, "nothing older turned up"
            starts = [one.original.start_s for one in service.store.find_sets(SetQuery()).sets]
            assert len(set(starts)) == len(starts)


async def test_an_invalid_address_harms_no_other_machine(tmp_path: Path) -> None:
    fast = "sim:?seed=3&pace=fast"
    async with service_of(tmp_path, fast, "sim:?seed=x", "replay:nowhere.legcurl") as service:
        first, second, third = service.gym.machines.values()
        await until(lambda: first.state.sets_ended == 1)
        await until(lambda: service.writer.pending == 0)
        assert second.state.link == "lost"
        assert "seed" in second.state.link_reason
        assert third.state.link == "lost"
        await until(lambda: first.state.link == "lost")
        assert "over" in first.state.link_reason
        assert len(service.store.find_sets(SetQuery()).sets) == 1


async def test_a_follower_that_fails_harms_no_machine() -> None:
    class Broken:
        def happened(self, machine: Machine, event: object) -> None:
            raise ValueError("not today")

        def needs_from_s(self, machine: Machine) -> None:
            pass

        def sampled(self, machine: Machine, t_us: object, angle_deg: object) -> None:
            raise ValueError("nor this")

    async with Gym([MachineSetup("m", "", "sim:?seed=3&pace=fast")], (Broken(),)) as gym:
        machine = gym.machines["m"]
        await until(lambda: machine.state.sets_ended == 1)
        assert machine.bus.failures.keys() == {"m: Broken"}


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 33, "ü", ".hidden", 'a"b', "a\n"])
def test_a_machines_id_can_be_in_an_address_and_a_file_name(name: str) -> None:
    with pytest.raises(ConfigError, match="no machine's id"):
        Gym([MachineSetup(name, "", "sim:")])


def test_two_machines_cannot_have_one_id() -> None:
    with pytest.raises(ConfigError, match="Two machines"):
        Gym([MachineSetup("a", "", "sim:"), MachineSetup("a", "", "sim:")])


@pytest.mark.long
async def test_an_unwritable_journal_stops_nothing_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something is where its folder should be; then that is taken away."""
    monkeypatch.setattr("legcurl.recording.journal.RETRY_S", 0.05)
    place = tmp_path / "gym.db.journal"
    place.write_text("in the way")
    port = free_port()
    setups = [MachineSetup("machine-1", "", f"tcp:127.0.0.1:{port}")]
    async with SimulatedSensor(QUICK, tcp_port=port):
        with open_store(f"sqlite:///{tmp_path / 'gym.db'}") as store:
            service = Service(Gym(setups, journals=place), store)
            page = LivePage(service, Access({}))
            async with service.running():
                machine = machine_of(service)
                await until(lambda: machine.state.completed_reps >= 2)
                assert "gym.db.journal" in machine.journal_trouble
                assert page.snapshot("machine-1")["journal_trouble"] == machine.journal_trouble
                place.unlink()
                await until(lambda: not machine.journal_trouble)
                await until(lambda: store.find_sets(SetQuery()).sets)
            (stored,) = store.find_sets(SetQuery()).sets[-1:]
    assert stored.original.completed_reps == World(QUICK).truth().sets[0].result.completed_reps
    assert list((place / "machine-1").iterdir())

"""No set is lost, whatever the disk does; and each belongs to who lifted it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from disks import small_disk
from legcurl.errors import StoreError
from legcurl.events import SetEnded, SetStarted
from legcurl.gym.machine import Boot, Machine
from legcurl.service import set_writer
from legcurl.service.sample_buffer import SampleBuffer
from legcurl.service.set_writer import FIRST_REP_S, SetWriter
from legcurl.store import Client, Expected, SetQuery, Store, StoredSet
from legcurl.store.records import NewSet, entered
from played import SENSOR, boot_of, play, play_set, play_until, take
from room import Room, room
from timings import until

SET = "sim:?seed=5&pace=fast"
TWO_SETS = "sim:?seed=5&sets=2&pace=fast"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    monkeypatch.setattr(set_writer, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(set_writer, "RETRY_MAX_S", 0.002)


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        yield made


def machine_of(here: Room, number: int = 1) -> Machine:
    return here.service.gym.machines[f"machine-{number}"]


async def stored_sets(here: Room, count: int = 1) -> tuple[StoredSet, ...]:
    """All sets, oldest first, once nothing waits any more."""
    await until(lambda: here.service.writer.pending == 0)
    found = here.store.find_sets(SetQuery()).sets
    assert len(found) == count
    return tuple(reversed(found))


class Disk:
    """A store whose disk is full for a while."""

    def __init__(self, store: Store) -> None:
        self.full = False
        self.tries = 0
        self.poison: str | None = None  # the id of a set that makes it fail in a way of its own
        self._store = store

    def add_set(self, new: NewSet) -> str:
        """Store a set, or not."""
        self.tries += 1
        if self.full:
            raise StoreError("The database failed: database or disk is full.")
        if new.id == self.poison:
            raise RuntimeError("nobody thought of this")
        return self._store.add_set(new)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
async def with_disk(tmp_path: Path):
    disks: list[Disk] = []

    def wrap(store: Store) -> Disk:
        disks.append(Disk(store))
        return disks[0]

    async with room(tmp_path, wrap=wrap) as made:
        yield made, disks[0]


async def test_a_set_is_stored_as_it_was_told_with_its_trace(here: Room) -> None:
    ended = play_set(machine_of(here), SET)
    (stored,) = await stored_sets(here)
    assert stored.original == ended.set
    assert stored.machine.id == "machine-1"
    assert stored.machine.name == "Leg curl 1"
    trace = here.store.trace(stored.id)
    assert trace is not None
    assert ended.set.start_s - trace.t_us[0] / 1e6 == pytest.approx(
        set_writer.BEFORE_SET_S, abs=0.02
    )
    assert trace.t_us[-1] / 1e6 >= ended.set.end_s


async def test_a_set_is_where_the_sensor_its_boot_and_its_clock_say(here: Room) -> None:
    ended = play_set(machine_of(here), SET)
    (stored,) = await stored_sets(here)
    boot = boot_of(machine_of(here))
    start_ms = round(ended.set.start_s * 1000)
    assert stored.id == f"{boot.sensor_id}-{boot.boot_id:08x}-{start_ms}"


async def test_after_the_sensors_restart_a_set_is_counted_by_its_new_clock(here: Room) -> None:
    """Or a service that starts later, and knows only the new clock, would store it again."""
    zero_us = 20_000_000
    boot = Boot(SENSOR.sensor_id, 0x77, zero_us)
    (ended,) = [e for e in play(machine_of(here), SET, boot) if isinstance(e, SetEnded)]
    (stored,) = await stored_sets(here)
    start_ms = round(ended.set.start_s * 1000 - zero_us / 1000)
    assert stored.id == f"{SENSOR.sensor_id}-00000077-{start_ms}"


async def test_a_sensor_may_call_itself_anything(here: Room) -> None:
    hostile = Boot('../"\r\n<b>שלום' * 9, 1, 0)
    list(play(machine_of(here), SET, hostile))
    (stored,) = await stored_sets(here)
    assert stored.id.isascii()
    answer = await here.get(f"/api/sets/{stored.id}.csv")
    assert answer.status_code == 200


async def test_a_full_disk_loses_no_set_and_says_so(
    with_disk: tuple[Room, Disk], caplog: pytest.LogCaptureFixture
) -> None:
    here, disk = with_disk
    disk.full = True
    play_set(machine_of(here), SET)
    play_set(machine_of(here, 2), "sim:?seed=6&pace=fast")
    await until(lambda: disk.tries > 5)
    assert here.service.writer.pending == 2
    health = await here.get("/healthz")
    assert health.status_code == 503
    assert health.json()["sets_waiting"] == 2
    assert "full" in health.json()["store"]
    assert len([r for r in caplog.records if "waits" in r.getMessage()]) == 1, "it is said once"
    disk.full = False
    await stored_sets(here, 2)
    assert (await here.get("/healthz")).json()["ok"]


async def test_an_unstorable_set_delays_no_other(
    with_disk: tuple[Room, Disk],
) -> None:
    here, disk = with_disk
    disk.full = True
    play_set(machine_of(here), SET)
    await until(lambda: disk.tries > 0)
    disk.poison = here.service.writer._waiting[0][1].id
    disk.full = False
    play_set(machine_of(here, 2), "sim:?seed=6&pace=fast")
    await until(lambda: here.service.writer.pending == 1)
    assert len(here.store.find_sets(SetQuery()).sets) == 1
    disk.poison = None
    await stored_sets(here, 2)


async def test_at_the_end_waiting_sets_are_stored(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        play_set(machine_of(here), SET)
    async with room(tmp_path) as here:
        await stored_sets(here)


async def test_at_the_end_a_dead_disk_is_told_and_does_not_hold_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(tmp_path, wrap=Disk) as here:
        here.service.store.full = True  # type: ignore[attr-defined]
        play_set(machine_of(here), SET)
        play_set(machine_of(here, 2), SET)
    assert "Sets that are not stored: 2." in caplog.text


async def test_viewers_are_told_when_a_set_is_stored(here: Room) -> None:
    machine = machine_of(here)
    play_set(machine, SET)
    (stored,) = await stored_sets(here)
    assert here.page.snapshot("machine-1")["set_id"] == stored.id
    played = play(machine, TWO_SETS)
    play_until(played, lambda event: isinstance(event, SetStarted))
    assert here.page.snapshot("machine-1")["set_id"] is None, "the next has begun"


# Whose set it is


@pytest.fixture
def anna(here: Room) -> Client:
    return here.store.add_client("Anna")


@pytest.fixture
def ben(here: Room) -> Client:
    return here.store.add_client("Ben")


async def enter(here: Room, **fields: object) -> None:
    """As the coach does, on the first machine."""
    answer = await here.post("/api/stations/machine-1/next", fields)
    assert answer.status_code == 200


async def test_a_set_belongs_to_the_client_entered_before_it(here: Room, anna: Client) -> None:
    await enter(here, client=anna.id, load_kg=42.5)
    play_set(machine_of(here), SET)
    (stored,) = await stored_sets(here)
    assert stored.client == anna
    assert stored.load_kg == 42.5


async def test_an_entry_is_used_up_by_a_set_here_and_in_the_store(here: Room, anna: Client) -> None:
    await enter(here, client=anna.id, load_kg=42.5)
    played = play(machine_of(here), TWO_SETS)
    play_until(played, lambda event: isinstance(event, SetEnded))
    assert here.service.writer.expected("machine-1") == Expected()
    list(played)
    first, second = await stored_sets(here, 2)
    assert first.client == anna
    assert second.client is None
    assert second.load_kg is None
    assert here.store.expected("machine-1") == Expected()


async def test_a_client_entered_during_a_set_is_its_lifter(here: Room, anna: Client) -> None:
    played = play(machine_of(here), SET)
    play_until(played, lambda event: isinstance(event, SetStarted))
    await enter(here, client=anna.id)
    list(played)
    (stored,) = await stored_sets(here)
    assert stored.client == anna


async def test_a_client_entered_after_the_last_attempt_is_the_next(
    here: Room, anna: Client, ben: Client
) -> None:
    """The rest that ends a set is still going on, and the coach is quick."""
    (ended,) = [item for item in take(SET) if isinstance(item, SetEnded)]
    assert ended.t_s > ended.set.end_s + 1, "there is such a rest"
    await enter(here, client=anna.id, load_kg=40)
    played = play(machine_of(here), SET)
    play_until(played, lambda event: machine_of(here).state.t_s > ended.set.end_s + 0.5)
    assert machine_of(here).state.stage == "during"
    await enter(here, client=ben.id)
    list(played)
    (stored,) = await stored_sets(here)
    assert stored.client == anna
    assert stored.load_kg == 40
    left = here.service.writer.expected("machine-1")
    assert left.client_id == ben.id
    assert left.load_kg is None, "the load was only taken over from Anna's entry"
    assert here.store.expected("machine-1").client_id == ben.id


async def test_later_entries_do_not_change_past_sets(here: Room, anna: Client) -> None:
    """After a start the sensor's log tells of sets that were lifted before the entry."""
    machine = machine_of(here)
    await enter(here, client=anna.id)
    played = play(machine, SET)
    next(played)
    past = datetime.now(UTC) - timedelta(hours=1)
    machine.wall_time = lambda t_s: past + timedelta(seconds=t_s)
    list(played)
    (stored,) = await stored_sets(here)
    assert stored.client is None
    assert here.service.writer.expected("machine-1").client_id == anna.id


async def test_an_entry_survives_a_restart(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        anna = here.store.add_client("Anna")
        await enter(here, client=anna.id, load_kg=40)
    async with room(tmp_path) as here:
        machine = (await here.get("/api/stations")).json()[0]
        assert machine["client"] == {"id": anna.id, "name": "Anna"}
        play_set(machine_of(here), SET)
        (stored,) = await stored_sets(here)
        assert stored.client == anna


def test_somebody_who_cannot_decide_costs_no_memory() -> None:
    writer = SetWriter(None, lambda _machine, _set_id: None)  # type: ignore[arg-type]
    for number in range(1000):
        writer.expect("machine-1", entered(Expected(), client_id=str(number)))
    assert len(writer._entries["machine-1"]) == set_writer.ENTRIES_MAX
    assert writer.expected("machine-1").client_id == "999"


async def test_a_repeated_set_uses_up_no_entry(tmp_path: Path) -> None:
    """After a restart, a set of the past; its lifter's entry is gone, and the next one is there.

    The clock is what tells an entry's set, and it may have been set back in between.
    """
    async with room(tmp_path) as here:
        ended = play_set(machine_of(here), SET)
        (stored,) = await stored_sets(here)
    async with room(tmp_path) as here:
        ben = here.store.add_client("Ben")
        await enter(here, client=ben.id)
        assert play_set(machine_of(here), SET) == ended
        assert await stored_sets(here) == (stored,)
        assert here.service.writer.expected("machine-1").client_id == ben.id
        assert here.store.expected("machine-1").client_id == ben.id


# The buffer


def test_the_tape_of_an_idle_machine_is_bounded(here_machine: Machine) -> None:
    writer = SetWriter(None, lambda _machine, _set_id: None)  # type: ignore[arg-type]
    rate = 100
    longest = 0
    for second in range(3600):
        here_machine.bus.state = _at(here_machine, second)
        times = range(second * 1_000_000, (second + 1) * 1_000_000, 1_000_000 // rate)
        writer.sampled(here_machine, times, [0.0] * rate)
        longest = max(longest, len(writer._buffers["machine-1"]._t_us))
    assert longest <= 2 * (FIRST_REP_S + 2) * rate


@pytest.fixture
def here_machine() -> Machine:
    from legcurl.gym.machine import MachineSetup

    return Machine(MachineSetup("machine-1", "", "sim:"), ())


def _at(machine: Machine, t_s: float):
    from dataclasses import replace

    return replace(machine.state, t_s=float(t_s))


def test_a_sample_buffer_gives_what_was_put_in_and_not_forgotten() -> None:
    buffer = SampleBuffer()
    for first in range(0, 1000, 10):
        buffer.add(range(first, first + 10), [float(t) for t in range(first, first + 10)])
    buffer.forget_before(0.000_500)
    assert len(buffer) == 500
    kept = buffer.cut(0.0, 1.0)
    assert kept.t_us == tuple(range(500, 1000))
    assert kept.angle_deg == tuple(float(t) for t in range(500, 1000))
    assert buffer.cut(0.000_700, 0.000_709).t_us == tuple(range(700, 710))


def test_a_clock_that_went_back_begins_a_new_buffer() -> None:
    buffer = SampleBuffer()
    buffer.add([10, 20, 30], [1.0, 2.0, 3.0])
    buffer.add([5, 6], [4.0, 5.0])
    assert buffer.cut(0.0, 1.0).t_us == (5, 6)


async def test_a_set_waits_for_room_on_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        async with room(disk.folder) as here:
            disk.fill()
            play_set(machine_of(here), SET)
            await until(lambda: here.service.writer.trouble != "")
            assert "full" in here.service.writer.trouble
            assert here.service.writer.pending == 1
            assert (await here.get("/healthz")).status_code == 503
            disk.clear()
            (stored,) = await stored_sets(here)
            assert here.service.writer.trouble == ""
            assert here.store.trace(stored.id) is not None

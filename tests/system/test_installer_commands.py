"""`calibrate`, `doctor` and `pair` against the simulated sensor: every injected fault is found."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from math import inf
from pathlib import Path
from typing import Any

import pytest
from legcurl.cli.doctor import EXIT_PROBLEM
from legcurl.install.checks.findings import Finding, problems
from legcurl.install.checks.monitored_sensor import MonitoredSensor
from legcurl.install.doctor.diagnosis import diagnose
from legcurl.install.doctor.measure_sensor import measure_sensor
from legcurl.links.address import SimAddress
from legcurl.links.sim_address import parse_address
from legcurl.protocol.authentication import key_id
from legcurl.protocol.requests import Op, read_json
from legcurl.simulator.runner import SimulatedSensor
from legcurl.simulator.world import World
from legcurl.station.key_ring import KeyRing
from selection import first_short
from timings import LIMIT_S

LEGCURL = Path(sys.executable).parent / "legcurl"
RATE_HZ = 100  # of a sensor that was not told another one
FRAME_SAMPLES = 25  # the most in a frame of that sensor

# fault: subjects of the problems that the doctor sees, and calibrate
FOUND = {
    "no_magnet": ("magnet", "magnet"),
    "weak_magnet": ("magnet", "magnet"),
    "strong_magnet": ("magnet", "magnet"),
    "off_centre": ("magnet", "magnet"),
    "bus_error": ("bus", "bus"),
    "noisy_bus": ("bus", "bus"),
    "stuck": ("stuck", "stuck"),
    "reboot": ("restart", "restart"),
    "corrupt": ("cable", "cable"),
    "drop": ("cable", "cable"),
    "rough_link": ("cable", "cable"),
    "missed_ticks": ("samples", "samples"),
    "wrong_direction": ("direction", None),
    "old_firmware": ("firmware", None),
    "crashed": ("crashes", None),
}


def legcurl(*arguments: str, keys: Path | None = None) -> subprocess.CompletedProcess[str]:
    import os

    environment = {**os.environ, "LEGCURL_KEYS": str(keys or "/nonexistent/keys.json")}
    return subprocess.run(
        [str(LEGCURL), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=environment,
    )


def document(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(result.stdout)


def bad(told: dict[str, Any]) -> list[str]:
    return [found["subject"] for found in told["findings"] if found["state"] == "problem"]


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key ring of this test's own."""
    ring = tmp_path / "keys.json"
    monkeypatch.setenv("LEGCURL_KEYS", str(ring))
    return ring


async def examined(query: str) -> list[Finding]:
    address = SimAddress(parse_address(f"sim:?lifter=installer&pace=fast&{query}"))
    async with MonitoredSensor(address) as sensor:
        return diagnose(await measure_sensor(sensor, inf, lambda _: None))


@pytest.mark.parametrize("fault", first_short(FOUND, 3))
def test_the_doctor_finds_every_fault(fault: str):
    result = legcurl("doctor", f"sim:?pace=fast&seed=7&fault={fault}", "--json")
    assert result.returncode == EXIT_PROBLEM, result.stderr
    assert bad(document(result)) == [FOUND[fault][0]], "this one, and no other is invented"
    for found in document(result)["findings"]:
        assert found["state"] != "problem" or found["remedy"], "a problem says what to do"


@pytest.mark.long
def test_the_doctor_finds_a_stalling_host_if_the_sensor_has_a_clock():
    result = legcurl("doctor", "sim:?pace=4&fault=host_stall", "--seconds", "20", "--json")
    assert "stream" in bad(document(result))


def test_the_doctor_watches_as_long_as_told_if_the_sensor_runs_ahead():
    """Every sample of that time, to the end of its frame, and none after it."""
    told = document(legcurl("doctor", "sim:?pace=fast&seed=7", "--seconds", "10", "--json"))
    assert 10 * RATE_HZ < told["stream"]["samples"] <= 10 * RATE_HZ + FRAME_SAMPLES


@pytest.mark.long
@pytest.mark.parametrize("first", first_short(range(201, 222, 3)))
async def test_no_healthy_sensor_has_a_problem(first: int):
    """Twenty-one of them, three at a time, each from its start to its end."""
    for seed in range(first, first + 3):
        findings = await examined(f"seed={seed}")
        assert problems(findings) == [], seed


@pytest.mark.parametrize("rate", first_short(["400", "20"]))
async def test_a_healthy_sensor_has_no_problem_at_any_rate(rate: str):
    assert problems(await examined(f"seed=3&rate={rate}")) == []


@pytest.mark.long
@pytest.mark.parametrize("fault", first_short(f for f, (_, sees) in FOUND.items() if sees))
def test_calibrate_refuses_a_faulty_sensor(fault: str):
    result = legcurl("calibrate", f"sim:?pace=fast&seed=7&fault={fault}", "--json")
    subject = FOUND[fault][1]
    told = document(result)
    assert subject in bad(told)
    assert (told["written"], told["calibration"]) == (False, None)
    assert result.returncode == 5, "each of these is the sensor's"
    assert result.stderr.startswith("legcurl: Not calibrated: ")
    assert result.stderr.count("\n") == 1


def test_calibrate_walks_through_and_says_so():
    result = legcurl("calibrate", "sim:?pace=fast&seed=7")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    steps = [line.partition(" at ")[0] for line in lines if line.startswith("Round ")]
    assert steps == [
        f"Round {number} of 3: {said}"
        for number in (1, 2, 3)
        for said in (
            "Hold the legs straight, and rest there.",
            "legs straight",
            "Move to full flexion, and hold it there.",
            "full flexion",
        )
    ], "each once, in order"
    assert lines[-1].startswith("Simulated leg curl is calibrated: ")


@pytest.mark.long
def test_calibrate_corrects_a_reversed_mounting():
    told = document(legcurl("calibrate", "sim:?pace=fast&seed=7&fault=wrong_direction", "--json"))
    [about] = [found for found in told["findings"] if found["subject"] == "direction"]
    assert about["state"] == "note"
    assert told["written"]
    world = World(parse_address("sim:?lifter=installer&pace=fast&seed=7"))
    assert told["calibration"]["direction"] == world.scenario.encoder.direction


@pytest.mark.long
def test_calibrate_tells_of_an_old_firmware_and_goes_on():
    told = document(legcurl("calibrate", "sim:?pace=fast&seed=7&fault=old_firmware", "--json"))
    [about] = [found for found in told["findings"] if found["subject"] == "firmware"]
    assert about["state"] == "note"
    assert "legcurl flash" in about["remedy"]
    assert told["written"]


def test_a_dry_run_changes_nothing():
    result = legcurl("calibrate", "sim:?pace=fast&seed=7", "--dry-run", "--json")
    assert result.returncode == 0
    assert document(result)["written"] is False
    assert document(result)["calibration"]["direction"] in (1, -1)


async def test_the_record_is_in_the_sensor_and_the_doctor_agrees():
    """On one sensor that runs on, as a board would: calibrated, then looked at."""
    options = parse_address("sim:?lifter=installer&seed=9&pace=20")
    async with SimulatedSensor(options) as sensor:
        address = f"serial:{sensor.port}"
        done = await asyncio.to_thread(legcurl, "calibrate", address, "--json")
        assert done.returncode == 0, done.stderr
        record = document(done)["calibration"]
        looked = await asyncio.to_thread(legcurl, "doctor", address, "--seconds", "40", "--json")
        assert document(looked)["calibration"] == record
        [about] = [f for f in document(looked)["findings"] if f["subject"] == "calibration"]
        assert about["state"] == "ok"
        assert "moved within it" in about["said"]


@pytest.mark.long
async def test_two_known_angles_are_written_as_they_are():
    async with SimulatedSensor(parse_address("sim:?lifter=installer&pace=8")) as sensor:
        address = f"serial:{sensor.port}"
        angles = ("--extended-raw", "1000", "--flexed-raw", "18000")
        done = await asyncio.to_thread(legcurl, "calibrate", address, *angles)
        assert done.returncode == 0, done.stderr
        assert await stored(address) == {"extended_raw": 1000, "flexed_raw": 18000}
        refused = await asyncio.to_thread(
            legcurl, "calibrate", address, "--extended-raw", "1000", "--flexed-raw", "1100"
        )
        assert refused.returncode == 2
        assert "apart" in refused.stderr


async def stored(address: str) -> Any:
    from legcurl.links.address import parse

    async with MonitoredSensor(parse(address)) as sensor:
        return read_json(await sensor.station.request(Op.CALIBRATION_GET))


async def test_a_sensor_is_paired_over_its_cable_and_known_again(keys: Path):
    async with SimulatedSensor(parse_address("sim:?pace=8&seed=5")) as sensor:
        address = f"serial:{sensor.port}"

        async def pair(*options: str) -> subprocess.CompletedProcess[str]:
            return await asyncio.to_thread(lambda: legcurl("pair", address, *options, keys=keys))

        shown = await pair("--show")
        assert "no key, and neither has this computer" in shown.stdout
        assert f"legcurl pair {address}" in shown.stdout
        paired = await pair()
        assert paired.returncode == 0, paired.stderr
        [entry] = KeyRing(keys).sensors()
        assert key_id(entry.key) in paired.stdout
        assert entry.key.hex() not in paired.stdout + paired.stderr
        assert "has proved" in (await pair("--show")).stdout
        again = await pair()
        assert "is void" in again.stdout
        [renewed] = KeyRing(keys).sensors()
        assert renewed.key != entry.key
        KeyRing(keys).put(entry.sensor_id, entry.key)  # as if another computer had paired it since
        other = await pair("--show")
        assert other.returncode == 5
        assert "paired elsewhere" in other.stderr
        assert (await pair("--erase")).returncode == 0
        assert KeyRing(keys).sensors() == []


@pytest.mark.long
async def test_settings_are_shown_and_those_given_are_changed():
    async with SimulatedSensor(parse_address("sim:?pace=8&seed=5")) as sensor:
        address = f"serial:{sensor.port}"

        async def settings(*options: str) -> subprocess.CompletedProcess[str]:
            return await asyncio.to_thread(legcurl, "settings", address, *options)

        before = document(await settings("--json"))
        assert before["changed"] == []
        changed = await settings("--name", "Leg curl – left", "--rate", "50", "--json")
        assert changed.returncode == 0, changed.stderr
        told = document(changed)
        assert told["changed"] == ["name", "rate_hz"]
        kept = {**before["settings"], "name": "Leg curl – left", "rate_hz": 50}
        assert told["settings"] == kept, "the others stay"
        shown = await settings()
        assert shown.stdout.splitlines() == [
            "name      Leg curl – left",
            "rate_hz   50",
            f"frame_ms  {kept['frame_ms']}",
        ]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--rate", "19", "20<=x<=400"),
        ("--rate", "401", "20<=x<=400"),
        ("--frame-ms", "1001", "50<=x<=1000"),
        ("--name", "", "1 to 32 bytes"),
        ("--name", "Ä" * 17, "this one has 34"),
        ("--name", "bell\a", "can be printed"),
    ],
)
def test_a_setting_that_no_sensor_takes_is_refused_before_one_is_asked(
    option: str, value: str, said: str
):
    result = legcurl("settings", "serial:/dev/ttyNONE", option, value)
    assert result.returncode == 2
    assert said in result.stderr


@pytest.mark.long
def test_over_bluetooth_settings_are_open_to_see_and_changed_with_the_key():
    where = ("settings", "sim:?link=ble&seed=7&pace=8")
    shown = legcurl(*where)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("name      Simulated leg curl\n")
    refused = legcurl(*where, "--rate", "50")
    assert refused.returncode == 5
    assert "legcurl pair serial:PORT" in refused.stderr


@pytest.mark.long
def test_a_recording_has_no_sensor_to_ask(tmp_path: Path):
    (tmp_path / "set.legcurl").write_bytes(b"")
    for verb in ("calibrate", "doctor", "pair", "settings"):
        result = legcurl(verb, f"replay:{tmp_path / 'set.legcurl'}")
        assert result.returncode == 2
        assert "no sensor to ask" in result.stderr


@pytest.mark.long
def test_calibrating_over_bluetooth_without_the_key_is_refused_first():
    where = ("calibrate", "sim:?link=ble&seed=7&pace=8", "--rounds", "1", "--json")
    refused = legcurl(*where)
    assert refused.returncode == 5
    assert refused.stdout == "", "nothing was measured"
    assert "legcurl pair serial:PORT" in refused.stderr
    measured = legcurl(*where, "--dry-run")
    assert measured.returncode == 0, measured.stderr
    assert document(measured)["calibration"] is not None, "to look is open to everybody"


@pytest.mark.long
def test_an_unreachable_sensor_is_the_links_error():
    result = legcurl("doctor", "serial:/dev/ttyNONE")
    assert result.returncode == 3
    told = legcurl("doctor", "serial:/dev/ttyNONE", "--json")
    assert told.returncode == 3
    assert bad(document(told)) == ["link"]


def test_the_computer_itself_is_looked_at():
    result = legcurl("doctor", "--no-scan", "--json")
    subjects = {found["subject"] for found in document(result)["findings"]}
    assert {"versions", "simulator", "port", "keys"} <= subjects
    assert result.returncode in (0, EXIT_PROBLEM)

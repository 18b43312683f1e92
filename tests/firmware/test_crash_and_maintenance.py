"""A whole sensor that dies of an exception, and one that is asked to the prompt."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import sensor_process
from legcurl.firmware_files import firmware_directory
from legcurl.protocol.frame import Boot, Samples
from legcurl.simulator.runner import Engine
from sensor_process import (
    HELLO,
    REBOOT,
    SETTINGS_PUT,
    STATISTICS,
    LiveSensor,
    Moment,
    start_request,
    world,
)
from timings import LIMIT_S

KEY_PUT, MAINTENANCE, CRASH_LOG = 0x10, 0x11, 0x12
PROMPT = b">>> "
DIES_AT = 300  # samples: three seconds
STILL = world(60, lambda t_s: Moment(round(t_s * 1000) % 65536))


@pytest.fixture(params=[1])
def mortal(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Firmware whose main loop dies of an exception after so many samples, in its first lives."""
    firmware = tmp_path / "firmware"
    shutil.copytree(firmware_directory(), firmware, ignore=shutil.ignore_patterns("__pycache__"))
    loop = firmware / "sensor" / "loop.py"
    before = "            self._health.tick()\n"
    text = loop.read_text()
    assert text.count(before) == 1
    dying = f"""\
            from simclock import clock
            if counters.samples >= {DIES_AT} and clock.boots < {request.param}:
                {{}}['the end']
"""
    loop.write_text(text.replace(before, before + dying))
    monkeypatch.setattr(sensor_process, "firmware_directory", lambda: firmware)
    return firmware


def hello_of(sensor: LiveSensor) -> dict:
    return json.loads(sensor.ask(HELLO, b"\x01\x01").payload)


def test_a_sensor_that_dies_says_of_what_and_starts_again(
    engine: Engine, tmp_path: Path, mortal: Path
) -> None:
    flash = tmp_path / "flash"
    flash.mkdir()
    with LiveSensor(engine, STILL, flash, pace="8", typed=start_request()) as sensor:
        second = sensor.read_until_boot(2)
        first, *heard = sensor.frames[: sensor.frames.index(second)]
        assert isinstance(first, Boot)
        assert any(isinstance(frame, Samples) and frame.index >= 200 for frame in heard)
        again = hello_of(sensor)
        assert again["boot_id"] != first.boot_id
        assert again["boot_reason"] == "crash", "the board itself says watchdog"
        told = sensor.ask(CRASH_LOG)
        assert told.result == 0
        text = told.payload.decode()
        assert text.startswith("=== firmware ")
        assert "KeyError" in text
        assert "loop.py" in text
        assert "power_on" in text.splitlines()[0]
        assert json.loads(sensor.ask(STATISTICS).payload)["crashes"] == 1
    assert (flash / "crash.log").stat().st_size <= 4096


@pytest.mark.parametrize("mortal", [9], indirect=True)
def test_a_firmware_that_does_nothing_but_crash_is_given_up(
    engine: Engine, tmp_path: Path, mortal: Path
) -> None:
    flash = tmp_path / "flash"
    flash.mkdir()
    with LiveSensor(engine, STILL, flash, pace="60") as sensor:
        assert sensor.process.wait(LIMIT_S) == 1
        assert sensor.process.stderr is not None
        assert "KeyError" in sensor.process.stderr.read().decode()
    assert "times in a row: 3" in (flash / "crash.log").read_text()


def raw_until(sensor: LiveSensor, wanted: bytes) -> bytes:
    """What the sensor says, up to the end of its process."""
    heard = b""
    while wanted not in heard:
        chunk = os.read(sensor.slave, 4096)
        assert chunk, heard
        heard += chunk
    return heard


def test_maintenance_ends_at_the_prompt_once(engine: Engine, tmp_path: Path) -> None:
    with LiveSensor(engine, STILL, tmp_path, pace="8") as sensor:
        assert sensor.ask(SETTINGS_PUT, b'{"name": "Back row"}').result == 0
        assert sensor.ask(KEY_PUT, bytes(range(32))).result == 0
        assert sensor.ask(MAINTENANCE).result == 0
        assert (tmp_path / "maintenance").exists()
        raw_until(sensor, PROMPT)
        assert sensor.process.wait(LIMIT_S) == 0
    assert not (tmp_path / "maintenance").exists()
    with LiveSensor(engine, STILL, tmp_path, pace="8") as sensor:
        hello = hello_of(sensor)
        assert (hello["name"], hello["key_id"]) == ("Back row", "630dcd29")
        assert sensor.ask(REBOOT).result == 0
        sensor.read_until(lambda frame: isinstance(frame, Boot))
        assert hello_of(sensor)["name"] == "Back row"


def test_a_ctrl_c_that_waits_at_the_start_ends_at_the_prompt(
    engine: Engine, tmp_path: Path
) -> None:
    with LiveSensor(engine, STILL, tmp_path, pace="8", typed=b"\r\x03") as sensor:
        heard = raw_until(sensor, PROMPT)
        assert b"\x12" not in heard  # no BOOT: the sensor never started
        assert sensor.process.wait(LIMIT_S) == 0

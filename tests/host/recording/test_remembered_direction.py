"""What a journal has kept of a sensor's direction, for who asks without a service."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls
from journaled import Writer, close_files
from legcurl.protocol.frame import TURN
from legcurl.recording.file import RecordingHeader, RecordingWriter
from legcurl.recording.journal import Journal
from legcurl.recording.remembered_direction import remembered_direction
from legcurl.session.sensor_session import SensorSession

SOURCE = "serial:/dev/ttyACM7"
__all__ = ["close_files"]


def lifted(folder: Path, angles: list[int]) -> None:
    journal = Journal(folder, source=SOURCE)
    Writer(journal, SensorSession()).take(*decoded(FakeSensor(angles).packets()))
    journal.end()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_set_is_remembered(tmp_path: Path, sign: int):
    angles = [sign * angle % TURN for angle in leg_curls(count=3, idle_s=60.0)]
    lifted(tmp_path / "left", angles)
    assert remembered_direction(tmp_path, SOURCE) == sign


def test_other_sensors_and_damaged_journals_say_nothing(tmp_path: Path):
    assert remembered_direction(tmp_path / "none", SOURCE) is None
    lifted(tmp_path / "left", leg_curls(count=3, idle_s=60.0))
    assert remembered_direction(tmp_path, "serial:/dev/ttyACM8") is None
    RecordingWriter(tmp_path / "left" / "99999998.legcurl", RecordingHeader(source=SOURCE)).close()
    assert remembered_direction(tmp_path, SOURCE) == 1, "a new segment has learnt nothing yet"
    (tmp_path / "left" / "99999999.legcurl").write_bytes(b"no recording")
    assert remembered_direction(tmp_path, SOURCE) == 1

"""A recording says again what was said live, and survives what happens to files."""

from __future__ import annotations

import errno
import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import wire_reference as wire
from fake_sensor import FakeSensor, counted, decoded, leg_curls, lines, told
from hypothesis import given, settings
from hypothesis import strategies as st
from legcurl.errors import InputError, StoreError
from legcurl.events import SamplesMissing, SetEnded
from legcurl.motion import Calibration
from legcurl.protocol.frame import Answer, Frame, Gap, Samples
from legcurl.recording.file import (
    FORMAT,
    HEADER,
    NOTE,
    Recording,
    RecordingHeader,
    RecordingWriter,
)
from legcurl.recording.replay import replay
from legcurl.session.annotations import DamageNote, LinkNote, RestartNote
from legcurl.session.sensor_session import Item, SensorSession

LIFT = leg_curls(count=2)
SENSOR = FakeSensor(LIFT)
ITEMS: list[Item] = [*decoded(SENSOR.packets())]
STARTED = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
IN_ORDER = RecordingHeader(in_order=True)
HEAD = RecordingHeader(STARTED, "serial:/dev/ttyACM0", Calibration(340.0, 80.0))


def recorded(items: list[Item], header: RecordingHeader | None = None) -> bytes:
    file = io.BytesIO()
    RecordingWriter(file, header).write(*items)
    return file.getvalue()


def items_of(content: bytes) -> list[Item]:
    return list(Recording(io.BytesIO(content)))


# --- what is kept ------------------------------------------------------------------------------


def test_a_recording_returns_every_frame():
    recording = Recording(io.BytesIO(recorded(ITEMS, HEAD)))
    assert recording.header == HEAD
    assert list(recording) == ITEMS
    assert not recording.damage
    assert str(recording.damage) == "it is whole"


def test_frames_are_kept_byte_for_byte():
    again = Recording(io.BytesIO(recorded(ITEMS)))
    frames = [item.wire for item in again if isinstance(item, Frame)]
    assert frames == [item.wire for item in ITEMS if isinstance(item, Frame)]
    assert len(frames) == len(ITEMS)


def test_the_sensor_s_packets_stand_in_the_file_as_they_were_sent():
    assert recorded(ITEMS).endswith(b"".join(SENSOR.packets()))


def test_notes_are_kept():
    notes = [
        LinkNote("lost", "unplugged"),
        LinkNote("restored"),
        LinkNote("lost", "\0\r\n" * 999 + "\ud800°😀"),
        LinkNote("lost", "😀" * 999),
        LinkNote("lost", "\x01" * 999),
        LinkNote("lost", "\x01 " * 999),
        LinkNote("lost", "x" * 2000),
        RestartNote(2**32 - 1, -(2**70)),
    ]
    assert items_of(recorded([*notes])) == notes


def test_an_answer_that_bears_on_no_event_is_left_out():
    pong = Answer(3, 4, 0, bytes(16), wire=b"\x02\x03\x04\x00" + bytes(20))
    assert items_of(recorded([pong, *ITEMS])) == ITEMS


def test_only_received_frames_are_recorded():
    with pytest.raises(ValueError, match="received"):
        recorded([Gap(0, 1, 1)])


@pytest.mark.parametrize(
    "header",
    [
        RecordingHeader(),
        RecordingHeader(STARTED, "\x01" * 500, Calibration(0.1 + 0.2, -1e-9 + 90)),
    ],
)
def test_any_header_fits_its_frame(header):
    read = Recording(io.BytesIO(recorded([], header))).header
    assert (read.started, read.calibration) == (header.started, header.calibration)
    assert header.source.startswith(read.source)


# --- the same events ---------------------------------------------------------------------------


def test_a_replay_prints_the_live_output_byte_for_byte():
    mid = len(ITEMS) // 2
    items = [*ITEMS[:mid], LinkNote("lost", "unplugged"), LinkNote("restored"), *ITEMS[mid - 9 :]]
    live = lines(told(items, SensorSession(HEAD.calibration)))
    assert lines(replay(Recording(io.BytesIO(recorded(items, HEAD))))) == live
    assert any('"set_ended"' in line for line in live)


def test_a_restart_replays_as_it_was():
    mid = len(ITEMS) // 2
    again = FakeSensor(LIFT[mid * 25 :], boot_id=5, time_us=150_000)
    items = [*ITEMS[:mid], RestartNote(5, 22_000_000), *decoded([again.boot(), *again.packets()])]
    live = told(items)
    assert [event.reason for event in live if isinstance(event, SamplesMissing)] == ["reboot"]
    assert lines(replay(Recording(io.BytesIO(recorded(items))))) == lines(live)


def test_refused_and_repeated_frames_replay_the_same():
    items = [*ITEMS[:20], *ITEMS[25:28], *ITEMS[1:2], *ITEMS[15:]]
    assert lines(replay(Recording(io.BytesIO(recorded(items))))) == lines(told(items))


def test_another_calibration_can_be_tried_on_a_recording():
    other = Calibration(340.0, 160.0)  # of a lifter with nearly twice the range
    events = list(replay(Recording(io.BytesIO(recorded(ITEMS, HEAD))), other))
    assert lines(events) == lines(told(ITEMS, SensorSession(other)))
    assert lines(events) != lines(told(ITEMS, SensorSession(HEAD.calibration)))


# --- files that ended too soon, or were damaged ------------------------------------------------

WHOLE = recorded(ITEMS[:12], HEAD)
HEADER_BYTES = WHOLE.index(0) + 1


@pytest.mark.parametrize("end", range(HEADER_BYTES, len(WHOLE) + 1, 7))
def test_a_file_cut_anywhere_loses_the_frame_that_was_cut_and_says_so(end):
    recording = Recording(io.BytesIO(WHOLE[:end]))
    read = list(recording)
    kept = WHOLE[:end].count(0) - 1
    assert read == ITEMS[:kept]
    assert recording.damage.cut_bytes == end - (WHOLE[:end].rindex(0) + 1)
    assert bool(recording.damage) == (recording.damage.cut_bytes > 0)


def test_damage_in_the_middle_costs_its_frames_and_becomes_a_gap():
    content = bytearray(recorded(ITEMS))
    packet = SENSOR.samples(500, 525)
    at = bytes(content).index(packet)
    content[at + 5] ^= 0x10
    recording = Recording(io.BytesIO(bytes(content)))
    events = list(replay(recording))
    (missing,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert (missing.samples, missing.duration_s, missing.reason) == (25, 0.25, "unknown")
    assert recording.damage.places == 1
    assert str(recording.damage) == "it is damaged in 1 place"
    (ended,) = [event for event in events if isinstance(event, SetEnded)]
    assert ended.set.completed_reps == 2


@pytest.mark.parametrize("lost", [(40, 44), (2, 3), (40, 41)])
def test_frames_missing_at_their_borders_are_a_gap_that_is_told(lost):
    """Nothing in the file says so, but that it holds only what a session took."""
    first, end = lost
    kept = [*ITEMS[:first], *ITEMS[end:]]
    recording = Recording(io.BytesIO(recorded(kept, IN_ORDER)))
    events = list(replay(recording))
    (gap,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert gap.reason == "unknown"
    assert gap.samples == 25 * (end - first)
    assert recording.damage.holes == 1
    assert str(recording.damage) == "frames are missing in 1 place"
    assert events[-1] == list(told(ITEMS))[-1], "and everything after it was read"


def test_a_recording_without_a_start_answer_is_read_from_its_first_frame():
    recording = Recording(io.BytesIO(recorded([ITEMS[0], *ITEMS[2:]], IN_ORDER)))
    assert counted(replay(recording)) == counted(told(ITEMS))
    assert recording.damage.holes == 1


def test_a_hole_in_an_older_recording_ends_it_and_is_told():
    """It may hold frames that were refused and came again: a jump proves nothing there."""
    recording = Recording(io.BytesIO(recorded([*ITEMS[:40], *ITEMS[44:]])))
    assert not any(isinstance(event, SamplesMissing) for event in replay(recording))
    assert str(recording.damage) == "frames are missing in 1 place"


def test_a_sector_of_zeros_is_a_gap_too():
    """As a file system leaves one behind when the power fails."""
    content = bytearray(recorded(ITEMS))
    content[1000:1512] = bytes(512)
    events = list(replay(Recording(io.BytesIO(bytes(content)))))
    (missing,) = [event for event in events if isinstance(event, SamplesMissing)]
    assert missing.samples % 25 == 0
    assert missing.reason == "unknown"


def test_a_recording_whose_start_is_lost_is_read_from_where_it_can_be():
    content = recorded(ITEMS, HEAD)
    lost = content.index(SENSOR.samples(100, 125)) + 3
    recording = Recording(io.BytesIO(bytes(lost) + content[lost:]))
    assert recording.damage.no_header
    assert recording.header == RecordingHeader()
    sessions_samples = SensorSession()
    told(list(recording), sessions_samples)
    assert sessions_samples.counts.samples == len(LIFT) - 125
    assert str(recording.damage) == "its header is lost, it is damaged in 1 place"


def test_a_damaged_place_is_still_one_after_copying():
    items = [*ITEMS[:9], DamageNote(), *ITEMS[12:]]
    assert items_of(recorded(items)) == items


def test_two_recordings_in_one_file_are_read_as_one():
    again = FakeSensor(LIFT, boot_id=78)
    more: list[Item] = [*decoded(again.packets())]
    assert items_of(recorded(ITEMS, HEAD) + recorded(more)) == [*ITEMS, *more]


@settings(max_examples=60)
@given(st.data())
def test_no_damage_is_too_odd(data):
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    recording = Recording(io.BytesIO(bytes(content)))
    frames = [item for item in recording if not isinstance(item, DamageNote)]
    assert all(item in ITEMS for item in frames)
    assert bool(recording.damage) or frames == ITEMS[:12]


def test_additions_of_a_later_recorder_are_skipped():
    content = recorded(ITEMS[:3])
    content += wire.packet(0x7A, b"a record of a kind that is new")
    content += wire.packet(NOTE, b'{"note": "weather"}')
    content += wire.packet(NOTE, b"\xff")
    content += b"".join(SENSOR.packets()[3:5])
    recording = Recording(io.BytesIO(content))
    assert list(recording) == ITEMS[:5]
    assert not recording.damage


def test_a_sensor_frame_that_breaks_the_rules_is_damage():
    content = recorded(ITEMS[:3]) + wire.packet(wire.SAMPLES, b"\x04") + SENSOR.samples(50, 75)
    events = list(replay(Recording(io.BytesIO(content))))
    assert [event.samples for event in events if isinstance(event, SamplesMissing)] == [25]


# --- files that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"t_s,angle_deg\n0.0,1.0\n" * 9999, bytes(200_000), b"\x1f\x8b" + bytes(range(256)) * 99],
    ids=["empty", "csv", "zeros", "gzip"],
)
def test_a_file_that_is_no_recording_is_refused(content, tmp_path):
    file = tmp_path / "a.file"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.file is no legcurl recording"):
        Recording(file)


def test_a_large_file_that_is_no_recording_is_given_up_early():
    file = io.BytesIO(b"\x01" * 50_000_000)
    with pytest.raises(InputError):
        Recording(file)
    assert file.tell() <= 1 << 17


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"nothing.legcurl cannot be read: No such file"):
        Recording("nothing.legcurl")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Recording(Path(__file__).parent)


def test_a_recording_of_a_later_format_says_what_to_do():
    later = wire.packet(HEADER, b'{"format": 2, "legcurl": "9.0"}')
    with pytest.raises(InputError, match=f"format 2, by legcurl 9.0.*up to {FORMAT}: update"):
        Recording(io.BytesIO(later))


@pytest.mark.parametrize(
    "header",
    [
        b'{"format": 1, "started": "yesterday"}',
        b'{"format": 1, "started": 5}',
        b'{"format": 1, "calibration": 5}',
        b'{"format": 1, "calibration": {"extended_deg": 1}}',
        b'{"format": 1, "calibration": {"extended_deg": "1", "flexed_deg": "2"}}',
        b'{"format": 1, "calibration": {"extended_deg": 1, "flexed_deg": 2}}',
        b"[]",
    ],
)
def test_an_invalid_header_is_refused(header):
    with pytest.raises(InputError, match="recording"):
        Recording(io.BytesIO(wire.packet(HEADER, header)))


# --- writing -----------------------------------------------------------------------------------


def test_frames_are_on_disk_before_the_file_is_closed(tmp_path):
    file = tmp_path / "set.legcurl"
    writer = RecordingWriter(file, HEAD)
    writer.write(*ITEMS[:5])
    assert list(Recording(file)) == ITEMS[:5]  # as after a crash right here
    writer.close()
    writer.close()


def test_an_existing_file_is_not_overwritten(tmp_path):
    file = tmp_path / "set.legcurl"
    file.write_bytes(b"precious")
    with pytest.raises(StoreError, match="exists already"):
        RecordingWriter(file)
    assert file.read_bytes() == b"precious"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be written: No such file or directory"):
        RecordingWriter(tmp_path / "nowhere" / "set.legcurl")


class SmallDisk(io.BytesIO):
    """Holds so many bytes and not one more."""

    room = 1000

    def write(self, content) -> int:
        taken = bytes(content)[: self.room]
        self.room -= len(taken)
        super().write(taken)
        if len(taken) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(taken)


def test_a_full_disk_is_told_and_its_frames_are_readable():
    disk = SmallDisk()
    writer = RecordingWriter(disk, HEAD)
    with pytest.raises(StoreError, match="cannot be written on: No space left"):
        writer.write(*ITEMS)
    disk.seek(0)
    recording = Recording(disk)
    read = list(recording)
    assert read == ITEMS[: len(read)]
    assert len(read) > 10
    assert recording.damage.cut_bytes > 0


def test_a_disk_too_full_for_the_header_leaves_no_file_open(tmp_path, monkeypatch):
    disks = []

    def opened(*_):
        disks.append(SmallDisk())
        disks[-1].room = 3
        return disks[-1]

    monkeypatch.setattr("builtins.open", opened)
    with pytest.raises(StoreError, match="No space left"):
        RecordingWriter(tmp_path / "set.legcurl")
    assert disks[0].closed


def test_a_writer_closes_the_file_that_it_opened_and_no_other(tmp_path):
    file = io.BytesIO()
    with RecordingWriter(file) as writer:
        writer.write(*ITEMS[:2])
    assert not file.closed
    with RecordingWriter(tmp_path / "set.legcurl") as writer:
        writer.write(*ITEMS[:2])
    with Recording(tmp_path / "set.legcurl") as recording:
        assert list(recording) == ITEMS[:2]


def test_an_hour_costs_what_the_wire_costs():
    angles = [16384] * 360_000
    samples = [item for item in decoded(FakeSensor(angles).packets()) if isinstance(item, Samples)]
    assert len(recorded([*samples])) / len(angles) < 1.4

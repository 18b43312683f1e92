"""A journal gives back what was taken, whatever happened to its files."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from fake_sensor import FakeSensor, counted, decoded, leg_curls, lines, only, told
from journaled import (
    ANGLES,
    FRAMES,
    LOST,
    UNBROKEN,
    Writer,
    close_files,  # noqa: F401 - for every test
    counted_sets,
    ended,
    opened,
    restored,
    small,  # noqa: F401 - by name
)
from legcurl.events import SamplesMissing
from legcurl.protocol.frame import Answer, Samples
from legcurl.recording.file import Recording
from legcurl.session.annotations import ClockNote, DamageNote, LearntNote
from legcurl.session.sensor_session import SensorSession

CUTS = 120


def test_a_journal_returns_every_item(tmp_path: Path):
    writer = Writer(opened(tmp_path))
    half = len(FRAMES) // 2
    said = writer.take(*FRAMES[:half])
    session, again = restored(tmp_path)
    assert again == said
    assert session.next_index == writer.session.next_index
    assert session.boot_id == writer.session.boot_id
    assert session.time_us == writer.session.time_us


def test_a_new_journal_has_nothing(tmp_path: Path):
    journal = opened(tmp_path / "new")
    assert list(journal.items()) == []
    assert journal.trouble == ""
    assert not (tmp_path / "new").exists(), "to look leaves nothing behind"


@pytest.mark.usefixtures("small")
def test_segments_follow_one_another_without_a_repeat(tmp_path: Path):
    said = Writer(opened(tmp_path)).take(*FRAMES)
    assert len(list(tmp_path.iterdir())) > 5
    assert restored(tmp_path)[1] == said


@pytest.mark.usefixtures("small")
def test_each_segment_is_a_recording_that_stands_alone(tmp_path: Path):
    Writer(opened(tmp_path)).take(*FRAMES)
    for path in sorted(tmp_path.iterdir()):
        with Recording(path) as recording:
            session = SensorSession(jumps_are_holes=recording.header.in_order)
            items = list(recording)
            for item in items:
                session.push(item)
        assert session.hello is not None
        assert session.log.counts.unasked == session.log.counts.holes == 0
        samples = [item for item in items if isinstance(item, Samples)]
        assert session.counts.samples == sum(len(run.angles) for run in samples)
        if path.stem != "00000001":
            assert isinstance(items[2], ClockNote), "so that a reader knows its time"
            assert isinstance(items[3], LearntNote), "and what there is to know besides"
            assert items[4] is samples[0]


@pytest.mark.usefixtures("small")
def test_removing_old_segments_does_not_change_the_next_set(tmp_path: Path):
    """Two sets, of which the first is let go of; then the program dies in the second."""
    angles = leg_curls(count=3) + leg_curls(count=4)
    frames = decoded(FakeSensor(angles).packets())
    second_us = 5_000_000 + len(leg_curls(count=3)) * 10_000
    unbroken = counted_sets(told(frames))
    assert len(unbroken) == 2
    journal = opened(tmp_path)
    writer = Writer(journal)
    journal.needed_from_us = lambda: second_us - 20_000_000
    writer.take(*frames[: len(frames) * 3 // 4])
    first = sorted(tmp_path.iterdir())[0]
    assert int(first.stem) > 5, "the oldest are gone"
    session, _ = restored(tmp_path)
    note = next(item for item in opened(tmp_path).items() if isinstance(item, ClockNote))
    assert second_us - 40_000_000 < note.t_us <= second_us - 20_000_000
    sensor = FakeSensor(angles)
    events = told(decoded(sensor.packets(session.next_index or 0)), session)
    assert counted_sets(events) == unbroken[1:]


@pytest.mark.long
@pytest.mark.timeout(1800)  # every byte, with LEGCURL_CHAOS=all
def test_a_journal_cut_at_any_byte_and_the_sensors_log_give_the_same_set(tmp_path: Path):
    folder = tmp_path / "whole"
    Writer(opened(folder)).take(*FRAMES[: len(FRAMES) * 2 // 3])
    (segment,) = folder.iterdir()
    whole = segment.read_bytes()
    everywhere = range(len(whole) + 1)
    chosen = (
        everywhere
        if os.environ.get("LEGCURL_CHAOS") == "all"
        else Random(4).sample(everywhere, CUTS)
    )
    cut = tmp_path / "cut"
    cut.mkdir()
    for length in chosen:
        (cut / segment.name).write_bytes(whole[:length])
        session, said = restored(cut)
        assert said + ended(session) == UNBROKEN, length


@pytest.mark.parametrize("tail", ["zeros", "old sectors"])
def test_sectors_garbled_by_a_power_cut_are_skipped(tail: str, tmp_path: Path):
    Writer(opened(tmp_path)).take(*FRAMES[: len(FRAMES) // 2])
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    rng = Random(7)
    for kept in rng.sample(range(len(whole) // 2, len(whole)), 20):
        lost = len(whole) - kept
        filling = bytes(lost) if tail == "zeros" else rng.randbytes(lost)
        segment.write_bytes(whole[:kept] + filling)
        session, said = restored(tmp_path)
        assert said + ended(session) == UNBROKEN, kept


def test_after_a_torn_end_the_next_program_goes_on_and_nothing_is_missing(tmp_path: Path):
    """Three programs, each of which dies in the middle of a frame."""
    rng = Random(11)
    frames = FRAMES
    session, said = SensorSession(), []
    for part in (1, 2, 3):
        journal = opened(tmp_path)
        session = SensorSession()
        said = lines(event for item in journal.items() for event in session.push(item))
        writer = Writer(journal, session)
        if part > 1:
            said += writer.take(LOST)
        resumed = decoded(FakeSensor(ANGLES).packets(session.next_index or 0))
        said += writer.take(*resumed[: len(frames) * part // 4 - (session.next_index or 0) // 25])
        last = sorted(tmp_path.iterdir())[-1]
        last.write_bytes(last.read_bytes()[: -rng.randint(1, 30)])
    journal = opened(tmp_path)
    session = SensorSession()
    said = lines(event for item in journal.items() for event in session.push(item))
    assert journal.damaged >= 1 or session.next_index is not None
    events = [line for line in said + ended(session) if '"event": "link"' not in line]
    assert events == UNBROKEN
    assert '"event": "gap"' not in "".join(events)


@pytest.mark.usefixtures("small")
def test_a_segment_that_is_gone_is_asked_for_again(tmp_path: Path):
    Writer(opened(tmp_path)).take(*FRAMES)
    files = sorted(tmp_path.iterdir())
    files[len(files) // 2].unlink()
    session, said = restored(tmp_path)
    assert session.wants is not None, "what comes after the hole waits for what is in it"
    assert said + ended(session) == UNBROKEN


@pytest.mark.usefixtures("small")
def test_damaged_items_are_a_gap_and_no_rep(tmp_path: Path):
    """A sector in the middle, long after the sensor let go of these samples."""
    Writer(opened(tmp_path)).take(*FRAMES)
    segment = sorted(tmp_path.iterdir())[3]
    content = bytearray(segment.read_bytes())
    content[-60:-20] = bytes(40)
    segment.write_bytes(content)
    journal = opened(tmp_path)
    items = list(journal.items())
    events = told(items)
    assert DamageNote() in items
    assert journal.damaged == 1
    (gap,) = only(SamplesMissing, events)
    assert (gap.reason, gap.samples % 25) == ("unknown", 0)
    assert 0 < gap.samples < 1000
    ((reps, _, _),) = counted(events)
    assert reps <= 3


def test_a_session_goes_on_in_the_time_of_the_one_before(tmp_path: Path):
    """The sensor restarted an hour ago: its clock is not the session's."""
    writer = Writer(opened(tmp_path))
    writer.session._zero_us = 3_600_000_000
    (hello,) = decoded([FakeSensor(ANGLES).hello()])
    assert isinstance(hello, Answer)
    writer.journal._hello = hello
    writer.session.log.started(0)
    writer.take(*FRAMES[2:40])
    session, _ = restored(tmp_path)
    assert session.zero_us == 3_600_000_000
    assert session.time_us == writer.session.time_us

"""A journal in trouble: disks that are full, fail or are gone, and files that are damaged."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
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
from legcurl.protocol.frame import Samples
from legcurl.recording.file import Recording
from legcurl.recording.journal import ASIDE
from legcurl.recording.replay import replay
from legcurl.session.annotations import LearntNote
from legcurl.session.sensor_session import SensorSession

FUZZED = 2000 if os.environ.get("LEGCURL_CHAOS") == "all" else 25


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process is concerned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_later_items_are_kept(tmp_path: Path):
    journal = opened(tmp_path)
    writer = Writer(journal)
    third = len(FRAMES) // 3
    with no_file_longer_than(1200):
        said = writer.take(*FRAMES[:third])
    assert "cannot be written" in journal.trouble
    assert journal.unwritten > 0
    journal._retry_at_s = 0.0
    said += writer.take(*FRAMES[third : 2 * third])
    assert journal.trouble == ""
    assert said == UNBROKEN[: len(said)], "the station did not notice"
    session, again = restored(tmp_path)
    assert again == said[: len(again)]
    assert again + ended(session) == UNBROKEN, "and the sensor still has what the disk has not"


def test_an_unwritable_folder_stops_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")
    journal = opened(tmp_path / "file" / "curl-1")
    assert Writer(journal).take(*FRAMES) == UNBROKEN[: len(UNBROKEN) - 1] or journal.trouble
    assert str(tmp_path) in journal.trouble
    assert journal.unwritten >= len(FRAMES) - 2


def test_random_bytes_are_never_more_than_damage(tmp_path: Path):
    for seed in range(60):
        rng = Random(seed)
        for number in range(rng.randint(1, 3)):
            (tmp_path / f"{number:08}.legcurl").write_bytes(rng.randbytes(rng.randint(0, 3000)))
        session = SensorSession()
        for item in opened(tmp_path).items():
            session.push(item)
        assert session.counts.samples == 0


def test_an_ended_journal_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr("os.fsync", fsync)
    journal = opened(tmp_path)
    Writer(journal).take(*FRAMES)
    journal.end()
    (segment,) = tmp_path.iterdir()
    assert synced[:2] == [str(segment), str(tmp_path)], "the file, and that it is in its folder"
    assert synced[2:] == [str(folder) for folder in tmp_path.parents[:2]], "which may be new too"


def test_items_that_break_a_session_are_put_aside(tmp_path: Path):
    journal = opened(tmp_path)
    Writer(journal).take(*FRAMES)
    journal.set_aside()
    assert list(opened(tmp_path).items()) == []
    (kept,) = (tmp_path / ASIDE).iterdir()
    assert lines(replay(Recording(kept))) == UNBROKEN


def test_a_machine_that_stood_idle_for_long_needs_little_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its next set is the same to the last bit, though no set is left in the journal."""
    monkeypatch.setattr("legcurl.recording.journal.SEGMENT_BYTES", 1500)
    angles = leg_curls(count=3, idle_s=300.0) + leg_curls(count=4)
    frames = decoded(FakeSensor(angles).packets())
    first, second = counted_sets(told(frames))
    journal = opened(tmp_path)
    writer = Writer(journal)
    journal.needed_from_us = lambda: (writer.session.time_us or 0) - 60_000_000
    assert writer.take(*frames[:-160])[-1] != first, "the second set is going on"
    items = list(opened(tmp_path).items())
    kept_s = sum(len(item.angles) for item in items if isinstance(item, Samples)) / 100
    assert kept_s < 90.0
    assert LearntNote(1, blind=False) in items
    session, _ = restored(tmp_path)
    rest = decoded(FakeSensor(angles).packets(session.next_index or 0))
    assert counted_sets(told(rest, session)) == [second]


@pytest.mark.usefixtures("small")
def test_little_behind_a_damaged_place_is_asked_for_again(tmp_path: Path):
    """The power went: the end of a segment is missing, and some of the next one survived."""
    Writer(opened(tmp_path)).take(*FRAMES)
    files = sorted(tmp_path.iterdir())
    for path in files[12:]:
        path.unlink()
    torn = files[10].read_bytes()
    files[10].write_bytes(torn[:-50] + b"\x07old sectors" * 4)
    for _ in range(2):  # and so does the one after the next restart
        session, said = restored(tmp_path)
        assert said + ended(session) == UNBROKEN
        writer = Writer(opened(tmp_path), session := restored(tmp_path)[0])
        list(writer.journal.items())
        writer.take(*decoded(FakeSensor(ANGLES).packets(session.next_index or 0))[:9])


def test_a_sync_error_is_told_and_begins_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A disk that takes a write and then cannot keep it: full, or broken."""
    journal = opened(tmp_path)
    writer = Writer(journal)
    third = len(FRAMES) // 3
    writer.take(*FRAMES[:third])

    def fail(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    before = open_files()
    with monkeypatch.context() as patched:
        patched.setattr("os.fdatasync", fail)
        patched.setattr("os.fsync", fail)
        for at in range(third, 2 * third):
            journal.sync()
            journal._retry_at_s = 0.0
            writer.take(FRAMES[at])
        assert "Input/output error" in journal.trouble
        journal.sync()
        assert open_files() <= before, "and no file stays open"
    journal.sync()
    journal._retry_at_s = 0.0
    writer.take(*FRAMES[2 * third :])
    journal.sync()
    writer.take(LOST)
    assert journal.trouble == ""
    session, said = restored(tmp_path)
    events = [line for line in said + ended(session) if '"event": "link"' not in line]
    assert events == UNBROKEN


def test_a_folder_that_is_deleted_is_noticed_and_made_again(tmp_path: Path):
    folder = tmp_path / "gym.db.journal" / "curl-1"
    journal = opened(folder)
    writer = Writer(journal)
    half = len(FRAMES) // 2
    writer.take(*FRAMES[:half])
    shutil.rmtree(folder.parent)
    journal.sync()
    writer.take(FRAMES[half])
    assert "deleted" in journal.trouble
    journal._retry_at_s = 0.0
    writer.take(*FRAMES[half + 1 :])
    assert journal.trouble == ""
    (segment,) = folder.iterdir()
    with Recording(segment) as recording:
        assert next(iter(recording)) == FRAMES[0], "it stands alone"


def test_a_full_disk_is_not_filled_with_names(tmp_path: Path):
    journal = opened(tmp_path)
    writer = Writer(journal)
    with no_file_longer_than(20):
        for frame in FRAMES[:50]:
            journal._retry_at_s = 0.0
            writer.take(frame)
        assert journal.trouble
        assert list(tmp_path.iterdir()) == []
    assert journal.unwritten == 50


@pytest.mark.usefixtures("small")
def test_a_journal_has_one_file_open_however_long_it_is(tmp_path: Path):
    journal = opened(tmp_path)
    writer = Writer(journal)
    writer.take(*FRAMES[:10])
    journal.sync()
    before = open_files()
    for at in range(10, len(FRAMES), 10):
        writer.take(*FRAMES[at : at + 10])
        journal.sync()
        assert open_files() == before
    assert len(list(tmp_path.iterdir())) > 5


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_no_damage_makes_a_reader_fail_or_an_old_sample_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Bytes changed, lost and doubled, in any segment."""
    monkeypatch.setattr("legcurl.recording.journal.SEGMENT_BYTES", 1500)
    whole = tmp_path / "whole"
    Writer(opened(whole)).take(*FRAMES)
    contents = [path.read_bytes() for path in sorted(whole.iterdir())]
    hurt = tmp_path / "hurt"
    hurt.mkdir()
    for seed in range(FUZZED):
        rng = Random(f"hurt/{seed}")
        for number, content in enumerate(contents, 1):
            path = hurt / f"{number:08}.legcurl"
            path.write_bytes(damaged(content, rng) if rng.random() < 0.3 else content)
        session, _ = restored(hurt)
        assert (session.next_index or 0) <= len(ANGLES)
        session.finish()


def damaged(content: bytes, rng: Random) -> bytes:
    at, length = rng.randrange(len(content)), rng.randint(1, 200)
    before, hit, after = content[:at], content[at : at + length], content[at + length :]
    return before + rng.choice([b"", bytes(len(hit)), rng.randbytes(len(hit)), hit + hit]) + after

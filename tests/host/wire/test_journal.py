"""A journal gives back what was taken, whatever happened to its files."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from fake_sensor import FakeSensor, counted, decoded, leg_curls, lines, only, told
from legcurl.events import SamplesMissing
from legcurl.frame import Answer, Samples
from legcurl.journal import ASIDE, Journal
from legcurl.notes import ClockNote, DamageNote, LearntNote, LinkNote
from legcurl.recording import Recording, replay
from legcurl.session import Item, SensorSession

ANGLES = leg_curls(count=3)
FRAMES = decoded(FakeSensor(ANGLES).packets())
UNBROKEN = lines(told(FRAMES))
WALL_S = 1_700_000_000.0
LOST = LinkNote("lost", "legcurl was not running")
CUTS = 120
FUZZED = 2000 if os.environ.get("LEGCURL_CHAOS") == "all" else 25


_opened: list[Journal] = []


def opened(folder: Path) -> Journal:
    """A journal; a program that dies never ends it."""
    journal = Journal(folder)
    _opened.append(journal)
    return journal


@pytest.fixture(autouse=True)
def close_files() -> Iterator[None]:
    yield
    for journal in _opened:
        journal.end()
    _opened.clear()


class Writer:
    """A session that keeps a journal, as a station does."""

    def __init__(self, journal: Journal, session: SensorSession | None = None) -> None:
        self.session = session or SensorSession()
        self.journal = journal
        journal.clock, journal.learnt = self.clock, self.session.learnt

    def take(self, *items: Item) -> list[str]:
        said = []
        for item in items:
            said += self.session.push(item)
            if self.session.heeded:
                self.journal.write(item)
        return lines(said)

    def clock(self) -> ClockNote | None:
        zero_us, t_us = self.session.zero_us, self.session.time_us
        if zero_us is None or t_us is None:
            return None
        return ClockNote(zero_us, t_us, round(WALL_S * 1e6) + t_us, 1.0)


def restored(folder: Path) -> tuple[SensorSession, list[str]]:
    """A session that a journal was given to, and what it said."""
    session = SensorSession()
    return session, lines(event for item in opened(folder).items() for event in session.push(item))


def ended(session: SensorSession, angles: list[int] = ANGLES, oldest: int = 0) -> list[str]:
    """What a session says from here to the end, with a sensor whose log begins at `oldest`."""
    sensor = FakeSensor(angles)
    sensor.oldest = oldest
    packets = sensor.packets(session.next_index or 0)
    return lines(told(decoded(packets), session))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a few frames."""
    monkeypatch.setattr("legcurl.journal.SEGMENT_BYTES", 400)


def test_what_was_taken_comes_back(tmp_path: Path):
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
            session = SensorSession(nobody_to_ask=recording.header.in_order)
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
def test_old_segments_go_and_the_next_set_is_what_it_would_have_been(tmp_path: Path):
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


def counted_sets(events) -> list[str]:
    return [line for line in lines(events) if '"event": "set_ended"' in line]


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
def test_what_a_power_cut_leaves_instead_of_unwritten_sectors_is_passed_over(
    tail: str, tmp_path: Path
):
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
def test_what_is_damaged_for_good_is_a_gap_and_no_rep(tmp_path: Path):
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


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process is concerned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_what_comes_after_it_is_kept(tmp_path: Path):
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


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path):
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


def test_what_was_ended_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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


def test_what_a_session_cannot_take_is_put_aside_and_not_lost(tmp_path: Path):
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
    monkeypatch.setattr("legcurl.journal.SEGMENT_BYTES", 1500)
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


def test_what_the_syncing_thread_meets_is_told_and_another_segment_begins(
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
    monkeypatch.setattr("legcurl.journal.SEGMENT_BYTES", 1500)
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

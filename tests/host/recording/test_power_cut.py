"""When the power goes: what was synced is there, and what was not may be anything.

The disk here keeps what was synced, and of the rest whatever it likes: sectors in any order, zeros
or what was there before in place of others, files that end anywhere, and new files that nobody
finds in their folder. That is what filesystems do, each a part of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from fake_sensor import FakeSensor, counted, decoded, leg_curls, lines, told
from legcurl.events import Event
from legcurl.recording.journal import Journal
from legcurl.session.annotations import ClockNote, LinkNote
from legcurl.session.sensor_session import SensorSession
from selection import first_short

ANGLES = leg_curls(count=3)
FRAMES = decoded(FakeSensor(ANGLES).packets())
SECTOR = 512
CUTS = 400 if os.environ.get("LEGCURL_CHAOS") == "all" else 12
HOSTS = 3  # one after the other, each of which loses its power


class ForgetfulDisk:
    """Notes what is synced below a folder; `lose_power` forgets of the rest what it likes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._lengths: dict[Path, int] = {}  # of files, that are safe
        self._names: set[Path] = {folder}  # of files and folders, that are safe
        self._sync = os.fsync
        monkeypatch.setattr("os.fsync", self._synced)
        monkeypatch.setattr("os.fdatasync", self._synced)

    def _synced(self, handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        self._sync(handle)
        if path.is_dir():
            self._names.update(path.iterdir())
        else:
            self._lengths[path] = os.fstat(handle).st_size

    def lose_power(self, rng: Random) -> None:
        """Come up again with what there is."""
        for path in sorted(self.folder.rglob("*.legcurl")):
            named = all(part in self._names for part in (path, *path.parents[:2]))
            if not named and rng.random() < 0.5:
                path.unlink()
                continue
            content = bytearray(path.read_bytes())
            safe = self._lengths.get(path, 0)
            for at in range(safe, len(content), SECTOR):
                fate = rng.choice(("kept", "kept", "zeros", "old"))
                length = min(SECTOR, len(content) - at)
                if fate != "kept":
                    content[at : at + length] = (
                        bytes(length) if fate == "zeros" else rng.randbytes(length)
                    )
            del content[rng.randint(safe, len(content)) :]
            path.write_bytes(content)
            self._lengths[path] = len(content)  # whatever it is now, it stays


class Host:
    """A program with a journal, up to the moment at which it has no power."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder)
        self.session = SensorSession()
        self.said: list[Event] = []
        for item in self.journal.items():
            self.said += self.session.push(item)
        self.journal.clock, self.journal.learnt = self._clock, self.session.learnt
        self.synced = self.session.next_index or 0

    def run(self, sensor: FakeSensor, rng: Random, seconds: float) -> None:
        """Take what the sensor has from where we are, syncing now and then."""
        if self.said:
            self.journal.write(LinkNote("lost", "legcurl was not running"))
        until = (self.session.next_index or 0) + seconds * 100
        for frame in decoded(sensor.packets(self.session.next_index or 0)):
            if (self.session.next_index or 0) >= until:
                break
            self.said += self.session.push(frame)
            if self.session.heeded:
                self.journal.write(frame)
            if rng.random() < 0.2:
                self.journal.sync()
                self.synced = self.session.next_index or 0

    def die(self) -> None:
        """Leave everything as it is; only this process must not keep files open for it."""
        writer = self.journal._writer
        for one in (*self.journal._unsynced, *([] if writer is None else [writer])):
            one._file.close()

    def _clock(self) -> ClockNote | None:
        zero_us, t_us = self.session.zero_us, self.session.time_us
        return None if zero_us is None or t_us is None else ClockNote(zero_us, t_us, t_us, 1.0)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several segments in a set, so that the power also goes between two of them."""
    monkeypatch.setattr("legcurl.recording.journal.SEGMENT_BYTES", 2500)


@pytest.mark.parametrize("seed", first_short(range(CUTS), 4))
def test_after_power_cuts_journal_and_sensor_give_the_same_set(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rng = Random(f"power/{seed}")
    folder = tmp_path / "gym.db.journal" / "curl-1"
    disk = ForgetfulDisk(tmp_path, monkeypatch)
    for _ in range(HOSTS):
        host = Host(folder)
        host.run(FakeSensor(ANGLES), rng, rng.uniform(1.0, 20.0))
        host.die()
        disk.lose_power(rng)
        assert (Host(folder).session.next_index or 0) >= host.synced, "what was synced is there"
    last = Host(folder)
    rest = decoded(FakeSensor(ANGLES).packets(last.session.next_index or 0))
    events = last.said + told(rest, last.session)
    assert without_link(events) == lines(told(FRAMES))


@pytest.mark.parametrize("seed", first_short(range(CUTS), 4))
def test_when_the_sensor_lost_its_power_too_nothing_is_invented(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rng = Random(f"both/{seed}")
    folder = tmp_path / "gym.db.journal" / "curl-1"
    disk = ForgetfulDisk(tmp_path, monkeypatch)
    host = Host(folder)
    host.run(FakeSensor(ANGLES), rng, rng.uniform(1.0, 30.0))  # the set lasts longer
    host.die()
    disk.lose_power(rng)
    later = Host(folder)
    known = without_link(later.said)
    assert known == without_link(host.said)[: len(known)], "a beginning of what was told"
    after = FakeSensor(leg_curls(count=2), boot_id=78, time_us=2_000_000)
    later.session.push(LinkNote("lost", "legcurl was not running"))
    sets = counted(told(decoded([after.boot(), *after.packets()]), later.session))
    assert sets[-1] == (2, "stopped", False), "what is lifted afterwards is a set of its own"
    assert all(outcome == "interrupted" for _, outcome, _ in sets[:-1])
    assert sum(reps for reps, _, _ in sets[:-1]) <= 3


def without_link(events: list[Event]) -> list[str]:
    return [line for line in lines(events) if '"event": "link"' not in line]

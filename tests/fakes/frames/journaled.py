"""A session that keeps a journal, and what another makes of it; for the journal's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
from legcurl.recording.journal import Journal
from legcurl.session.annotations import ClockNote, LinkNote
from legcurl.session.sensor_session import Item, SensorSession

ANGLES = leg_curls(count=3)
FRAMES = decoded(FakeSensor(ANGLES).packets())
UNBROKEN = lines(told(FRAMES))
WALL_S = 1_700_000_000.0
LOST = LinkNote("lost", "legcurl was not running")


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
    monkeypatch.setattr("legcurl.recording.journal.SEGMENT_BYTES", 400)


def counted_sets(events) -> list[str]:
    return [line for line in lines(events) if '"event": "set_ended"' in line]

"""Wall time of a moment of the sensor's clock, for people."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from legcurl.session.annotations import WALL_UNKNOWN, ClockNote
from legcurl.station.clock_sync import _T

PAST_KEPT = 4096  # notes of an earlier process: eleven hours of them
CLOCK_WAS_SET_S = 2.0  # between two notes no clock drifts so far by itself
SETS_KEPT = 64  # whose wall time is still known: more than a screen shows


@dataclass(frozen=True, slots=True)
class WallLine:
    """Wall time of session time, as it is known at one moment."""

    t_us: int  # a moment of session time
    wall_s: float  # what wall clocks showed then, in seconds since 1970
    rate: float  # wall seconds in one of the session's

    def at(self, t_us: int) -> float:
        """Wall time of another moment."""
        return self.wall_s + (t_us - self.t_us) / 1e6 * self.rate


class PastClocks:
    """The clocks of earlier processes, from the notes in their journal."""

    def __init__(self) -> None:
        self.until_us: int | None = None  # session time of the journal's end; None: it is empty
        self._notes: list[ClockNote] = []

    def noting(self, items: Iterable[_T]) -> Iterator[_T]:
        """Pass on the journal's items, and keep the clock notes among them."""
        for item in items:
            if isinstance(item, ClockNote) and item.wall_us != WALL_UNKNOWN:
                self._notes.append(item)
                if len(self._notes) > PAST_KEPT:
                    del self._notes[: PAST_KEPT // 2]
            yield item

    def line(self, t_us: int) -> WallLine | None:
        """The line that held at a moment; None without a note."""
        if not self._notes:
            return None
        at = bisect_right(self._notes, t_us, key=lambda note: note.t_us)
        note = self._notes[max(at - 1, 0)]
        return WallLine(note.t_us, note.wall_us / 1e6, note.rate)

    def last_seen(self) -> tuple[int, float] | None:
        """The sensor's clock in µs at a host time in s, if this host has not restarted since."""
        note = self._notes[-1] if self._notes else None
        if note is None or not note.host_boot or note.host_boot != host_boot():
            return None
        return note.t_us - note.zero_us, note.host_us / 1e6

    def in_doubt(self, now: WallLine, t_us: int) -> WallLine:
        """The line for a moment in the journal's time: that of the present, if the two agree.

        A wall clock that was set meanwhile, or is not set yet, does not move earlier moments.
        """
        then = self.line(t_us)
        known = self.until_us is not None and t_us <= self.until_us
        if then is None or not known or abs(then.at(t_us) - now.wall_s) <= CLOCK_WAS_SET_S:
            return now
        return then


@cache
def host_boot() -> str:
    """The kernel's id of this boot of the host; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class WallTimes:
    """Wall time of events: the moments of one set never move against each other.

    The host's wall clock may be set (NTP, a person), its monotonic clock may stop while it sleeps,
    and the line between the two clocks gets better with every ping. So a set has one line for all
    of its moments: until its end the one that held at its first rep, then for good the one that
    held at its end. Moments outside of sets follow the clocks as they are.
    """

    def __init__(self) -> None:
        self._began_us: int | None = None  # of the set that is going on
        self._line: WallLine | None = None  # for that set
        self._ended: deque[tuple[int, int, WallLine]] = deque(maxlen=SETS_KEPT)

    def begin(self, start_us: int, line: WallLine | None) -> None:
        """A set began then."""
        self._began_us, self._line = start_us, line

    def end(self, start_us: int, end_us: int, line: WallLine | None) -> None:
        """The set is over."""
        line = line or self._line
        self._began_us = self._line = None
        if line is not None:
            self._ended.append((start_us, end_us, line))

    def at(self, t_us: int, now: WallLine | None) -> float | None:
        """Wall time of a moment; `now` is the line that holds at present, None if there is none."""
        if self._began_us is not None and t_us >= self._began_us:
            self._line = self._line or now
            now = self._line
        else:
            for start_us, end_us, line in reversed(self._ended):
                if start_us <= t_us <= end_us:
                    now = line
                    break
        return None if now is None else now.at(t_us)

"""The wall's clock for people: which wall time a moment of the sensor's clock was."""

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
CLOCK_WAS_SET_S = 2.0  # no clock runs so wrong by itself between two looks at it
SETS_KEPT = 64  # whose wall time can still be asked for: more than anybody has on a screen


@dataclass(frozen=True, slots=True)
class WallLine:
    """Wall time of session time, as one moment's knowledge has it."""

    t_us: int  # a moment of session time
    wall_s: float  # what wall clocks showed then, in seconds since 1970
    rate: float  # wall seconds in one of the session's

    def at(self, t_us: int) -> float:
        """Wall time of another moment."""
        return self.wall_s + (t_us - self.t_us) / 1e6 * self.rate


class PastClocks:
    """How the clocks lay while an earlier process looked, from the notes that it left."""

    def __init__(self) -> None:
        self.until_us: int | None = None  # session time up to which it knew; None: it left nothing
        self._notes: list[ClockNote] = []

    def noting(self, items: Iterable[_T]) -> Iterator[_T]:
        """Pass on what was left, and keep the notes in it."""
        for item in items:
            if isinstance(item, ClockNote) and item.wall_us != WALL_UNKNOWN:
                self._notes.append(item)
                if len(self._notes) > PAST_KEPT:
                    del self._notes[: PAST_KEPT // 2]
            yield item

    def line(self, t_us: int) -> WallLine | None:
        """The line that held at a moment; None if nobody left a note."""
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
        """Which line to take for a moment that began before: that of the present, if it agrees.

        A wall clock that was set meanwhile, or is not set yet, does not move what came before it.
        """
        then = self.line(t_us)
        known = self.until_us is not None and t_us <= self.until_us
        if then is None or not known or abs(then.at(t_us) - now.wall_s) <= CLOCK_WAS_SET_S:
            return now
        return then


@cache
def host_boot() -> str:
    """A name for this start of the host's system; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class WallTimes:
    """Wall time of what was told, so that nothing within a set moves against the rest of it.

    The host's wall clock may be set (NTP, a person), its monotonic clock may stop while it sleeps,
    and the line between the two clocks gets better with every ping. So a set has one line for all
    of its moments: while it lasts, the one that held at its first rep, and from its end on, for
    good, the one that held then. Moments outside of sets follow the clocks as they are.
    """

    def __init__(self) -> None:
        self._began_us: int | None = None  # of the set that is going on
        self._line: WallLine | None = None  # for that set
        self._ended: deque[tuple[int, int, WallLine]] = deque(maxlen=SETS_KEPT)

    def begin(self, start_us: int, line: WallLine | None) -> None:
        """A set is known that began then."""
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

"""Sensor and link trouble on a schedule: which, from when to when.

One `FaultWindow` is one trouble. `FaultSchedule.at(t)` tells what the chip and the link suffer at
a moment; windows are walked through in order, so asking is cheap as long as time goes forward.

A lifter meets a fault once, in mid-set. An installer finds it there when he comes and it is there
when he leaves: `StandingFaults` goes on, or comes again and again, for as long as anybody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from random import Random

# AS5600 STATUS register.
MAGNET_DETECTED = 0x20
MAGNET_WEAK = 0x10
MAGNET_STRONG = 0x08

# The world stream's fault byte.
BUS_ERROR = 0x01
POWER_CYCLE = 0x02
HOST_STALL = 0x04
CORRUPT_BYTES = 0x08
DROP_BYTES = 0x10
TICKS_HELD = 0x20  # interrupts are off: timers fire late
LINK_DOWN = 0x40
DOUBLE_BYTES = 0x80

EARLIEST_S, LATEST_S = 16.0, 38.0  # of a fault on request: within nearly every first set
RESTART_S = 1.5  # a sensor that lost its power is back after this

# How long each fault on request lasts, in s. One record (2 ms) for what is an event. A fault of
# the options that is not here is in the sensor from the start: see flash_image.py and encoder.py.
DURATIONS_S = {
    "no_magnet": (0.4, 1.5),
    "weak_magnet": (2.0, 5.0),
    "strong_magnet": (2.0, 5.0),
    "bus_error": (0.2, 0.8),
    "stuck": (0.5, 1.5),
    "reboot": (0.002, 0.002),
    "host_stall": (3.0, 3.0),
    "corrupt": (0.002, 0.002),
    "drop": (0.002, 0.002),
    "double": (0.002, 0.002),
    "noisy_bus": (0.01, 0.06),
    "missed_ticks": (0.02, 0.08),
}
BURSTS = {"noisy_bus": 8, "missed_ticks": 3}  # of the same within a few seconds of a set
BURST_PAUSE_S = (0.1, 0.6)

STANDING_FROM_S = 2.0  # the sensor is well while it starts
FOREVER = (inf, inf)

# What comes again and again under an installer's eyes: the pause before it, and how long it lasts.
RECURRING_S = {
    "reboot": ((10.0, 15.0), DURATIONS_S["reboot"]),
    "host_stall": ((5.0, 8.0), DURATIONS_S["host_stall"]),
    "corrupt": ((1.5, 4.0), DURATIONS_S["corrupt"]),
    "drop": ((1.5, 4.0), DURATIONS_S["drop"]),
    "double": ((0.6, 2.0), DURATIONS_S["double"]),
    "noisy_bus": ((0.2, 0.8), DURATIONS_S["noisy_bus"]),
    "missed_ticks": ((0.5, 2.0), DURATIONS_S["missed_ticks"]),
}

_STATUS = {
    "no_magnet": 0x00,
    "weak_magnet": MAGNET_DETECTED | MAGNET_WEAK,
    "strong_magnet": MAGNET_DETECTED | MAGNET_STRONG,
}
_FLAGS = {
    "link_down": LINK_DOWN,
    "bus_error": BUS_ERROR,
    "reboot": POWER_CYCLE,
    "host_stall": HOST_STALL,
    "corrupt": CORRUPT_BYTES,
    "drop": DROP_BYTES,
    "double": DOUBLE_BYTES,
    "noisy_bus": BUS_ERROR,
    "missed_ticks": TICKS_HELD,
}


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """One trouble from `start_s` to `end_s`; `wild_deg` is a spike's false angle."""

    kind: str
    start_s: float
    end_s: float
    wild_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Suffering:
    """What is wrong at a moment."""

    status: int = MAGNET_DETECTED
    flags: int = 0
    stuck: bool = False
    wild_deg: float | None = None

    @property
    def blind(self) -> bool:
        """The sensor knows that it has no angle."""
        return not self.status & MAGNET_DETECTED or bool(self.flags & BUS_ERROR)

    def and_(self, other: Suffering) -> Suffering:
        """Both at once; of two states of the magnet the first."""
        return Suffering(
            status=self.status if self.status != MAGNET_DETECTED else other.status,
            flags=self.flags | other.flags,
            stuck=self.stuck or other.stuck,
            wild_deg=self.wild_deg if self.wild_deg is not None else other.wild_deg,
        )


WELL = Suffering()


def _suffered(kind: str, wild_deg: float = 0.0) -> Suffering:
    return Suffering(
        status=_STATUS.get(kind, MAGNET_DETECTED),
        flags=_FLAGS.get(kind, 0),
        stuck=kind == "stuck",
        wild_deg=wild_deg if kind == "spike" else None,
    )


class FaultSchedule:
    """Windows in order of time; at most one is active at once (the earliest wins)."""

    def __init__(self, windows: Iterable[FaultWindow] = ()) -> None:
        self.windows: Sequence[FaultWindow] = sorted(windows, key=lambda w: w.start_s)
        self._next = 0

    def at(self, t_s: float) -> Suffering:
        """What is wrong at this moment; moments must not go backwards."""
        windows = self.windows
        while self._next < len(windows) and t_s >= windows[self._next].end_s:
            self._next += 1
        if self._next == len(windows) or t_s < windows[self._next].start_s:
            return WELL
        window = windows[self._next]
        return _suffered(window.kind, window.wild_deg)


class StandingFaults:
    """Each of some faults from STANDING_FROM_S on, all at once and without an end."""

    def __init__(self, kinds: Iterable[str], rng: Random) -> None:
        self._tracks = [_Recurring(kind, rng) for kind in kinds]

    def at(self, t_s: float) -> Suffering:
        """What is wrong at this moment; moments must not go backwards."""
        suffered = WELL
        for track in self._tracks:
            if track.active(t_s):
                suffered = suffered.and_(track.suffering)
        return suffered


class _Recurring:
    """One fault that stands, or comes again and again."""

    def __init__(self, kind: str, rng: Random) -> None:
        self.suffering = _suffered(kind)
        self._rng = rng
        self._pause_s, self._lasting_s = RECURRING_S.get(kind, ((0.0, 0.0), FOREVER))
        self._start_s = STANDING_FROM_S + rng.uniform(*self._pause_s)
        self._end_s = self._start_s + self._lasts()

    def active(self, t_s: float) -> bool:
        while t_s >= self._end_s:
            self._start_s = self._end_s + self._rng.uniform(*self._pause_s)
            self._end_s = self._start_s + self._lasts()
        return t_s >= self._start_s

    def _lasts(self) -> float:
        return inf if self._lasting_s == FOREVER else self._rng.uniform(*self._lasting_s)


def on_request(kinds: Iterable[str], rng: Random) -> list[FaultWindow]:
    """Each fault once, at a seeded moment of the first set, one after the other."""
    windows: list[FaultWindow] = []
    after = EARLIEST_S
    for kind in kinds:
        start = rng.uniform(after, max(after, LATEST_S))
        for _ in range(BURSTS.get(kind, 1)):
            end = start + rng.uniform(*DURATIONS_S[kind])
            windows.append(FaultWindow(kind, start, end))
            after = end + RESTART_S
            start = end + rng.uniform(*BURST_PAUSE_S) if kind in BURSTS else end
    return windows


def troubled(rng: Random) -> list[FaultWindow]:
    """A bad cable and a loose magnet: short losses, spikes and stuck values all through a set."""
    windows: list[FaultWindow] = []
    t_s = rng.uniform(1.0, 8.0)
    while t_s < 200.0:
        kind = rng.choice(
            ("no_magnet", "no_magnet", "bus_error", "stuck", "spike", "spike", "spike")
        )
        lasting = 0.01 if kind == "spike" else rng.uniform(0.03, 0.5)
        windows.append(FaultWindow(kind, t_s, t_s + lasting, rng.uniform(0.0, 360.0)))
        t_s += lasting + rng.expovariate(1.0 / 7.0)
    return windows


def glitching_at_start(rng: Random) -> list[FaultWindow]:
    """Wild values while the chip settles after power-on."""
    windows: list[FaultWindow] = []
    t_s = 0.0
    for _ in range(rng.randint(2, 6)):
        lasting = rng.uniform(0.01, 0.06)
        windows.append(FaultWindow("spike", t_s, t_s + lasting, rng.uniform(0.0, 360.0)))
        t_s += lasting + rng.uniform(0.02, 0.25)
    return windows

"""Sensor and link trouble on a schedule: which, from when to when.

One `FaultWindow` is one trouble. `FaultSchedule.at(t)` tells what the chip and the link suffer at
a moment; windows are walked through in order, so asking is cheap as long as time goes forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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

EARLIEST_S, LATEST_S = 16.0, 38.0  # of a fault on request: within nearly every first set
RESTART_S = 1.5  # a sensor that lost its power is back after this

# How long each fault on request lasts, in s. One record (2 ms) for what is an event.
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
}

_STATUS = {
    "no_magnet": 0x00,
    "weak_magnet": MAGNET_DETECTED | MAGNET_WEAK,
    "strong_magnet": MAGNET_DETECTED | MAGNET_STRONG,
}
_FLAGS = {
    "bus_error": BUS_ERROR,
    "reboot": POWER_CYCLE,
    "host_stall": HOST_STALL,
    "corrupt": CORRUPT_BYTES,
    "drop": DROP_BYTES,
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


WELL = Suffering()


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
        return Suffering(
            status=_STATUS.get(window.kind, MAGNET_DETECTED),
            flags=_FLAGS.get(window.kind, 0),
            stuck=window.kind == "stuck",
            wild_deg=window.wild_deg if window.kind == "spike" else None,
        )


def on_request(kinds: Iterable[str], rng: Random) -> list[FaultWindow]:
    """Each fault once, at a seeded moment of the first set, one after the other."""
    windows: list[FaultWindow] = []
    after = EARLIEST_S
    for kind in kinds:
        start = rng.uniform(after, max(after, LATEST_S))
        end = start + rng.uniform(*DURATIONS_S[kind])
        windows.append(FaultWindow(kind, start, end))
        after = end + RESTART_S
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

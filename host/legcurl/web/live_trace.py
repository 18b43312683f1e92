"""The live trace for the page: angles, at most 50 a second, and the line that makes them fractions.

The range is not asked of the detection for every sample: the machine's picture has an angle and
its fraction of the same moment ten times a second, and two such pairs that are apart give the
line that all samples lie on. It goes along with each piece, so that the page can draw what came
before the range was known on the right scale as soon as it is.

The last 20 s are kept for a viewer that opens the picture, one piece for each phase of the lever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine

SHOWN_EVERY_US = 20_000  # more would not be seen: 20 s are a thousand points
KEPT_S = 20.0  # what the page shows
KEPT_US = round(KEPT_S * 1e6)
JITTER_US = 1000  # a sample so much early is still the one that is due
RESTART_US = 1_000_000  # a time so much earlier belongs to another clock
APART = 0.05  # of the range: nearer pairs give no sure line


@dataclass(slots=True)
class Stretch:
    """What is kept of one phase."""

    phase: str
    t: list[float] = field(default_factory=list)
    angle: list[float | None] = field(default_factory=list)


class TracePacer:
    """Thins one machine's samples and gives them as the page draws them.

    Without a viewer, samples are only put aside: they are thinned when one comes.
    """

    def __init__(self) -> None:
        self._due_us: int | None = None
        self._anchor: tuple[float, float] | None = None  # degrees and fraction of one moment
        self._per_degree: float | None = None
        self._aside: deque[tuple[str, Sequence[int], Sequence[float]]] = deque()
        self._kept: deque[Stretch] = deque()

    def put_aside(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Take samples while there is no viewer."""
        if not t_us:
            return
        state = machine.state
        if state.angle_deg is not None and state.rom_fraction is not None:
            self._learn(state.angle_deg, state.rom_fraction)
        aside = self._aside
        if aside and t_us[0] <= aside[-1][1][-1]:
            aside.clear()  # the sensor's clock began anew
        aside.append((state.phase, t_us, angle_deg))
        oldest_us = t_us[-1] - KEPT_US
        while aside[0][1][-1] < oldest_us:
            aside.popleft()

    def push(
        self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]
    ) -> dict[str, Any] | None:
        """The next piece of the trace, or None if nothing is due."""
        self._thin_aside()
        state = machine.state
        if state.angle_deg is not None and state.rom_fraction is not None:
            self._learn(state.angle_deg, state.rom_fraction)
        thinned = self._thin(state.phase, t_us, angle_deg)
        return None if thinned is None else self._piece(state.phase, *thinned)

    def recent(self) -> list[dict[str, Any]]:
        """The last 20 s, as pieces: for a viewer who has just come."""
        self._thin_aside()
        return [self._piece(stretch.phase, stretch.t, stretch.angle) for stretch in self._kept]

    def _thin_aside(self) -> None:
        while self._aside:
            self._thin(*self._aside.popleft())

    def _thin(
        self, phase: str, t_us: Sequence[int], angle_deg: Sequence[float]
    ) -> tuple[list[float], list[float | None]] | None:
        """Keep what is due of these samples, and give it."""
        times: list[float] = []
        angles: list[float | None] = []
        for t, angle in zip(t_us, angle_deg, strict=True):
            if self._due_us is not None and self._due_us - RESTART_US < t < self._due_us:
                continue
            self._due_us = t + SHOWN_EVERY_US - JITTER_US
            times.append(round(t / 1e6, 3))
            angles.append(None if isnan(angle) else round(angle, 2))
        if not times:
            return None
        self._keep(phase, times, angles)
        return times, angles

    def _piece(self, phase: str, t: list[float], angle: list[float | None]) -> dict[str, Any]:
        line = None
        if self._anchor is not None and self._per_degree is not None:
            line = [*self._anchor, self._per_degree]
        return {"t": t, "angle": angle, "phase": phase, "line": line}

    def _keep(self, phase: str, t: list[float], angle: list[float | None]) -> None:
        if self._kept and t[0] <= self._kept[-1].t[-1]:
            self._kept.clear()  # the sensor's clock began anew
        if not self._kept or self._kept[-1].phase != phase:
            self._kept.append(Stretch(phase))
        self._kept[-1].t.extend(t)
        self._kept[-1].angle.extend(angle)
        oldest = t[-1] - KEPT_S
        while self._kept[0].t[-1] < oldest:
            self._kept.popleft()
        first = self._kept[0]
        old = bisect_left(first.t, oldest)
        del first.t[:old], first.angle[:old]

    def _learn(self, angle: float, fraction: float) -> None:
        if self._anchor is None:
            self._anchor = (angle, fraction)
            return
        before, fraction_before = self._anchor
        apart = fraction - fraction_before
        if abs(apart) >= APART:
            degrees = (angle - before + 180.0) % 360.0 - 180.0
            if degrees:
                self._per_degree = apart / degrees
            self._anchor = (angle, fraction)

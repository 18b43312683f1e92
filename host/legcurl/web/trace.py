"""The live trace for the page: samples as fractions of the lifter's range, at most 50 a second.

The range is not asked of the detection for every sample: the machine's picture has an angle and
its fraction of the same moment ten times a second, and two such pairs that are apart give the
line that all samples between lie on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from legcurl.gym import Machine

SHOWN_EVERY_US = 20_000  # more would not be seen: 20 s are a thousand points
APART = 0.05  # of the range: nearer pairs give no sure line


class TracePacer:
    """Thins one machine's samples and gives them as the page draws them."""

    def __init__(self) -> None:
        self._due_us: int | None = None
        self._anchor: tuple[float, float] | None = None  # degrees and fraction of one moment
        self._per_degree: float | None = None

    def push(
        self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]
    ) -> Iterator[dict[str, Any]]:
        """Pieces of the trace, each on a grid of its own."""
        self._learn(machine)
        times: list[int] = []
        shown: list[float | None] = []
        for t, angle in zip(t_us, angle_deg, strict=True):
            if self._due_us is not None and self._due_us - 1_000_000 < t < self._due_us:
                continue
            self._due_us = t + SHOWN_EVERY_US - 1000  # a little early is still this one
            times.append(t)
            shown.append(self._fraction(angle))
        if times:
            yield {
                "t": [round(t / 1e6, 3) for t in times],
                "rom": shown,
                "phase": machine.state.phase,
            }

    def _learn(self, machine: Machine) -> None:
        angle, fraction = machine.state.angle_deg, machine.state.rom_fraction
        if angle is None or fraction is None:
            return
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

    def _fraction(self, angle: float) -> float | None:
        if isnan(angle) or self._anchor is None or self._per_degree is None:
            return None
        anchor, fraction = self._anchor
        along = (angle - anchor + 180.0) % 360.0 - 180.0
        return round(fraction + along * self._per_degree, 4)

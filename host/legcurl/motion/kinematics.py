"""Velocity, level and crossings on the grid, as the definitions of docs/detection.md want them.

All functions take steps of the 10 ms grid and angles in degrees that grow with flexion, and are
exact by definition (zero phase); how long to wait until they can be asked is the caller's affair.
`REACH` says how many later steps a velocity needs.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from operator import mul

from legcurl.motion.resampler import GRID_S

SMOOTHING_S = 0.10
"""σ of the Gaussian that defines velocity, in s (docs/detection.md)."""

QUASI_STATIC_DEG_S = 5.0
"""V0: slower than this is standing still, in °/s (docs/detection.md)."""

MEDIAN_S = 0.25
"""Width of the running median that defines the top, in s: an overshoot on arrival is no top."""

REACH = 30
"""Steps on either side that a velocity looks at: 3 σ, beyond which 0.3 % of the weight lies."""

_SIGMA = SMOOTHING_S / GRID_S
_WEIGHTS = [i * exp(-(i * i) / (2 * _SIGMA * _SIGMA)) for i in range(-REACH, REACH + 1)]
_UNIT = sum(i * w for i, w in zip(range(-REACH, REACH + 1), _WEIGHTS, strict=True)) * GRID_S
_VELOCITY_KERNEL = [w / _UNIT for w in _WEIGHTS]
_MEDIAN_HALF = round(MEDIAN_S / GRID_S / 2)


class Curve:
    """A stretch of lever angle: `flexion[i]` belongs to grid step `first + i`."""

    __slots__ = ("_velocities", "first", "flexion")

    def __init__(self, first: int, flexion: list[float]) -> None:
        self.first = first
        self.flexion = flexion
        self._velocities: dict[int, float] = {}

    @property
    def end(self) -> int:
        """The step after the last."""
        return self.first + len(self.flexion)

    def level(self, step: int) -> float:
        """Mean of 50 ms around a step: the angle without the encoder's last count of noise."""
        at = step - self.first
        near = self.flexion[max(at - 2, 0) : at + 3] or self.flexion[-1:]
        return sum(near) / len(near)

    def velocity(self, step: int) -> float:
        """Smoothed velocity at a step, in °/s."""
        known = self._velocities.get(step)
        if known is not None:
            return known
        at = step - self.first
        flexion = self.flexion
        window = flexion[max(at - REACH, 0) : at + REACH + 1]
        if len(window) < 2 * REACH + 1:
            window[:0] = flexion[:1] * max(REACH - at, 0)
            window += flexion[-1:] * (2 * REACH + 1 - len(window))
        value = sum(map(mul, window, _VELOCITY_KERNEL))
        self._velocities[step] = value
        return value

    def median(self, step: int) -> float:
        """Running median of 0.25 s around a step."""
        at = step - self.first
        window = sorted(self.flexion[max(at - _MEDIAN_HALF, 0) : at + _MEDIAN_HALF + 1])
        return window[len(window) // 2]


def crossing(value: Callable[[int], float], before: int, threshold: float) -> float:
    """Where between steps `before` and `before + 1` a value crosses a threshold."""
    low, high = value(before), value(before + 1)
    if low == high:
        return float(before)
    return before + min(max((threshold - low) / (high - low), 0.0), 1.0)

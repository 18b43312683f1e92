"""What a straightforward program does, as the line that ours must beat on the same sets.

`hysteresis` is the state machine most rep counters are: up past one level, down past another,
failed if it came down from between them. `find_peaks` is the offline way: smooth the whole trace
and let scipy find the tops. Both are told the true range, which ours is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks as scipy_find_peaks


@dataclass(frozen=True)
class Found:
    """What a baseline says: lifts and the holds of completed ones as (start, end), in s."""

    completed_reps: int
    failed: bool
    holds: tuple[tuple[float, float], ...]
    lifts: tuple[tuple[float, float], ...]


def fractions(angle_deg: Sequence[float], extended_deg: float, flexed_deg: float) -> np.ndarray:
    """Raw angles as fractions of the range, unknown ones carried forward."""
    angles = np.asarray(angle_deg, dtype=float)
    rom = (flexed_deg - extended_deg + 180.0) % 360.0 - 180.0
    turned = (angles - extended_deg) * np.sign(rom)
    value = ((turned + 120.0) % 360.0 - 120.0) / abs(rom)
    known = np.where(np.isnan(value), 0, np.arange(len(value)))
    return value[np.maximum.accumulate(known)]


def hysteresis(t_s: Sequence[float], fraction: np.ndarray) -> Found:
    """Up past 0.85, down past 0.15; a descent from 0.3 to 0.85 failed; 3 s of rest end the set."""
    reps = 0
    failed = False
    holds: list[tuple[float, float]] = []
    lifts: list[tuple[float, float]] = []
    high = 0.0
    up = False
    held_from = held_to = left_s = 0.0
    for t, f in zip(t_s, fraction, strict=True):
        if f > high:
            high = f
        if f >= 0.85:
            if not up:
                up, held_from = True, t
            held_to = t
        if f < 0.15:
            if up:
                reps += 1
                holds.append((held_from, held_to))
                failed = False
            elif high > 0.3:
                failed = reps > 0
            if high > 0.3:
                lifts.append((left_s, t))
            up, high, left_s = False, 0.0, t
    return Found(reps, failed, tuple(holds), tuple(lifts))


def find_peaks(t_s: Sequence[float], fraction: np.ndarray) -> Found:
    """Offline: smoothed tops 0.2 of the range apart from their valleys, half height as width."""
    t = np.asarray(t_s)
    smooth = gaussian_filter1d(fraction, 0.1 / float(np.median(np.diff(t))))
    peaks, shape = scipy_find_peaks(smooth, prominence=0.2, width=1, rel_height=0.05)
    full = smooth[peaks] >= 0.90
    holds = tuple(
        (
            float(np.interp(left, np.arange(len(t)), t)),
            float(np.interp(right, np.arange(len(t)), t)),
        )
        for left, right, whole in zip(shape["left_ips"], shape["right_ips"], full, strict=True)
        if whole
    )
    last = np.flatnonzero(full)[-1] if full.any() else -1
    failed = bool(full.any() and last < len(peaks) - 1)
    return Found(int(full.sum()), failed, holds, tuple(_around(t, smooth, peaks)))


def _around(
    t_s: np.ndarray, smooth: np.ndarray, peaks: np.ndarray
) -> Iterator[tuple[float, float]]:
    """Start and end of each peak: a tenth above the higher of its two valleys."""
    edges = np.concatenate(([0], peaks, [len(smooth) - 1]))
    for before, peak, after in zip(edges, peaks, edges[2:], strict=False):
        left, right = smooth[before : peak + 1], smooth[peak : after + 1]
        level = max(left.min(), right.min())
        level += 0.1 * (smooth[peak] - level)
        start = peak - int(np.argmax(left[::-1] <= level))
        end = peak + int(np.argmax(right <= level))
        yield float(t_s[start]), float(t_s[end])

"""What a straightforward program does, as the line that ours must beat on the same sets.

`hysteresis` is the state machine most rep counters are: up past one level, down past another,
failed if it came down from between them. `find_peaks` is the offline way: smooth the whole trace
and let scipy find the tops. Both are told the true range, which ours is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks as scipy_find_peaks


@dataclass(frozen=True)
class Found:
    """What a baseline says of a set: holds as (start, end), in s."""

    completed_reps: int
    failed: bool
    holds: tuple[tuple[float, float], ...]


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
    high = 0.0
    up = False
    held_from = held_to = 0.0
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
            up, high = False, 0.0
    return Found(reps, failed, tuple(holds))


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
    return Found(int(full.sum()), bool(full.any() and last < len(peaks) - 1), holds)

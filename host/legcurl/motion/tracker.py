"""Samples in, motion events out."""

from __future__ import annotations

from collections.abc import Sequence

from legcurl.events import MotionEvent, SetResult
from legcurl.motion.calibration import Calibration


class SetTracker:
    """Follows one lifter's sets on one machine."""

    def __init__(
        self, calibration: Calibration | None = None, *, progress_s: float | None = None
    ) -> None:
        self._calibration = calibration
        self._progress_s = progress_s

    def push(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> list[MotionEvent]:
        """Take samples in order of time; give what became known by them."""
        return []

    def finish(self) -> list[MotionEvent]:
        """Say what an end of data right here means."""
        return []


def analyze(
    t_s: Sequence[float],
    angle_deg: Sequence[float],
    extended_deg: float | None = None,
    flexed_deg: float | None = None,
) -> list[SetResult]:
    """Find the sets of a whole trace, causally."""
    return []

"""The newest samples of a machine, kept for the set that they may belong to."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from legcurl.store.records import Trace


class SampleBuffer:
    """Samples in order of time; the oldest go when the set writer says so."""

    def __init__(self) -> None:
        self._t_us = array("q")
        self._angle_deg = array("d")
        self._forgotten = 0  # samples at the front that are no longer wanted

    def __len__(self) -> int:
        return len(self._t_us) - self._forgotten

    def add(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Take the samples that came next; times that go back begin anew."""
        if self._t_us and t_us and t_us[0] <= self._t_us[-1]:
            self._drop(len(self._t_us))
        self._t_us.extend(t_us)
        self._angle_deg.extend(angle_deg)

    def forget_before(self, t_s: float) -> None:
        """Drop older samples; memory is freed when half of it is unused."""
        self._forgotten = bisect_left(self._t_us, round(t_s * 1e6), self._forgotten)
        if 2 * self._forgotten > len(self._t_us):
            self._drop(self._forgotten)

    def cut(self, from_s: float, to_s: float) -> Trace:
        """The samples between two times, in seconds."""
        first = bisect_left(self._t_us, round(from_s * 1e6), self._forgotten)
        last = bisect_right(self._t_us, round(to_s * 1e6), self._forgotten)
        return Trace(tuple(self._t_us[first:last]), tuple(self._angle_deg[first:last]))

    def _drop(self, count: int) -> None:
        del self._t_us[:count]
        del self._angle_deg[:count]
        self._forgotten = 0

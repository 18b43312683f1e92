"""An angle over time in bounded memory.

A file of a day has millions of samples, a picture some two thousand columns. When a trace is
full, the lowest and the highest of every four points stay, so every peak and dip stays visible.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from legcurl.motion.resampler import short_way

CAPACITY = 1 << 15
"""Points kept: eleven minutes at 50 Hz, many times the columns of a picture."""


class DownsampledTrace:
    """Points in order of time; angles are unwrapped as they come in."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.times_s = array("d")
        self.angles_deg = array("d")
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self.times_s)

    def append(self, t_s: float, angle_deg: float) -> None:
        """Take the next point; its angle is finite."""
        angles = self.angles_deg
        if angles:
            angle_deg = angles[-1] + short_way(angle_deg - angles[-1])
        self.times_s.append(t_s)
        angles.append(angle_deg)
        if len(angles) >= self._capacity:
            self.thin()

    def forget_before(self, t_s: float) -> None:
        """Free the points before this moment."""
        count = bisect_left(self.times_s, t_s)
        del self.times_s[:count]
        del self.angles_deg[:count]

    def between(self, start_s: float, end_s: float) -> DownsampledTrace:
        """A copy of the points from one moment to another."""
        first, last = bisect_left(self.times_s, start_s), bisect_right(self.times_s, end_s)
        part = DownsampledTrace(self._capacity)
        part.times_s = self.times_s[first:last]
        part.angles_deg = self.angles_deg[first:last]
        return part

    def thin(self) -> None:
        """Keep of every four points the lowest and the highest, and the last few as they are."""
        times, angles = self.times_s, self.angles_deg
        kept_times, kept_angles = array("d"), array("d")
        whole = len(angles) - len(angles) % 4
        for at in range(0, whole, 4):
            four = angles[at : at + 4]
            low, high = four.index(min(four)), four.index(max(four))
            if low == high:  # all four alike
                high = 3
            for one in (at + low, at + high) if low < high else (at + high, at + low):
                kept_times.append(times[one])
                kept_angles.append(angles[one])
        kept_times.extend(times[whole:])
        kept_angles.extend(angles[whole:])
        self.times_s, self.angles_deg = kept_times, kept_angles

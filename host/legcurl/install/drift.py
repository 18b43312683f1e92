"""How fast the sensor's clock runs against ours, after seconds rather than hours, with a bound.

clock.py lays a line through pings of many minutes, for wall time. A doctor has no minutes; he has
pings, and a bound that holds for sure says whether they were enough.
"""

from __future__ import annotations

from dataclasses import dataclass

CANDIDATES = 3  # of the quickest pings at either end


@dataclass(frozen=True, slots=True)
class Ping:
    """One comparison of the clocks."""

    sent_s: float  # host
    sensor_us: int
    received_s: float  # host


def drift_ppm(pings: tuple[Ping, ...], pace: float = 1.0) -> tuple[float, float] | None:
    """How much the sensor's clock gains on ours, in millionths, and by how much that may be wrong.

    The sensor reads its clock somewhere within the round trip. So between two pings its clock went
    on by what it says, while ours went on by something between the shortest and the longest time
    that the two round trips allow: a bound, not an estimate of one. The tightest pair counts.
    """
    best: tuple[float, float] | None = None
    if len(pings) < 2:
        return None
    third = max(len(pings) // 3, 1)
    early = sorted(pings[:third], key=lambda ping: ping.received_s - ping.sent_s)[:CANDIDATES]
    late = sorted(pings[-third:], key=lambda ping: ping.received_s - ping.sent_s)[:CANDIDATES]
    for first in early:
        for last in late:
            ours_s = (last.sent_s + last.received_s - first.sent_s - first.received_s) / 2
            trips_s = last.received_s - last.sent_s + first.received_s - first.sent_s
            if ours_s <= 0:
                continue
            theirs_s = (last.sensor_us - first.sensor_us) / 1e6 / pace
            found = (theirs_s / ours_s - 1) * 1e6, trips_s / 2 / ours_s * 1e6
            if best is None or found[1] < best[1]:
                best = found
    return best

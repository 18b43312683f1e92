"""How fast the sensor's clock runs against ours, after seconds rather than hours, with a bound.

clock.py lays a line through pings of many minutes, for wall time. A doctor has no minutes; he has
pings, and a bound that says whether they were enough. The bound holds for a clock that runs evenly.
One that stands still now and then, such as that of a simulated sensor which the computer leaves
without time, is behind by as much as it stood: no two stretches of it agree on how fast it runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from legcurl.install.checks.findings import Finding

CRYSTAL_PPM = 200.0
"""A board's crystal is good to 30 ppm and ages by a few; a resonator may have a few thousand. Times
are wrong by this much, which nobody feels; but a clock so wrong has a fault."""

CANDIDATES = 3  # of the quickest pings at either end


@dataclass(frozen=True, slots=True)
class Ping:
    """One comparison of the clocks."""

    sent_s: float  # host
    sensor_us: int
    received_s: float  # host


@dataclass(frozen=True, slots=True)
class Drift:
    """How much the sensor's clock gains on ours, and by how much that may be wrong."""

    ppm: float  # millionths
    bound_ppm: float

    def surely_beyond(self, limit_ppm: float) -> bool:
        """Whether it is more than so much, either way, wherever within the bound it is."""
        return abs(self.ppm) - self.bound_ppm > limit_ppm

    def agrees_with(self, other: Drift) -> bool:
        """Whether one rate explains both."""
        return abs(self.ppm - other.ppm) <= self.bound_ppm + other.bound_ppm


def of_clock(pings: tuple[Ping, ...], pace: float, *, own_crystal: bool) -> list[Finding]:
    """How the sensor's clock agrees with ours.

    Without `own_crystal` it is this computer's clock, as seen by a simulator that may be kept
    waiting; then it is told, and not judged.
    """
    drift = drift_of(pings, pace)
    if drift is None:
        return []
    said = (
        f"The sensor's clock gains {drift.ppm:+.0f} ppm on this computer's, "
        f"give or take {drift.bound_ppm:.0f}"
    )
    if not own_crystal:
        return [Finding("clock", "ok", f"{said} (simulated: it falls behind on a busy computer).")]
    if not drift.surely_beyond(CRYSTAL_PPM):
        vague = drift.bound_ppm > CRYSTAL_PPM
        more = " (watch longer to know better)" if vague else ""
        return [Finding("clock", "ok", f"{said}{more}.")]
    if not _halves_confirm(pings, pace):
        return [
            Finding(
                "clock",
                "note",
                "How fast the sensor's clock runs cannot be measured here: the two halves of the "
                "time that it was watched do not both show the same.",
                "Watch for longer (--seconds 60), with less else running on this computer.",
            )
        ]
    return [
        Finding(
            "clock",
            "problem",
            f"{said}: more than any crystal.",
            "Durations are wrong by as much. Restart the sensor, then replace the board.",
        )
    ]


def drift_of(pings: tuple[Ping, ...], pace: float = 1.0) -> Drift | None:
    """What the tightest pair of pings says, or None of fewer than two.

    The sensor reads its clock somewhere within the round trip. So between two pings its clock went
    on by what it says, while ours went on by something between the shortest and the longest time
    that the two round trips allow: a bound, not an estimate of one.
    """
    best: Drift | None = None
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
            found = Drift((theirs_s / ours_s - 1) * 1e6, trips_s / 2 / ours_s * 1e6)
            if best is None or found.bound_ppm < best.bound_ppm:
                best = found
    return best


def _halves_confirm(pings: tuple[Ping, ...], pace: float) -> bool:
    """Whether each half of the pings shows by itself, and both alike, more than any crystal."""
    middle = len(pings) // 2
    first, second = drift_of(pings[:middle], pace), drift_of(pings[middle:], pace)
    return (
        first is not None
        and second is not None
        and first.surely_beyond(CRYSTAL_PPM)
        and second.surely_beyond(CRYSTAL_PPM)
        and first.agrees_with(second)
    )

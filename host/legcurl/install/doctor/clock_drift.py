"""Measures the drift of the sensor's clock within seconds, with an error bound.

station/clock_sync.py fits pings of many minutes, for wall time; here a few pings and a bound must
do. The bound holds for a clock that runs evenly. A clock that stops now and then, such as that of a
simulated sensor on a busy computer, shows another drift in each part of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

from legcurl.install.checks.findings import Finding

CRYSTAL_PPM = 200.0
"""Most drift of a sound clock: a board's crystal is good to 30 ppm and ages by a few; a resonator
may have a few thousand."""

CANDIDATES = 3  # of the quickest pings at either end


@dataclass(frozen=True, slots=True)
class Ping:
    """One comparison of the clocks."""

    sent_s: float  # host
    sensor_us: int
    received_s: float  # host


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of the sensor's clock against the host's, and its error bound."""

    ppm: float  # millionths
    bound_ppm: float

    def surely_beyond(self, limit_ppm: float) -> bool:
        """Whether it exceeds the limit in either direction, error bound included."""
        return abs(self.ppm) - self.bound_ppm > limit_ppm

    def agrees_with(self, other: Drift) -> bool:
        """Whether one rate explains both."""
        return abs(self.ppm - other.ppm) <= self.bound_ppm + other.bound_ppm


def of_clock(pings: tuple[Ping, ...], pace: float, *, own_crystal: bool) -> list[Finding]:
    """Whether the sensor's clock agrees with the host's.

    Without `own_crystal` the sensor is simulated, and its drift is reported without a limit.
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
                "The drift of the sensor's clock could not be measured: the two halves of the "
                "time disagree.",
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
    """The drift by the pair of pings with the least bound; None from fewer than two.

    The sensor reads its clock within the round trip, so the round trips bound the host's time
    between two readings.
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
    """Whether each half of the pings alone shows the excess, and both agree."""
    middle = len(pings) // 2
    first, second = drift_of(pings[:middle], pace), drift_of(pings[middle:], pace)
    return (
        first is not None
        and second is not None
        and first.surely_beyond(CRYSTAL_PPM)
        and second.surely_beyond(CRYSTAL_PPM)
        and first.agrees_with(second)
    )

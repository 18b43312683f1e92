"""The moments of a rep by the definitions of docs/detection.md, on a noise-free angle.

Velocity is that of the angle after zero-phase Gaussian smoothing (σ = 0.10 s), on the lifter's
100 Hz grid; crossings of ±V0 are interpolated. `measure` is given roughly where an attempt was (the
lifter's diary) and finds its start, hold and end; what it was is for `truth.py` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from operator import mul
from statistics import median

from legcurl.simulator.intent import DiaryEntry

GRID_S = 0.01
SIGMA_S = 0.10  # of the Gaussian in the definition of velocity
V0_DEG_S = 5.0  # the quasi-static threshold
HOLD_BAND_DEG = 3.0
MEDIAN_S = 0.25  # window of the running median whose maximum is the top
ATTEMPT_DEG = 6.0  # moving less is no attempt
RETURN_DEG = 6.0  # coming back up to within this of the level held: a pulse, not the way down
PULSE_DEG = 1.5  # a rise of this much is coming back up
NEAR_TOP_DEG = 15.0  # settling from an overshoot stays within this of the top
SETTLED_S = 0.4  # of standing still: longer than an overshoot's turning point
DOUBTFUL_CATCH_DEG = 12.0  # a stop so near below the level held may be taken for the hold


class Track:
    """A noise-free angle on the 100 Hz grid, with its smoothed velocity and questions to it."""

    def __init__(self, start_s: float, angle_deg: Sequence[float]) -> None:
        self.start_s = start_s
        self.angle = list(angle_deg)
        self.velocity = smoothed_velocity(self.angle)

    def time(self, position: float) -> float:
        """Seconds of a (fractional) grid position."""
        return self.start_s + position * GRID_S

    def index(self, t_s: float) -> int:
        """The grid point nearest to a time, within the track."""
        return min(len(self.angle) - 1, max(0, round((t_s - self.start_s) / GRID_S)))

    def crossing(self, before: int, level: float) -> float:
        """Where the velocity passes `level` between grid points `before` and the next."""
        a, b = self.velocity[before], self.velocity[before + 1]
        return before + (min(1.0, max(0.0, (level - a) / (b - a))) if a != b else 0.5)


def smoothed_velocity(angle_deg: Sequence[float]) -> list[float]:
    """Derivative of the Gaussian-smoothed angle in deg/s, by one antisymmetric kernel."""
    sigma = SIGMA_S / GRID_S
    reach = int(4.5 * sigma)
    kernel = [exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)]
    scale = 1.0 / (sum(kernel) * GRID_S)
    # Smoothing the central difference is the derivative of the smoothed angle on this grid.
    weights = [k * scale for k in kernel]
    padded = [angle_deg[0]] * (reach + 1) + list(angle_deg) + [angle_deg[-1]] * (reach + 1)
    steps = [0.5 * (padded[i + 2] - padded[i]) for i in range(len(padded) - 2)]
    return [sum(map(mul, weights, steps[i : i + 2 * reach + 1])) for i in range(len(angle_deg))]


@dataclass(frozen=True, slots=True)
class Measured:
    """Where an attempt's moments are, as fractional grid positions, and how high it went."""

    entry: DiaryEntry
    start: float
    hold_start: float
    hold_end: float
    end: float
    top_deg: float
    rise_deg: float  # from the bottom to the top
    hold_doubtful: bool


def measure(track: Track, entry: DiaryEntry, until_s: float) -> Measured | None:
    """Find the four moments of one attempt on the grid (fractional positions)."""
    angle, velocity = track.angle, track.velocity
    first, last = track.index(entry.begin_s), track.index(until_s)
    top_deg = _running_median_top(angle, first, last)
    highest = max(range(first, last + 1), key=angle.__getitem__)
    bottom = min(angle[first : highest + 1])
    if top_deg - bottom < ATTEMPT_DEG:
        return None
    leave = min(range(first, highest + 1), key=angle.__getitem__)
    while angle[leave] < bottom + ATTEMPT_DEG:
        leave += 1
    slow_start = velocity[leave] < V0_DEG_S
    i = leave
    if slow_start:  # crept off the bottom: take the moment it stopped lying there
        while i > first and angle[i] > bottom + 0.5:
            i -= 1
        start = float(i)
    else:
        while i > 0 and velocity[i] >= V0_DEG_S:
            i -= 1
        start = track.crossing(i, V0_DEG_S)
    hold_start = _hold_start(track, int(start) + 1, last, top_deg)
    hold_end, doubtful = _descent(track, int(hold_start), last, top_deg)
    end = _end(track, int(hold_end) + 1, last, angle[track.index(entry.end_s)])
    rise_deg = top_deg - bottom
    return Measured(entry, start, hold_start, hold_end, end, top_deg, rise_deg, doubtful)


def up_and_down(track: Track, entry: DiaryEntry) -> float:
    """How far the lever went up, and down again, in a movement that was meant as no rep."""
    angle = track.angle[track.index(entry.begin_s) : track.index(entry.end_s) + 1]
    return max(angle) - max(angle[0], angle[-1])


def _running_median_top(angle: Sequence[float], first: int, last: int) -> float:
    """Maximum of the 0.25 s running median: an overshoot on arrival does not count."""
    half = round(MEDIAN_S / GRID_S / 2)
    peak = max(angle[first : last + 1])
    best = float("-inf")
    for i in range(first, last + 1):
        if angle[i] > peak - 12.0:  # the maximum lies near the peak: spare the rest
            best = max(best, median(angle[max(0, i - half) : i + half + 1]))
    return best


def _hold_start(track: Track, first: int, last: int, top_deg: float) -> float:
    """First moment with angle >= top - 3 deg and velocity < V0."""
    angle, velocity = track.angle, track.velocity
    for i in range(first, last + 1):
        if angle[i] >= top_deg - HOLD_BAND_DEG and velocity[i] < V0_DEG_S:
            if velocity[i - 1] >= V0_DEG_S:
                return track.crossing(i - 1, V0_DEG_S)
            a, b = angle[i - 1], angle[i]
            return i - 1 + (top_deg - HOLD_BAND_DEG - a) / (b - a) if b > a else float(i)
    return float(max(range(first, last + 1), key=angle.__getitem__))


def _descent(track: Track, hold_start: int, last: int, top_deg: float) -> tuple[float, bool]:
    """Onset of the final descent from the level held; and whether that is open to doubt.

    The level held is where the lever settled, which an overshoot on arrival is not. Staying
    within 3 deg of it, or coming back up to near it (a pulse), is still the hold, and so is
    whatever sag goes on from there slower than V0.
    """
    angle, velocity = track.angle, track.velocity
    held = _level_held(track, hold_start, last, top_deg)
    final, doubtful = hold_start, False
    lowest = held
    for i in range(hold_start, last):
        lowest = min(lowest, angle[i])
        if velocity[i] <= -V0_DEG_S:
            continue
        if angle[i] >= held - HOLD_BAND_DEG:
            doubtful = doubtful or lowest < held - 2.0 * HOLD_BAND_DEG
            final, lowest = i, held
        elif angle[i] >= held - RETURN_DEG and angle[i] > lowest + PULSE_DEG:
            final, doubtful = i, True
    while True:
        while final + 1 < last and velocity[final + 1] > -V0_DEG_S:
            final += 1
        caught = final + 1
        while caught < last and velocity[caught] <= -V0_DEG_S:
            caught += 1
        lost = angle[final] - angle[caught]
        if caught == last or lost > HOLD_BAND_DEG or angle[caught] < held - RETURN_DEG:
            doubtful = doubtful or angle[caught] > angle[final] - DOUBTFUL_CATCH_DEG
            return track.crossing(final, -V0_DEG_S), doubtful
        final, doubtful = caught, True  # it slipped a little and was held again, lower


def _level_held(track: Track, hold_start: int, last: int, top_deg: float) -> float:
    """Median of the quasi-static angles near the top, before the first way down."""
    still: list[float] = []
    for angle, velocity in zip(
        track.angle[hold_start : last + 1], track.velocity[hold_start : last + 1], strict=True
    ):
        left = len(still) * GRID_S > SETTLED_S and angle < still[-1] - RETURN_DEG
        if left or angle < top_deg - NEAR_TOP_DEG:
            break
        if -V0_DEG_S < velocity < V0_DEG_S:
            still.append(angle)
    return median(still) if still else top_deg


def _end(track: Track, descent: int, last: int, floor: float) -> float:
    """First moment with velocity > -V0 at the bottom, which is where it then stayed."""
    angle, velocity = track.angle, track.velocity
    for i in range(descent, last):
        if angle[i] <= floor + ATTEMPT_DEG and velocity[i] > -V0_DEG_S:
            return track.crossing(i - 1, -V0_DEG_S) if velocity[i - 1] <= -V0_DEG_S else float(i)
    return float(last)

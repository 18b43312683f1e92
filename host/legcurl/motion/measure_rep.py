"""An excursion measured by the definitions: start, top, hold and end, and how the lever moved.

In: what the finder found, and the angle on the grid around it. Out: an `Attempt`, in seconds and
degrees of flexion, with everything that judging needs; the grid can then be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from legcurl.motion.attempts import Excursion
from legcurl.motion.kinematics import QUASI_STATIC_DEG_S, Curve, crossing
from legcurl.motion.resampler import GRID_S

TOP_BAND_DEG = 3.0
"""The hold begins within this of the top, in degrees (docs/detection.md)."""

PULSE_FRACTION = 0.12
PULSE_DEG = 8.0
"""A dip from which the lever comes back to within this of the top is a pulse inside the hold; one
that ends lower is a catch on the way down. Convention; the larger of the two, of the height and in
degrees."""

LEAVING_DEG = 6.0
LEAVING_FRACTION = 0.08
"""The lever has left the bottom when it is this much above it; the larger of the two."""

STOOD_FRACTION = 0.2
STOOD_LOOKS = 13
"""A lever that stood no higher than this part of the height, for so many looks (0.5 s), was at the
bottom still: it had bounced when it came down. A lifter who stalls on the way up stalls higher."""

ARRIVED_DEG = 1.0
"""The ascent is over within this of the top, in degrees: what follows is holding."""

SETTLE_WAIT = 36
"""Steps after the stop at the bottom before a rep is measured: the smoothed velocity wants 30, and
a lifter who stopped short for a moment has gone on by then."""


@dataclass(frozen=True, slots=True)
class Ascent:
    """How an ascent went, from looks 40 ms apart."""

    velocities: tuple[float, ...]  # °/s, from the start until within 1° of the top
    first_half_s: float  # from the start to half of the height
    second_half_s: float  # from there until within 1° of the top
    arrived: float  # grid step at which it was within 1° of the top


@dataclass(frozen=True, slots=True)
class Attempt:
    """One excursion, measured. Steps are of the grid; angles are degrees of flexion."""

    opened: int  # names the attempt: no two have the same
    start_s: float
    hold_start_s: float
    hold_end_s: float
    end_s: float
    bottom_deg: float  # where it started
    top_deg: float
    ascent: Ascent
    descent_deg_s: float  # mean speed from 85 % to 35 % of the height, positive
    flat_s: float  # from within 1° of the top to the end of the hold
    incomplete: bool = False

    @property
    def concentric_s(self) -> float:
        """From start to hold."""
        return self.hold_start_s - self.start_s

    @property
    def hold_s(self) -> float:
        """From reaching the top to leaving it."""
        return self.hold_end_s - self.hold_start_s

    @property
    def eccentric_s(self) -> float:
        """From leaving the top to the bottom."""
        return self.end_s - self.hold_end_s

    @property
    def height_deg(self) -> float:
        """Top over start."""
        return self.top_deg - self.bottom_deg

    @property
    def rising_deg_s(self) -> float:
        """Mean velocity until within 1° of the top, the creeping there included."""
        rising_s = self.ascent.first_half_s + self.ascent.second_half_s
        return self.height_deg / max(rising_s, GRID_S)

    @property
    def speed_deg_s(self) -> float:
        """Mean velocity of the concentric."""
        return self.height_deg / max(self.concentric_s, GRID_S)


@dataclass(frozen=True, slots=True)
class Top:
    """Top and hold start, as far as seen."""

    top_deg: float
    hold_start: float


def start_of(excursion: Excursion, curve: Curve, bottom: float) -> float:
    """Last moment slower than V0 before the lever leaves the bottom, in grid steps."""
    leaving = bottom + max(LEAVING_DEG, LEAVING_FRACTION * (excursion.peak - bottom))
    step = excursion.peak_step
    for look in reversed(excursion.looks):
        if look.step < excursion.peak_step:
            step = look.step
            if look.angle <= leaving:
                break
    stood = _last_stood(excursion, bottom + STOOD_FRACTION * (excursion.peak - bottom))
    if stood > step:
        step, leaving = stood, curve.level(stood)
    first = curve.first + 1
    while step < excursion.peak_step and curve.level(step) <= leaving:
        step += 1
    while step > first and curve.level(step) > leaving:
        step -= 1
    if curve.velocity(step) < QUASI_STATIC_DEG_S:
        return _creeping_start(curve, step, first)
    while step > first and curve.velocity(step) >= QUASI_STATIC_DEG_S:
        step -= 1
    return crossing(curve.velocity, step, QUASI_STATIC_DEG_S)


def _last_stood(excursion: Excursion, highest: float) -> int:
    """The last step at which the lever stood for a while before the peak; 0 if it did not."""
    last = still = 0
    for step, angle, velocity in excursion.looks:
        if step >= excursion.peak_step:
            break
        quiet = angle <= highest and abs(velocity) < QUASI_STATIC_DEG_S
        still = still + 1 if quiet else 0
        if still >= STOOD_LOOKS:
            last = step
    return last


def _creeping_start(curve: Curve, step: int, first: int) -> float:
    """A lift too slow to call moving: it starts where it rises for good."""
    while step > first and curve.velocity(step) > QUASI_STATIC_DEG_S / 5:
        step -= 1
    return float(step)


def top_of(excursion: Excursion, curve: Curve, start: float, until: int) -> Top:
    """Top and hold start of what was seen up to grid step `until`."""
    near = excursion.peak - 4 * TOP_BAND_DEG
    tops = [
        curve.median(look.step)
        for look in excursion.looks
        if look.angle >= near and look.step <= until
    ]
    top = max(tops, default=excursion.peak)
    step = max(int(start) + 1, curve.first + 1)
    for look in excursion.looks:
        if look.step > start and look.angle >= top - TOP_BAND_DEG - 2.0:
            break
        if look.step > step:
            step = look.step
    step = max(step - 6, int(start) + 1, curve.first + 1)
    band = top - TOP_BAND_DEG
    while step < until and curve.level(step) < band:
        step += 1
    if curve.velocity(step) < QUASI_STATIC_DEG_S:
        return Top(top, crossing(curve.level, step - 1, band))
    while step < until and curve.velocity(step) >= QUASI_STATIC_DEG_S:
        step += 1
    return Top(top, crossing(curve.velocity, step - 1, QUASI_STATIC_DEG_S))


def hold_end_of(excursion: Excursion, curve: Curve, top: Top, bottom: float, until: int) -> float:
    """Last moment before the final descent from the level being held, in grid steps."""
    band = top.top_deg - max(PULSE_DEG, PULSE_FRACTION * (top.top_deg - bottom))
    held = int(top.hold_start)
    for look in excursion.looks:
        if look.angle >= band and look.step <= until:
            held = max(held, look.step)
    step = min(held, until)
    if curve.velocity(step) > -QUASI_STATIC_DEG_S:
        while step < until and curve.velocity(step) > -QUASI_STATIC_DEG_S:
            step += 1
        return max(crossing(curve.velocity, step - 1, -QUASI_STATIC_DEG_S), top.hold_start)
    while step > top.hold_start and curve.velocity(step) <= -QUASI_STATIC_DEG_S:
        step -= 1
    return max(crossing(curve.velocity, step, -QUASI_STATIC_DEG_S), top.hold_start)


def end_of(excursion: Excursion, curve: Curve, hold_end: float) -> float:
    """First moment slower than V0 at the bottom, in grid steps."""
    step = excursion.closed
    if curve.velocity(step) <= -QUASI_STATIC_DEG_S:
        last = curve.end - 2
        while step < last and curve.velocity(step) <= -QUASI_STATIC_DEG_S:
            step += 1
        return crossing(curve.velocity, step - 1, -QUASI_STATIC_DEG_S)
    while step > hold_end + 1 and curve.velocity(step) > -QUASI_STATIC_DEG_S:
        step -= 1
    return crossing(curve.velocity, step, -QUASI_STATIC_DEG_S)


def ascent_of(excursion: Excursion, start: float, bottom: float, top_deg: float) -> Ascent:
    """How it rose, up to within 1° of the top."""
    velocities: list[float] = []
    half = bottom + (top_deg - bottom) / 2
    half_step = arrived_step = start
    for look in excursion.looks:
        if look.step <= start:
            continue
        arrived_step = look.step
        if look.angle < half:
            half_step = look.step
        if look.angle >= top_deg - ARRIVED_DEG:
            break
        velocities.append(look.velocity)
    return Ascent(
        velocities=tuple(velocities),
        first_half_s=(half_step - start) * GRID_S,
        second_half_s=max(arrived_step - half_step, 0) * GRID_S,
        arrived=arrived_step,
    )


def descent_speed(excursion: Excursion, hold_end: float, bottom: float, top_deg: float) -> float:
    """Mean speed of the way down, from 85 % to 35 % of the height, in °/s; 0 if not seen."""
    high = bottom + 0.85 * (top_deg - bottom)
    low = bottom + 0.35 * (top_deg - bottom)
    first = last = None
    for look in excursion.looks:
        if look.step < hold_end:
            continue
        if look.angle <= high and first is None:
            first = look
        last = look
        if look.angle <= low:
            break
    if first is None or last is None or last.step <= first.step:
        # Faster than two looks: the whole of it in one interval.
        return 0.0 if last is None else (high - low) / 0.08
    return (first.angle - last.angle) / ((last.step - first.step) * GRID_S)


def measure(
    excursion: Excursion, curve: Curve, bottom: float, time_s: Callable[[float], float]
) -> Attempt:
    """Measure a finished excursion. `bottom` is the level it left; `time_s` maps steps to s."""
    start = start_of(excursion, curve, bottom)
    top = top_of(excursion, curve, start, excursion.closed)
    hold_end = hold_end_of(excursion, curve, top, bottom, excursion.closed)
    end = end_of(excursion, curve, hold_end)
    return _attempt(excursion, curve, bottom, time_s, start, top, hold_end, end)


def measure_so_far(
    excursion: Excursion, curve: Curve, bottom: float, time_s: Callable[[float], float]
) -> Attempt:
    """Measure an excursion that is coming down, as if it ended at its last look."""
    until = excursion.looks[-1].step
    start = start_of(excursion, curve, bottom)
    top = top_of(excursion, curve, start, until)
    hold_end = hold_end_of(excursion, curve, top, bottom, until)
    return _attempt(excursion, curve, bottom, time_s, start, top, hold_end, float(until))


def _attempt(
    excursion: Excursion,
    curve: Curve,
    bottom: float,
    time_s: Callable[[float], float],
    start: float,
    top: Top,
    hold_end: float,
    end: float,
) -> Attempt:
    hold_end = max(hold_end, top.hold_start)
    left = min(curve.level(round(start)), top.top_deg)
    ascent = ascent_of(excursion, start, left, top.top_deg)
    return Attempt(
        opened=excursion.opened,
        start_s=time_s(start),
        hold_start_s=time_s(top.hold_start),
        hold_end_s=time_s(hold_end),
        end_s=time_s(max(end, hold_end)),
        bottom_deg=left,
        top_deg=top.top_deg,
        ascent=ascent,
        descent_deg_s=descent_speed(excursion, hold_end, left, top.top_deg),
        flat_s=max(hold_end - ascent.arrived, 0.0) * GRID_S,
    )

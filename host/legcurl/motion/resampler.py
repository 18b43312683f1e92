"""Samples as they come to an even grid of lever angle.

In: sensor time (µs) and raw sensor angle (degrees, any offset, direction and wrap; NaN where the
sensor could not tell), at 40 to 1000 Hz, with jitter, repeats, gaps, spikes and stuck values. Out:
the angle, unwrapped, on a grid of 10 ms. Everything after this stage counts grid steps, so a rule
reads the same at every rate.

A sample that the lever cannot have reached from the last one (it would have moved faster than
any lever does) waits. If what follows goes on from it, it was true; if what follows goes on from
the sample before it, it was a spike, and is dropped and counted. The farther the jump, the longer
it must last to be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

GRID_US = 10_000
"""Grid step in µs. A tenth of the smoothing width, and the product's default sampling period."""

GRID_S = GRID_US / 1e6

LATTICE_US = 4 * GRID_US
"""The grid begins, and begins anew after a gap, at a multiple of this of sensor time, in µs: the
distance of two looks at the lever. So what is seen does not depend on where the samples began, and
a host that was restarted, with less of the past before the set, measures the set as before."""

NEVER = -(2**62)
"""Before any time that a clock could show, in µs; times before zero are as good as others."""

PLAIN_STEP_DEG = 2.0
"""A change that needs no thought, in degrees: 200 °/s at 100 Hz, 80 °/s at 40 Hz."""

PLAIN_PERIOD_US = 26_000
"""A period that needs no thought, in µs: 40 Hz with a little jitter."""

LEVER_SPEED_DEG_S = 700.0
"""Faster than a released lever falls: 90° in the 0.25 s that a free fall of 0.3 m takes is 360 °/s
on average and twice that at its end."""

SMALL_GLITCH_DEG = 6.0
"""A jump up to here is believed as soon as a second sample agrees with it."""

GLITCH_LASTS_US = 150_000
"""A larger jump is believed when it has lasted this long, in µs: electric spikes and bad transfers
last a few samples, while a magnet that slipped stays where it went."""

SLIP_DEG = 3.5
"""A step of this much between two samples, beyond what the lever's velocity explains, in degrees:
at 40 Hz it would take 5600 °/s², twice what a leg or a released weight does. If the lever moves on
as before, the magnet has slipped on its axle, not the lever: the step is taken out."""

SLIP_SAMPLES = 4
CALM_DEG_S = 75.0
CALM_STEPS = 20
"""So many samples must agree on a step, and the lever must move calmly for 0.2 s before it and
while they come: slower than this, in °/s, twice a brisk lift. A lever that hits its stop, or
bounces on it, steps as far without any slip."""

STUCK_STEPS = 10
STUCK_DEG = 0.1
"""A sensor that gave one and the same angle for so many grid steps was stuck, unless what follows
is as still as a sensor without noise: within one count of a 12-bit encoder, in degrees."""

SETTLED_STEPS = 200
"""Grid steps until a step can be a slip: what jumps in the first 2 s is a sensor starting up."""

BRIDGE_US = 3_000_000
"""Gaps up to here are bridged by a straight line, in µs: no rep by the method fits into one (a
hold alone is 3 s), so the line can hide none."""

TOLD_US = 500_000
"""Gaps from here on are told of, bridged or not, in µs: a hold measured across one is in doubt."""


@dataclass(slots=True)
class Dropped:
    """Samples that were not used, by reason."""

    not_a_number: int = 0
    not_later: int = 0  # repeated or backward time
    spikes: int = 0
    slips: int = 0  # steps of the encoder on its axle: no sample lost, but angle changed


@dataclass(frozen=True, slots=True)
class Break:
    """Samples are missing, or jumped, before step `index`."""

    index: int
    bridged: bool  # by a straight line; else nothing may be measured across it


class Grid:
    """The angle on the grid: `angles[i]` is step `first + i`, at time `origin_us + step · 10 ms`.

    Steps are numbered from 0 and never reused. A gap too long to bridge skips no number: the
    time of a step is kept by `time_s`.
    """

    def __init__(self) -> None:
        self.angles: list[float] = []
        self.first = 0
        self.dropped = Dropped()
        self.breaks: list[Break] = []
        self._origins: list[tuple[int, int]] = []  # (from step, time of step 0 of that stretch, µs)
        self._next_us = 0  # time of the next grid step
        self._t_us = NEVER  # last used sample
        self._raw = 0.0
        self._angle = 0.0  # unwrapped
        self._waiting: list[tuple[int, float]] = []

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.first + len(self.angles)

    def time_s(self, step: float) -> float:
        """Sensor time of a step, or of a point between steps, in seconds."""
        origin = self._origins[0][1]
        for begins, origin_us in self._origins:
            if step < begins:
                break
            origin = origin_us
        return (origin + step * GRID_US) / 1e6

    def forget_before(self, step: int) -> None:
        """Free the angles of earlier steps."""
        count = min(step - self.first, len(self.angles))
        if count <= 0:
            return
        del self.angles[:count]
        self.first += count
        while len(self._origins) > 1 and self._origins[1][0] <= self.first:
            del self._origins[0]

    def push(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Take samples in order of time."""
        t0, raw0, angle = self._t_us, self._raw, self._angle
        next_us = self._next_us
        append = self.angles.append
        for t, raw in zip(t_us, angle_deg, strict=True):
            change = raw - raw0
            period = t - t0
            if (
                -PLAIN_STEP_DEG < change < PLAIN_STEP_DEG  # false for NaN
                and 0 < period < PLAIN_PERIOD_US
                and not self._waiting
                and t0 != NEVER
            ):
                while next_us <= t:
                    append(angle + change * (next_us - t0) / period)
                    next_us += GRID_US
                t0, raw0 = t, raw
                angle += change
                continue
            self._t_us, self._raw, self._angle, self._next_us = t0, raw0, angle, next_us
            self._take(int(t), float(raw))
            t0, raw0, angle, next_us = self._t_us, self._raw, self._angle, self._next_us
        self._t_us, self._raw, self._angle, self._next_us = t0, raw0, angle, next_us

    def _take(self, t: int, raw: float) -> None:
        """One sample that needs a thought."""
        if not isfinite(raw):
            self.dropped.not_a_number += 1
            return
        latest = self._waiting[-1][0] if self._waiting else self._t_us
        if t <= latest:
            self.dropped.not_later += 1
            return
        if self._t_us == NEVER:
            self._wait(t, raw)
            return
        if self._follows_last(t, raw):
            self.dropped.spikes += len(self._waiting)
            self._waiting.clear()
            self._join(t, raw)
            return
        self._wait(t, raw)

    def _follows_last(self, t: int, raw: float) -> bool:
        """Whether a sample goes on from the last used one, rather than from those that wait."""
        change = short_way(raw - self._raw)
        strain = abs(change) / _reach_deg(t - self._t_us)
        if self._waiting:
            waited, other = self._waiting[-1]
            return strain <= min(1.0, abs(short_way(raw - other)) / _reach_deg(t - waited))
        return strain <= 1.0 and not self._steps(t, change)

    def _steps(self, t: int, change: float) -> bool:
        """Whether a change is more than the lever's velocity explains."""
        period = t - self._t_us
        if period > PLAIN_PERIOD_US or self.end < SETTLED_STEPS:
            return False
        return abs(change - self._line()[1] * period / 1e6) > SLIP_DEG

    def _line(self) -> tuple[float, float]:
        """Where the lever was 25 ms before the next grid step, and its velocity in °/s."""
        now, before = sum(self.angles[-5:]) / 5, sum(self.angles[-10:-5]) / 5
        return now, (now - before) / (5 * GRID_S)

    def _wait(self, t: int, raw: float) -> None:
        """Keep an unlikely sample (or the very first) until others agree with it."""
        waiting = self._waiting
        if waiting and abs(short_way(raw - waiting[-1][1])) > _reach_deg(t - waiting[-1][0]):
            self.dropped.spikes += len(waiting)
            waiting.clear()
        waiting.append((t, raw))
        first_t, first_raw = waiting[0]
        far = self._t_us == NEVER or abs(short_way(first_raw - self._raw)) > SMALL_GLITCH_DEG + (
            _reach_deg(first_t - self._t_us)
        )
        if len(waiting) < SLIP_SAMPLES or (far and t - first_t < GLITCH_LASTS_US):
            return
        believed = list(waiting)
        waiting.clear()
        if self._t_us == NEVER:
            self._begin(*believed[0])
        elif not self._slipped(believed):
            coarse = PLAIN_PERIOD_US < believed[0][0] - self._t_us <= BRIDGE_US
            hidden = (self._stuck() or coarse) and self.end >= SETTLED_STEPS
            if far and not hidden:
                self._jump(*believed[0])
            else:
                if far:
                    self.breaks.append(Break(self.end, bridged=True))
                self._join(*believed[0])
        for later in believed[1:]:
            self._join(*later)

    def _stuck(self) -> bool:
        """Whether the sensor gave the same angle over and over: where the lever went, it hid."""
        last = self.angles[-STUCK_STEPS:]
        return last == last[-1:] * STUCK_STEPS

    def _slipped(self, believed: Sequence[tuple[int, float]]) -> bool:
        """Take out a step of the encoder on its axle, if that is what it was."""
        last = self.angles[-CALM_STEPS:]
        first_t, first_raw = believed[0]
        hurried = max(last) - min(last) > CALM_DEG_S * CALM_STEPS * GRID_S
        if hurried or first_t - self._t_us > PLAIN_PERIOD_US:
            return False
        seen = [self._angle + short_way(raw - self._raw) for _, raw in believed[:SLIP_SAMPLES]]
        times = [t for t, _ in believed[:SLIP_SAMPLES]]
        lasted_s = (times[-1] - times[0]) / 1e6
        level, before = self._line()
        ahead_s = (sum(times) / SLIP_SAMPLES - self._next_us) / 1e6 + 3 * GRID_S
        step = sum(seen) / SLIP_SAMPLES - (level + before * ahead_s)
        calm = max(seen) - min(seen) <= CALM_DEG_S * lasted_s + PLAIN_STEP_DEG / 2
        smooth = abs(step - self._kink(seen, times)) < SLIP_DEG
        stuck = self._stuck() and max(seen) - min(seen) > STUCK_DEG
        settled = self.end >= SETTLED_STEPS
        if not settled or stuck or not calm or not smooth or abs(step) < SLIP_DEG:
            return False
        self.dropped.slips += 1
        self._raw = first_raw - (seen[0] - step - self._angle)  # so that joining adds no step
        self._join(first_t, first_raw)
        return True

    def _kink(self, seen: Sequence[float], times: Sequence[int]) -> float:
        """The step that an even acceleration does not explain: sharp, where `_line` is steady."""
        period = times[0] - self._t_us
        back = max(round(period / GRID_US), 1)
        before = (self.angles[-1] - self.angles[-1 - back]) / (back * GRID_US)
        after = (seen[1] - seen[0]) / (times[1] - times[0])
        return seen[0] - self._angle - period * (before + after) / 2

    def _begin(self, t: int, raw: float) -> None:
        self._next_us = _on_lattice(t)
        self._origins = [(0, self._next_us)]
        self._t_us, self._raw, self._angle = t, raw, raw

    def _jump(self, t: int, raw: float) -> None:
        """The angle really is elsewhere now: bridge the time, not the angle."""
        lasted = t - self._t_us
        step = self._angle + short_way(raw - self._raw)
        if lasted > BRIDGE_US:
            self._restart(t, raw, step)
            return
        self.breaks.append(Break(self.end, bridged=False))
        while self._next_us <= t:
            self.angles.append(step)
            self._next_us += GRID_US
        self._t_us, self._raw, self._angle = t, raw, step

    def _join(self, t: int, raw: float) -> None:
        """Draw a straight line, the short way round, from the last sample to this one."""
        period = t - self._t_us
        change = short_way(raw - self._raw)
        if period > BRIDGE_US:
            self._restart(t, raw, self._angle + change)
            return
        if period > TOLD_US:
            self.breaks.append(Break(self.end, bridged=True))
        angle, t0 = self._angle, self._t_us
        while self._next_us <= t:
            self.angles.append(angle + change * (self._next_us - t0) / period)
            self._next_us += GRID_US
        self._t_us, self._raw, self._angle = t, raw, angle + change

    def _restart(self, t: int, raw: float, angle: float) -> None:
        """Go on after a gap too long to bridge."""
        step = self.end
        self.breaks.append(Break(step, bridged=False))
        self._next_us = _on_lattice(t)
        self._origins.append((step, self._next_us - step * GRID_US))
        self._t_us, self._raw, self._angle = t, raw, angle


def _on_lattice(t_us: int) -> int:
    """The first moment from here on at which a grid may begin."""
    return -(-t_us // LATTICE_US) * LATTICE_US


def short_way(difference_deg: float) -> float:
    """A difference of two angles on a circle, the short way round, in [-180, 180)."""
    return (difference_deg + 180.0) % 360.0 - 180.0


def _reach_deg(period_us: int) -> float:
    """How far a lever can get in that time, in degrees, noise and one lost count included."""
    return PLAIN_STEP_DEG + LEVER_SPEED_DEG_S * 1e-6 * min(period_us, 250_000)

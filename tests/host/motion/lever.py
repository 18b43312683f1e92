"""Lever traces drawn by hand: what a test means by "a rep", in lines that read like the exercise.

    Lever().rests(2).lifts(100, 2.5).holds(3).lowers(0, 4).rests(3)

Angles are degrees of flexion, times seconds. `seen(...)` gives what a sensor would report.
"""

from __future__ import annotations

import math
import random
from itertools import pairwise

STEP_S = 0.001


class Lever:
    """A trace at 1 kHz, without noise."""

    def __init__(self, angle: float = 0.0) -> None:
        self.flexion = [angle]

    @property
    def angle(self) -> float:
        return self.flexion[-1]

    @property
    def now_s(self) -> float:
        return (len(self.flexion) - 1) * STEP_S

    def rests(self, seconds: float) -> Lever:
        """Nothing moves."""
        self.flexion += [self.angle] * round(seconds / STEP_S)
        return self

    holds = rests

    def sags(self, by: float, seconds: float) -> Lever:
        """Sinks evenly."""
        steps, start = round(seconds / STEP_S), self.angle
        self.flexion += [start - by * (i + 1) / steps for i in range(steps)]
        return self

    def lifts(self, to: float, seconds: float) -> Lever:
        """Moves smoothly: speeds up over a fifth of the time, goes evenly, slows over a fifth."""
        steps, start = round(seconds / STEP_S), self.angle
        ramp = 0.2
        cruise = (to - start) / (1 - ramp)
        for i in range(1, steps + 1):
            x = i / steps
            if x < ramp:
                part = x * x / (2 * ramp)
            elif x > 1 - ramp:
                part = 1 - ramp - (1 - x) ** 2 / (2 * ramp)
            else:
                part = x - ramp / 2
            self.flexion.append(start + cruise * part)
        return self

    lowers = lifts

    def creeps(self, to: float, seconds: float) -> Lever:
        """Rises ever more slowly, as a failing lifter does: three time constants."""
        steps, start = round(seconds / STEP_S), self.angle
        for i in range(1, steps + 1):
            self.flexion.append(start + (to - start) * (1 - math.exp(-3 * i / steps)) / 0.950213)
        return self

    def drops(self, to: float = 0.0, bounce: float = 5.0) -> Lever:
        """Falls, with a bounce at the stop."""
        fall_s = math.sqrt(max(self.angle - to, 0.1) / 250.0)
        steps, start = round(fall_s / STEP_S), self.angle
        self.flexion += [start - (start - to) * ((i + 1) / steps) ** 2 for i in range(steps)]
        for i in range(round(0.4 / STEP_S)):
            t = i * STEP_S
            self.flexion.append(to + bounce * math.exp(-t / 0.1) * abs(math.sin(t / 0.05)))
        self.flexion.append(to)
        return self

    def rep(
        self, top: float = 100.0, up_s: float = 2.5, hold_s: float = 3.0, down_s: float = 4.0
    ) -> Lever:
        """One rep by the book, and the moment that the leg is straight."""
        return self.lifts(top, up_s).holds(hold_s).lowers(0.0, down_s).rests(0.2)

    def failed_rep(self, top: float = 60.0, creep_s: float = 5.0) -> Lever:
        """Sets off as usual, creeps, stalls and drops."""
        return self.lifts(0.5 * top, 1.2).creeps(top, creep_s).holds(1.0).drops().rests(0.3)

    def seen(
        self,
        rate_hz: float = 100.0,
        *,
        offset: float = 0.0,
        direction: int = 1,
        noise_deg: float = 0.0,
        jitter: float = 0.0,
        seed: int = 0,
        start_s: float = 0.0,
    ) -> tuple[list[int], list[float]]:
        """Sensor times (µs) and raw angles in [0, 360), as from a 12-bit encoder if noisy."""
        rng = random.Random(seed)
        times: list[int] = []
        angles: list[float] = []
        count = int(self.now_s * rate_hz)
        for i in range(count):
            t = (i + rng.uniform(-jitter, jitter)) / rate_hz
            at = min(max(t / STEP_S, 0.0), len(self.flexion) - 1.001)
            below = int(at)
            here = self.flexion[below]
            flexion = here + (self.flexion[below + 1] - here) * (at - below)
            raw = (offset + direction * flexion + rng.gauss(0.0, noise_deg)) % 360.0
            if noise_deg:
                raw = round(raw * 4096 / 360) % 4096 * 360 / 4096
            times.append(round((start_s + t) * 1e6))
            angles.append(raw)
        assert all(later > earlier for earlier, later in pairwise(times))
        return times, angles


def to_failure(reps: int = 5, **rep: float) -> Lever:
    """A set as the method wants it: full reps without rest, then one that fails."""
    lever = Lever().rests(3)
    for number in range(reps):
        slower = 1 + 0.25 * max(0, number - reps + 3)
        lever.rep(up_s=rep.get("up_s", 2.5) * slower, top=rep.get("top", 100.0))
    return lever.failed_rep().rests(22)

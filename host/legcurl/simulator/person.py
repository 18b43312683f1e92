"""An ordinary person: range, tempo and habits, drawn from continuous distributions.

The method's lifters of `families.py` hold every rep for three seconds and never rest. People in a
gym have habits instead: most hold little, many rest at the bottom, ranges grow over the first reps
and shrink over the last. Every habit is one draw, so that no two people and no two seeds share a
style. The figures are ours: plausible for adults in a gym, and not measured.

Ranges run from 15 to 140 degrees: from the last degrees of an extension exercise to the full
flexion of a limber knee.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random

from legcurl.simulator.scenario import Range, Traits

ROM_DEG: Range = (15.0, 140.0)
SPEED_DEG_S: Range = (6.0, 240.0)  # slower is standing, faster is no lifting
MEAN_OVER_PEAK = 0.8  # speed of a movement that starts and brakes
BRAKES_WITHIN = 0.3  # of the time of a lift
REACTION: Range = (6.0, 14.0)  # rad/s, of the steering: from calm to ballistic


@dataclass(frozen=True, slots=True)
class Person:
    """One person's habits. Fractions are of his own range of motion."""

    rom_deg: float
    concentric_s: float
    eccentric_s: float
    hold_s: float
    rest_s: float  # at the bottom, from rep to rep
    tempo_variation: float
    hold_variation: float  # of the hold
    rest_variation: float  # of the rest
    top_variation: float
    bottom_variation: float
    bottom: float  # where he turns round: 0 at the extended end
    growing: float  # of the range, not yet used in the first rep
    growing_reps: float  # reps in which that comes down to a third
    shrinking: float  # of the range, lost by the last planned rep
    overshoot: float
    sag_deg_s: float
    wander_deg: float
    touches: bool  # lets the weight down to the stop between reps
    reps: float  # to failure at the usual load
    load: float  # of what he can just lift when fresh

    @property
    def concentric_deg_s(self) -> float:
        """His speed going up, at its greatest."""
        return _within(self.rom_deg / self.concentric_s / MEAN_OVER_PEAK, SPEED_DEG_S)

    @property
    def eccentric_deg_s(self) -> float:
        """His speed going down, at its greatest."""
        return _within(self.rom_deg / self.eccentric_s / MEAN_OVER_PEAK, SPEED_DEG_S)

    @property
    def braking_deg_s2(self) -> float:
        """How he slows down before the top and before the bottom."""
        return max(60.0, self.concentric_deg_s / (BRAKES_WITHIN * self.concentric_s))

    @property
    def steering_rad_s(self) -> float:
        """How quickly he corrects: ballistic lifters do not lag behind their own plan."""
        return _within(6.0 / self.concentric_s, REACTION)

    def traits(self) -> Traits:
        """This person as ranges that hold one value each; machine and sensor stay as wide."""

        def just(value: float) -> Range:
            return (value, value)

        return Traits(
            reps=just(self.reps),
            rom_deg=just(self.rom_deg),
            concentric_deg_s=just(self.concentric_deg_s),
            eccentric_deg_s=just(self.eccentric_deg_s),
            hold_s=just(self.hold_s),
            hold_variation_s=just(self.hold_variation * self.hold_s),
            tempo_variation=just(self.tempo_variation),
            turnaround_s=just(self.rest_s),
            overshoot_deg=just(self.overshoot * self.rom_deg),
            sag_deg_s=just(self.sag_deg_s),
            wander_deg=just(self.wander_deg),
            touches=float(self.touches),
            content=(0.955, 0.985),
            rest_below_deg=(1.0, 8.0),
            noise_deg=(0.015, 0.12),
            bend_deg=(0.0, 1.2),
        )


def draw_person(rng: Random, rom_deg: Range = ROM_DEG) -> Person:
    """Draw a person whose range lies within these bounds."""
    least, most = ROM_DEG
    rom = _within(least + (most - least) * rng.betavariate(2.2, 1.7), rom_deg)
    calm = rng.gauss(0.0, 0.22)  # slow lifters also rest longer
    rest_s = _about(rng, 0.7 * exp(calm), 1.0, (0.0, 7.0))
    bottom = 0.25 * rng.betavariate(0.4, 4.0)
    return Person(
        rom_deg=rom,
        concentric_s=_about(rng, 1.3 * exp(calm), 0.4, (0.45, 6.0)),
        eccentric_s=_about(rng, 1.5 * exp(calm), 0.45, (0.4, 7.0)),
        hold_s=min(5.0, rng.gammavariate(0.8, 1.1)),
        rest_s=rest_s,
        tempo_variation=rng.uniform(0.04, 0.2),
        hold_variation=rng.uniform(0.05, 0.4),
        rest_variation=rng.uniform(0.05, 0.5),
        top_variation=0.06 * rng.betavariate(1.5, 3.0),
        bottom_variation=0.04 * rng.betavariate(1.5, 3.0),
        bottom=bottom,
        growing=0.35 * rng.betavariate(0.5, 2.5),
        growing_reps=rng.uniform(0.7, 4.0),
        shrinking=0.25 * rng.betavariate(0.6, 2.5),
        overshoot=0.04 * rng.betavariate(1.0, 3.0),
        sag_deg_s=rng.uniform(-1.0, 0.4),
        wander_deg=rng.uniform(0.05, 0.4) * min(1.0, rom / 60.0),
        touches=bottom < 0.02 and rng.random() < 0.2 + 0.7 * rest_s / (rest_s + 2.0),
        reps=_about(rng, 9.0, 0.3, (3.0, 20.0)),
        load=rng.uniform(0.45, 0.9),
    )


def _about(rng: Random, median: float, spread: float, bounds: Range) -> float:
    """A log-normal draw, cut at the bounds."""
    return _within(median * exp(rng.gauss(0.0, spread)), bounds)


def _within(value: float, bounds: Range) -> float:
    return min(bounds[1], max(bounds[0], value))

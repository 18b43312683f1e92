"""How tired a rep makes: choosing a lifter's fatigue rate from the reps he is known to manage.

Lifters are described as people describe themselves ("with 80 % I get eight"), the
three-compartment model wants a rate. `fatigue_rate` finds it with a quick model of a set:
quasi-static reps, a speed that follows from Hill's hyperbola, the same compartments. It only sets
the parameter; when and where the real, simulated lifter fails is decided by the physics, and
another load or tempo gives another number of reps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, radians, sqrt

from legcurl.simulator.intent import LifterSpec
from legcurl.simulator.machine import MachineSpec
from legcurl.simulator.muscle import MuscleSpec, shortening_speed, strength_at

WAY_POINTS = 20  # of the range, at which the quick model looks
SLOWEST_DEG_S = 1.0  # the quick model calls anything slower a failure
UNSTEADY_S = 1.0  # of a rep: starting, braking, settling, and steering all the time
MOST_REPS = 60
RATE_RANGE = (2e-4, 0.2)  # 1/s; published values for whole joints lie within
BISECTIONS = 14


@dataclass(frozen=True, slots=True)
class Demand:
    """What the load asks of the fresh muscle on the way up, in fractions of its strength."""

    lifting: Sequence[float]
    holding: float
    lowering: float

    @property
    def hardest(self) -> float:
        """At the sticking point."""
        return max(self.lifting)


def demand_of(machine: MachineSpec, muscle: MuscleSpec, rom_deg: float) -> Demand:
    """Load over strength along the lifter's range."""
    way = [radians(rom_deg) * (i + 0.5) / WAY_POINTS for i in range(WAY_POINTS)]
    carrying = [machine.holding_torque(angle) / strength_at(muscle, angle) for angle in way]
    friction = [machine.lifting_friction(angle) / strength_at(muscle, angle) for angle in way]
    lifting = [load + extra for load, extra in zip(carrying, friction, strict=True)]
    lowering = [load - extra for load, extra in zip(carrying, friction, strict=True)]
    yielding = 1.0 + 0.5 * (muscle.eccentric_gain - 1.0)
    return Demand(lifting, carrying[-1], fsum(lowering) / WAY_POINTS / yielding)


def fatigue_rate(demand: Demand, muscle: MuscleSpec, lifter: LifterSpec, reps: float) -> float:
    """The rate F at which the quick model completes so many reps.

    7.5 is in the middle of the rates that give 7; 7.9 nearly gives 8.
    """
    whole = int(reps)
    slow = _rate_below_which(demand, muscle, lifter, whole + 1)
    quick = _rate_below_which(demand, muscle, lifter, whole)
    return quick * (slow / quick) ** (reps - whole)


def reps_to_failure(demand: Demand, muscle: MuscleSpec, lifter: LifterSpec, rate: float) -> int:
    """Reps that the quick model completes before one does not go up."""
    fatigued = 0.0
    for rep in range(MOST_REPS):
        step_deg = lifter.rom_deg / WAY_POINTS
        for load in demand.lifting:
            share = load / (1.0 - fatigued)
            able = shortening_speed(muscle, share) * 57.3
            if able < SLOWEST_DEG_S:
                return rep
            speed = min(able, lifter.concentric_deg_s)
            effort = (1.0 - fatigued) if speed == able else load * 1.15
            fatigued += rate * effort * step_deg / speed
        if demand.holding > 1.0 - fatigued:
            return rep
        lowering_s = lifter.rom_deg / lifter.eccentric_deg_s
        holding_s = lifter.hold_s + lifter.turnaround_s + UNSTEADY_S
        fatigued += rate * (demand.holding * holding_s + demand.lowering * lowering_s)
        if fatigued >= 1.0:
            return rep
    return MOST_REPS


def _rate_below_which(demand: Demand, muscle: MuscleSpec, lifter: LifterSpec, reps: int) -> float:
    """The highest rate that still allows this many reps."""
    low, high = RATE_RANGE
    for _ in range(BISECTIONS):
        middle = sqrt(low * high)
        if reps_to_failure(demand, muscle, lifter, middle) >= reps:
            low = middle
        else:
            high = middle
    return low

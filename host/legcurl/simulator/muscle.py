"""The hamstrings: how much torque is in them, at this angle, this speed, and this tired.

Available torque = strength(angle) · Hill(velocity) · capacity. Strength is the fresh isometric
torque over knee flexion. Hill's hyperbola (1938) gives less while shortening and more while
yielding. Capacity comes from a three-compartment model (Xia and Frey-Law 2008, J. Biomech. 41,
3046): motor units are active, fatigued or resting, effort moves them from resting to active, use
fatigues them, and time brings them back. Failure is not scripted anywhere: it happens when the
load no longer fits under the product of the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import radians

# Rates at which units are recruited and let go, 1/s (Xia and Frey-Law use 10 for both).
RECRUIT_S = 10.0
RELEASE_S = 10.0

WEAKEST_STRENGTH = 0.45  # of the greatest; the parabola must not become negative


@dataclass(frozen=True, slots=True)
class MuscleSpec:
    """What a lifter's muscle can do, fresh and tired."""

    strength_nm: float = 200.0  # greatest isometric torque, both legs
    best_rad: float = radians(40.0)  # flexion at which it is greatest
    breadth_rad: float = radians(130.0)  # away from there by this much, it would be zero
    v_max_rad_s: float = radians(600.0)  # shortening speed at which no torque is left
    hill_shape: float = 0.4  # a/F0 of the hyperbola; smaller is more curved
    eccentric_gain: float = 1.35  # greatest torque when yielding, over isometric
    activation_s: float = 0.045  # time constant from wanting to pulling
    fatigue_s: float = 0.004  # F, 1/s: active to fatigued
    recovery_s: float = 0.0004  # R, 1/s: fatigued to resting
    rest_gain: float = 12.0  # recovery is that much faster while relaxed


class Muscle:
    """A muscle in front of a machine's angle grid, with its compartments."""

    def __init__(self, spec: MuscleSpec, grid_rad: Sequence[float]) -> None:
        self.spec = spec
        self.strength_nm = [strength_at(spec, angle) for angle in grid_rad]
        self.active = 0.0
        self.fatigued = 0.0
        self.resting = 1.0
        self.capacity = 1.0
        self.activation_nm = 0.0
        self.effort = 0.0  # of all units, 0 to 1: what the compartments are asked for
        self.saturated = False  # more was asked for than there was

    def pulled(self, activation_nm: float, available_nm: float) -> None:
        """Remember what the machine's step made of the activation."""
        self.activation_nm = activation_nm
        self.saturated = activation_nm > available_nm
        fresh = available_nm / self.capacity if self.capacity > 0.0 else 0.0
        self.effort = min(1.0, max(0.0, activation_nm) / fresh) if fresh > 0.0 else 1.0

    @property
    def strain(self) -> float:
        """How much of what is left is being used, 0 to 1."""
        return min(1.0, self.effort / self.capacity) if self.capacity > 0.0 else 1.0

    def relaxed(self) -> None:
        """Nothing is asked: the lever lies at rest."""
        self.activation_nm = self.effort = 0.0
        self.saturated = False

    def tire(self, dt_s: float) -> None:
        """Move units between the compartments for one decision's time."""
        spec = self.spec
        missing = self.effort - self.active
        drive = RELEASE_S * missing if missing <= 0.0 else RECRUIT_S * min(missing, self.resting)
        recovery = spec.recovery_s * (spec.rest_gain if self.effort < 0.05 else 1.0)
        tiring = spec.fatigue_s * self.active
        healing = recovery * self.fatigued
        self.active += (drive - tiring) * dt_s
        self.fatigued += (tiring - healing) * dt_s
        self.resting = 1.0 - self.active - self.fatigued
        self.capacity = 1.0 - self.fatigued

    def refresh(self) -> None:
        """The lifter has rested for as long as he wanted between two sets."""
        self.active = self.fatigued = 0.0
        self.resting = self.capacity = 1.0


def strength_at(spec: MuscleSpec, angle_rad: float) -> float:
    """Fresh isometric torque at a flexion angle, in Nm."""
    away = (angle_rad - spec.best_rad) / spec.breadth_rad
    return spec.strength_nm * max(WEAKEST_STRENGTH, 1.0 - away * away)


def shortening_speed(spec: MuscleSpec, load: float) -> float:
    """Speed in rad/s at which a muscle lifts this fraction of what it could just hold."""
    if load >= 1.0:
        return 0.0
    return spec.v_max_rad_s * (1.0 - load) / (1.0 + load / spec.hill_shape)

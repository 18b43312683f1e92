"""The leg curl machine: lever, cable, weight stack, and the muscle that pulls on them.

The lever (with the lower legs) turns against gravity, bearing friction and two springy end stops.
A cable over a cam joins it to the weight stack. The cable is a stiff spring that can only pull; the
stack slides with friction and lands on its buffers, and while it stands there the cable hangs slack
and the lever moves freely. Nothing here knows of repetitions: what the angle does follows from the
torque that the muscle gives, which is the smaller of what is asked and what is left in it.

Angles are knee flexion in radians, 0 at the lifter's extended end. `advance` integrates with
semi-implicit Euler steps of 2 ms; the fastest mode (lever against stack on the cable) is about
75 rad/s, so a step is a seventh of a radian of it and energy is kept. The loop is written flat,
on local names: it is most of the simulator's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians

from legcurl.simulator.muscle import WEAKEST_STRENGTH, Muscle

STEP_S = 0.002  # integration step, and the period of the world stream's records
STEPS_PER_DECISION = 5  # the lifter decides every 10 ms: faster than any reflex
DECISION_S = STEP_S * STEPS_PER_DECISION

GRAVITY_M_S2 = 9.81
TABLE_STEP_RAD = radians(0.25)
TABLE_MARGIN_RAD = radians(45.0)  # beyond the stops; nothing gets there, the index must not fail

# Coulomb friction turns on over this speed. Slower, the integration would chatter.
STACK_SLIP_M_S = 0.002
LEVER_SLIP_RAD_S = 0.02

# Below these a lever without a push is taken to be at rest, and costs nothing.
ASLEEP_RAD_S = 1e-4
ASLEEP_M_S = 1e-5
ASLEEP_RAD_S2 = 1e-3


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """One machine with its pin in the stack, as set up for one lifter."""

    rest_rad: float  # lower stop: where the lever lies without a push
    limit_rad: float  # upper stop
    slack_rad: float = 0.01  # the lever's way from rest until the cable is taut
    stack_kg: float = 60.0
    lever_inertia_kg_m2: float = 1.4  # lever, pads and both lower legs
    gravity_nm: float = 14.0  # of lever and legs, at its greatest
    gravity_phase_rad: float = 0.0  # 0: greatest at legs straight (lying); seated differs
    cam_m: float = 0.18  # cable wound up for each radian, at the cam's widest
    cam_best_rad: float = 0.7  # the cam is cut to follow human strength, greatest here
    cam_breadth_rad: float = 2.3
    cam_bump: float = 0.2  # where it does not follow: the sticking point, that much harder
    cam_bump_rad: float = 0.8
    cam_bump_width_rad: float = 0.3
    stack_friction_n: float = 20.0
    stack_drag_n_s_m: float = 30.0
    lever_friction_nm: float = 1.5
    lever_drag_nm_s: float = 0.8
    cable_n_m: float = 120_000.0
    cable_damping_n_s_m: float = 400.0
    stop_nm_rad: float = 3000.0
    stop_damping_nm_s: float = 25.0
    floor_n_m: float = 200_000.0
    floor_damping_n_s_m: float = 2500.0

    def cam_at(self, angle_rad: float) -> float:
        """Cable wound up for each radian at this angle, in m."""
        away = (angle_rad - self.cam_best_rad) / self.cam_breadth_rad
        follow = max(WEAKEST_STRENGTH, 1.0 - away * away)
        offset = (angle_rad - self.cam_bump_rad) / self.cam_bump_width_rad
        return self.cam_m * follow * (1.0 + self.cam_bump / (1.0 + offset * offset) ** 2)

    def gravity_at(self, angle_rad: float) -> float:
        """Torque by which lever and legs alone pull towards straight legs."""
        return self.gravity_nm * cos(angle_rad + self.gravity_phase_rad)

    def holding_torque(self, angle_rad: float) -> float:
        """Torque that just carries the weight at this angle, friction aside."""
        torque = self.gravity_at(angle_rad)
        if angle_rad > self.rest_rad + self.slack_rad:
            torque += self.cam_at(angle_rad) * self.stack_kg * GRAVITY_M_S2
        return torque

    def lifting_friction(self, angle_rad: float) -> float:
        """Torque that friction adds to slow lifting, and takes off slow lowering."""
        return self.cam_at(angle_rad) * self.stack_friction_n + self.lever_friction_nm

    def inertia(self, angle_rad: float) -> float:
        """Inertia at the lever while the cable is taut, in kg m²."""
        cam = self.cam_at(angle_rad)
        return self.lever_inertia_kg_m2 + self.stack_kg * cam * cam


class Machine:
    """The state of lever and stack, moved on by `advance`."""

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self.angle_rad = spec.rest_rad
        self.velocity_rad_s = 0.0
        self.height_m = 0.0  # of the stack, over where it stands
        self.stack_m_s = 0.0
        self.asleep = False
        self._origin_rad = spec.rest_rad - TABLE_MARGIN_RAD
        count = int((spec.limit_rad + TABLE_MARGIN_RAD - self._origin_rad) / TABLE_STEP_RAD) + 2
        self.grid_rad = [self._origin_rad + i * TABLE_STEP_RAD for i in range(count)]
        self._cam = [spec.cam_at(angle) for angle in self.grid_rad]
        self._gravity = [spec.gravity_at(angle) for angle in self.grid_rad]
        self._cable = self._wound_cable()

    def place(self, angle_rad: float) -> None:
        """Put the lever, at rest and with the cable just taut, where a coach would hold it."""
        index = int((angle_rad - self._origin_rad) / TABLE_STEP_RAD)
        self.angle_rad = angle_rad
        self.velocity_rad_s = self.stack_m_s = 0.0
        self.height_m = max(0.0, self._cable[index])
        self.asleep = False

    def advance(
        self, muscle: Muscle, asked_nm: float, outside_nm: float, path: list[float]
    ) -> None:
        """Move on by one decision, appending the angle after each step to `path`.

        `asked_nm` is the torque the lifter wants of his muscles; `outside_nm` is anyone else's
        hand on the lever. Muscle state (`activation_nm`, `effort`, `saturated`) is updated.
        """
        if self.asleep:
            if asked_nm <= 0.0 and outside_nm == 0.0:
                path.extend([self.angle_rad] * STEPS_PER_DECISION)
                muscle.relaxed()
                return
            self.asleep = False
        spec = self.spec
        origin, cam_table, gravity, cable = (
            self._origin_rad,
            self._cam,
            self._gravity,
            self._cable,
        )
        strength_table = muscle.strength_nm
        capacity = muscle.capacity
        v_max = muscle.spec.v_max_rad_s
        hill = muscle.spec.hill_shape
        yielding = muscle.spec.eccentric_gain
        lag = STEP_S / muscle.spec.activation_s
        activation = muscle.activation_nm
        angle, velocity = self.angle_rad, self.velocity_rad_s
        height, rising = self.height_m, self.stack_m_s
        mass = spec.stack_kg
        weight = mass * GRAVITY_M_S2
        sunk = weight / spec.floor_n_m  # how deep the standing stack presses its buffers
        rest, limit = spec.rest_rad, spec.limit_rad
        stiffness, damping = spec.cable_n_m, spec.cable_damping_n_s_m
        available = acceleration = 0.0
        for _ in range(STEPS_PER_DECISION):
            index = int((angle - origin) / TABLE_STEP_RAD)
            cam = cam_table[index]
            # Hill: what is left falls with shortening speed, and rises when the muscle yields.
            u = velocity / v_max
            if u >= 0.0:
                factor = (1.0 - u) / (1.0 + u / hill) if u < 1.0 else 0.0
            else:
                factor = 1.0 - (yielding - 1.0) * u / (hill * 0.25 - u)
            available = capacity * strength_table[index] * factor
            activation += (asked_nm - activation) * lag
            pull = activation if activation < available else available

            stretch = cable[index] + (angle - origin - index * TABLE_STEP_RAD) * cam - height
            tension = 0.0
            if stretch > 0.0:
                tension = stiffness * stretch + damping * (cam * velocity - rising)
                if tension < 0.0:
                    tension = 0.0

            slip = velocity / ((velocity if velocity > 0.0 else -velocity) + LEVER_SLIP_RAD_S)
            torque = (
                pull
                + outside_nm
                - cam * tension
                - gravity[index]
                - spec.lever_friction_nm * slip
                - spec.lever_drag_nm_s * velocity
            )
            if angle < rest:
                push = spec.stop_nm_rad * (rest - angle) - spec.stop_damping_nm_s * velocity
                if push > 0.0:
                    torque += push
            elif angle > limit:
                push = spec.stop_nm_rad * (angle - limit) + spec.stop_damping_nm_s * velocity
                if push > 0.0:
                    torque -= push

            slide = rising / ((rising if rising > 0.0 else -rising) + STACK_SLIP_M_S)
            force = (
                tension - weight - spec.stack_friction_n * slide - spec.stack_drag_n_s_m * rising
            )
            if height < sunk:
                push = spec.floor_n_m * (sunk - height) - spec.floor_damping_n_s_m * rising
                if push > 0.0:
                    force += push

            acceleration = torque / spec.lever_inertia_kg_m2
            velocity += acceleration * STEP_S
            angle += velocity * STEP_S
            rising += force / mass * STEP_S
            height += rising * STEP_S
            path.append(angle)
        self.angle_rad, self.velocity_rad_s = angle, velocity
        self.height_m, self.stack_m_s = height, rising
        muscle.pulled(activation, available)
        if (
            asked_nm <= 0.0
            and outside_nm == 0.0
            and -ASLEEP_RAD_S < velocity < ASLEEP_RAD_S
            and -ASLEEP_RAD_S2 < acceleration < ASLEEP_RAD_S2
            and -ASLEEP_M_S < rising < ASLEEP_M_S
        ):
            self.velocity_rad_s = self.stack_m_s = 0.0
            self.asleep = True

    def energy(self) -> float:
        """Kinetic and potential energy of lever, stack, cable and stops in J (for checks)."""
        spec = self.spec
        index = int((self.angle_rad - self._origin_rad) / TABLE_STEP_RAD)
        within = self.angle_rad - self._origin_rad - index * TABLE_STEP_RAD
        stretch = max(0.0, self._cable[index] + within * self._cam[index] - self.height_m)
        weight = spec.stack_kg * GRAVITY_M_S2
        floor = max(0.0, weight / spec.floor_n_m - self.height_m)
        stop = max(0.0, spec.rest_rad - self.angle_rad, self.angle_rad - spec.limit_rad)
        raised = sum(self._gravity[:index]) * TABLE_STEP_RAD + within * self._gravity[index]
        return (
            0.5 * spec.lever_inertia_kg_m2 * self.velocity_rad_s**2
            + 0.5 * spec.stack_kg * self.stack_m_s**2
            + 0.5 * spec.cable_n_m * stretch**2
            + 0.5 * spec.floor_n_m * floor**2
            + 0.5 * spec.stop_nm_rad * stop**2
            + weight * self.height_m
            + raised
        )

    def tension_n(self) -> float:
        """Pull in the cable, never negative."""
        index = int((self.angle_rad - self._origin_rad) / TABLE_STEP_RAD)
        within = self.angle_rad - self._origin_rad - index * TABLE_STEP_RAD
        stretch = self._cable[index] + within * self._cam[index] - self.height_m
        if stretch <= 0.0:
            return 0.0
        closing = self._cam[index] * self.velocity_rad_s - self.stack_m_s
        spec = self.spec
        return max(0.0, spec.cable_n_m * stretch + spec.cable_damping_n_s_m * closing)

    def _wound_cable(self) -> list[float]:
        """Cable length at each grid angle, 0 where it becomes taut on the standing stack."""
        taut = self.spec.rest_rad + self.spec.slack_rad
        lengths = [0.0]
        for cam in self._cam[:-1]:
            lengths.append(lengths[-1] + cam * TABLE_STEP_RAD)
        index = int((taut - self._origin_rad) / TABLE_STEP_RAD)
        zero = (
            lengths[index] + (taut - self._origin_rad - index * TABLE_STEP_RAD) * self._cam[index]
        )
        return [length - zero for length in lengths]

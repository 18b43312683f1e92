"""A lifter: what he means to do, in behaviours that ask his muscles for torque.

Every behaviour is a generator that is resumed once per decision (10 ms): it looks at the lever,
sets `asked_nm`, and yields. Behaviours compose with `yield from`, so a set reads like what a lifter
does: take up the weight, rep after rep, set it down. He steers by a reference that runs ahead of
the lever as he would like it to move; where his muscles cannot follow, the reference waits for
him, he pulls as hard as he can, and what comes of it is the machine's affair. That he gives up
after a while of pulling in vain is his decision; that it was in vain is not.

He also keeps a diary of what each movement was meant to be (see `intent.py`).
"""

from __future__ import annotations

from collections.abc import Generator
from math import degrees, pi, radians, sin, sqrt
from random import Random
from typing import Literal

from legcurl.simulator.intent import Diary, DiaryEntry, Effort, LifterSpec, RepPlan
from legcurl.simulator.machine import DECISION_S, Machine
from legcurl.simulator.muscle import Muscle

Behaviour = Generator[None, None, None]
Trial = Generator[None, None, "Effort"]

STEERING_DAMPING = 0.9  # of the spring about the reference
LEAD_DEG = 4.0  # the reference never runs further ahead of a lever that cannot follow

STARTING_DEG_S2 = 140.0
STALLED_DEG_S = 2.5  # slower than this at full effort feels like not moving at all
GRINDING_FRACTION = 0.35  # of the planned speed, at full effort: grinding
SINKING_DEG = 2.5  # this much down at full effort, and he knows that it is over
HOLD_LOST_DEG = 4.0  # this much below where he wanted to hold, at full effort: lost

GIVING_WAY_S = 0.25  # of the weight, each second: how a lifter lets go of what he cannot hold

HELP_AFTER_S = 1.0  # of standing still: then a coach steps in
HELP_NM_S = 25.0  # how quickly his help grows

ARRIVED_DEG = 0.05
PUSHED_IN_VAIN_S = 1.5  # a lifter who only tries gives up after this
LANDED_DEG = 2.5  # over the stop: from here on the stop carries the weight

LAST_REP_STRAIN = 0.955  # of what is left: a hold that hard feels like the last
LONGEST_HOLD_S = 20.0

TREMBLE_S = 0.35  # correlation time of the unsteadiness of a hand-made movement


class Lifter:
    """Sits in the machine and behaves; `asked_nm` and `outside_nm` are what he does right now."""

    def __init__(self, spec: LifterSpec, machine: Machine, muscle: Muscle, rng: Random) -> None:
        self.spec = spec
        self.machine = machine
        self.muscle = muscle
        self.rng = rng
        self.decisions = 0
        self.asked_nm = 0.0
        self.outside_nm = 0.0
        self.diary = Diary()
        self.lifts_s: list[float] = []  # of this set, in order
        self._helped = False
        self.helpings_left = 1  # a coach helps one rep up in a set
        self.recorded = True  # whether the sensor is on already
        self.zero_deg = 0.0  # his extended end on the lever
        self.set_number = 0  # within the session
        self.rest_deg = degrees(machine.spec.rest_rad)
        self._reference_deg = self.rest_deg
        self._reference_deg_s = 0.0
        self._wander = 0.0
        self._wobble = 0.0
        self._phase = rng.uniform(0.0, 2.0 * pi)

    def begin_set(self) -> None:
        """A new set: an empty diary, and a coach with a hand to lend once."""
        self.diary = Diary()
        self.lifts_s.clear()
        self.helpings_left = 1

    # What he feels.

    @property
    def now_s(self) -> float:
        """Time of the world."""
        return self.decisions * DECISION_S

    @property
    def angle_deg(self) -> float:
        """Where the lever is."""
        return degrees(self.machine.angle_rad)

    @property
    def velocity_deg_s(self) -> float:
        """How fast it moves, up being positive."""
        return degrees(self.machine.velocity_rad_s)

    # Behaviours.

    def wait(self, seconds: float) -> Behaviour:
        """Let go of everything for a while."""
        self.outside_nm = 0.0
        until = self.now_s + seconds
        while self.now_s < until - DECISION_S / 2:
            self.asked_nm = 0.0
            self._reference_deg = self.angle_deg
            self._reference_deg_s = 0.0
            yield

    def pinned(self, seconds: float) -> Behaviour:
        """Sit with the lever held by its pin where it is."""
        at_deg = self.angle_deg
        for _ in self.stay(at_deg, seconds):
            self.outside_nm, self.asked_nm = self.asked_nm, 0.0
            yield
        self.outside_nm = 0.0

    def stay(self, at_deg: float, seconds: float, drift_deg_s: float = 0.0) -> Behaviour:
        """Keep the lever where it is wanted."""
        until = self.now_s + seconds
        while self.now_s < until - DECISION_S / 2:
            at_deg += drift_deg_s * DECISION_S
            self._steer(at_deg, drift_deg_s)
            yield

    def move(
        self, to_deg: float, speed_deg_s: float, braking_deg_s2: float | None = None
    ) -> Behaviour:
        """Go there at about this speed, or leave it at where it will not go on."""
        braking_deg_s2 = braking_deg_s2 or self.spec.braking_deg_s2
        self._aim_from_here()
        stalled = 0.0
        while abs(to_deg - self._reference_deg) > ARRIVED_DEG and stalled < PUSHED_IN_VAIN_S:
            self._approach(to_deg, speed_deg_s, braking_deg_s2)
            yield
            if abs(self.velocity_deg_s) < STALLED_DEG_S:
                stalled += DECISION_S

    def let_go(self, carried: float, until_below_deg: float) -> Behaviour:
        """Let the weight down while carrying less and less of it, from this fraction on."""
        while self.angle_deg > until_below_deg:
            carried -= GIVING_WAY_S * DECISION_S
            self._aim_from_here()
            self.asked_nm = max(0.0, carried) * self.machine.spec.holding_torque(
                self.machine.angle_rad
            )
            yield
        self.asked_nm = 0.0

    def take_up(self, ready_deg: float, speed_deg_s: float = 8.0) -> Behaviour:
        """Press against the pad and take the weight off the stack: no rep yet."""
        yield from self.move(ready_deg, speed_deg_s, 40.0)

    def set_down(self) -> Behaviour:
        """Lower what is left of the way, and rest."""
        if self.angle_deg > self.rest_deg + 1.0:
            yield from self.move(self.rest_deg, 8.0, 40.0)
        yield from self.wait(0.5)

    def fidget(
        self, height_deg: float, speed_deg_s: float, hold_s: float, falls: bool
    ) -> Behaviour:
        """Move the lever without meaning a rep: testing the weight, shifting in the seat."""
        entry = self.note("not_a_rep")
        yield from self.move(self.rest_deg + height_deg, speed_deg_s, 200.0)
        yield from self.stay(self._reference_deg, hold_s)
        if falls:
            yield from self.let_go(self.rng.uniform(0.0, 0.5), self.rest_deg + LANDED_DEG)
        else:
            yield from self.move(self.rest_deg, speed_deg_s, 200.0)
        yield from self.wait(self.rng.uniform(0.5, 1.2))
        entry.end_s = self.now_s

    def rep(self, plan: RepPlan) -> Trial:
        """One attempt from the bottom to the bottom, as far as it goes."""
        entry = self.note("rep")
        entry.chosen_short = plan.chosen_short
        entry.pulses = len(plan.pulses_deg)
        self._helped = False
        reached = yield from self._lift(plan)
        lift_s = self.now_s - entry.begin_s
        self.lifts_s.append(lift_s)
        if not reached:
            entry.failed = "mid_lift"
        elif not (yield from self._hold(plan)):
            entry.failed = "in_hold"
        if self._helped:
            entry.assisted = True
            self.helpings_left -= 1
        if entry.failed is not None:
            yield from self.let_go(self.spec.letting_go, self.rest_deg + LANDED_DEG)
            yield from self.wait(0.6)
        else:
            yield from self._lower(plan)
        entry.end_s = self.now_s
        if entry.failed is None:
            yield from self._turn_round(plan)
        return Effort(entry.failed, lift_s)

    def rep_lifted_by_coach(self, plan: RepPlan) -> Behaviour:
        """A negative: the coach brings the weight up, the lifter holds and lowers it."""
        entry = self.note("rep")
        entry.assisted = True
        yield from self._moved_by_hand(plan.top_deg, plan.concentric_deg_s)
        self.outside_nm = 0.0
        yield from self._hold(plan)
        yield from self._lower(plan)
        entry.end_s = self.now_s

    def swing_by_hand(self, to_deg: float, speed_deg_s: float) -> Behaviour:
        """A hand swings the lever up and lets it come back at once."""
        yield from self._moved_by_hand(to_deg, speed_deg_s)
        yield from self._moved_by_hand(self.rest_deg, speed_deg_s)
        self.outside_nm = 0.0

    def _moved_by_hand(self, to_deg: float, speed_deg_s: float) -> Behaviour:
        """As `move`, by someone whose strength is not the lifter's."""
        for _ in self.move(to_deg, speed_deg_s, 250.0):
            self.outside_nm, self.asked_nm = self.asked_nm, 0.0
            yield

    def lead_by_hand(self, to_deg: float, speed_deg_s: float, still_s: float) -> Behaviour:
        """A hand brings the lever there and keeps it still for a while."""
        yield from self._moved_by_hand(to_deg, speed_deg_s)
        for _ in self.stay(to_deg, still_s):
            self.outside_nm, self.asked_nm = self.asked_nm, 0.0
            yield

    def note(self, kind: Literal["rep", "not_a_rep"]) -> DiaryEntry:
        """Open an entry in the diary."""
        entry = DiaryEntry(kind, self.now_s, set_number=self.set_number, zero_deg=self.zero_deg)
        self.diary.entries.append(entry)
        return entry

    # The parts of a rep.

    def _lift(self, plan: RepPlan) -> Generator[None, None, bool]:
        """Pull up to the top; False when he gives up on the way."""
        spec = self.spec
        self._aim_from_here()
        highest = self.angle_deg
        stalled = grinding = pausing = 0.0
        pauses = list(plan.pauses)
        aim = plan.top_deg + plan.overshoot_deg
        content_deg = self.zero_deg + spec.content_fraction * spec.rom_deg
        good_enough = min(content_deg, plan.top_deg - 0.5)
        while True:
            if pauses and self._reference_deg >= pauses[0].at_deg:
                pausing = pauses.pop(0).wait_s
            if pausing > 0.0:
                pausing -= DECISION_S
                self._steer(self._reference_deg, 0.0)
                yield
                continue
            self._approach(aim, plan.concentric_deg_s, spec.braking_deg_s2)
            yield
            angle, velocity = self.angle_deg, self.velocity_deg_s
            highest = max(highest, angle)
            if aim - self._reference_deg < 0.05 and angle > plan.top_deg - 1.0:
                self.outside_nm = 0.0
                return True
            if not self.muscle.saturated:
                continue
            if velocity < STALLED_DEG_S:
                stalled += DECISION_S
            if velocity < GRINDING_FRACTION * plan.concentric_deg_s:
                grinding += DECISION_S
            if angle >= good_enough and velocity < STALLED_DEG_S:
                self.outside_nm = 0.0
                return True
            if plan.assisted:
                self._be_helped(stalled, velocity < 0.8 * plan.concentric_deg_s)
                continue
            sinking = highest - angle > SINKING_DEG
            if stalled > spec.patience_s or grinding > spec.grind_s or (sinking and stalled > 0.3):
                return False

    def _be_helped(self, stalled_s: float, too_slow: bool) -> None:
        """The coach waits until it does not move, then lifts just enough."""
        if stalled_s > HELP_AFTER_S:
            self._helped = True
            more = HELP_NM_S * DECISION_S * (1.0 if too_slow else -4.0)
            self.outside_nm = max(0.0, self.outside_nm + more)

    def _hold(self, plan: RepPlan) -> Generator[None, None, bool]:
        """Settle and hold; False when it sinks at full effort."""
        level = min(plan.top_deg, max(self.angle_deg, plan.top_deg - 1.5))
        start = self._reference_deg
        held = 0.0
        while held < plan.hold_s or (
            plan.squeezes_out and held < LONGEST_HOLD_S and self.muscle.strain > LAST_REP_STRAIN
        ):
            held += DECISION_S
            if held < plan.settle_s:
                blend = 0.5 - 0.5 * sin(pi * (0.5 + held / plan.settle_s))
                target = start + (level - start) * blend
                drift = (level - start) / plan.settle_s
            else:
                target = level + plan.sag_deg_s * (held - plan.settle_s)
                drift = plan.sag_deg_s
            self._steer(target, drift)
            yield
            if self.muscle.saturated and target - self.angle_deg > HOLD_LOST_DEG:
                return False
        for depth in plan.pulses_deg:
            speed = self.rng.uniform(15.0, 30.0)
            yield from self.move(level - depth, speed)
            yield from self.stay(self._reference_deg, self.rng.uniform(0.05, 0.5))
            yield from self.move(level, speed)
            yield from self.stay(self._reference_deg, self.rng.uniform(0.3, 1.0))
            if self.muscle.saturated and level - self.angle_deg > HOLD_LOST_DEG:
                return False
        return True

    def _lower(self, plan: RepPlan) -> Behaviour:
        """Let the weight down as planned, with catches on the way."""
        for catch in plan.catches:
            yield from self.move(catch.at_deg, plan.eccentric_deg_s)
            yield from self.stay(self._reference_deg, catch.wait_s)
            if catch.up_deg > 0.0:
                yield from self.move(catch.at_deg + catch.up_deg, 0.6 * plan.concentric_deg_s)
                yield from self.stay(self._reference_deg, self.rng.uniform(0.5, 2.0))
        if plan.drops:
            yield from self.let_go(self.rng.uniform(0.5, 0.85), self.rest_deg + LANDED_DEG)
            yield from self.wait(0.7)
        elif self.spec.touches:
            yield from self.move(self.rest_deg, plan.eccentric_deg_s)
        else:
            yield from self.move(plan.bottom_deg, plan.eccentric_deg_s)

    def _turn_round(self, plan: RepPlan) -> Behaviour:
        """Stay at the bottom until the next rep."""
        if plan.drops or self.spec.touches:
            yield from self.wait(plan.turnaround_s)
        else:
            yield from self.stay(plan.bottom_deg, plan.turnaround_s)

    # Steering.

    def _aim_from_here(self) -> None:
        self._reference_deg = self.angle_deg
        self._reference_deg_s = self.velocity_deg_s

    def _approach(self, to_deg: float, speed_deg_s: float, braking_deg_s2: float) -> None:
        """Move the reference on towards a target: start, cruise, brake."""
        way = to_deg - self._reference_deg
        side = 1.0 if way > 0.0 else -1.0
        spec = self.spec
        self._wobble += -self._wobble * DECISION_S / TREMBLE_S + self.rng.gauss(
            0.0, 1.0
        ) * spec.wobble * sqrt(2.0 * DECISION_S / TREMBLE_S)
        wanted = speed_deg_s * max(0.3, 1.0 + self._wobble)
        wanted = side * min(wanted, sqrt(2.0 * braking_deg_s2 * abs(way)) + 0.5)
        change = wanted - self._reference_deg_s
        most = max(STARTING_DEG_S2, 1.5 * braking_deg_s2) * DECISION_S
        self._reference_deg_s += min(most, max(-most, change))
        step = self._reference_deg_s * DECISION_S
        self._reference_deg = (
            to_deg if abs(step) >= abs(way) and step * way > 0 else self._reference_deg + step
        )
        lag = self._reference_deg - self.angle_deg
        if lag > LEAD_DEG:
            self._reference_deg = self.angle_deg + LEAD_DEG
        self._steer(self._reference_deg, self._reference_deg_s)

    def _steer(self, at_deg: float, speed_deg_s: float) -> None:
        """Ask for the torque that carries the weight and brings the lever to the reference."""
        spec = self.spec
        self._reference_deg, self._reference_deg_s = at_deg, speed_deg_s
        self._wander += -self._wander * DECISION_S / 0.8 + self.rng.gauss(
            0.0, 1.0
        ) * spec.wander_deg * sqrt(2.0 * DECISION_S / 0.8)
        tremor = spec.tremor_deg * sin(2.0 * pi * spec.tremor_hz * self.now_s + self._phase)
        machine, load = self.machine, self.machine.spec
        angle = machine.angle_rad
        inertia = load.inertia(angle)
        away = radians(at_deg + self._wander - self.angle_deg)
        torque = load.holding_torque(angle)
        torque += inertia * spec.steering_rad_s**2 * away
        torque += (
            2.0
            * STEERING_DAMPING
            * spec.steering_rad_s
            * inertia
            * (radians(speed_deg_s) - machine.velocity_rad_s)
        )
        torque += radians(tremor) * inertia * (2.0 * pi * spec.tremor_hz) ** 2
        if speed_deg_s > 1.0:
            torque += load.lifting_friction(angle)
        elif speed_deg_s < -1.0:
            torque -= load.lifting_friction(angle)
        self.asked_nm = max(0.0, torque)

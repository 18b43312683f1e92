"""A session carried out: the plan of `session_plan.py` as behaviours of the simulated lifter.

Working lifts are pulled by muscles, so that slowing down, losing range, being helped and failing
come from the physics. What hands do to the lever (getting in and out, a coach's demonstration) is
moved from outside. The diary says of every movement what it was.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from math import exp, inf, radians
from random import Random

from legcurl.simulator.intent import Activity, LifterSpec, RepPlan
from legcurl.simulator.lifter import Behaviour, Lifter
from legcurl.simulator.person import Person
from legcurl.simulator.scenario import Program, Scenario, draw
from legcurl.simulator.session_plan import (
    GREATEST_LIFT,
    PULSE_LEAST_DEG,
    SessionPlan,
    SetPlan,
)

USUAL_LOAD = 0.8  # of `sim:?load=`: a person's own load is meant at this
ROOM_DEG = (5.0, 18.0)  # from the highest intended top to the upper stop
MOST_REPS = 25
SETTLES_S = 0.6  # at the bottom after the last rep, or a fast lever would fall on its stop
SLIPPED_DEG = 3.0  # below where the lever was to be left hanging: it fell, and stays down
MOST_SAG_DEG = 6.0  # in one hold, however long
Going = Generator[None, None, bool]  # ends with whether the lifter failed


def draw_scenario(rng: Random, plan: SessionPlan, load: float) -> Scenario:
    """Machine, muscles and sensor for the people of a session."""
    first = plan.people[0]
    scenario = draw(rng, first.traits(), first.load * load / USUAL_LOAD)
    limit = radians(plan.highest_deg + rng.uniform(*ROOM_DEG))
    return replace(
        scenario,
        machine=replace(scenario.machine, limit_rad=limit),
        lifter=spec_of(scenario.lifter, first),
    )


def spec_of(spec: LifterSpec, person: Person, *, touching: bool = True) -> LifterSpec:
    """The same strength and patience with another person's range and tempo."""
    return replace(
        spec,
        rom_deg=person.rom_deg,
        concentric_deg_s=person.concentric_deg_s,
        eccentric_deg_s=person.eccentric_deg_s,
        hold_s=person.hold_s,
        touches=touching and person.touches,
        braking_deg_s2=person.braking_deg_s2,
        steering_rad_s=person.steering_rad_s,
    )


def program(plan: SessionPlan) -> Program:
    """The whole session as one behaviour."""

    def carried_out(lifter: Lifter) -> Behaviour:
        rng = lifter.rng
        usual = lifter.spec
        if plan.start == "top":
            yield from _let_down(lifter)
        for _ in range(plan.getting_in):
            yield from _handle(lifter, "getting_in")
        if plan.demonstrated:
            yield from _demonstrate(lifter, plan.demonstrated)
        for number, one in enumerate(plan.sets):
            last = number + 1 == len(plan.sets)
            person = plan.people[one.person]
            lifter.spec = spec_of(usual, person, touching=one.turns_at == one.hangs_at == 0.0)
            performed = _Performance(lifter, person, one, number, plan)
            yield from performed.whole(last and plan.end == "mid_rep")
            if lifter.diary.broken_off:
                return
            if not last:
                yield from lifter.wait(plan.between_sets_s)
                lifter.muscle.refresh()
        if plan.end == "soon":
            yield from lifter.wait(rng.uniform(0.4, 4.0))
            lifter.diary.broken_off = True
            return
        for _ in range(plan.getting_out):
            yield from lifter.wait(rng.uniform(1.0, 8.0))
            yield from _handle(lifter, "getting_out")

    return carried_out


class _Performance:
    """One set as it goes."""

    def __init__(
        self, lifter: Lifter, person: Person, plan: SetPlan, number: int, session: SessionPlan
    ) -> None:
        self.lifter = lifter
        self.person = person
        self.plan = plan
        self.session = session
        self.done = 0
        self.begins_record = number == 0 and session.start == "mid_rep"
        lifter.set_number = number
        lifter.zero_deg = self._on_lever(plan.zero_deg)

    def _on_lever(self, zero_deg: float) -> float:
        """Where his range begins; the lever cannot go below its rest."""
        return max(zero_deg, self.lifter.rest_deg + 0.3)

    def whole(self, breaks_off: bool) -> Behaviour:
        """Sit down, lift, perhaps go on after a failure, leave the lever."""
        lifter, plan, rng = self.lifter, self.plan, self.lifter.rng
        stack_kg = lifter.machine.spec.stack_kg
        self._load(stack_kg * plan.stack)
        lifter.helpings_left = plan.forced
        yield from self._take_up()
        count = MOST_REPS if plan.to_failure else plan.reps
        until = rng.randint(1, max(1, plan.reps - 1)) if breaks_off else 0
        failed = yield from self._reps(count, until, last=not plan.again)
        if plan.again and not lifter.diary.broken_off:
            yield from lifter.set_down()
            yield from lifter.wait(plan.again_after_s)
            self._load(lifter.machine.spec.stack_kg * plan.again_stack)
            yield from self._take_up()
            failed = yield from self._reps(plan.again_reps, 0, last=True)
        if lifter.diary.broken_off:
            return
        hanging_deg = lifter.zero_deg + plan.hangs_at * self.person.rom_deg
        if plan.hangs_at and not failed and lifter.angle_deg > hanging_deg - SLIPPED_DEG:
            yield from lifter.stay(hanging_deg, plan.hangs_s)
        yield from lifter.set_down()
        self._load(stack_kg)

    def _load(self, stack_kg: float) -> None:
        machine = self.lifter.machine
        machine.spec = replace(machine.spec, stack_kg=stack_kg)

    def _take_up(self) -> Behaviour:
        lifter, rng = self.lifter, self.lifter.rng
        if not lifter.spec.touches:
            yield from lifter.take_up(lifter.zero_deg, rng.uniform(4.0, 15.0))
            yield from lifter.stay(lifter.zero_deg, rng.uniform(0.2, 3.0))

    def _reps(self, count: int, break_off_after: int, *, last: bool) -> Going:
        """Lift so many times or until it fails; True if it failed. `last`: the set ends then."""
        lifter, plan, session = self.lifter, self.plan, self.session
        for number in range(1, count + 1):
            self.done += 1
            if plan.shift_deg and self.done == plan.shift_after + 1:
                lifter.zero_deg = self._on_lever(plan.zero_deg + plan.shift_deg)
            ends = last and number == count
            going: Iterable[None] = lifter.rep(self._rep_plan(ends))
            if self.begins_record and not lifter.recorded:
                begins = self.done >= session.start_rep or ends
                going = self._begins_within(going) if begins else going
            # A record can only end after it has begun.
            if lifter.recorded and break_off_after and self.done > break_off_after:
                yield from self._breaks_off_within(going)
                return False
            for _ in going:
                yield
            if lifter.diary.entries[-1].failed is not None:
                lifter.recorded = True
                return True
        lifter.recorded = True
        return False

    def _rep_plan(self, ends: bool) -> RepPlan:
        """The next rep by this person's habits and what the set's plan adds."""
        person, plan, rng = self.person, self.plan, self.lifter.rng
        rom, zero = person.rom_deg, self.lifter.zero_deg
        fraction = self._top(rng)
        hold_s = max(0.0, person.hold_s * rng.gauss(1.0, person.hold_variation))
        short = rng.random() < plan.short_share
        if short:
            fraction *= rng.uniform(0.35, 0.9)
        if ends and plan.long_hold_s:
            hold_s = plan.long_hold_s
        pulses: tuple[float, ...] = ()
        if rng.random() < plan.pulse_share:
            deepest = max(PULSE_LEAST_DEG, 0.25 * fraction * rom)
            pulses = tuple(rng.uniform(PULSE_LEAST_DEG, deepest) for _ in range(rng.randint(1, 4)))
        bottom = max(plan.turns_at, person.bottom) + rng.gauss(0.0, person.bottom_variation)
        calm_deg_s = inf
        if ends:
            bottom = max(plan.hangs_at, person.bottom)
            calm_deg_s = 0.5 * rom if plan.hangs_at else inf  # or the lever swings past that place
        rest_s = person.rest_s * max(0.1, rng.gauss(1.0, person.rest_variation))
        return RepPlan(
            top_deg=zero + fraction * rom,
            concentric_deg_s=person.concentric_deg_s * self._tempo(),
            eccentric_deg_s=min(calm_deg_s, person.eccentric_deg_s * self._tempo()),
            hold_s=hold_s,
            turnaround_s=SETTLES_S if ends else rest_s,
            overshoot_deg=0.0 if short else person.overshoot * rom * rng.uniform(0.0, 1.0),
            settle_s=min(0.6, max(0.1, 0.3 * person.concentric_s)),
            sag_deg_s=max(person.sag_deg_s, -MOST_SAG_DEG / max(hold_s, 1.0)),
            bottom_deg=zero + max(0.0, bottom) * rom,
            pulses_deg=pulses,
            chosen_short=fraction < 0.9,
            assisted=self.lifter.helpings_left > 0,
        )

    def _tempo(self) -> float:
        return min(1.6, max(0.5, self.lifter.rng.gauss(1.0, self.person.tempo_variation)))

    def _top(self, rng: Random) -> float:
        """How far up this rep is meant to go, of the range."""
        person, plan = self.person, self.plan
        missing = person.growing * exp(-(self.done - 1) / person.growing_reps)
        tired = person.shrinking * min(1.0, self.done / plan.reps) ** 2
        if self.done == plan.greatest_at:
            return rng.uniform(1.0 + 0.3 * (GREATEST_LIFT - 1.0), GREATEST_LIFT)
        return min(1.06, max(0.4, 1.0 - missing - tired + rng.gauss(0.0, person.top_variation)))

    def _begins_within(self, going: Iterable[None]) -> Behaviour:
        """The record begins while this rep is on its way."""
        lifter, person = self.lifter, self.person
        lasts_s = person.concentric_s + person.hold_s + person.eccentric_s
        begins_s = lifter.now_s + lifter.rng.uniform(0.05, 0.95) * lasts_s
        for _ in going:
            lifter.recorded = lifter.recorded or lifter.now_s >= begins_s
            yield
        lifter.recorded = True

    def _breaks_off_within(self, going: Iterable[None]) -> Behaviour:
        """The record ends while this rep is on its way."""
        lifter, person = self.lifter, self.person
        lasts_s = person.concentric_s + person.hold_s + person.eccentric_s
        ends_s = lifter.now_s + lifter.rng.uniform(0.1, 0.95) * lasts_s
        for _ in going:
            if lifter.now_s >= ends_s:
                break
            yield
        lifter.diary.entries[-1].end_s = lifter.now_s
        lifter.diary.broken_off = True


def _let_down(lifter: Lifter) -> Behaviour:
    """The lever was pinned at the top: it is let down first."""
    rng = lifter.rng
    entry = lifter.note("not_a_rep")
    yield from lifter.move(lifter.rest_deg + 1.0, lifter.spec.eccentric_deg_s)
    entry.end_s = lifter.now_s
    yield from lifter.wait(rng.uniform(0.2, 3.0))


def _handle(lifter: Lifter, activity: Activity) -> Behaviour:
    """A hand moves the lever out of the way, and back."""
    rng, rom = lifter.rng, lifter.spec.rom_deg
    entry = lifter.note("not_a_rep")
    entry.activity = activity
    top_deg = lifter.rest_deg + rom * rng.uniform(0.08, 0.9)
    yield from _by_hand(lifter, top_deg, rng.uniform(30.0, 140.0), rng.uniform(0.0, 2.5))
    yield from lifter.wait(rng.uniform(0.3, 2.5))
    entry.end_s = lifter.now_s


def _demonstrate(lifter: Lifter, reps: int) -> Behaviour:
    """A coach shows the exercise with the lever in his hands."""
    rng, rom = lifter.rng, lifter.spec.rom_deg
    reach = rng.uniform(0.6, 1.1) * rom
    speed = rng.uniform(0.8, 2.5) * rom
    for _ in range(reps):
        entry = lifter.note("not_a_rep")
        entry.activity = "demonstration"
        yield from _by_hand(lifter, lifter.rest_deg + reach, speed, rng.uniform(0.0, 1.2))
        yield from lifter.wait(rng.uniform(0.3, 1.0))
        entry.end_s = lifter.now_s
    yield from lifter.wait(rng.uniform(3.0, 14.0))


def _by_hand(lifter: Lifter, to_deg: float, speed_deg_s: float, still_s: float) -> Behaviour:
    """Up, still for a while, and back, by another person's strength."""
    yield from lifter.lead_by_hand(to_deg, speed_deg_s, still_s)
    yield from lifter.lead_by_hand(lifter.rest_deg, speed_deg_s, 0.0)
    lifter.outside_nm = 0.0

"""What lifters do with a set: from sitting down to letting go, composed of behaviours.

A program is a behaviour for one whole set, take-up and set-down included. Whether it ends in
failure is up to the muscles; a program may only give up early, rest, fidget, or cut reps short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from legcurl.simulator.intent import Catch, RepPlan
from legcurl.simulator.lifter import Behaviour, Lifter
from legcurl.simulator.scenario import Program

READY_DEG = 0.0  # where the lifter's own range begins
INSTALLER_ROUNDS = 6  # twice what `legcurl calibrate` wants: a technician may read slowly
INSTALLER_HAND_DEG = 0.3  # how well a hand finds the same place again
MOST_REPS = 40  # even a weight that never tires anyone is put down some time

Styling = Callable[[Lifter, int, RepPlan], RepPlan]  # gets the usual plan of the n-th rep


def usual_rep(lifter: Lifter) -> RepPlan:
    """The next rep as this lifter would do it, a little different every time."""
    spec, rng = lifter.spec, lifter.rng

    def tempo() -> float:
        return min(1.35, max(0.7, rng.gauss(1.0, spec.tempo_variation)))

    return RepPlan(
        top_deg=spec.rom_deg * (1.012 + rng.gauss(0.0, spec.top_variation)),
        concentric_deg_s=spec.concentric_deg_s * tempo(),
        eccentric_deg_s=spec.eccentric_deg_s * tempo(),
        hold_s=max(0.3, rng.gauss(spec.hold_s, spec.hold_variation_s)),
        turnaround_s=max(0.05, spec.turnaround_s * rng.uniform(0.5, 1.6)),
        overshoot_deg=spec.overshoot_deg * min(1.4, max(0.0, rng.gauss(0.8, 0.4))),
        settle_s=spec.settle_s * rng.uniform(0.7, 1.3),
        sag_deg_s=spec.sag_deg_s + rng.gauss(0.0, 0.1),
        bottom_deg=READY_DEG + rng.gauss(0.0, 0.8),
    )


def _as_usual(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    del lifter, number
    return plan


def lifting(
    styling: Styling = _as_usual,
    *,
    reps: tuple[int, int] = (MOST_REPS, MOST_REPS),
    attempts: int = 1,
    before: Program | None = None,
    between: Callable[[Lifter, int], Behaviour] | None = None,
    after: Program | None = None,
) -> Program:
    """A program: reps until failure (of so many attempts), or until the lifter has had enough."""

    def program(lifter: Lifter) -> Behaviour:
        rng = lifter.rng
        if before is not None:
            yield from before(lifter)
        if not lifter.spec.touches:
            yield from lifter.take_up(READY_DEG, rng.uniform(4.0, 10.0))
            yield from lifter.stay(READY_DEG, rng.uniform(0.3, 2.0))
        enough = rng.randint(*reps)
        failures = 0
        for number in range(1, enough + 1):
            effort = yield from lifter.rep(styling(lifter, number, usual_rep(lifter)))
            if effort.failed is not None:
                failures += 1
                if failures >= attempts:
                    break
                yield from lifter.wait(rng.uniform(0.5, 4.0))
                yield from lifter.take_up(READY_DEG, rng.uniform(4.0, 10.0))
            if between is not None and number < enough:
                yield from between(lifter, number)
        yield from lifter.set_down()
        if after is not None:
            yield from after(lifter)

    return program


# Styles of reps.


def squeezing_out(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """Holds the rep that feels like the last for as long as it stays up."""
    del lifter, number
    return replace(plan, squeezes_out=True, sag_deg_s=0.0)


def sloppy(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """Up, hardly a stop, down, and not quite to the same place twice."""
    del number
    rng = lifter.rng
    return replace(
        plan,
        top_deg=lifter.spec.rom_deg * rng.uniform(0.97, 1.07),
        hold_s=rng.uniform(0.0, 0.25),
        settle_s=0.15,
        overshoot_deg=0.0,
        bottom_deg=rng.uniform(-1.0, 4.0),
        turnaround_s=rng.uniform(0.0, 0.4),
    )


def shrinking(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """Each rep from the third a little shorter, by choice, and held, until he fails."""
    loss = 0.03 + 0.03 * (lifter.spec.rom_deg % 1.0)  # of the ROM a rep: each lifter his own
    fraction = 1.015 - max(0, number - 2) * loss + lifter.rng.gauss(0.0, 0.008)
    return replace(
        plan, top_deg=lifter.spec.rom_deg * max(0.6, fraction), chosen_short=fraction < 0.9
    )


def pulsing(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """On some reps, pulses at the top."""
    rng = lifter.rng
    if number < 2 or rng.random() < 0.55:
        return plan
    depths = tuple(rng.uniform(7.0, 16.0) for _ in range(rng.randint(1, 4)))
    return replace(plan, pulses_deg=depths, hold_s=rng.uniform(0.5, 1.5))


def catching(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """On some reps, a stop on the way down, or a little way up again."""
    rng, rom = lifter.rng, lifter.spec.rom_deg
    if number < 2 or rng.random() < 0.3:
        return plan
    up = rng.uniform(0.05, 0.16) * rom if rng.random() < 0.4 else 0.0
    catch = Catch(rng.uniform(0.35, 0.7) * rom, rng.uniform(0.2, 3.0), up)
    return replace(plan, catches=(catch,))


def dropping(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """Let it fall after the hold, more often than not."""
    del number
    return replace(plan, drops=lifter.rng.random() < 0.75)


def cutting_short(fractions: tuple[float, float], share: float) -> Styling:
    """Turn round early on some reps after the second."""

    def style(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
        rng = lifter.rng
        if number < 3 or rng.random() > share:
            return plan
        fraction = rng.uniform(*fractions)
        return replace(
            plan,
            top_deg=lifter.spec.rom_deg * fraction,
            overshoot_deg=0.3 * plan.overshoot_deg,
            hold_s=rng.uniform(0.2, 2.5),
            chosen_short=fraction < 0.9,
        )

    return style


# Stretches of time around and between reps.


def fidgeting(times: tuple[int, int], height: tuple[float, float] = (3.0, 16.0)) -> Program:
    """Test the weight, shift in the seat."""

    def program(lifter: Lifter) -> Behaviour:
        rng = lifter.rng
        for _ in range(rng.randint(*times)):
            yield from lifter.fidget(
                rng.uniform(*height),
                rng.uniform(8.0, 40.0),
                rng.uniform(0.0, 2.5),
                rng.random() < 0.5,
            )
            yield from lifter.wait(rng.uniform(0.2, 2.0))

    return program


def perhaps_fidgeting(lifter: Lifter) -> Behaviour:
    """As most sets begin: sometimes a movement or two, mostly none."""
    if lifter.rng.random() < 0.3:
        yield from fidgeting((1, 2))(lifter)


def fidgeting_afterwards(lifter: Lifter) -> Behaviour:
    """As most sets end: sometimes a movement while getting out."""
    yield from lifter.wait(lifter.rng.uniform(2.0, 5.0))
    if lifter.rng.random() < 0.4:
        yield from fidgeting((1, 2))(lifter)


def resting(
    seconds: tuple[float, float], share: float, times: int
) -> Callable[[Lifter, int], Behaviour]:
    """Set the weight down now and then, and go on."""

    def between(lifter: Lifter, number: int) -> Behaviour:
        rng = lifter.rng
        if number > times * 3 or rng.random() > share:
            return
        yield from lifter.set_down()
        yield from lifter.wait(rng.uniform(*seconds))
        if not lifter.spec.touches:
            yield from lifter.take_up(READY_DEG, 8.0)

    return between


def tapping(lifter: Lifter, number: int) -> Behaviour:
    """Between some reps, lift the weight a finger's breadth and let it clack."""
    del number
    rng = lifter.rng
    if rng.random() < 0.45:
        for _ in range(rng.randint(1, 2)):
            yield from lifter.fidget(rng.uniform(4.0, 9.0), rng.uniform(20.0, 50.0), 0.0, True)


def phone_check(lifter: Lifter, number: int) -> Behaviour:
    """Once, a look at the phone: long at the bottom, shorter than a set's end."""
    if number == 3:
        yield from lifter.set_down()
        yield from lifter.wait(lifter.rng.uniform(7.0, 13.0))
        if not lifter.spec.touches:
            yield from lifter.take_up(READY_DEG, 8.0)


# Programs that are not just reps until failure.


def stopping_near_failure(lifter: Lifter) -> Behaviour:
    """Feels the last rep coming and leaves it at that."""
    yield from lifter.take_up(READY_DEG)
    yield from lifter.stay(READY_DEG, 1.0)
    slow = lifter.rng.uniform(1.25, 1.7)
    for _ in range(MOST_REPS):
        effort = yield from lifter.rep(usual_rep(lifter))
        if effort.failed is not None or effort.lift_s > slow * lifter.lifts_s[0]:
            break
    yield from lifter.set_down()
    yield from fidgeting_afterwards(lifter)


def aborting(lifter: Lifter) -> Behaviour:
    """Some good reps, then lets go in the middle of one that would have gone up."""
    rng = lifter.rng
    yield from lifter.take_up(READY_DEG)
    yield from lifter.stay(READY_DEG, 0.8)
    for _ in range(rng.randint(3, 6)):
        yield from lifter.rep(usual_rep(lifter))
    plan = replace(
        usual_rep(lifter),
        top_deg=lifter.spec.rom_deg * rng.uniform(0.2, 0.75),
        overshoot_deg=0.0,
        hold_s=0.0,
        settle_s=0.05,
        chosen_short=True,
        drops=True,
    )
    yield from lifter.rep(plan)
    yield from lifter.set_down()


def negatives(lifter: Lifter) -> Behaviour:
    """A coach swings the weight up, the lifter lets it down slowly."""
    rng, spec = lifter.rng, lifter.spec
    yield from lifter.wait(1.0)
    for _ in range(rng.randint(4, 8)):
        plan = replace(
            usual_rep(lifter),
            concentric_deg_s=rng.uniform(45.0, 80.0),
            eccentric_deg_s=spec.eccentric_deg_s * rng.uniform(0.5, 0.8),
            overshoot_deg=0.0,
            hold_s=rng.uniform(0.4, 1.5),
        )
        yield from lifter.rep_lifted_by_coach(plan)
        yield from lifter.wait(rng.uniform(0.5, 2.0))
    yield from lifter.set_down()


def from_the_top(lifter: Lifter) -> Behaviour:
    """The lever is pinned flexed for getting in: the set begins by letting it down."""
    rng = lifter.rng
    entry = lifter.note("not_a_rep")
    yield from lifter.move(READY_DEG, rng.uniform(12.0, 40.0))
    entry.end_s = lifter.now_s
    yield from lifter.stay(READY_DEG, rng.uniform(0.4, 3.0))
    yield from lifting()(lifter)


def setting_up_with_dips(lifter: Lifter) -> Behaviour:
    """Tries the machine's way by hand, empty-handed and all the way, before sitting down."""
    rng, spec = lifter.rng, lifter.spec
    for _ in range(rng.randint(1, 2)):
        entry = lifter.note("not_a_rep")
        yield from lifter.swing_by_hand(
            spec.rom_deg * rng.uniform(0.7, 1.05), rng.uniform(60.0, 130.0)
        )
        yield from lifter.wait(rng.uniform(0.3, 0.8))
        entry.end_s = lifter.now_s
        yield from lifter.wait(rng.uniform(2.0, 6.0))
    yield from lifting()(lifter)


def installing(lifter: Lifter) -> Behaviour:
    """The hand of the technician: legs straight, still, full flexion, still, again."""
    rng = lifter.rng
    for _ in range(INSTALLER_ROUNDS):
        for end_deg in (READY_DEG, lifter.spec.rom_deg):
            at_deg = end_deg + rng.gauss(0.0, INSTALLER_HAND_DEG)
            yield from lifter.lead_by_hand(at_deg, rng.uniform(25.0, 40.0), rng.uniform(3.0, 4.0))
    yield from lifter.lead_by_hand(lifter.rest_deg, 30.0, 0.0)
    yield from lifter.wait(1.0)


def breaking_off(lifter: Lifter) -> Behaviour:
    """The record ends in mid-set."""
    rng = lifter.rng
    yield from lifter.take_up(READY_DEG)
    for _ in range(rng.randint(2, 5)):
        yield from lifter.rep(usual_rep(lifter))
    until = lifter.now_s + rng.uniform(0.5, 7.0)
    for _ in lifter.rep(usual_rep(lifter)):
        if lifter.now_s >= until:
            break
        yield
    lifter.diary.broken_off = True


def assisted_last(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """The coach is ready to help from the rep on that may be the last."""
    del number
    return replace(plan, assisted=lifter.helpings_left > 0)


def pausing(lifter: Lifter, number: int, plan: RepPlan) -> RepPlan:
    """On some reps, a stop of seconds on the way up, at will."""
    rng, rom = lifter.rng, lifter.spec.rom_deg
    if number < 2 or rng.random() < 0.4:
        return plan
    at = sorted(rng.uniform(0.25, 0.8) * rom for _ in range(rng.randint(1, 2)))
    return replace(plan, pauses=tuple(Catch(a, rng.uniform(0.8, 4.0)) for a in at))

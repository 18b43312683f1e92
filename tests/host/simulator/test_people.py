"""Ordinary people: what is drawn, and that the truth of a session is consistent."""

from functools import cache
from itertools import pairwise
from math import isnan
from random import Random
from statistics import median

import pytest
from dataset import SimulatedSession, make_session
from legcurl.links.sim_address import parse_address
from legcurl.simulator.person import ROM_DEG, draw_person
from legcurl.simulator.session_plan import SessionPlan, draw_session
from legcurl.simulator.world import RATE_HZ, World

SEEDS = range(100, 116)
DRAWN = 600  # plans: cheap

the_session = cache(make_session)


def world(seed: int, query: str = "") -> World:
    return World(parse_address(f"sim:?lifter=person&pace=fast&seed={seed}{query}"))


@cache
def plans() -> list[SessionPlan]:
    return [draw_session(Random(f"plan {n}")) for n in range(DRAWN)]


def first_world(**wanted: object) -> World:
    """The first session that begins or ends as wanted."""
    for seed in range(200, 400):
        found = world(seed)
        assert found.session is not None
        if all(getattr(found.session, name) == value for name, value in wanted.items()):
            return found
    raise AssertionError(f"no session with {wanted}")


def reps_of(made: SimulatedSession):
    return [truth for one in made.sets for truth in one.reps]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_session_is_plausible(seed):
    made = the_session(seed)
    assert len(made.t_s) == len(made.angle_deg) == len(made.flexion_deg)
    assert all(b >= a for a, b in pairwise(made.t_s))
    assert all(isnan(a) or 0.0 <= a < 360.0 for a in made.angle_deg)
    assert 10.0 < made.t_s[-1] - made.t_s[0] < 900.0
    before_s = -1.0
    for truth in reps_of(made):
        rep = truth.rep
        assert before_s <= rep.start_s < rep.hold_start_s <= rep.hold_end_s <= rep.end_s
        assert rep.end_s <= made.t_s[-1] + 2.0
        assert truth.kind in ("lift", "forced")
        before_s = rep.end_s


@pytest.mark.parametrize("seed", SEEDS)
def test_each_listed_lift_is_an_excursion_of_the_lever(seed):
    made = the_session(seed)
    rom_deg = [one.result.rom_deg for one in made.sets for _ in one.reps]
    for truth, rom in zip(reps_of(made), rom_deg, strict=True):
        rep = truth.rep
        inside = [
            deg
            for t, deg in zip(made.t_s, made.flexion_deg, strict=True)
            if rep.start_s <= t <= rep.end_s
        ]
        assert max(inside) - inside[0] > 0.28 * rom


def test_the_same_seed_gives_the_same_session():
    assert str(make_session(100)) == str(the_session(100))  # nan is not itself
    assert the_session(101).t_s != the_session(100).t_s


def test_ranges_run_from_short_to_limber():
    rng = Random(4)
    roms = [draw_person(rng).rom_deg for _ in range(2000)]
    assert ROM_DEG == (15.0, 140.0)
    assert min(roms) < 22.0
    assert max(roms) > 134.0
    assert 70.0 < median(roms) < 105.0


def test_habits_are_continuous():
    rng = Random(5)
    people = [draw_person(rng) for _ in range(500)]
    for habit in ("rom_deg", "concentric_s", "eccentric_s", "hold_s", "growing", "shrinking"):
        assert len({getattr(person, habit) for person in people}) > 400


def test_most_people_hold_less_than_the_method_asks():
    rng = Random(6)
    holds = [draw_person(rng).hold_s for _ in range(1000)]
    assert sum(hold < 3.0 for hold in holds) > 850


@pytest.mark.parametrize(
    "happens",
    [
        lambda plan: plan.start == "top",
        lambda plan: plan.start == "mid_rep",
        lambda plan: plan.end == "soon",
        lambda plan: plan.end == "mid_rep",
        lambda plan: plan.getting_in > 0,
        lambda plan: plan.getting_out > 0,
        lambda plan: plan.demonstrated > 0,
        lambda plan: len(plan.people) == 2,
        *(
            lambda plan, name=name: any(getattr(one, name) for one in plan.sets)
            for name in (
                *("short_share", "turns_at", "pulse_share", "long_hold_s", "forced"),
                *("shift_deg", "greatest_at", "hangs_at", "to_failure"),
            )
        ),
        lambda plan: any(one.again == "rest_pause" for one in plan.sets),
        lambda plan: any(one.again == "drop_set" for one in plan.sets),
    ],
)
def test_everything_that_people_do_happens_now_and_then(happens):
    assert 0.02 * DRAWN < sum(map(happens, plans())) < 0.8 * DRAWN


def test_what_is_out_of_the_ordinary_is_told_in_words():
    events = {plan.events for plan in plans()}
    assert () in events
    assert len({name for some in events for name in some}) >= 20
    assert all(("pulses" in p.events) is any(s.pulse_share for s in p.sets) for p in plans())


def test_a_record_may_begin_at_the_top():
    started = first_world(start="top")
    assert next(started.flexion()) > 0.8 * started.scenario.lifter.rom_deg


def test_a_record_may_begin_in_the_middle_of_a_rep():
    started = first_world(start="mid_rep")
    flexion, truth = started.played()
    assert "cut_off" in {rep.kind for rep in truth.optional}
    cut = min(truth.optional, key=lambda rep: rep.rep.start_s)
    assert cut.kind == "cut_off"
    assert cut.rep.start_s < 0.1 < cut.rep.end_s < truth.sets[0].result.start_s + 0.01
    assert max(flexion[: RATE_HZ // 2]) - min(flexion[: RATE_HZ // 2]) > 0.5


def test_a_record_may_end_in_the_middle_of_a_rep():
    ended = first_world(end="mid_rep")
    flexion, truth = ended.played()
    assert truth.sets[-1].result.outcome == "interrupted"
    assert len(flexion) / RATE_HZ - truth.sets[-1].result.end_s < 30.0


@pytest.mark.long
def test_failure_comes_from_the_load():
    """The same person with a weight near what he can just lift manages fewer reps."""

    def lifts(query: str) -> int:
        return sum(
            len(one.reps) for seed in range(100, 110) for one in world(seed, query).truth().sets
        )

    assert lifts("&load=1") < 0.9 * lifts("&load=0.6")


@pytest.mark.long
def test_some_fail_and_some_do_not():
    outcomes = [one.result.outcome for seed in SEEDS for one in the_session(seed).sets]
    assert outcomes.count("muscle_success") >= 4
    assert outcomes.count("stopped") >= 4


def test_the_raw_angle_follows_the_flexion():
    made = the_session(103)
    wrong = []
    offset = made.angle_deg[0] - made.direction * made.flexion_deg[0]
    for angle, flexion in zip(made.angle_deg, made.flexion_deg, strict=True):
        turned = angle - offset - made.direction * flexion
        wrong.append(abs((turned + 180.0) % 360.0 - 180.0))
    assert max(wrong) < 4.0


def test_the_firmware_sees_what_the_lever_does():
    simulated = world(107)
    flexion = list(simulated.flexion())
    shown = [deg for _, deg in simulated.sensor_trace(50.0)]
    assert len(shown) == pytest.approx(len(flexion) / RATE_HZ * 50.0, abs=2)
    swing = max(flexion) - min(flexion)
    turned = [(deg - shown[0] + 180.0) % 360.0 - 180.0 for deg in shown]
    assert max(turned) - min(turned) == pytest.approx(swing, abs=4.0)


def test_the_truth_as_json_names_what_may_be_listed_or_not():
    told = first_world(demonstrated=2).truth().as_json()
    kinds = [rep["kind"] for rep in told["optional"]]
    assert kinds.count("demonstration") == 2
    assert all({"kind", "pulsed", "ambiguous"} <= set(rep) for rep in told["optional"])
    assert all(rep["kind"] == "lift" for one in told["sets"] for rep in one["reps"][:1])


def test_other_lifters_have_nothing_that_is_optional():
    told = World(parse_address("sim:?lifter=early&pace=fast&seed=3")).truth().as_json()
    assert told["optional"] == []


@pytest.mark.parametrize("seed", [10027, 10139])
def test_a_record_that_begins_and_breaks_off_in_mid_rep_is_not_empty(seed):
    assert len(make_session(seed).t_s) > 100

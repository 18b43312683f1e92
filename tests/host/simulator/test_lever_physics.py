"""The machine obeys mechanics: cables pull, stacks land, stops stop, friction only takes."""

from dataclasses import replace
from itertools import pairwise
from math import degrees, radians

import pytest
from legcurl.simulator.machine import DECISION_S, Machine, MachineSpec
from legcurl.simulator.muscle import Muscle, MuscleSpec

SPEC = MachineSpec(rest_rad=radians(-5.0), limit_rad=radians(110.0))
LOSSLESS = replace(
    SPEC,
    stack_friction_n=0.0,
    stack_drag_n_s_m=0.0,
    lever_friction_nm=0.0,
    lever_drag_nm_s=0.0,
    cable_damping_n_s_m=0.0,
    stop_damping_nm_s=0.0,
    floor_damping_n_s_m=0.0,
)


def machine_with_muscle(spec=SPEC, muscle=None):
    machine = Machine(spec)
    return machine, Muscle(muscle or MuscleSpec(), machine.grid_rad)


def run(machine, muscle, seconds, asked_nm=0.0, outside_nm=0.0):
    path = []
    for _ in range(round(seconds / DECISION_S)):
        machine.advance(muscle, asked_nm, outside_nm, path)
    return [degrees(angle) for angle in path]


def test_a_lever_without_a_push_stays_at_rest():
    machine, muscle = machine_with_muscle()
    run(machine, muscle, 2.0)
    settled = run(machine, muscle, 5.0)
    assert max(settled) - min(settled) < 0.001
    assert machine.asleep


def test_a_sleeping_lever_wakes_when_pulled():
    machine, muscle = machine_with_muscle()
    run(machine, muscle, 3.0)
    assert machine.asleep
    assert run(machine, muscle, 1.0, asked_nm=160.0)[-1] > 10.0


def test_the_cable_never_pushes():
    machine, muscle = machine_with_muscle()
    tensions = []
    for outside in (400.0, 0.0, -150.0, 300.0, 0.0):  # thrown up, caught, slammed down
        for _ in range(60):
            run(machine, muscle, DECISION_S, outside_nm=outside)
            tensions.append(machine.tension_n())
    assert min(tensions) == 0.0  # it did hang slack at times
    assert max(tensions) > machine.spec.stack_kg * 9.81


def test_the_stack_flies_on_when_the_lever_is_stopped_short():
    machine, muscle = machine_with_muscle()
    run(machine, muscle, 0.25, outside_nm=700.0)
    rising = machine.stack_m_s
    assert rising > 0.5
    run(machine, muscle, 0.05, outside_nm=-2000.0)
    assert machine.velocity_rad_s < 0.0
    assert machine.stack_m_s > 0.0
    assert machine.tension_n() == 0.0


def test_a_dropped_stack_lands_and_the_lever_comes_to_rest_at_its_stop():
    machine, muscle = machine_with_muscle()
    machine.place(radians(80.0))
    path = run(machine, muscle, 6.0)
    assert machine.asleep
    assert abs(machine.height_m) < 0.001
    assert path[-1] == pytest.approx(-5.0, abs=0.5)
    assert min(path) > -20.0  # it bounces on the stop, and does not pass it


@pytest.mark.parametrize("outside_nm", [400.0, 700.0])
def test_nothing_passes_the_upper_stop(outside_nm):
    machine, muscle = machine_with_muscle()
    path = run(machine, muscle, 2.0, outside_nm=outside_nm)
    assert 110.0 < max(path) < 155.0


def test_energy_is_kept_where_nothing_rubs():
    machine, muscle = machine_with_muscle(LOSSLESS)
    machine.place(radians(90.0))
    before = machine.energy()
    for _ in range(300):  # falls, lands, bounces: three seconds of it
        run(machine, muscle, DECISION_S)
        # Semi-implicit steps ripple around the truth in a hard impact, and come back to it.
        assert machine.energy() == pytest.approx(before, rel=0.08)
    assert machine.energy() == pytest.approx(before, rel=0.02)


def test_friction_and_landing_only_take_energy_away():
    machine, muscle = machine_with_muscle()
    machine.place(radians(90.0))
    energies = []
    for _ in range(300):
        run(machine, muscle, DECISION_S)
        energies.append(machine.energy())
    assert all(later <= earlier + 0.3 for earlier, later in pairwise(energies))
    assert energies[-1] < 0.2 * energies[0]


def test_a_pull_just_over_the_load_lifts_it_and_just_under_does_not():
    for share, lifted in ((1.1, True), (0.9, False)):
        machine, muscle = machine_with_muscle(muscle=MuscleSpec(strength_nm=2000.0))
        machine.place(radians(40.0))
        load = machine.spec.holding_torque(radians(40.0))
        muscle.pulled(share * load, 1e9)
        run(machine, muscle, 0.4, asked_nm=share * load)
        assert (degrees(machine.angle_rad) > 40.0) is lifted


def test_asking_for_more_than_the_muscle_has_changes_nothing():
    ends = []
    for asked in (2_000.0, 20_000.0):
        machine, muscle = machine_with_muscle()
        muscle.pulled(2_000.0, 1.0)
        run(machine, muscle, 0.5, asked_nm=asked)
        assert muscle.saturated
        ends.append(machine.angle_rad)
    assert ends[0] == ends[1]


def test_a_yielding_muscle_lowers_more_than_it_can_lift():
    muscle = MuscleSpec(strength_nm=150.0)
    machine, pulled = machine_with_muscle(muscle=muscle)
    machine.place(radians(60.0))
    pulled.pulled(500.0, 1e9)
    path = run(machine, pulled, 1.0, asked_nm=500.0)
    fell = path[0] - path[-1]
    machine.place(radians(60.0))
    pulled.relaxed()
    limp = run(machine, pulled, 0.2)
    assert limp[0] - limp[-1] > fell

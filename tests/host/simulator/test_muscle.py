"""Muscle units tire and recover; how many reps a lifter has is a rate of fatigue."""

from math import radians

import pytest
from legcurl.simulator.endurance import Demand, demand_of, fatigue_rate, reps_to_failure
from legcurl.simulator.intent import LifterSpec
from legcurl.simulator.machine import DECISION_S, MachineSpec
from legcurl.simulator.muscle import Muscle, MuscleSpec, shortening_speed, strength_at

MACHINE = MachineSpec(rest_rad=radians(-5.0), limit_rad=radians(115.0), stack_kg=70.0)


def muscle_at(effort, seconds, muscle=None):
    muscle = muscle or Muscle(MuscleSpec(fatigue_s=0.01, recovery_s=0.001), [0.0, 1.0])
    for _ in range(round(seconds / DECISION_S)):
        muscle.effort = effort
        muscle.tire(DECISION_S)
    return muscle


def test_units_move_between_compartments_and_are_never_lost():
    muscle = muscle_at(0.7, 60.0)
    assert muscle.active + muscle.fatigued + muscle.resting == pytest.approx(1.0)
    assert min(muscle.active, muscle.fatigued, muscle.resting) >= 0.0
    assert muscle.capacity == pytest.approx(1.0 - muscle.fatigued)


def test_the_harder_the_effort_the_sooner_the_fatigue():
    capacities = [muscle_at(effort, 40.0).capacity for effort in (0.0, 0.3, 0.6, 1.0)]
    assert capacities == sorted(capacities, reverse=True)
    assert capacities[0] == 1.0
    assert capacities[-1] < 0.75


def test_rest_brings_strength_back_and_faster_than_easy_work_does():
    tired = muscle_at(1.0, 40.0).capacity
    rested = muscle_at(0.0, 15.0, muscle_at(1.0, 40.0)).capacity
    eased = muscle_at(0.1, 15.0, muscle_at(1.0, 40.0)).capacity
    assert rested > eased
    assert rested > tired + 0.02


def test_a_muscle_shortens_slower_under_load_and_stops_at_its_strength():
    speeds = [shortening_speed(MuscleSpec(), load) for load in (0.0, 0.3, 0.6, 0.9, 1.0, 1.2)]
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] == MuscleSpec().v_max_rad_s
    assert speeds[-2:] == [0.0, 0.0]


def test_strength_is_greatest_at_its_best_angle():
    spec = MuscleSpec(best_rad=radians(40.0))
    assert strength_at(spec, radians(40.0)) == spec.strength_nm
    assert strength_at(spec, radians(0.0)) < spec.strength_nm > strength_at(spec, radians(100.0))
    assert strength_at(spec, radians(400.0)) > 0.0


@pytest.mark.parametrize("reps", [2.5, 4.5, 7.5, 9.2, 14.9])
def test_the_fatigue_rate_is_that_of_the_reps_asked_for(reps):
    lifter, muscle = LifterSpec(), MuscleSpec()
    demand = Demand(lifting=[0.7, 0.8, 0.75] * 6 + [0.7, 0.7], holding=0.65, lowering=0.5)
    rate = fatigue_rate(demand, muscle, lifter, reps)
    assert reps_to_failure(demand, muscle, lifter, rate) == int(reps)


def test_demand_is_hardest_at_the_cams_sticking_point():
    muscle = MuscleSpec(best_rad=MACHINE.cam_best_rad, breadth_rad=MACHINE.cam_breadth_rad)
    demand = demand_of(MACHINE, muscle, 95.0)
    hardest = max(range(20), key=demand.lifting.__getitem__)
    sticking = MACHINE.cam_bump_rad / radians(95.0) * 20.0
    assert abs(hardest + 0.5 - sticking) < 2.0
    assert demand.lowering < demand.holding < demand.hardest

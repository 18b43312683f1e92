"""A set is measured the same, wherever before it the samples began."""

from __future__ import annotations

import pytest
from legcurl.events import SetEnded, SetResult, plain
from legcurl.links.sim_address import parse_address
from legcurl.motion import Calibration, SetTracker, analyze
from legcurl.motion.resampler import GRID_US, LATTICE_US
from legcurl.motion.tracker import LOOK_EVERY
from legcurl.simulator.world import World
from lever import Lever
from selection import first_short


def trace(address: str, rate: float) -> tuple[list[float], list[float]]:
    samples = list(World(parse_address(address)).sensor_trace(rate))
    return [t for t, _ in samples], [angle for _, angle in samples]


def test_the_lattice_is_the_distance_of_two_looks():
    assert LATTICE_US == LOOK_EVERY * GRID_US


@pytest.mark.parametrize("rate", first_short([50, 100, 200]))
@pytest.mark.parametrize("seed", first_short([31, 32]))
def test_the_first_set_does_not_depend_on_where_the_rest_before_it_began(seed: int, rate: int):
    t_s, angle_deg = trace(f"sim:?seed={seed}&pace=fast", rate)
    whole = plain(analyze(t_s, angle_deg))
    assert len(whole) == 1
    rest_s = whole[0]["start_s"] - t_s[0]
    assert rest_s > 1.5, "the lever rests before the set"
    for skipped in range(1, 12):
        assert plain(analyze(t_s[skipped:], angle_deg[skipped:])) == whole, skipped


@pytest.mark.long
def test_a_later_set_does_not_depend_on_how_many_came_before_it():
    t_s, angle_deg = trace("sim:?seed=33&pace=fast&sets=3", 100)
    whole = plain(analyze(t_s, angle_deg))
    assert len(whole) == 3
    between_s = (whole[0]["end_s"] + whole[1]["start_s"]) / 2
    for begin in range(round(between_s * 100), round(between_s * 100) + 7):
        assert plain(analyze(t_s[begin:], angle_deg[begin:])) == whole[1:], begin


@pytest.mark.parametrize("calibrated", [False, True])
def test_who_is_told_which_way_is_up_needs_no_set_to_learn_it(calibrated: bool):
    """The first motion that is left goes the other way: a weight that was tested comes down."""
    lever = Lever().rests(3)
    for _ in range(3):
        lever.lifts(100, 2.5).holds(3).lowers(0, 4).rests(0.3)
    lever.rests(30).lifts(60, 2).holds(8)
    left_s = lever.now_s - 6
    lever.lowers(0, 1.5).rests(25)
    for _ in range(3):
        lever.lifts(100, 2.5).holds(3).lowers(0, 4).rests(0.3)
    lever.rests(25)
    samples = list(zip(*lever.seen(offset=40.0), strict=True))
    calibration = Calibration(40.0, 140.0) if calibrated else None
    whole, rest = SetTracker(calibration), SetTracker(calibration)
    sets = sets_of(whole, samples)
    assert whole.direction == 1
    rest.know_direction(whole.direction)
    told = sets_of(rest, [sample for sample in samples if sample[0] >= left_s * 1e6])
    assert plain(told[-1]) == plain(sets[-1])
    assert (told[-1].completed_reps, told[-1].start_s > left_s) == (3, True)
    assert rest.direction == 1


def sets_of(tracker: SetTracker, samples: list[tuple[int, float]]) -> list[SetResult]:
    events = tracker.push([t for t, _ in samples], [angle for _, angle in samples])
    return [event.set for event in events if isinstance(event, SetEnded)]

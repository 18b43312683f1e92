"""A set is measured the same, wherever before it the samples began."""

from __future__ import annotations

import pytest
from legcurl.events import plain
from legcurl.motion import analyze
from legcurl.motion.conditioning import GRID_US, LATTICE_US
from legcurl.motion.tracker import LOOK_EVERY
from legcurl.simulator.options import parse_address
from legcurl.simulator.world import World


def trace(address: str, rate: float) -> tuple[list[float], list[float]]:
    samples = list(World(parse_address(address)).sensor_trace(rate))
    return [t for t, _ in samples], [angle for _, angle in samples]


def test_the_lattice_is_the_distance_of_two_looks():
    assert LATTICE_US == LOOK_EVERY * GRID_US


@pytest.mark.parametrize("rate", [50, 100, 200])
@pytest.mark.parametrize("seed", [31, 32])
def test_the_first_set_does_not_depend_on_where_the_rest_before_it_began(seed: int, rate: int):
    t_s, angle_deg = trace(f"sim:?seed={seed}&pace=fast", rate)
    whole = plain(analyze(t_s, angle_deg))
    assert len(whole) == 1
    rest_s = whole[0]["start_s"] - t_s[0]
    assert rest_s > 1.5, "the lever rests before the set"
    for skipped in range(1, 12):
        assert plain(analyze(t_s[skipped:], angle_deg[skipped:])) == whole, skipped


def test_a_later_set_does_not_depend_on_how_many_came_before_it():
    t_s, angle_deg = trace("sim:?seed=33&pace=fast&sets=3", 100)
    whole = plain(analyze(t_s, angle_deg))
    assert len(whole) == 3
    between_s = (whole[0]["end_s"] + whole[1]["start_s"]) / 2
    for begin in range(round(between_s * 100), round(between_s * 100) + 7):
        assert plain(analyze(t_s[begin:], angle_deg[begin:])) == whole[1:], begin

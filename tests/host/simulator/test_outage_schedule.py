"""Trouble of the link: seeded, inside of sets, and without effect on what is sampled."""

from __future__ import annotations

import pytest
from legcurl.links.sim_address import SimOptions, parse_address
from legcurl.simulator.fault_schedule import LINK_DOWN
from legcurl.simulator.outage_schedule import AFTER_SET_S, BEFORE_SET_S, LONGEST_S, SHARE_OF_SET
from legcurl.simulator.world import HEADER, RATE_HZ, RECORD, World
from selection import first_short

LONG_SET = "sim:?pace=fast&load=0.25&seed=5"


def world_of(query: str) -> World:
    return World(parse_address(query))


def link_downs(world: World) -> list[tuple[float, float]]:
    """Start and end of each outage in the world stream, in s."""
    stream = b"".join(world.records())[HEADER.size :]
    down = [bool(flags & LINK_DOWN) for _, _, flags in RECORD.iter_unpack(stream)]
    edges = [at / RATE_HZ for at in range(1, len(down)) if down[at] != down[at - 1]]
    return list(zip(edges[::2], edges[1::2], strict=True))


@pytest.mark.parametrize("seed", first_short([1, 2, 3]))
@pytest.mark.parametrize("count", [1, 3, 8])
def test_outages_are_as_many_as_asked_and_take_up_to_a_fifth_of_the_set(seed, count):
    world = world_of(f"sim:?pace=fast&seed={seed}&outages={count}")
    (truth,) = world.truth().sets
    downs = link_downs(world)
    assert len(downs) == count
    assert downs[0][0] >= truth.result.start_s - BEFORE_SET_S - 0.01
    assert downs[-1][1] <= truth.result.end_s + AFTER_SET_S + 0.01
    share = sum(end - start for start, end in downs) / (truth.result.end_s - truth.result.start_s)
    assert SHARE_OF_SET[0] - 0.01 <= share <= SHARE_OF_SET[1] + 0.01


def test_every_set_has_its_own_outages():
    world = world_of("sim:?pace=fast&sets=2&outages=2&seed=4")
    downs = link_downs(world)
    sets = [truth.result for truth in world.truth().sets]
    assert len(sets) == 2
    for result in sets:
        inside = [
            1
            for start, end in downs
            if result.start_s - BEFORE_SET_S <= end and start <= result.end_s + AFTER_SET_S
        ]
        assert len(inside) == 2
    assert len(downs) == 4


@pytest.mark.long
def test_an_outage_of_a_long_set_ends_after_a_minute():
    downs = link_downs(world_of(f"{LONG_SET}&outages=1"))
    assert [round(end - start, 1) for start, end in downs] == [LONGEST_S]


@pytest.mark.long
def test_outages_follow_from_the_seed():
    assert link_downs(world_of("sim:?pace=fast&outages=3&seed=1")) == link_downs(
        world_of("sim:?pace=fast&outages=3&seed=1")
    )
    assert link_downs(world_of("sim:?pace=fast&outages=3&seed=1")) != link_downs(
        world_of("sim:?pace=fast&outages=3&seed=2")
    )


@pytest.mark.parametrize("trouble", ["outages=4", "fault=rough_link", "outages=2&fault=rough_link"])
def test_the_link_changes_no_sample(trouble):
    well = list(World(SimOptions(pace="fast", seed=6)).sensor_trace(100.0))
    assert list(world_of(f"sim:?pace=fast&seed=6&{trouble}").sensor_trace(100.0)) == well


def test_a_fast_crystal_samples_the_same_motion_sooner():
    """Its tick 10000 comes 10 ms before that of a true one, and is told as the same time."""
    true = list(World(SimOptions(pace="fast", seed=6)).sensor_trace(100.0))
    fast = list(World(SimOptions(pace="fast", seed=6, drift_ppm=100)).sensor_trace(100.0))
    assert [t for t, _ in fast[:9000]] == [t for t, _ in true[:9000]]
    assert len(fast) - len(true) == pytest.approx(len(true) * 100e-6, abs=1)
    assert fast != true

"""A turn of the main loop, as estimated, is over before the sampler's ring is full."""

from __future__ import annotations

import pytest
from bench_firmware import RING_S, counted_costs, show_turns


def test_the_worst_turn_is_printed_and_shorter_than_the_ring(
    capsys: pytest.CaptureFixture[str],
) -> None:
    costs = counted_costs()
    show_turns(costs)
    printed = capsys.readouterr().out
    assert "longest turn of the main loop, estimated" in printed
    assert "the worst of these: a USB write that stalls, 500 ms" in printed
    everything = printed.partition("all of them in one turn: ")[2].partition(" s")[0]
    assert 0.9 < float(everything) < RING_S


def test_the_counted_cost_is_the_longest_of_each_part() -> None:
    turn = counted_costs()["turn"]
    assert turn["drain"] > turn["encode"] > turn["notify"]
    assert turn["send"] > turn["notify"]
    bytecodes_a_sample = turn["encode"][0] / 160
    assert bytecodes_a_sample > 40, "each with its deviation: not one run broken off by a gap"

"""Samples that nobody saw: no rep is invented for them, and no rest either."""

from __future__ import annotations

from math import cos, pi

import pytest
from legcurl.motion import analyze

RATE_HZ = 100
UP_S, HOLD_S, DOWN_S, TURN_S = 3.0, 3.1, 4.0, 0.3
REP_S = UP_S + HOLD_S + DOWN_S + TURN_S
FIRST_S = 4.0


def curls(count: int) -> tuple[list[float], list[float]]:
    """Times and angles of a set, an idle machine after it."""

    def flexion(t_s: float) -> float:
        rep, in_rep = divmod(t_s - FIRST_S, REP_S)
        if rep < 0 or rep >= count:
            return 0.0
        if in_rep < UP_S:
            return 50 * (1 - cos(pi * in_rep / UP_S))
        if in_rep < UP_S + HOLD_S:
            return 100.0
        return 50 * (1 + cos(pi * min((in_rep - UP_S - HOLD_S) / DOWN_S, 1.0)))

    times = [tick / RATE_HZ for tick in range(round((FIRST_S + count * REP_S + 40) * RATE_HZ))]
    return times, [20.0 + flexion(t) for t in times]


def seen_but(missing: tuple[float, float], count: int):
    times, angles = curls(count)
    return analyze(*without(missing, times, angles))


def without(
    missing: tuple[float, float], times: list[float], angles: list[float]
) -> tuple[list[float], list[float]]:
    """The samples that were not taken in between."""
    kept = [(t, a) for t, a in zip(times, angles, strict=True) if not missing[0] <= t < missing[1]]
    return [t for t, _ in kept], [a for _, a in kept]


def start_of(rep: int) -> float:
    return FIRST_S + (rep - 1) * REP_S


def test_a_gap_across_two_reps_costs_these_two_and_keeps_the_set_together():
    """From the second rep's end to the fifth's start no rest was seen, so it was none."""
    (result,) = seen_but((start_of(3) + UP_S + 1, start_of(4) + UP_S + 0.5), count=6)
    assert result.completed_reps == 4
    assert result.incomplete
    assert [round((rep.start_s - FIRST_S) / REP_S) for rep in result.reps] == [0, 1, 4, 5]


@pytest.mark.parametrize("cut_s", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("length_s", [3.5, 6.0])
@pytest.mark.parametrize("rep", [2, 3])
def test_a_gap_in_a_lift_costs_at_most_the_reps_that_it_touches(rep, length_s, cut_s):
    from_s = start_of(rep) + cut_s
    (result,) = seen_but((from_s, from_s + length_s), count=6)
    assert result.incomplete
    assert result.completed_reps >= 5, "it lies in one rep"
    assert result.outcome == "stopped", "and looks like no failure"


def test_an_outage_of_the_whole_rest_between_two_sets_joins_none():
    """Longer than anybody's rest and than a set may hide: what follows is another."""
    times, angles = curls(3)
    again_s = times[-1] + 20.0
    both = [*times, *(t + again_s for t in times)]
    cut_s, back_s = start_of(4) - 0.2, again_s + FIRST_S - 1.0
    sets = analyze(*without((cut_s, back_s), both, [*angles, *angles]))
    assert [one.completed_reps for one in sets] == [3, 3]

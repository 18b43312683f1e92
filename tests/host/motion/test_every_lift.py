"""Lifts that look least like reps are listed all the same: after rests, bounces and failures."""

from __future__ import annotations

import pytest
from legcurl.events import RepResult, SetEnded, SetResult
from legcurl.motion import SetTracker
from lever import Lever


def sets_of(lever: Lever) -> list[SetResult]:
    tracker = SetTracker()
    events = tracker.push(*lever.seen()) + tracker.finish()
    return [event.set for event in events if isinstance(event, SetEnded)]


def reps_of(lever: Lever) -> list[RepResult]:
    return [rep for result in sets_of(lever) for rep in result.reps]


def slow_set(lever: Lever) -> Lever:
    """Four reps that need ever longer, and a failed one."""
    for up_s in (3.0, 4.0, 6.0, 9.0):
        lever.rep(up_s=up_s, hold_s=0.5)
    return lever.failed_rep(80.0, 8.0)


def quick_rep(lever: Lever) -> Lever:
    """With less weight: quick, not held."""
    return lever.rep(up_s=1.2, hold_s=0.0, down_s=1.5)


def test_quick_reps_after_a_slow_failure_are_reps() -> None:
    lever = quick_rep(quick_rep(slow_set(Lever().rests(3)).rests(10.0))).rests(22.0)
    assert len(reps_of(lever)) == 7


def test_one_quick_swing_after_it_is_getting_out() -> None:
    lever = quick_rep(slow_set(Lever().rests(3)).rests(10.0)).rests(22.0)
    assert len(reps_of(lever)) == 5


def test_a_lift_as_the_set_ends_leads_into_the_next_one() -> None:
    lever = quick_rep(slow_set(Lever().rests(3)).rests(16.0))
    first_s = lever.now_s
    lever = lever.rests(1.0).rep(hold_s=0.5).rep(hold_s=0.5).rep(hold_s=0.5).rests(22.0)
    first, second = sets_of(lever)
    assert (len(first.reps), len(second.reps)) == (5, 4)
    assert second.start_s < first_s


def test_a_rep_begins_where_it_leaves_the_rest_after_a_bounce() -> None:
    """The lifter turns a third up, bounces, and rests there while the cable creeps."""
    lever, began_s = Lever().rests(3), []
    for _ in range(3):
        began_s.append(lever.now_s)
        lever = lever.rep(110, up_s=1.5, hold_s=0.5, down_s=1.5).rests(1)
    for _ in range(4):
        began_s.append(lever.now_s)
        lever = lever.lifts(110, 1.3).lowers(40, 0.9).lifts(48, 0.3).sags(-1.0, 6.0)
    found_s = [rep.start_s for rep in reps_of(lever.lowers(0, 1).rests(22))]
    assert found_s == pytest.approx(began_s, abs=0.1)


def test_a_lever_that_falls_after_it_was_left_hanging_is_no_rep() -> None:
    lever = Lever().rests(3).rep().rep().rep().lifts(100, 2.5).lowers(75, 1).rests(15)
    lever = lever.lowers(0, 0.4).lifts(6.5, 0.5).lowers(3, 0.5).lowers(-8, 2).rests(22)
    assert len(reps_of(lever)) == 4

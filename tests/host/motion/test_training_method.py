"""What the method asks for is one value, checked once, kept with the set, used everywhere."""

from __future__ import annotations

import pytest
from legcurl.errors import ConfigError
from legcurl.events import Cue, Progress, RepCorrected, RepCounted, RepEnded, SetEnded, SetResult
from legcurl.motion import SetTracker, TrainingMethod, analyze
from legcurl.training_method import STANDARD
from lever import Lever


def set_by(method: TrainingMethod, lever: Lever) -> SetResult:
    times, angles = lever.seen()
    [result] = analyze([t / 1e6 for t in times], angles, method=method)
    return result


def test_the_defaults_are_those_of_the_exercise():
    assert STANDARD.hold_target_s == 3.0
    assert STANDARD.set_window_s == (60.0, 120.0)
    assert STANDARD.full_rom_fraction == STANDARD.counted_fraction == 0.90
    assert STANDARD.count_at == "end"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"counted_fraction": 0.4}, "counted_fraction is invalid: give a number from 0.5 to 0.95"),
        ({"full_rom_fraction": 1.2}, "full_rom_fraction"),
        ({"hold_target_s": float("nan")}, "hold_target_s"),
        ({"hold_tolerance_s": -0.1}, "hold_tolerance_s"),
        ({"set_window_s": (120.0, 60.0)}, "shorter of its two times first"),
        ({"set_window_s": (60.0,)}, "two times"),
        ({"count_at": "middle"}, '"end" or "top"'),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_name(wrong: dict, says: str):
    with pytest.raises(ConfigError, match=says):
        TrainingMethod(**wrong)


@pytest.mark.parametrize(("hold_s", "met"), [(2.96, True), (2.90, True), (2.85, False)])
def test_a_hold_is_met_within_the_tolerance(hold_s: float, met: bool):
    assert STANDARD.hold_met(hold_s) is met


def test_a_set_keeps_the_method_that_it_was_judged_by():
    method = TrainingMethod(hold_target_s=2.0)
    result = set_by(method, Lever().rests(3).rep(hold_s=2.2).rep(hold_s=2.2).rests(22))
    assert result.method == method
    assert set_by(STANDARD, Lever().rests(3).rep().rep().rests(22)).method is None
    assert all(rep.hold_met for rep in result.reps)


def test_both_counts_are_told_where_they_differ():
    lever = Lever().rests(3).rep().rep().rep(top=78).rep(top=60).rep().rests(22)
    result = set_by(TrainingMethod(counted_fraction=0.7), lever)
    assert (result.completed_reps, result.counted_reps) == (3, 4)
    assert set_by(STANDARD, lever).counted_reps is None


def test_a_failed_rep_has_met_no_hold_however_long_it_stood():
    lever = Lever().rests(3).rep().rep().rep().lifts(40, 1.5).creeps(60, 4).holds(4).drops()
    result = set_by(STANDARD, lever.rests(22))
    assert result.reps[-1].failed
    assert not result.reps[-1].hold_met


class TestCountedAtTheTop:
    METHOD = TrainingMethod(count_at="top")

    def events_of(self, lever: Lever) -> list:
        tracker = SetTracker(method=self.METHOD, progress_s=0.1)
        return tracker.push(*lever.seen()) + tracker.finish()

    def test_the_count_goes_up_while_the_lifter_holds(self):
        events = self.events_of(Lever().rests(3).rep().rep().rep().rests(22))
        at_top = [event for event in events if isinstance(event, RepCounted)]
        ended = [event for event in events if isinstance(event, RepEnded)]
        assert [event.completed_reps for event in at_top] == [2, 3]
        assert [event.completed_reps for event in ended] == [1, 2, 3]
        assert ended[1].t_s - at_top[0].t_s > 5.0, "hold and eccentric"
        over_s = next(event.t_s for event in events if isinstance(event, SetEnded))
        progress = [event for event in events if isinstance(event, Progress)]
        shown = [event.completed_reps for event in progress if event.t_s < over_s]
        assert shown == sorted(shown), "the count never goes back"

    def test_what_did_not_count_after_all_is_taken_back_aloud(self):
        lever = Lever().rests(3).rep().rep().rep().lifts(50, 2).creeps(93, 8).drops().rests(22)
        events = self.events_of(lever)
        [ended] = [event for event in events if isinstance(event, SetEnded)]
        taken_back = [
            event
            for event in events
            if isinstance(event, RepCorrected) and event.old is event.new is None
        ]
        counted = [event for event in events if isinstance(event, RepCounted)]
        assert len(counted) - len(taken_back) == ended.set.completed_reps - 1
        assert ended.set.completed_reps == 3


def test_cues_follow_the_method():
    lever = Lever().rests(3).rep(hold_s=1.9).rep(hold_s=1.9).rep(hold_s=1.9).rests(1)

    def cues_of(method: TrainingMethod) -> set[str]:
        events = SetTracker(method=method).push(*lever.seen())
        return {event.cue for event in events if isinstance(event, Cue)}

    assert cues_of(STANDARD) == {"squeeze"}
    assert cues_of(TrainingMethod(hold_target_s=2.0)) == set()

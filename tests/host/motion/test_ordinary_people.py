"""People as they are: habits that the training method does not know, on traces drawn by hand."""

from __future__ import annotations

import pytest
from legcurl.errors import InputError
from legcurl.events import RepEnded, SetEnded, SetResult
from legcurl.motion import Calibration, KnownDirection, SetTracker, analyze
from lever import Lever


def only_set(lever: Lever, **seen) -> SetResult:
    times, angles = lever.seen(**seen)
    [result] = analyze([t / 1e6 for t in times], angles)
    return result


def way_of(result: SetResult) -> int:
    assert result.extended_deg is not None
    assert result.flexed_deg is not None
    return 1 if (result.flexed_deg - result.extended_deg) % 360.0 < 180.0 else -1


def test_seven_reps_at_87_percent_and_one_at_100_are_eight():
    lever = Lever().rests(3)
    for top in (87, 88, 86, 87, 87, 88, 86, 100):
        lever.rep(top=top, hold_s=0.5)
    result = only_set(lever.rests(22))
    assert len(result.reps) == 8
    assert result.completed_reps == 8
    assert result.reps[-1].rom_fraction > 1.1, "one exceptional lift moves no range"


def test_a_range_that_grows_over_the_first_reps_loses_none_of_them():
    lever = Lever().rests(3)
    for top in (58, 66, 75, 84, 95, 100, 100, 99):
        lever.rep(top=top, up_s=1.5, hold_s=0.3, down_s=1.5)
    result = only_set(lever.rests(22))
    assert len(result.reps) == 8
    assert result.completed_reps == 4


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("rest_s", [1.0, 2.0, 4.0, 6.0])
def test_rest_at_the_bottom_and_no_hold_turn_nothing_round(rest_s: float, direction: int):
    lever = Lever().rests(3)
    for _ in range(8):
        lever.lifts(100, 1.5).lowers(0, 1.5).rests(rest_s)
    result = only_set(lever.rests(22), direction=direction, offset=70.0)
    assert (len(result.reps), way_of(result)) == (8, direction)
    assert max(rep.hold_s for rep in result.reps) < 1.0


@pytest.mark.parametrize("turn_deg", [33, 50])
def test_reps_that_turn_above_the_bottom_are_counted_apart(turn_deg: int):
    lever = Lever().rests(3).lifts(100, 2)
    for _ in range(5):
        lever.lowers(turn_deg, 1.2).lifts(100, 1.2).holds(0.5)
    assert len(only_set(lever.lowers(0, 2).rests(22)).reps) == 6


def test_a_last_rep_that_is_left_hanging_is_closed():
    lever = Lever().rests(3).rep().rep().rep()
    hanging = lever.lifts(100, 2).holds(1).lowers(35, 2).rests(25)
    result = only_set(hanging)
    assert len(result.reps) == 4
    assert result.reps[-1].completed


def test_a_last_rep_that_the_record_just_sees_come_down_is_one():
    result = only_set(Lever().rests(3).rep().rep().rep().lifts(100, 2).lowers(30, 1.5))
    assert len(result.reps) == 4


@pytest.mark.parametrize("rom_deg", [15, 20, 140])
def test_small_and_large_ranges_are_found(rom_deg: int):
    lever = Lever().rests(3)
    for _ in range(5):
        lever.rep(top=rom_deg, up_s=1.5, hold_s=1.0, down_s=1.5)
    result = only_set(lever.rests(22), noise_deg=0.05)
    assert result.completed_reps == 5
    assert result.rom_deg == pytest.approx(rom_deg, rel=0.08)


def test_a_seat_moved_in_mid_set_loses_no_rep():
    lever = Lever().rests(3).rep(top=90).rep(top=90).rep(top=90).lifts(8, 0.5).rests(4)
    for _ in range(3):
        lever.lifts(98, 2.5).holds(2).lowers(8, 3).rests(0.4)
    assert len(only_set(lever.rests(22)).reps) == 6


def test_another_lifters_calibration_costs_no_rep():
    lever = Lever().rests(3)
    for _ in range(6):
        lever.rep(top=79, up_s=1.5, hold_s=0.2, down_s=1.5)
    times, angles = lever.rests(22).seen()
    [result] = analyze([t / 1e6 for t in times], angles, 0.0, 100.0)
    assert (len(result.reps), result.completed_reps) == (6, 6)
    assert result.rom_deg == pytest.approx(79 / 1.02, abs=2.0)


def test_a_shrunken_rep_that_is_held_and_let_down_slowly_has_not_failed():
    lever = Lever().rests(3)
    for top in (100, 100, 96, 92, 88, 83, 79):
        lever.rep(top=top)
    lever.lifts(40, 2.5).creeps(75, 4).holds(2.5).lowers(0, 4).rests(0.2)
    lever.lifts(25, 1.5).creeps(45, 5).drops()
    result = only_set(lever.rests(22))
    assert [rep.failed for rep in result.reps] == [False] * 8 + [True]


def test_a_rest_pause_is_one_set_and_keeps_the_failure_between():
    lever = Lever().rests(3).rep().rep().rep().failed_rep().rests(9).rep().rep()
    result = only_set(lever.failed_rep(top=50).rests(22))
    assert [rep.failed for rep in result.reps] == [False] * 3 + [True] + [False] * 2 + [True]
    assert result.outcome == "muscle_success"
    assert result.outcome_s == pytest.approx(result.reps[-1].hold_end_s)


def test_a_rep_straight_after_it_says_that_an_attempt_had_not_failed():
    lever = Lever().rests(3).rep().rep().rep().lifts(50, 2).creeps(75, 3).lowers(0, 3).rests(0.3)
    result = only_set(lever.rep().rep().rests(22))
    assert not any(rep.failure for rep in result.reps)
    assert result.outcome == "stopped"


def test_swinging_the_empty_lever_on_the_way_out_changes_no_outcome():
    lever = Lever().rests(3).rep().rep().rep().failed_rep().rests(6)
    result = only_set(lever.lifts(95, 0.6).lowers(0, 0.6).rests(22))
    assert result.outcome == "muscle_success"
    assert result.completed_reps == 3


class TestRememberedDirection:
    UP = KnownDirection(1, 6.0, "learnt")

    def beginning_at_the_top(self) -> Lever:
        """Too little to learn from: held up, two reps, and off again."""
        return Lever(100).rests(5).lowers(0, 3).rests(0.3).rep().rep().lifts(98, 2)

    def sets_of(self, lever: Lever, remembered: KnownDirection) -> list[SetResult]:
        times, angles = lever.seen(offset=70.0)
        return analyze([t / 1e6 for t in times], angles, remembered=remembered)

    def test_it_makes_a_record_right_that_begins_at_the_top(self):
        [result] = self.sets_of(self.beginning_at_the_top(), self.UP)
        assert (len(result.reps), way_of(result)) == (2, 1)

    def test_a_set_makes_it_known_and_a_tracker_of_the_next_one_takes_it(self):
        first = SetTracker()
        first.push(*Lever().rests(3).rep().rep().rep().rests(22).seen(offset=70.0))
        known = first.known_direction
        assert (known.sign, known.source) == (1, "learnt")
        assert known.log_odds > 1.0
        second = SetTracker(remembered=known)
        assert second.known_direction.source == "remembered"
        assert second.known_direction.sign == 1

    def test_whole_sets_refute_it_when_the_encoder_was_remounted(self):
        lever = Lever().rests(8)
        for top in (100, 97, 101, 96, 99, 92, 88, 85):
            lever.rep(top=top, hold_s=0.3)
        lever.rests(40)
        down = KnownDirection(-1, 2.0, "learnt")
        [result] = self.sets_of(lever, down)
        assert (len(result.reps), way_of(result)) == (8, 1)

    @pytest.mark.parametrize(("sign", "log_odds"), [(2, 1.0), (1, float("nan")), (1, -3.0)])
    def test_what_cannot_be_a_direction_is_refused(self, sign: int, log_odds: float):
        with pytest.raises(InputError, match="forget it"):
            KnownDirection(sign, log_odds, "learnt")  # pyright: ignore[reportArgumentType]

    def test_a_calibration_outweighs_it(self):
        tracker = SetTracker(Calibration(70.0, 170.0), remembered=KnownDirection(-1, 6.0, "learnt"))
        tracker.push(*Lever().rests(3).rep().rep().rests(3).seen(offset=70.0))
        assert tracker.known_direction == KnownDirection(1, 6.0, "calibrated")


@pytest.mark.parametrize("lifted", [1, 2, 3])
def test_every_lift_is_told_once_while_it_happens(lifted: int):
    tracker = SetTracker()
    lever = Lever().rests(3)
    for _ in range(lifted):
        lever.rep(top=50 + 10 * lifted, hold_s=0.2)
    events = tracker.push(*lever.rests(2).seen()) + tracker.finish()
    told = [event for event in events if isinstance(event, RepEnded)]
    [ended] = [event for event in events if isinstance(event, SetEnded)]
    assert len(told) == len(ended.set.reps) == lifted

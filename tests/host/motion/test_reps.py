"""What is a rep and what is not, on traces drawn by hand."""

from __future__ import annotations

import pytest
from legcurl import analyze
from legcurl.events import SetResult
from legcurl.motion import SetTracker
from legcurl.motion.resampler import short_way
from lever import Lever, to_failure


def sets_of(lever: Lever, **seen) -> list[SetResult]:
    extended, flexed = seen.pop("calibration", (None, None))
    times, angles = lever.seen(**seen)
    return analyze([t / 1e6 for t in times], angles, extended, flexed)


def only_set(lever: Lever, **seen) -> SetResult:
    sets = sets_of(lever, **seen)
    assert len(sets) == 1
    return sets[0]


def three_reps() -> Lever:
    return Lever().rests(3).rep().rep().rep()


def test_a_set_to_failure_is_counted_and_ends_in_muscle_success():
    result = only_set(to_failure(reps=5))
    assert result.completed_reps == 5
    assert result.outcome == "muscle_success"
    assert [rep.completed for rep in result.reps] == [True] * 5 + [False]
    last = result.reps[-1]
    assert last.failed
    assert last.failure == "mid_lift"
    assert last.rom_fraction == pytest.approx(0.6, abs=0.02)
    assert last.evidence is not None
    assert "crept for" in last.evidence
    assert last.fail_s == result.outcome_s == pytest.approx(last.hold_end_s)
    assert result.outcome_known_s - last.hold_end_s < 1.0


def test_a_set_that_ends_after_a_full_rep_has_stopped():
    result = only_set(three_reps().rests(22))
    assert (result.completed_reps, result.outcome, result.outcome_s) == (3, "stopped", None)


def test_data_that_end_inside_a_rep_interrupt_the_set():
    result = only_set(three_reps().lifts(70, 2))
    assert (result.completed_reps, result.outcome) == (3, "interrupted")


def test_data_that_end_with_the_lever_at_rest_end_a_set_that_was_over():
    assert only_set(three_reps().rests(5)).outcome == "stopped"


def test_pulses_at_the_top_are_one_rep():
    lever = Lever().rests(3).rep()
    lever.lifts(100, 2.5).holds(1).lowers(75, 0.7).lifts(100, 0.7).holds(1).lowers(80, 0.6)
    lever.lifts(99, 0.6).holds(0.5).lowers(0, 4).rests(0.2).rep().rests(22)
    result = only_set(lever)
    assert result.completed_reps == 3
    assert result.reps[1].hold_s > 4.0


def test_a_catch_on_the_way_down_is_one_rep():
    lever = Lever().rests(3).rep().lifts(100, 2.5).holds(3)
    lever.lowers(50, 2).holds(1.5).lifts(60, 0.6).lowers(20, 1.5).holds(1).lowers(0, 1)
    result = only_set(lever.rests(0.3).rep().rests(22))
    assert result.completed_reps == 3
    assert result.reps[1].hold_s == pytest.approx(3.3, abs=0.3)


def test_reps_without_full_extension_are_counted_apart():
    lever = Lever().rests(3).lifts(100, 2.5).holds(3)
    for _ in range(4):
        lever.lowers(22, 3).lifts(100, 2.2).holds(2)
    result = only_set(lever.lowers(0, 4).rests(22))
    assert result.completed_reps == 5


def test_less_than_six_degrees_is_no_attempt():
    lever = Lever().rests(3).rep().rep().rests(1)
    lever.lifts(5, 0.5).holds(1).lowers(0, 0.5).rests(22)
    assert len(only_set(lever).reps) == 2


def test_motion_before_the_first_full_rep_is_no_rep():
    lever = Lever().rests(3).lifts(40, 1.5).holds(2).drops().rests(1.5)
    lever.lifts(25, 1).drops().rests(2)
    result = only_set(lever.rep().rep().rep().rests(22))
    assert result.completed_reps == 3
    assert len(result.reps) == 3


def test_touching_down_and_bouncing_are_no_reps():
    lever = Lever().rests(3)
    for _ in range(4):
        lever.lifts(100, 2.5).holds(2.5).drops().rests(0.4)
    lever.lifts(10, 0.3).drops().rests(22)
    result = only_set(lever)
    assert len(result.reps) == 4


def test_a_chosen_partial_is_shown_and_not_counted():
    lever = Lever().rests(3).rep().rep().rep(top=60, up_s=1.5).rep().rests(22)
    result = only_set(lever)
    assert result.completed_reps == 3
    partial = result.reps[2]
    assert not partial.completed
    assert not partial.failed
    assert not partial.full_rom
    assert result.outcome == "stopped"


def test_an_attempt_given_up_at_once_is_not_failed():
    lever = three_reps().lifts(35, 1.2).lowers(0, 0.8).rests(22)
    result = only_set(lever)
    assert (result.completed_reps, result.outcome) == (3, "stopped")


def test_a_failure_low_in_the_range_is_a_failure():
    lever = three_reps().lifts(100, 6).holds(3).lowers(0, 4).rests(0.3)
    result = only_set(lever.failed_rep(top=22, creep_s=3.5).rests(22))
    assert (result.completed_reps, result.outcome) == (4, "muscle_success")


def test_a_failure_just_short_of_the_top_is_a_failure():
    result = only_set(three_reps().failed_rep(top=86, creep_s=7).rests(22))
    assert (result.completed_reps, result.outcome) == (3, "muscle_success")


def test_a_slow_grind_that_gets_there_is_completed():
    lever = three_reps().lifts(45, 2).creeps(60, 3).lifts(100, 4).holds(3).lowers(0, 4).rests(22)
    result = only_set(lever)
    assert (result.completed_reps, result.outcome) == (4, "stopped")


def test_two_failures_end_one_set_and_the_first_decides_when():
    lever = three_reps().failed_rep(top=70).rests(2).failed_rep(top=30, creep_s=3).rests(22)
    result = only_set(lever)
    assert [rep.failed for rep in result.reps] == [False] * 3 + [True] * 2
    assert result.outcome == "muscle_success"
    assert result.outcome_s == pytest.approx(result.reps[3].hold_end_s)


def test_getting_out_of_the_machine_after_a_failure_changes_no_outcome():
    lever = three_reps().failed_rep(top=70).rests(8).lifts(32, 0.8).drops().rests(22)
    result = only_set(lever)
    assert result.outcome == "muscle_success"
    assert len(result.reps) == 4


def test_a_weight_that_sinks_from_the_top_after_a_grind_failed_in_the_hold():
    lever = three_reps().lifts(60, 2.5).creeps(97, 6).holds(1.5).drops().rests(22)
    result = only_set(lever)
    assert result.completed_reps == 4
    assert result.reps[-1].failure == "in_hold"
    assert not result.reps[-1].failed
    assert result.reps[-1].completed
    assert result.outcome == "muscle_success"


def test_a_rep_after_a_failure_in_the_hold_says_there_was_none():
    lever = three_reps().lifts(60, 2.5).creeps(97, 6).holds(1.5).drops().rests(8).rep().rests(22)
    result = only_set(lever)
    assert (result.completed_reps, result.outcome) == (5, "stopped")
    assert not any(rep.failed for rep in result.reps)


@pytest.mark.parametrize(("rest_s", "sets"), [(12.0, 1), (17.0, 1), (19.0, 2)])
def test_up_to_18_s_of_rest_belong_to_the_same_set(rest_s: float, sets: int):
    lever = three_reps().rests(rest_s).rep().rep().rests(25)
    assert len(sets_of(lever)) == sets


def test_rest_is_measured_and_long_rest_is_no_time_under_load():
    result = only_set(three_reps().rests(9.8).rep().rests(22))
    rested = result.reps[-1].rest_before_s
    assert rested == pytest.approx(10.0, abs=0.6)
    assert result.time_under_load_s == pytest.approx(result.end_s - result.start_s - rested)


def test_a_short_range_after_a_long_one_is_another_lifters_set():
    lever = three_reps().rests(25).rep(top=60).rep(top=61).rep(top=59).rests(25)
    assert [result.completed_reps for result in sets_of(lever)] == [3, 3]


def test_range_lost_in_a_set_is_not_forgiven():
    lever = Lever().rests(3)
    for top in (100, 99, 97, 93, 86, 80, 74):
        lever.rep(top=top)
    result = only_set(lever.rests(22))
    assert result.completed_reps == 4
    assert result.rom_loss == pytest.approx(0.07, abs=0.02)


def test_the_slack_taken_up_before_the_set_is_not_part_of_a_rep():
    lever = Lever(-20).rests(3).lifts(0, 1.5).rests(1.5)
    result = only_set(lever.rep(top=45).rep(top=46).rep(top=45).rests(22))
    assert result.completed_reps == 3
    assert result.reps[0].start_s == pytest.approx(6.1, abs=0.25)


class TestRange:
    def test_a_calibration_counts_what_it_says_is_full(self):
        lever = Lever().rests(3).rep(top=70).rep().rep().rep(top=70).rests(22)
        result = only_set(lever, calibration=(0.0, 100.0))
        assert result.completed_reps == 2

    def test_a_calibration_may_come_in_either_direction_and_across_the_wrap(self):
        lever = to_failure(4)
        result = only_set(lever, offset=330.0, direction=-1, calibration=(330.0, 230.0))
        assert (result.completed_reps, result.outcome) == (4, "muscle_success")

    def test_a_calibrated_sensor_is_never_turned_round(self):
        lever = Lever(100).rests(4).lowers(0, 4).rests(0.3).rep().rep().rep().rests(22)
        result = only_set(lever, offset=330.0, calibration=(330.0, 70.0))
        assert result.completed_reps == 3
        swapped = only_set(three_reps().rests(22), calibration=(100.0, 0.0))
        assert swapped.extended_deg is not None
        assert swapped.flexed_deg is not None
        assert short_way(swapped.flexed_deg - swapped.extended_deg) < 0

    def test_a_taller_lifters_calibration_is_corrected_and_the_counts_revised(self):
        result = only_set(to_failure(5, top=80), calibration=(0.0, 110.0))
        assert (result.completed_reps, result.outcome) == (5, "muscle_success")

    def test_a_shorter_lifters_calibration_is_corrected(self):
        result = only_set(to_failure(5), calibration=(12.0, 75.0))
        assert (result.completed_reps, result.outcome) == (5, "muscle_success")
        assert result.rom_deg == pytest.approx(100.0, abs=3)

    @pytest.mark.parametrize("direction", [1, -1])
    @pytest.mark.parametrize("offset", [0.0, 90.0, 300.0])
    def test_the_ends_of_the_range_are_told_in_raw_degrees(self, offset: float, direction: int):
        result = only_set(to_failure(4), offset=offset, direction=direction)
        assert result.extended_deg is not None
        assert result.flexed_deg is not None
        assert 0 <= result.extended_deg < 360
        assert short_way(result.extended_deg - offset) == pytest.approx(0.0, abs=1.0)
        moved = short_way(result.flexed_deg - result.extended_deg)
        assert moved == pytest.approx(direction * result.rom_deg)

    def test_the_ends_of_a_calibration_that_holds_are_its_own(self):
        result = only_set(to_failure(4), offset=330.0, direction=-1, calibration=(330.0, 230.0))
        assert (result.extended_deg, result.flexed_deg) == (330.0, 230.0)


class TestDirection:
    def test_a_lifter_who_begins_from_the_top_is_counted_the_right_way_round(self):
        lever = Lever(100).rests(4).lowers(0, 4).rests(0.3)
        result = only_set(lever.rep().rep().rep().rep().failed_rep().rests(22))
        assert (result.completed_reps, result.outcome) == (4, "muscle_success")
        assert all(rep.hold_s > 2.5 for rep in result.reps[:4])

    def test_waiting_with_the_weight_half_up_does_not_turn_the_set_round(self):
        lever = Lever().rests(3).lifts(26, 1).rests(2.5).lowers(0, 1).rests(2)
        result = only_set(lever.rep().rep().rep().rests(22))
        assert result.completed_reps == 3
        assert all(rep.hold_s > 2.5 for rep in result.reps)

    def test_a_lifter_who_rests_below_and_never_holds_is_not_turned_round(self):
        lever = Lever().rests(3)
        for _ in range(6):
            lever.lifts(100, 1.5).lowers(0, 1.5).rests(1.6)
        result = only_set(lever.rests(22))
        assert result.completed_reps == 6
        assert result.reps[0].concentric_s == pytest.approx(1.5, abs=0.2)


class TestSensor:
    @pytest.mark.parametrize("direction", [1, -1])
    @pytest.mark.parametrize("offset", [0.0, 90.0, 200.0, 300.0, 359.9])
    def test_offset_direction_and_wrap_change_nothing(self, offset: float, direction: int):
        result = only_set(to_failure(4), offset=offset, direction=direction)
        assert (result.completed_reps, result.outcome) == (4, "muscle_success")

    @pytest.mark.parametrize("rate_hz", [40.0, 50.0, 100.0, 200.0, 333.0, 1000.0])
    def test_the_rate_changes_nothing(self, rate_hz: float):
        reference = only_set(to_failure(4))
        result = only_set(to_failure(4), rate_hz=rate_hz, noise_deg=0.05, jitter=0.1)
        assert (result.completed_reps, result.outcome) == (4, "muscle_success")
        for rep, same in zip(result.reps[:-1], reference.reps, strict=False):
            assert rep.hold_s == pytest.approx(same.hold_s, abs=0.03)

    def test_spikes_faults_and_a_stuck_value_change_no_count(self):
        times, angles = to_failure(4).seen(noise_deg=0.05)
        for at in range(150, len(angles), 397):
            angles[at] = (angles[at] + 100.0) % 360.0
        for at in range(700, 740):
            angles[at] = float("nan")
        for at in range(1500, 1530):
            angles[at] = angles[1499]
        result = analyze([t / 1e6 for t in times], angles)
        assert [(s.completed_reps, s.outcome) for s in result] == [(4, "muscle_success")]

    @pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
    @pytest.mark.parametrize("slip_deg", [-12.0, 6.0, 40.0])
    def test_a_magnet_that_slips_in_mid_set_changes_no_count(self, slip_deg: float, rate_hz: float):
        times, angles = to_failure(5).seen(rate_hz, noise_deg=0.05)
        for at in range(round(21.3 * rate_hz), len(angles)):  # during the second rep
            angles[at] = (angles[at] + slip_deg) % 360.0
        result = analyze([t / 1e6 for t in times], angles, 0.0, 100.0)
        assert [(s.completed_reps, s.outcome) for s in result] == [(5, "muscle_success")]
        assert max(rep.rom_fraction for rep in result[0].reps) < 1.03

    def test_hitting_the_stop_is_no_slip(self):
        lever = Lever().rests(3)
        for count in range(8):
            lever.lifts(100, 1.5).holds(1 + 0.0037 * count).drops(bounce=18).rests(0.5)
        for rate_hz in (40.0, 50.0, 100.0, 200.0):
            times, angles = lever.seen(rate_hz, noise_deg=0.1)
            tracker = SetTracker()
            tracker.push(times, angles)
            assert tracker.dropped["slips"] == 0

    def test_lost_batches_change_no_count(self):
        times, angles = to_failure(4).seen(noise_deg=0.05)
        kept = [i for i in range(len(times)) if i % 500 > 40]
        result = analyze([times[i] / 1e6 for i in kept], [angles[i] for i in kept])
        assert [(s.completed_reps, s.outcome) for s in result] == [(4, "muscle_success")]

    def test_a_sensor_stuck_while_the_weight_drops_hides_no_failure(self):
        lever = three_reps().lifts(30, 1.2).creeps(60, 5).holds(1)
        falls_at = round(lever.now_s * 100)
        times, angles = lever.drops().rests(22).seen(noise_deg=0.05)
        for at in range(falls_at - 20, falls_at + 30):
            angles[at] = angles[falls_at - 21]
        result = analyze([t / 1e6 for t in times], angles)
        assert [(s.completed_reps, s.outcome) for s in result] == [(3, "muscle_success")]

    def test_a_start_up_glitch_teaches_neither_direction_nor_range(self):
        times, angles = to_failure(4).seen(noise_deg=0.05)
        for at in range(60):
            angles[at] = (angles[at] + 100.0) % 360.0
        result = analyze([t / 1e6 for t in times], angles)
        assert [(s.completed_reps, s.outcome) for s in result] == [(4, "muscle_success")]

    def test_a_gap_as_long_as_a_rep_invents_none(self):
        times, angles = three_reps().rep().rep().rests(22).seen()
        kept = [i for i in range(len(times)) if not 12.0 <= times[i] / 1e6 < 24.0]
        sets = analyze([times[i] / 1e6 for i in kept], [angles[i] for i in kept])
        assert sum(s.completed_reps for s in sets) in (3, 4)
        assert any(s.incomplete for s in sets)

    def test_noise_alone_is_no_set(self):
        times, angles = Lever().rests(120).seen(noise_deg=1.0)
        assert analyze([t / 1e6 for t in times], angles) == []

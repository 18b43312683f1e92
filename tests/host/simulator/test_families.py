"""Every family can be made, is plausible, and is what its name says."""

from functools import cache
from itertools import pairwise
from math import isnan, nan
from statistics import median

import pytest
from dataset import make_set
from legcurl.simulator.families import FAMILIES
from selection import first_short

# Where these hold, something else is the point of the family.
ANY_SPEED = {"sloppy", "fast_sloppy", "negatives"}
ANY_CALIBRATION = {"lifter_swap", "bent_scale"}
NEVER_FAILS = {
    "quits",
    "voluntary_stop",
    "aborted",
    "negatives",
    "mid_rep_stalls",
    "any_partials",
    "broken_off",
}

the_set = cache(make_set)


def turned(angle_deg, from_deg):
    """Signed shortest turn."""
    return (angle_deg - from_deg + 180.0) % 360.0 - 180.0


@pytest.mark.parametrize("family", first_short(FAMILIES, 12))
def test_a_set_is_plausible(family):
    made = the_set(family, 101)
    check_the_record(made)
    check_the_result(made)
    check_the_moments(made)
    if family not in ANY_SPEED:
        check_the_speeds(made)
    if family not in ANY_CALIBRATION:
        calibrated = abs(turned(made.flexed_deg, made.extended_deg))
        assert calibrated == pytest.approx(made.truth.result.rom_deg, abs=3.0)


def check_the_record(made):
    assert len(made.t_s) == len(made.angle_deg) == len(made.flexion_deg)
    assert made.rate_hz in (50.0, 100.0, 200.0)
    assert all(b >= a for a, b in pairwise(made.t_s))
    assert all(isnan(a) or 0.0 <= a < 360.0 for a in made.angle_deg)
    assert made.t_s[0] < made.truth.result.start_s
    assert made.truth.result.end_s < made.t_s[-1]


def check_the_result(made):
    result = made.truth.result
    assert 2 <= len(result.reps) <= 40
    fewest, most = made.truth.defensible_counts
    assert fewest <= result.completed_reps <= most
    assert result.completed_reps == sum(rep.completed for rep in result.reps)
    assert (result.outcome == "muscle_success") is (result.outcome_s is not None)
    if made.family in NEVER_FAILS:
        assert result.outcome in ("stopped", "interrupted")
    low, high = (45.0, 65.0) if made.family == "short_rom" else (80.0, 110.0)
    assert low <= result.rom_deg <= high


def check_the_moments(made):
    before = -1.0
    for number, rep in enumerate(made.truth.result.reps, 1):
        assert rep.number == number
        assert before < rep.start_s < rep.hold_start_s <= rep.hold_end_s < rep.end_s
        assert rep.peak_deg == pytest.approx(rep.rom_fraction * made.truth.result.rom_deg)
        before = rep.end_s


def check_the_speeds(made):
    reps = [rep for rep in made.truth.result.reps if rep.completed][:3]
    assert 12.0 < median(rep.mean_velocity_deg_s for rep in reps) < 46.0
    assert 1.0 < median(rep.eccentric_s for rep in reps) < 13.0 or made.family == "end_stop_bounce"
    assert 0.9 < median(rep.hold_s for rep in reps) < 8.0 or made.family == "any_partials"


def test_the_raw_angle_follows_the_flexion_in_any_mounting():
    directions = set()
    for seed in (101, 102, 103, 104):
        made = the_set("steady", seed)
        side = 1.0 if turned(made.flexed_deg, made.extended_deg) > 0 else -1.0
        directions.add(side)
        wrong = [
            abs(side * turned(angle, made.extended_deg) - flexion)
            for angle, flexion in zip(made.angle_deg, made.flexion_deg, strict=True)
        ]
        assert max(wrong) < 3.0
    assert len(directions) == 2


def test_the_same_arguments_give_the_same_set():
    first, again = make_set("sensor_faults", 3), make_set("sensor_faults", 3)
    assert str(first) == str(again)  # nan is not itself
    assert make_set("sensor_faults", 4).t_s != first.t_s


def test_another_rate_is_the_same_set():
    slow, quick = make_set("steady", 5, 50.0), make_set("steady", 5, 200.0)
    assert (slow.rate_hz, quick.rate_hz) == (50.0, 200.0)
    assert slow.truth.result.completed_reps == quick.truth.result.completed_reps
    assert slow.truth.result.reps[0].hold_s == quick.truth.result.reps[0].hold_s
    assert len(quick.t_s) > 3.5 * len(slow.t_s)


def test_machines_lifters_and_sensors_differ_from_seed_to_seed():
    sets = [the_set("steady", seed) for seed in (101, 102, 103, 104)]
    assert len({round(made.truth.result.rom_deg, 3) for made in sets}) == 4
    assert len({round(made.extended_deg, 3) for made in sets}) == 4
    assert len({made.truth.result.reps[0].mean_velocity_deg_s for made in sets}) == 4


def test_fast_and_sloppy_hardly_holds():
    assert median(rep.hold_s for rep in the_set("fast_sloppy", 101).truth.result.reps[:-1]) < 0.6


def test_chosen_partials_are_neither_completed_nor_failed():
    reps = the_set("deliberate_partials", 102).truth.result.reps
    partial = [rep for rep in reps if rep.rom_fraction < 0.9 and not rep.failed]
    assert partial
    assert not any(rep.completed for rep in partial)


@pytest.mark.parametrize(
    ("family", "low", "high"), [("fail_low", 0.08, 0.4), ("fail_mid", 0.3, 0.8)]
)
def test_the_sticking_point_is_where_it_should_be(family, low, high):
    for seed in (101, 102, 103):
        result = the_set(family, seed).truth.result
        assert low < result.reps[-1].rom_fraction < high
        assert result.reps[-1].failure == "mid_lift"


def test_fail_high_fails_near_the_top():
    last = [the_set("fail_high", seed).truth.result.reps[-1] for seed in range(101, 105)]
    assert median(rep.rom_fraction for rep in last) > 0.8


@pytest.mark.long
def test_some_lifters_fail_in_the_hold():
    endings = {the_set("fail_in_hold", s).truth.result.reps[-1].failure for s in range(101, 109)}
    assert "in_hold" in endings


def test_two_fails_are_two_attempts_after_the_last_full_rep():
    result = the_set("two_fails", 101).truth.result
    assert [rep.failed for rep in result.reps[-2:]] == [True, True]
    assert result.outcome_s == result.reps[-2].fail_s


@pytest.mark.long
def test_rests_belong_to_the_set_up_to_18_seconds():
    longest = [
        max((end - start for start, end in the_set(family, seed).truth.rests), default=0.0)
        for family in ("rest_mid_set", "phone_check", "stack_tap")
        for seed in (101, 102)
    ]
    assert max(longest) > 7.0
    assert max(longest) <= 18.0


def test_motion_before_the_first_rep_is_marked():
    for family in ("fidget_before", "setup_dips", "from_the_top"):
        truth = the_set(family, 101).truth
        assert truth.not_reps
        assert truth.not_reps[0][1] <= truth.result.start_s


def test_from_the_top_begins_flexed():
    made = the_set("from_the_top", 101)
    assert made.flexion_deg[0] > 0.8 * made.truth.result.rom_deg


def test_a_swapped_lifters_calibration_is_wrong():
    made = the_set("lifter_swap", 101)
    range_deg = abs(turned(made.flexed_deg, made.extended_deg))
    assert abs(range_deg - made.truth.result.rom_deg) > 3.0


def test_sensor_faults_are_reported_or_wild_and_batches_are_missing():
    made = the_set("sensor_faults", 101)
    assert any(isnan(angle) for angle in made.angle_deg)
    assert max(b - a for a, b in pairwise(made.t_s)) > 3.0 / made.rate_hz
    jumps = [abs(turned(b, a)) for a, b in pairwise(a for a in made.angle_deg if a == a)]
    assert max(jumps) > 30.0


def test_startup_glitches_are_wild_and_soon_over():
    made = the_set("startup_glitch", 101)
    wild = [
        t - made.t_s[0]
        for t, angle, flexion in zip(made.t_s, made.angle_deg, made.flexion_deg, strict=True)
        if abs(abs(turned(angle, made.extended_deg)) - abs(flexion)) > 30.0
    ]
    assert wild
    assert max(wild) < 3.0


def test_a_slipped_magnet_shifts_later_angles():
    made = the_set("encoder_slip", 101)
    side = 1.0 if turned(made.flexed_deg, made.extended_deg) > 0 else -1.0
    error = [
        side * turned(angle, made.extended_deg) - flexion
        for angle, flexion in zip(made.angle_deg, made.flexion_deg, strict=True)
    ]
    assert abs(median(error[:200])) < 1.5
    assert abs(median(error[-200:])) > 3.0


def test_the_assisted_rep_is_completed_with_help():
    helped = [
        rep.rep.completed
        for seed in range(101, 105)
        for rep in the_set("assisted", seed).truth.reps
        if rep.assisted
    ]
    assert helped
    assert all(helped)


def test_a_record_that_breaks_off_is_interrupted():
    made = the_set("broken_off", 101)
    assert made.truth.result.outcome == "interrupted"
    assert made.t_s[-1] - made.truth.result.end_s < 20.0


def test_the_json_has_all_that_a_scorer_needs():
    member = the_set("steady", 101).as_json()
    assert member["family"] == "steady"
    assert set(member["calibration"]) == {"extended_deg", "flexed_deg"}
    assert nan not in member["reps"][0].values()
    assert {"reps", "defensible_counts", "outcome", "sample_rate_hz"} <= member.keys()

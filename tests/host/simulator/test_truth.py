"""The truth follows docs/detection.md: hand-made traces with answers worked out on paper.

A lever that starts to move at a constant speed s has, after Gaussian smoothing, the velocity
s · Φ(t/σ): it passes V0 = 5 deg/s at σ · Φ⁻¹(5/s), a little before the corner.
"""

from statistics import NormalDist

import pytest
from legcurl.simulator.intent import Diary, DiaryEntry
from legcurl.simulator.truth import evaluate
from legcurl.simulator.truth_measure import Track

ROM_DEG = 100.0
UP_DEG_S, DOWN_DEG_S = 30.0, 20.0
FALL_DEG_S = 120.0
GRID_S = 0.01


def early_by(speed_deg_s):
    """Seconds by which smoothing moves the crossing of V0 before a corner."""
    return -0.10 * NormalDist().inv_cdf(5.0 / speed_deg_s)


class Trace:
    """An angle drawn with a ruler: stays and straight lines, and a diary of what was meant."""

    def __init__(self):
        self.angle = [0.0]
        self.diary = Diary()
        self.stay(2.0)

    @property
    def now_s(self):
        return (len(self.angle) - 1) * GRID_S

    def stay(self, seconds):
        return self.move(self.angle[-1], seconds)

    def go(self, to_deg, speed_deg_s):
        return self.move(to_deg, abs(to_deg - self.angle[-1]) / speed_deg_s)

    def move(self, to_deg, seconds):
        """A straight line; returns when it began."""
        began, here, steps = self.now_s, self.angle[-1], round(seconds / GRID_S)
        self.angle += [here + (to_deg - here) * (i + 1) / steps for i in range(steps)]
        return began

    def attempt(self, top_deg=100.0, hold_s=3.0, down_deg_s=DOWN_DEG_S, rest_s=0.5, **meant):
        """A rep with straight edges; returns its four corners."""
        entry = DiaryEntry("rep", self.now_s, **meant)
        self.diary.entries.append(entry)
        start = self.go(top_deg, UP_DEG_S)
        top = self.stay(hold_s)
        down = self.go(0.0, down_deg_s)
        entry.end_s = self.now_s
        end = self.stay(rest_s)
        return start, top, down, end

    def judged(self):
        self.stay(4.0)
        return evaluate(Track(0.0, self.angle), self.diary, ROM_DEG)

    def truth(self):
        truth = self.judged()
        assert truth is not None
        return truth


def test_the_four_moments_are_where_the_definitions_put_them():
    trace = Trace()
    start, top, down, end = trace.attempt()
    [rep] = trace.truth().result.reps
    assert rep.start_s == pytest.approx(start - early_by(UP_DEG_S), abs=0.004)
    assert rep.hold_start_s == pytest.approx(top + early_by(UP_DEG_S), abs=0.004)
    assert rep.hold_end_s == pytest.approx(down - early_by(DOWN_DEG_S), abs=0.004)
    assert rep.end_s == pytest.approx(end + early_by(DOWN_DEG_S), abs=0.004)
    assert rep.hold_s == pytest.approx(rep.hold_end_s - rep.hold_start_s)
    assert rep.completed
    assert rep.full_rom


def test_an_overshoot_on_arrival_is_not_the_top():
    trace = Trace()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s))
    trace.go(104.0, UP_DEG_S)
    trace.move(100.0, 0.13)
    trace.stay(3.0)
    trace.go(0.0, DOWN_DEG_S)
    trace.diary.entries[0].end_s = trace.now_s
    [rep] = trace.truth().result.reps
    assert 100.0 < rep.peak_deg < 103.0
    assert rep.hold_s == pytest.approx(3.2, abs=0.25)


def test_a_hold_that_sags_slower_than_v0_is_held_to_its_end():
    trace = Trace()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s))
    trace.go(100.0, UP_DEG_S)
    top = trace.move(91.0, 4.5)  # 2 deg/s: 9 deg lost
    down = trace.go(0.0, DOWN_DEG_S)
    trace.diary.entries[0].end_s = trace.now_s
    [rep] = trace.truth().result.reps
    assert rep.hold_start_s == pytest.approx(top, abs=0.15)
    assert rep.hold_end_s == pytest.approx(down, abs=0.15)


def test_pulses_at_the_top_are_one_rep_and_one_hold():
    trace = Trace()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s))
    trace.go(100.0, UP_DEG_S)
    top = trace.stay(1.0)
    for _ in range(3):
        trace.go(85.0, 25.0)
        trace.go(99.0, 25.0)
        trace.stay(0.5)
    down = trace.go(0.0, DOWN_DEG_S)
    trace.diary.entries[0].end_s = trace.now_s
    truth = trace.truth()
    [rep] = truth.result.reps
    assert rep.hold_start_s == pytest.approx(top, abs=0.15)
    assert rep.hold_end_s == pytest.approx(down, abs=0.15)
    assert truth.reps[0].hold_ambiguous


@pytest.mark.parametrize("up_deg", [0.0, 15.0])
def test_a_catch_on_the_way_down_is_one_rep_and_no_hold(up_deg):
    trace = Trace()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s))
    trace.go(100.0, UP_DEG_S)
    trace.stay(2.0)
    down = trace.go(60.0, DOWN_DEG_S)
    trace.stay(2.0)
    if up_deg:
        trace.go(60.0 + up_deg, DOWN_DEG_S)
    trace.stay(1.0)
    trace.go(0.0, DOWN_DEG_S)
    trace.diary.entries[0].end_s = trace.now_s
    end = trace.now_s
    truth = trace.truth()
    [rep] = truth.result.reps
    assert rep.hold_end_s == pytest.approx(down, abs=0.15)
    assert rep.end_s == pytest.approx(end, abs=0.15)
    assert not truth.reps[0].hold_ambiguous


def test_a_bounce_at_the_stop_is_after_the_end():
    trace = Trace()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s))
    trace.go(100.0, UP_DEG_S)
    trace.stay(2.0)
    trace.go(0.0, 60.0)
    landed = trace.now_s
    trace.move(7.0, 0.2)
    trace.move(0.0, 0.25)
    trace.stay(0.3)
    trace.diary.entries[0].end_s = trace.now_s
    [rep] = trace.truth().result.reps
    assert rep.end_s == pytest.approx(landed, abs=0.1)


def test_moving_less_than_six_degrees_is_no_attempt():
    trace = Trace()
    trace.attempt(top_deg=5.0, failed="mid_lift")
    assert trace.judged() is None


def test_full_range_is_90_percent_of_the_lifters_own():
    trace = Trace()
    trace.attempt(top_deg=95.0)
    trace.attempt(top_deg=85.0, chosen_short=True)
    result = trace.truth().result
    assert [rep.completed for rep in result.reps] == [True, False]
    assert not any(rep.failed for rep in result.reps)
    assert result.outcome == "stopped"
    assert result.outcome_s is None
    assert result.completed_reps == 1


def test_a_failed_attempt_makes_the_set_a_muscle_success():
    trace = Trace()
    for _ in range(3):
        trace.attempt()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s, failed="mid_lift"))
    trace.go(30.0, UP_DEG_S)
    trace.move(45.0, 4.0)  # creeps
    trace.stay(1.0)
    fell = trace.go(0.0, FALL_DEG_S)
    trace.diary.entries[-1].end_s = trace.now_s
    truth = trace.truth()
    assert truth.result.outcome == "muscle_success"
    assert truth.result.outcome_s == pytest.approx(fell, abs=0.2)
    assert truth.result.completed_reps == 3
    last = truth.result.reps[-1]
    assert (last.failed, last.failure, last.completed) == (True, "mid_lift", False)
    assert last.fail_s == truth.result.outcome_s
    assert last.number == 4
    assert not truth.reps[-1].ambiguous
    assert truth.reps[-1].creep_s == pytest.approx(4.0, abs=0.5)
    assert truth.defensible_counts == (3, 3)


def test_failing_in_the_hold_counts_as_completed_and_ends_the_set():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=96.0, down_deg_s=FALL_DEG_S, failed="in_hold")
    truth = trace.truth()
    last = truth.result.reps[-1]
    assert (last.failed, last.failure, last.completed) == (False, "in_hold", True)
    assert truth.result.completed_reps == 2
    assert truth.result.outcome == "muscle_success"
    assert truth.outcome_ambiguous  # a drop at will looks the same
    assert truth.defensible_counts == (1, 2)


def test_a_lift_to_95_percent_has_not_failed_mid_lift():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=96.0, failed="mid_lift")
    assert trace.truth().result.reps[-1].failure == "in_hold"


def test_a_failure_just_below_the_top_may_be_counted():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=93.0, failed="mid_lift")
    truth = trace.truth()
    assert truth.reps[-1].rep.failed
    assert truth.reps[-1].ambiguous
    assert truth.defensible_counts == (1, 2)


def test_two_failures_in_a_row_date_from_the_first():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=50.0, failed="mid_lift")
    trace.attempt(top_deg=30.0, failed="mid_lift")
    result = trace.truth().result
    assert result.outcome_s == result.reps[1].fail_s
    assert result.completed_reps == 1


def test_a_full_rep_after_a_failure_takes_it_back():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=50.0, failed="mid_lift")
    trace.attempt()
    result = trace.truth().result
    assert result.outcome == "stopped"
    assert result.outcome_s is None


def test_rests_over_a_second_are_not_time_under_load():
    trace = Trace()
    trace.attempt(rest_s=0.5)
    trace.attempt(rest_s=5.0)
    trace.attempt()
    truth = trace.truth()
    [(begun, ended)] = truth.rests
    first, second, third = truth.result.reps
    assert (begun, ended) == (second.end_s, third.start_s)
    assert third.rest_before_s == pytest.approx(5.0, abs=0.3)
    assert first.rest_before_s == 0.0
    whole = truth.result.end_s - truth.result.start_s
    assert truth.result.time_under_load_s == pytest.approx(whole - (ended - begun))


def test_a_motion_not_intended_as_a_rep_is_listed_and_not_counted():
    trace = Trace()
    entry = DiaryEntry("not_a_rep", trace.now_s)
    trace.diary.entries.append(entry)
    trace.go(20.0, UP_DEG_S)
    trace.go(0.0, UP_DEG_S)
    entry.end_s = trace.now_s
    trace.stay(1.0)
    trace.attempt()
    truth = trace.truth()
    assert truth.not_reps == ((entry.begin_s, entry.end_s),)
    assert truth.result.completed_reps == 1
    assert truth.defensible_counts == (1, 1)


def test_a_full_swing_before_the_set_may_be_taken_for_a_rep():
    trace = Trace()
    entry = DiaryEntry("not_a_rep", trace.now_s)
    trace.diary.entries.append(entry)
    trace.go(98.0, 90.0)
    trace.go(0.0, 90.0)
    entry.end_s = trace.now_s
    trace.stay(3.0)
    trace.attempt()
    assert trace.truth().defensible_counts == (1, 2)


def test_a_set_that_breaks_off_is_interrupted_without_its_last_attempt():
    trace = Trace()
    trace.attempt()
    trace.diary.entries.append(DiaryEntry("rep", trace.now_s))
    trace.go(60.0, UP_DEG_S)
    trace.diary.broken_off = True
    result = trace.truth().result
    assert result.outcome == "interrupted"
    assert len(result.reps) == 1


def test_a_failure_that_never_left_the_bottom_leaves_the_outcome_open():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=3.0, failed="mid_lift")
    truth = trace.truth()
    assert truth.result.outcome == "stopped"
    assert truth.outcome_ambiguous


def test_another_clock_moves_every_time_and_no_duration():
    trace = Trace()
    trace.attempt()
    trace.attempt(top_deg=40.0, rest_s=3.0, failed="mid_lift")
    here = trace.truth()
    there = here.shifted(1000.0)
    assert here.result.outcome_s is not None
    assert there.result.outcome_s == pytest.approx(here.result.outcome_s + 1000.0)
    assert there.result.reps == tuple(truth.rep for truth in there.reps)
    for before, after in zip(here.result.reps, there.result.reps, strict=True):
        assert after.hold_start_s == pytest.approx(before.hold_start_s + 1000.0)
        assert after.hold_s == before.hold_s
    assert there.result.time_under_load_s == here.result.time_under_load_s


def test_the_json_has_the_schema_of_analyze_and_what_only_the_truth_knows():
    trace = Trace()
    trace.attempt()
    member = trace.truth().as_json()
    assert member["completed_reps"] == 1
    assert member["outcome"] == "stopped"
    assert member["defensible_counts"] == [1, 1]
    assert {"outcome_ambiguous", "not_reps", "rests", "time_under_load_s"} <= member.keys()
    [rep] = member["reps"]
    assert {"number", "hold_start_s", "rom_fraction", "hold_ambiguous", "ambiguous"} <= rep.keys()

"""What is said live, when, and that it agrees with the finished set."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TypeVar

import pytest
from dataset import make_set
from hypothesis import given, settings
from hypothesis import strategies as st
from legcurl.errors import CalibrationError, InputError
from legcurl.events import (
    Cue,
    FailureSuspected,
    FailureWithdrawn,
    MotionEvent,
    MuscleSuccess,
    PhaseChanged,
    Progress,
    RepCorrected,
    RepCounted,
    RepEnded,
    RepResult,
    SetEnded,
    SetStarted,
)
from legcurl.motion import Calibration, SetTracker, TrainingMethod, analyze
from legcurl.training_method import STANDARD
from lever import Lever, to_failure
from selection import first_short


def events_of(lever: Lever, calibration: Calibration | None = None, **seen) -> list[MotionEvent]:
    tracker = SetTracker(calibration, progress_s=0.1)
    events = tracker.push(*lever.seen(**seen))
    return events + tracker.finish()


Kind = TypeVar("Kind")


def kinds(events: list[MotionEvent], wanted: type[Kind]) -> list[Kind]:
    return [event for event in events if isinstance(event, wanted)]


def wild_lever(seed: int) -> Lever:
    """Motions of every kind in any order."""
    rng = random.Random(seed)
    lever = Lever(rng.uniform(-20, 0)).rests(2)
    for _ in range(rng.randint(2, 9)):
        act = rng.choice(
            [
                *("rep", "rep", "rep", "fail", "partial", "fidget", "drop", "rest", "grind"),
                *("half", "hang", "swing"),
            ]
        )
        if act == "rep":
            lever.rep(top=rng.uniform(85, 110), up_s=rng.uniform(1, 4), hold_s=rng.uniform(0, 4))
        elif act == "fail":
            lever.failed_rep(top=rng.uniform(15, 90), creep_s=rng.uniform(1, 7))
        elif act == "partial":
            lever.rep(top=rng.uniform(20, 85), up_s=rng.uniform(0.7, 2))
        elif act == "fidget":
            lever.lifts(rng.uniform(4, 20), 0.5).rests(rng.uniform(0, 2)).drops()
        elif act == "drop":
            lever.lifts(100, 2).holds(rng.uniform(0, 2)).drops()
        elif act == "half":
            lever.lifts(100, 1.5).lowers(rng.uniform(10, 60), 1).lifts(98, 1).lowers(0, 1.5)
        elif act == "hang":
            lever.lifts(95, 1.5).holds(rng.uniform(0, 2)).lowers(rng.uniform(10, 50), 1).rests(4)
        elif act == "swing":
            lever.lifts(rng.uniform(40, 110), 0.5).lowers(0, 0.5)
        elif act == "grind":
            lever.lifts(50, 2).creeps(60, 2).lifts(98, 5).holds(2).lowers(0, 3)
        else:
            lever.rests(rng.choice([1, 5, 12, 25]))
    return lever.rests(rng.choice([0.1, 3, 22]))


def test_a_set_is_told_as_it_happens():
    events = events_of(to_failure(3))
    quiet = Progress | PhaseChanged | RepCorrected | Cue
    assert [type(event) for event in events if not isinstance(event, quiet)] == [
        SetStarted,
        RepEnded,
        RepEnded,
        RepEnded,
        FailureSuspected,
        MuscleSuccess,
        RepEnded,
        SetEnded,
    ]


def test_phases_follow_the_lever():
    events = events_of(Lever().rests(3).rep().rep().rests(22))
    phases = [event.phase for event in kinds(events, PhaseChanged)]
    assert phases == ["concentric", "hold", "eccentric", "bottom"] * 2


def test_progress_comes_every_tenth_of_a_second_of_sensor_time():
    progress = kinds(events_of(Lever().rests(3).rep().rests(3)), Progress)
    gaps = {round(b.t_s - a.t_s, 6) for a, b in pairwise(progress)}
    assert gaps == {0.1}
    assert max(event.hold_s for event in progress) == pytest.approx(3.2, abs=0.3)
    assert progress[-1].completed_reps == 1


def test_a_swing_on_arrival_does_not_end_the_live_hold():
    lever = Lever().rests(3)
    for _ in range(3):
        lever.lifts(106, 2.2).lowers(100, 0.3).holds(3).lowers(0, 4).rests(0.3)
    events = events_of(lever.rests(3))
    phases = [event.phase for event in kinds(events, PhaseChanged)]
    assert phases == ["concentric", "hold", "eccentric", "bottom"] * 3
    assert "squeeze" not in [event.cue for event in kinds(events, Cue)]
    for rep in kinds(events, SetEnded)[0].set.reps:
        shown = [
            event.hold_s
            for event in kinds(events, Progress)
            if rep.hold_start_s < event.t_s < rep.end_s
        ]
        assert max(shown) == pytest.approx(rep.hold_s, abs=0.3)


def test_settling_back_after_arriving_is_not_shown_as_lowering():
    lever = Lever().rests(3)
    for _ in range(3):
        lever.lifts(104, 2.2).lowers(100, 0.6).holds(3).lowers(0, 4).rests(0.3)
    phases = [event.phase for event in kinds(events_of(lever.rests(3)), PhaseChanged)]
    assert phases == ["concentric", "hold", "eccentric", "bottom"] * 3


def test_clock_and_phase_run_from_the_first_motion():
    lever = Lever().rests(3).rep().rep()
    first_rep = [
        event for event in kinds(events_of(lever.rests(3)), Progress) if 3.8 < event.t_s < 12.0
    ]
    for event in first_rep:
        assert event.phase != "unknown"
        assert event.set_s == pytest.approx(event.t_s - 3.0, abs=0.5)


@pytest.mark.parametrize("seed", first_short([11, 12, 13, 14]))
def test_the_live_hold_agrees_with_the_measured_one(seed: int):
    made = make_set("steady", seed)
    tracker = SetTracker(progress_s=0.1)
    events = tracker.push([round(t * 1e6) for t in made.t_s], made.angle_deg) + tracker.finish()
    reps = [rep for event in kinds(events, SetEnded) for rep in event.set.reps if rep.completed]
    assert len(reps) > 5
    for rep in reps:
        shown = [
            event.hold_s
            for event in kinds(events, Progress)
            if rep.hold_start_s < event.t_s < rep.end_s
        ]
        assert max(shown) == pytest.approx(rep.hold_s, abs=0.35)


def test_times_before_zero_are_as_good_as_others():
    times, angles = to_failure(3).seen()
    tracker = SetTracker()
    events = tracker.push([t - 20_000_000 for t in times], angles) + tracker.finish()
    assert kinds(events, SetEnded)[0].set.completed_reps == 3
    assert tracker.dropped["not_later"] == 0


def test_every_rep_is_known_within_half_a_second_of_its_end():
    for event in kinds(events_of(to_failure(5)), RepEnded):
        assert event.t_s - event.rep.end_s < 0.5


def test_a_failure_is_suspected_at_once_and_confirmed_soon():
    lever = to_failure(4)
    events = events_of(lever)
    fail_s = kinds(events, SetEnded)[0].set.outcome_s
    assert fail_s is not None
    assert kinds(events, FailureSuspected)[0].t_s - fail_s < 0.8
    assert kinds(events, MuscleSuccess)[0].t_s - fail_s < 1.7


def test_a_doubt_that_the_lifter_pushes_through_is_withdrawn():
    lever = Lever().rests(3).rep().rep().rep()
    lever.lifts(50, 2).creeps(65, 4).lowers(58, 0.5).lifts(100, 4).holds(3).lowers(0, 4).rests(22)
    events = events_of(lever)
    assert len(kinds(events, FailureSuspected)) == 1
    assert len(kinds(events, FailureWithdrawn)) == 1
    assert kinds(events, MuscleSuccess) == []
    assert kinds(events, SetEnded)[0].set.completed_reps == 4


def test_muscle_success_is_withdrawn_by_a_full_rep_after_it():
    events = events_of(Lever().rests(3).rep().rep().failed_rep().rests(6).rep().rests(22))
    assert len(kinds(events, MuscleSuccess)) == 1
    assert len(kinds(events, FailureWithdrawn)) == 1
    assert kinds(events, SetEnded)[0].set.outcome == "stopped"


def test_a_test_of_the_weight_taken_for_a_rep_is_corrected_aloud():
    lever = Lever().rests(3).lifts(45, 1.5).holds(2).lowers(0, 1.5).rests(3)
    events = events_of(lever.rep().rep().rests(22))
    corrections = kinds(events, RepCorrected)
    assert any(event.old is not None and event.new is None for event in corrections)
    assert kinds(events, SetEnded)[0].set.completed_reps == 2


def tracker_like(seed: int) -> SetTracker:
    """Calibrated or not, counting at the top or at the end, as the seed says."""
    return SetTracker(
        Calibration(0.0, 100.0) if seed % 2 else None,
        progress_s=0.1,
        method=TrainingMethod(counted_fraction=0.7, count_at="top") if seed % 3 else STANDARD,
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_finished_set_is_what_the_events_said(seed: int):
    said: list[RepResult] = []
    ended = 0
    count: tuple[int, int | None] = (0, None)
    tracker = tracker_like(seed)
    events = tracker.push(*wild_lever(seed).seen(noise_deg=0.05, seed=seed))
    for event in events + tracker.finish():
        if isinstance(event, RepCounted | RepEnded | RepCorrected):
            count = event.completed_reps, event.counted_reps
        if isinstance(event, RepEnded):
            said.append(event.rep)
        elif isinstance(event, RepCorrected) and event.old is not None:
            assert event.old in said
            at = said.index(event.old)
            said[at : at + 1] = [] if event.new is None else [event.new]
        elif isinstance(event, SetEnded):
            ended += 1
            assert sorted(said, key=lambda rep: rep.start_s) == list(event.set.reps)
            assert event.set.completed_reps == sum(rep.completed for rep in said)
            assert count == (event.set.completed_reps, event.set.counted_reps)
            said = []
    assert said == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 900), max_size=200))
def test_cutting_the_samples_differently_changes_no_event(seed: int, cuts: list[int]):
    times, angles = wild_lever(seed).seen(rate_hz=50.0, noise_deg=0.1, seed=seed, jitter=0.2)
    whole = tracker_like(seed)
    expected = whole.push(times, angles) + whole.finish()
    tracker = tracker_like(seed)
    said: list[MotionEvent] = []
    at = 0
    for cut in [*cuts, len(times)]:
        said += tracker.push(times[at : at + cut], angles[at : at + cut])
        at += cut
    said += tracker.push(times[at:], angles[at:]) + tracker.finish()
    assert said == expected


def test_one_sample_at_a_time_is_the_same_as_all_at_once():
    times, angles = to_failure(3).seen(noise_deg=0.05)
    whole = SetTracker()
    expected = whole.push(times, angles)
    single = SetTracker()
    said = [event for t, a in zip(times, angles, strict=True) for event in single.push([t], [a])]
    assert said == expected


def test_finishing_twice_says_nothing_twice():
    tracker = SetTracker()
    tracker.push(*Lever().rests(3).rep().rep().rests(3).seen())
    assert len(kinds(tracker.finish(), SetEnded)) == 1
    assert tracker.finish() == []


class TestCues:
    def cues_of(self, lever: Lever) -> list[str]:
        first = Lever().rests(3).rep().rep()
        first.flexion += lever.flexion[1:]
        return [event.cue for event in kinds(events_of(first.rests(1)), Cue)]

    def test_a_rep_by_the_book_gets_no_word(self):
        assert self.cues_of(Lever().rep().rep()) == []

    def test_turning_short_of_the_range_gets_all_the_way_once(self):
        assert self.cues_of(Lever().rep(top=70)) == ["all_the_way"]

    def test_a_short_hold_gets_squeeze(self):
        assert self.cues_of(Lever().rep(hold_s=1.0)) == ["squeeze"]

    def test_letting_the_weight_run_down_gets_slower_down_once(self):
        assert self.cues_of(Lever().rep(down_s=0.9)) == ["slower_down"]

    def test_a_lifter_who_has_failed_gets_no_word(self):
        assert self.cues_of(Lever().failed_rep().rests(6)) == []

    def test_resting_at_the_bottom_gets_keep_moving_once(self):
        assert self.cues_of(Lever().rests(7).rep()) == ["keep_moving"]


@pytest.mark.parametrize("seed", range(8))
def test_events_come_in_order_of_time(seed: int):
    times = [event.t_s for event in events_of(wild_lever(seed))]
    assert times == sorted(times)


def test_events_never_tell_of_the_future():
    for seed in range(10):
        for event in events_of(wild_lever(seed)):
            if isinstance(event, RepEnded):
                assert event.rep.end_s <= event.t_s
                assert event.rep.known_s <= event.t_s


def test_memory_does_not_grow_while_nothing_happens():
    tracker = SetTracker()
    for hour in range(3):
        start = hour * 3_600_000_000
        times = list(range(start, start + 3_600_000_000, 20_000))
        tracker.push(times, [10.0 + 0.1 * (i % 2) for i in range(len(times))])
        assert len(tracker._grid.angles) < 1000


def test_a_lever_that_never_rests_costs_bounded_work_and_memory():
    tracker = SetTracker()
    lever = Lever().rests(3)
    for _ in range(320):
        lever.lifts(60, 0.8).lowers(0, 0.8)
    events = tracker.push(*lever.seen(rate_hz=50.0))
    [ended] = kinds(events, SetEnded)
    assert len(ended.set.reps) == 300
    assert len(tracker._grid.angles) < 40_000


def test_a_lever_left_up_for_hours_is_forgotten():
    tracker = SetTracker()
    tracker.push(*Lever().rests(3).rep().rep().lifts(70, 2).seen())
    start = 40_000_000
    times = list(range(start, start + 1_800_000_000, 10_000))
    tracker.push(times, [70.0 + 0.1 * (i % 2) for i in range(len(times))])
    assert len(tracker._grid.angles) < 20_000


@pytest.mark.parametrize(
    ("times", "angles"),
    [([], []), ([0], [1.0]), ([0, 0, 0], [1.0, 2.0, 3.0]), ([5, 4, 3], [float("nan")] * 3)],
)
def test_hardly_any_data_is_no_set(times: list[int], angles: list[float]):
    tracker = SetTracker()
    assert kinds(tracker.push(times, angles) + tracker.finish(), SetEnded) == []


def test_samples_that_cannot_be_used_are_counted():
    tracker = SetTracker()
    times, angles = Lever().rests(2).seen()
    angles[50] = float("nan")
    angles[70] = 200.0
    times[90] = times[89]
    tracker.push(times, angles)
    assert tracker.dropped == {"not_a_number": 1, "not_later": 1, "spikes": 1, "slips": 0}


def test_unequal_lengths_and_half_a_calibration_are_refused():
    with pytest.raises(InputError, match="as many times as angles"):
        SetTracker().push([1, 2], [1.0])
    with pytest.raises(CalibrationError, match="two ends"):
        analyze([0.0], [0.0], extended_deg=3.0)
    with pytest.raises(CalibrationError, match="apart"):
        Calibration(10.0, 15.0)

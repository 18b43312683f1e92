"""Labels against what is listed: found, missed, invented, holds, failures."""

import pytest
from detected import HOLD_S, REP_S, UP_S, one_set, rep
from legcurl.validation.comparison import Comparison, compare
from legcurl.validation.labels import Labels

STARTS_S = (10.0, 15.0, 20.0)
TOPS_S = tuple(start + UP_S + HOLD_S / 2 for start in STARTS_S)


def compared(labels: Labels, *starts_s: float, failing: tuple[float, ...] = ()) -> Comparison:
    reps = [rep(start, failed=start in failing) for start in starts_s]
    return compare("a.csv", "gym", labels, [one_set(reps)] if reps else [])


def test_each_top_in_one_rep_is_right():
    found = compared(Labels(TOPS_S), *STARTS_S)
    assert found.right
    assert found.counted_right
    assert not found.disagrees
    assert found.found == 3


def test_a_top_without_a_rep_is_missed():
    found = compared(Labels(TOPS_S), *STARTS_S[:2])
    assert found.missed_s == (TOPS_S[2],)
    assert not found.counted_right


def test_a_rep_without_a_top_is_invented():
    found = compared(Labels(TOPS_S[:2]), *STARTS_S)
    assert [one.start_s for one in found.invented] == [20.0]
    assert not found.counted_right


def test_a_right_count_of_the_wrong_reps_is_not_right():
    found = compared(Labels(TOPS_S), *STARTS_S[:2], 40.0)
    assert found.counted_right
    assert not found.right


def test_two_tops_in_one_rep_are_one_missed():
    found = compared(Labels((TOPS_S[0] - 0.5, TOPS_S[0] + 0.5)), STARTS_S[0])
    assert len(found.missed_s) == 1


def test_a_listing_from_top_to_top_finds_nothing():
    found = compared(Labels(TOPS_S), *(top + 0.05 for top in TOPS_S[:2]))
    assert found.found == 0


@pytest.mark.parametrize("early_s", [0.5, -0.5])
def test_a_top_noted_a_little_beside_the_hold_is_found(early_s):
    edge_s = STARTS_S[0] + (UP_S if early_s > 0 else UP_S + HOLD_S)
    assert compared(Labels((edge_s - early_s,)), STARTS_S[0]).right


def test_what_is_optional_may_be_listed_or_not():
    labels = Labels(TOPS_S[:2], optional_s=(TOPS_S[2],))
    assert compared(labels, *STARTS_S).right
    assert compared(labels, *STARTS_S[:2]).right


def test_hold_errors_are_detected_minus_labelled():
    start_s = STARTS_S[0] + UP_S
    labels = Labels(TOPS_S[:1], holds_s=((start_s - 0.1, start_s + HOLD_S + 0.2),))
    ((start_error_s, end_error_s),) = compared(labels, STARTS_S[0]).hold_errors_s
    assert start_error_s == pytest.approx(0.1)
    assert end_error_s == pytest.approx(-0.2)


def test_a_hold_of_a_missed_lift_has_no_error():
    labels = Labels(TOPS_S, holds_s=((21.0, 23.0),))
    assert compared(labels, *STARTS_S[:2]).hold_errors_s == ()


def test_a_failure_is_found_in_the_rep_that_failed():
    fail_s = STARTS_S[2] + UP_S + HOLD_S
    found = compared(Labels(TOPS_S, failures_s=(fail_s,)), *STARTS_S, failing=(20.0,))
    assert (found.failures_found, found.failures_missed_s, found.failures_invented) == (1, (), ())
    assert not found.disagrees


def test_a_failure_that_is_not_told_is_missed():
    found = compared(Labels(TOPS_S, failures_s=(23.0,)), *STARTS_S)
    assert found.failures_missed_s == (23.0,)
    assert found.right
    assert found.disagrees


def test_a_told_failure_without_a_label_is_invented():
    found = compared(Labels(TOPS_S), *STARTS_S, failing=(20.0,))
    assert len(found.failures_invented) == 1
    assert found.muscle_success
    assert found.disagrees


def test_failures_of_unknown_number_are_not_judged():
    found = compared(Labels(TOPS_S, failures_s=None), *STARTS_S, failing=(20.0,))
    assert found.failures_invented == ()
    assert not found.disagrees


def test_nothing_listed_misses_all():
    assert compared(Labels(TOPS_S)).missed_s == TOPS_S
    assert compared(Labels(())).right


def test_a_rep_of_four_seconds_is_what_these_tests_assume():
    assert rep(0.0).end_s == REP_S

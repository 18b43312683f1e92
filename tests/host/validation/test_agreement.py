"""Recordings summed up by source, as figures, JSON and a table."""

import json

from detected import one_set, rep
from legcurl.validation.agreement import ALL, Agreement, agreements
from legcurl.validation.comparison import Comparison, compare
from legcurl.validation.labels import Labels
from legcurl.validation.table import disagreement_line, table_lines


def recording(
    source: str,
    *,
    noted: int = 4,
    listed: int = 4,
    fails: bool = False,
    told_failed: bool = False,
    hold_off_s: float = 0.0,
) -> Comparison:
    """A lift each 5 s; holds are noted `hold_off_s` early, the last rep fails on request."""
    starts = [5.0 * (n + 1) for n in range(max(noted, listed))]
    reps = [rep(start) for start in starts[:listed]]
    if told_failed:
        reps[-1] = rep(starts[listed - 1], failed=True)
    labels = Labels(
        tops_s=tuple(start + 2.0 for start in starts[:noted]),
        holds_s=tuple((start + 1.0 - hold_off_s, start + 3.0) for start in starts[:noted]),
        failures_s=(starts[noted - 1] + 3.0,) if fails else (),
    )
    return compare(f"{source}.csv", source, labels, [one_set(reps)])


def only(*recordings: Comparison) -> Agreement:
    (found,) = agreements(recordings)
    return found


def test_sources_are_summed_up_apart_and_together():
    found = agreements([recording("b"), recording("a"), recording("a", listed=3)])
    assert [(one.source, one.recordings) for one in found] == [("a", 2), ("b", 1), (ALL, 3)]
    assert [one.right.count for one in found] == [1, 1, 2]


def test_one_source_needs_no_sum():
    assert [one.source for one in agreements([recording("a")])] == ["a"]


def test_found_and_invented_are_of_the_labelled_lifts():
    found = only(recording("a", noted=4, listed=3), recording("a", noted=4, listed=6))
    assert (found.reps_found.count, found.reps_found.of) == (7, 8)
    assert found.reps_invented.value == 25.0
    assert found.reps_invented.interval is not None


def test_hold_errors_have_a_middle_and_a_tail():
    found = only(*(recording("a", hold_off_s=off) for off in (0.0, 0.1, 0.5)))
    assert found.holds == 12
    assert round(found.hold_start_error_s.value or 0.0, 6) == 0.1
    assert round(found.hold_start_error_95_s.value or 0.0, 6) == 0.5
    assert found.hold_end_error_s.value == 0.0


def test_failures_have_precision_and_recall():
    found = only(
        recording("a", fails=True, told_failed=True),
        recording("a", fails=True),
        recording("a", told_failed=True),
        recording("a"),
    )
    assert (found.failure_recall.count, found.failure_recall.of) == (1, 2)
    assert (found.failure_precision.count, found.failure_precision.of) == (1, 2)
    assert (found.false_muscle_success.count, found.false_muscle_success.of) == (1, 2)


def test_json_has_every_figure_and_no_infinity():
    told = only(recording("a")).as_json()
    assert told["right"] == {"count": 1, "of": 1, "proportion": 1.0, "interval": [0.2065, 1.0]}
    assert told["failure_recall"]["proportion"] is None
    assert told["reps_found"]["interval"] is None
    json.dumps(told, allow_nan=False)


def test_the_table_has_a_row_for_each_source():
    lines = table_lines(agreements([recording("gym a"), recording("gym b", listed=3)]))
    assert sum(line.startswith("gym a ") for line in lines) == 3
    assert sum(line.startswith(ALL) for line in lines) == 3
    assert "50.0 [9.5–90.5]" in next(line for line in lines if line.startswith(ALL))


def test_a_disagreement_is_told_in_a_line():
    assert disagreement_line(recording("a", noted=4, listed=3)) == (
        "a.csv: misses the lift at 22.0 s"
    )
    assert disagreement_line(recording("a", told_failed=True)) == (
        "a.csv: calls failed the rep at 20.0 s; tells of a Muscle Success, and there is no failure"
    )

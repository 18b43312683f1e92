"""A set on another clock: its moments move, its durations stay."""

from __future__ import annotations

from dataclasses import fields

import pytest
from legcurl import analyze
from legcurl.events import RepResult, SetResult
from legcurl.motion.results import MOMENTS, shifted
from test_where_samples_begin import trace


def test_a_set_on_another_clock_keeps_its_durations():
    (result,) = analyze(*trace("sim:?seed=31&pace=fast", 100))
    moved = shifted(result, -result.start_s)
    assert moved.start_s == moved.reps[0].start_s == 0.0
    assert moved.end_s == pytest.approx(result.end_s - result.start_s)
    assert moved.time_under_load_s == result.time_under_load_s
    assert [rep.hold_s for rep in moved.reps] == [rep.hold_s for rep in result.reps]
    moments = [(rep.hold_end_s - rep.hold_start_s) for rep in moved.reps]
    assert moments == pytest.approx([rep.hold_end_s - rep.hold_start_s for rep in result.reps])
    assert shifted(moved, result.start_s).reps[-1].fail_s == pytest.approx(result.reps[-1].fail_s)


def test_every_moment_of_a_set_is_known_as_one():
    known = {field.name for kind in (SetResult, RepResult) for field in fields(kind)}
    durations = {"time_under_load_s", "concentric_s", "hold_s", "eccentric_s", "rest_before_s"}
    speeds = {"mean_velocity_deg_s"}
    assert {name for name in known if name.endswith("_s")} == {*MOMENTS, *durations, *speeds}

"""Sets measured again from their traces: as they would be now, with all that was said of them."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest
import sqlalchemy as sa
from legcurl.service.set_writer import BEFORE_SET_S
from legcurl.store import tables
from legcurl.store.maintenance.reanalyze import DETECTION, measured_again, reanalyze, waiting
from legcurl.store.records import Trace
from legcurl.training_method import TrainingMethod
from made_sets import FIRST, measured, new_set
from selection import first_short

LIFTERS = ("steady", "early", "sloppy", "quits", "partials")


def kept(trace: Trace, result) -> Trace:
    """As much of a trace as the keeper keeps."""
    first = bisect_left(trace.t_us, (result.start_s - BEFORE_SET_S) * 1e6)
    last = bisect_right(trace.t_us, (result.end_s + BEFORE_SET_S) * 1e6)
    return Trace(trace.t_us[first:last], trace.angle_deg[first:last])


def old_set(number: int = 0, lifter: str = "steady", seed: int = 5, **fields):
    """A set as an older detection left it: measured otherwise, from the trace that it has."""
    trace, result = measured(lifter, seed)
    values = {"trace": kept(trace, result), "detection": "0.1", **fields}
    wrong = replace(result, completed_reps=result.completed_reps - 1, reps=result.reps[1:])
    return new_set(number, **{"result": wrong, **values})


def again(store, count: int | None = None):
    return list(islice(reanalyze(store, lambda: FIRST + timedelta(days=9)), count))


@pytest.mark.parametrize("lifter", LIFTERS)
@pytest.mark.parametrize("seed", first_short([1, 2]))
def test_the_same_detection_finds_the_same_set_in_the_trace_that_was_kept(lifter, seed):
    trace, result = measured(lifter, seed)
    (found,) = measured_again(result, kept(trace, result))
    assert found.outcome == result.outcome
    assert found.completed_reps == result.completed_reps
    assert [rep.failure for rep in found.reps] == [rep.failure for rep in result.reps]
    assert found.end_s == pytest.approx(result.end_s, abs=0.05)
    assert found.time_under_load_s == pytest.approx(result.time_under_load_s, abs=2.0)
    assert found.outcome_known_s == pytest.approx(result.outcome_known_s, abs=0.05)


def test_a_set_is_measured_again_by_its_own_method(store):
    method = TrainingMethod(hold_target_s=60.0, counted_fraction=0.6)
    old = old_set()
    store.add_set(replace(old, result=replace(old.result, method=method)))
    (done,) = again(store)
    assert done.became == "measured"
    result = store.get_set(done.set_id).original
    assert result.judged_by == method
    assert result.counted_reps is not None
    assert not any(rep.hold_met for rep in result.reps)


def test_a_set_gets_its_new_result_and_keeps_the_old_one_beside_it(store):
    _, right = measured()
    store.add_set(old_set())
    before = store.get_set("set-0000").original
    (one,) = again(store)
    assert (one.became, one.reps_before) == ("measured", before.completed_reps)
    stored = store.get_set("set-0000")
    assert stored.original.completed_reps == right.completed_reps == one.reps_after
    assert len(stored.original.reps) == len(right.reps)
    assert stored.original.start_s == pytest.approx(right.start_s, abs=0.05)
    assert stored.detection == DETECTION
    with store.reading() as connection:
        kept_beside = connection.execute(sa.select(tables.analyses)).mappings().one()
        revision = connection.execute(sa.select(tables.sets.c.revision)).scalar_one()
    assert (kept_beside["set_id"], kept_beside["detection"]) == ("set-0000", "0.1")
    assert json.loads(kept_beside["result"])["completed_reps"] == before.completed_reps
    assert len(json.loads(kept_beside["result"])["reps"]) == len(before.reps)
    assert revision == 2


def test_corrections_and_what_the_coach_added_stay(store):
    store.add_set(old_set())
    store.correct("set-0000", "count", 12, who="coach", reason="saw more")
    store.change_set("set-0000", {"note": "slow", "load_kg": 40.0})
    again(store)
    stored = store.get_set("set-0000")
    assert stored.result.completed_reps == 12
    assert stored.original.completed_reps == measured()[1].completed_reps
    assert (stored.note, stored.load_kg) == ("slow", 40.0)


def test_an_interrupted_reanalysis_resumes(store):
    for number in range(5):
        store.add_set(old_set(number))
    assert len(again(store, 2)) == 2
    assert waiting(store) == 3
    assert len(again(store)) == 3
    assert waiting(store) == 0
    assert again(store) == []


def test_a_set_that_comes_out_the_same_is_not_told_again(store):
    trace, result = measured()
    (found,) = measured_again(result, kept(trace, result))
    store.add_set(old_set(result=found))
    assert [one.became for one in again(store)] == ["the same"]
    assert store.get_set("set-0000").detection == DETECTION
    with store.reading() as connection:
        assert connection.execute(sa.select(tables.sets.c.revision)).scalar_one() == 1


def test_an_unmeasurable_set_stays_unchanged_and_is_reported(store):
    trace, _ = measured()
    still = Trace(trace.t_us[:300], trace.angle_deg[:1] * 300)
    far_us = trace.t_us[-1] + 60_000_000
    twice = Trace((*trace.t_us, *(far_us + t for t in trace.t_us)), trace.angle_deg * 2)
    store.add_set(old_set(0, trace=None))
    store.add_set(old_set(1, trace=still))
    store.add_set(old_set(2, trace=twice))
    store.add_set(old_set(3))
    with store.transaction() as connection:
        broken = sa.update(tables.traces).where(tables.traces.c.set_id == "set-0003")
        connection.execute(broken.values(samples=b"no trace"))
    before = [store.get_set(f"set-{number:04}") for number in range(4)]
    assert [one.became for one in again(store)] == [
        "no trace",
        "no set",
        "several sets",
        "damaged trace",
    ]
    assert [store.get_set(f"set-{number:04}") for number in range(4)] == before
    assert waiting(store) == 4


def test_an_incomplete_set_stays_incomplete(store):
    _, result = measured()
    store.add_set(old_set(result=replace(result, incomplete=True)))
    again(store)
    assert store.get_set("set-0000").original.incomplete


def test_a_set_of_one_failed_transaction_is_as_before(store, monkeypatch):
    from legcurl.store.maintenance import reanalyze

    store.add_set(old_set())
    before = store.get_set("set-0000")

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reanalyze, "_put_new", power_cut)
    with pytest.raises(KeyboardInterrupt):
        again(store)
    assert store.get_set("set-0000") == before
    assert waiting(store) == 1

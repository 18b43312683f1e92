"""An outage that outlasts the sensor's log: said, never filled in, never taken for a failure."""

from __future__ import annotations

import os

import pytest
from legcurl.events import MuscleSuccess, SamplesMissing, SetResult
from legcurl.links.sim_address import Link, SimOptions
from legcurl.simulator.world import World
from runs import LINKS, Watched, watch

RUNS = 20
ALL = os.environ.get("LEGCURL_CHAOS") == "all"
SEEDS = range(RUNS) if ALL else (8,)
SMALLEST_LOG_BYTES = "4096"
RATE_HZ = 400  # of which that log holds eight seconds
SAME_S = 0.5  # a moment of the truth and of the result are one


def long_set(seed: int, link: Link) -> SimOptions:
    """A light weight makes a long set, and the outage may be a fifth of it."""
    return SimOptions(
        seed=seed,
        load=0.7,
        rate=RATE_HZ,
        pace="fast",
        link=link,
        outages=1,
    )


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
async def test_samples_lost_in_the_log_are_a_gap_in_one_incomplete_set(seed, monkeypatch) -> None:
    """Over a wire, it is the same gap whoever was fast; a radio loses what is in the air too."""
    monkeypatch.setenv("LEGCURL_LOG_BYTES", SMALLEST_LOG_BYTES)
    (truth,) = World(long_set(seed, "serial")).truth().sets
    seen = {link: await watch(long_set(seed, link)) for link in LINKS}
    for watched in seen.values():
        assert_honest(watched, truth.result)
    assert seen["serial"].said == seen["tcp"].said


def assert_honest(watched: Watched, truth: SetResult) -> None:
    """What was lost is said, and nothing is said that was not so."""
    (gap,) = [event for event in watched.events if isinstance(event, SamplesMissing)]
    assert gap.reason == "evicted"
    assert gap.samples == pytest.approx(gap.duration_s * RATE_HZ)
    (result,) = watched.sets
    assert result.incomplete
    gap_end_s = gap.t_s + gap.duration_s
    lost = [rep for rep in truth.reps if rep.start_s < gap_end_s and rep.end_s > gap.t_s]
    full = truth.completed_reps
    assert full - len(lost) <= result.completed_reps <= full, "no rep is invented"
    assert result.outcome == truth.outcome or lost, "what was seen is judged as ever"
    if result.outcome == "muscle_success":
        assert result.outcome_s == pytest.approx(truth.outcome_s, abs=SAME_S)
    assert not false_alarms(watched, truth.outcome_s), "a gap is no failure"


def false_alarms(watched: Watched, fails_s: float | None) -> list[MuscleSuccess]:
    """Muscle Success said of a moment at which nobody failed."""
    said = [event for event in watched.events if isinstance(event, MuscleSuccess)]
    return [event for event in said if fails_s is None or abs(event.fail_s - fails_s) > SAME_S]

"""Whatever becomes of the link, the set is the one that an unbroken link would have given.

`make test-all` runs a seeded sample of this, of which `make test` runs the first; `make test-chaos`
runs all RUNS on every link.
"""

from __future__ import annotations

import os
from functools import cache

import pytest
from legcurl.events import SamplesMissing
from legcurl.gym.machine_state import MachineState
from legcurl.recording.file import Recording
from legcurl.recording.replay import replay
from runs import LINKS, Run, Watched, watch_broken, watch_whole
from selection import first_short

RUNS = 200
LONG_SEED = 24  # the first of the long sets
ALL = os.environ.get("LEGCURL_CHAOS") == "all"
# The sample: short sets, on every link; between them outages, a rough link, restarts of the host,
# faults of the chip, and drift both ways; and one long set with an outage of a minute.
SAMPLE = ((1, "serial"), (2, "tcp"), (2, "ble"), (0, "serial"), (LONG_SEED, "tcp"))
CASES = [(seed, link) for seed in range(RUNS) for link in LINKS] if ALL else SAMPLE
A_MINUTE_S = 60.0

_whole: dict[int, Watched] = {}


async def unbroken(run: Run) -> Watched:
    """What an unbroken link gives; it is the same one for every kind of link."""
    seed = run.whole.seed
    if seed not in _whole:
        _whole.clear()  # seeds come in order
        _whole[seed] = await watch_whole(run)
    return _whole[seed]


@cache
def case_of(seed: int, link: str) -> Run:
    return Run.of(seed, link)


@pytest.mark.parametrize(("seed", "link"), first_short(CASES, 3))
async def test_a_broken_link_gives_the_set_of_a_whole_one(seed, link, tmp_path) -> None:
    run = case_of(seed, link)
    whole = await unbroken(run)
    broken = await watch_broken(run, tmp_path / "last-host.legcurl")

    assert whole.sets, "there was a set"
    assert broken.sets == whole.sets, "all fields, to the last bit"
    assert broken.said == whole.said, "and so is all that was said of it on the way"
    assert not any(isinstance(event, SamplesMissing) for event in broken.events)
    if seed == LONG_SEED:
        assert broken.longest_behind_s >= A_MINUTE_S, "there was an outage as long as they get"
    if run.hosts == 1:
        assert broken.outages == run.broken.outages, "each outage was noticed, and told"
    assert shown(broken) == shown(whole), "a screen that followed it shows the same at the end"
    recorded = list(replay(Recording(tmp_path / "last-host.legcurl")))
    assert recorded == broken.events, "and the recording of it says the same once more"


def shown(watched: Watched) -> MachineState:
    state = MachineState()
    for event in watched.said:
        state = state.apply(event)
    return state


def test_the_sample_holds_one_of_everything() -> None:
    runs = [case_of(seed, link) for seed, link in SAMPLE]
    assert {run.broken.link for run in runs} == set(LINKS)
    assert any(run.hosts > 1 for run in runs)
    assert any("rough_link" in run.broken.fault for run in runs)
    assert any("host_stall" in run.broken.fault for run in runs)
    assert any(run.is_long for run in runs)
    assert any(run.whole.drift_ppm > 50 for run in runs)
    assert any(run.whole.drift_ppm < -20 for run in runs)

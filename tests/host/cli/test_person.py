"""`lifter=person` through the commands: the whole session arrives, and its truth is told."""

import json

import pytest
from running import events_of, run

SESSION = "sim:?lifter=person&seed=70&pace=fast"


def test_a_session_passes_through_the_firmware():
    done = run("watch", SESSION, "--json")
    assert done.returncode == 0, done.stderr
    moving = [event for event in events_of(done.stdout) if event["event"] == "progress"]
    truth = json.loads(run("simulate", SESSION, "--truth", "--json").stdout)
    assert moving[-1]["t_s"] > truth["sets"][-1]["end_s"]
    angles = [event["angle_deg"] for event in moving]
    extended, flexed = truth["calibration"]["extended_deg"], truth["calibration"]["flexed_deg"]
    swing = abs((flexed - extended + 180.0) % 360.0 - 180.0)
    turned = [(angle - angles[0] + 180.0) % 360.0 - 180.0 for angle in angles]
    assert max(turned) - min(turned) == pytest.approx(swing, rel=0.4)


def test_the_truth_of_a_session_is_told():
    done = run("simulate", SESSION, "--truth")
    assert done.returncode == 0, done.stderr
    assert "stopped before failure, 5 reps" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("query", ["outages=2", "sets=2", "link=tcp", "load=0.5"])
def test_the_options_of_other_lifters_hold(query: str):
    done = run("watch", f"{SESSION}&{query}", "--json")
    assert done.returncode == 0, done.stderr

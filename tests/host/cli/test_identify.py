"""`identify` as typed."""

import json

import pytest
from running import run

SENSOR = "sim:?seed=3&sets=1000"


def test_the_moment_is_told_in_sensor_time():
    done = run("identify", SENSOR, "--seconds", "2")
    assert done.returncode == 0, done.stderr
    assert "s of sensor time (±" in done.stdout
    assert "flashes for 2 s" in done.stdout


@pytest.mark.long
def test_json_says_whose_time_it_is():
    done = run("identify", SENSOR, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["schema"], told["seconds"]) == (1, 5)
    assert told["sensor_id"]
    assert told["t_s"] > 0.0
    assert told["within_s"] > 0.0


def test_a_recording_has_no_light():
    done = run("identify", "replay:none.legcurl")
    assert done.returncode == 2
    assert "is a recording" in done.stderr

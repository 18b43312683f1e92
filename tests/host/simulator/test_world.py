"""The world: the same bytes for the same seed, in any process, in little memory."""

import hashlib
import struct
import subprocess
import sys
import tracemalloc
from functools import cache
from itertools import islice, pairwise
from math import isnan

import pytest
from legcurl.errors import ConfigError
from legcurl.links.sim_address import SimOptions, parse_address
from legcurl.simulator.world import (
    AFTER_LAST_SET_S,
    HEADER,
    MAGIC,
    RATE_HZ,
    RECORD,
    STREAM_VERSION,
    World,
)
from selection import first_short
from timings import LIMIT_S

MAGNET_SEEN, MAGNET_WEAK, MAGNET_STRONG = 0x20, 0x10, 0x08
BUS_ERROR, POWER_CYCLE, HOST_STALL, CORRUPT, DROP = 0x01, 0x02, 0x04, 0x08, 0x10


EARLY = "sim:?pace=fast&lifter=early"


def world(query):
    return World(parse_address(f"{EARLY}&{query}"))


def stream(query):
    return b"".join(world(query).records())


@cache
def records(query):
    return list(RECORD.iter_unpack(stream(query)[HEADER.size :]))


def test_the_stream_begins_with_its_header():
    magic, rate, version, seed, zero = HEADER.unpack(stream("seed=7")[: HEADER.size])
    assert (magic, rate, version, seed, zero) == (MAGIC, RATE_HZ, STREAM_VERSION, 7, 0)
    assert (HEADER.size, RECORD.size) == (16, 4)


def test_the_same_seed_is_the_same_stream_in_any_process():
    here = hashlib.sha256(stream("seed=11")).hexdigest()
    there = hashlib.sha256(
        subprocess.run(
            [sys.executable, "-m", "legcurl.simulator.world", EARLY + "&seed=11"],
            check=True,
            capture_output=True,
            timeout=LIMIT_S,
            env={"PYTHONHASHSEED": "12345"},
        ).stdout
    ).hexdigest()
    assert here == there
    assert here != hashlib.sha256(stream("seed=12")).hexdigest()


def test_the_world_ends_half_a_minute_after_the_last_set():
    simulated = world("seed=3")
    flexion, truth = simulated.played()
    [only] = truth.sets
    length_s = len(flexion) / RATE_HZ
    assert only.result.start_s >= 3.0
    assert length_s - only.result.end_s >= AFTER_LAST_SET_S
    assert len(records("seed=3")) == len(flexion)


def test_sets_are_further_apart_than_any_rest_in_a_set():
    truth = world("seed=5&sets=3").truth()
    assert len(truth.sets) == 3
    for before, after in pairwise(truth.sets):
        assert after.result.start_s - before.result.end_s > 30.0
    assert all(one.result.completed_reps >= 2 for one in truth.sets)


def test_in_real_time_the_world_never_ends():
    endless = World(SimOptions(seed=3, lifter="early")).records()
    ending = world("seed=3").records()
    long_after = sum(len(chunk) for chunk in ending) + 60 * RATE_HZ * RECORD.size
    seen = 0
    while seen < long_after:
        seen += len(next(endless))


def test_truth_and_stream_tell_of_the_same_movement():
    simulated = world("seed=9")
    flexion, truth = simulated.played()
    for rep in truth.sets[0].result.reps:
        middle = int(0.5 * (rep.hold_start_s + rep.hold_end_s) * RATE_HZ)
        assert flexion[middle] == pytest.approx(rep.peak_deg, abs=6.0)
        assert flexion[int(rep.start_s * RATE_HZ)] < 10.0
    assert truth.sets == simulated.truth().sets
    assert list(simulated.flexion()) == flexion


@pytest.mark.long
def test_the_trace_is_what_the_chip_shows_at_the_ticks():
    shown = records("seed=4")
    trace = list(world("seed=4").sensor_trace(100.0))
    steps_a_tick = RATE_HZ // 100
    assert len(trace) == pytest.approx(len(shown) / steps_a_tick, abs=1)
    for tick, (t_s, angle_deg) in enumerate(trace):
        assert t_s == pytest.approx(tick / 100.0)
        assert angle_deg == (shown[tick * steps_a_tick][0] >> 4) * 360.0 / 4096.0


def test_between_records_the_trace_goes_the_short_way_round():
    simulated = next(
        candidate
        for candidate in (world(f"seed={seed}") for seed in range(100))
        if candidate.scenario.encoder.direction == 1
        and 300.0 < candidate.scenario.encoder.offset_deg < 330.0
    )
    trace = [angle for _, angle in simulated.sensor_trace(400.0)]
    assert max(trace) > 350.0
    assert min(trace) < 10.0
    assert not any(120.0 < angle < 280.0 for angle in trace)


@pytest.mark.parametrize(
    ("fault", "status", "flags", "blind"),
    first_short(
        [
            ("no_magnet", 0, 0, True),
            ("weak_magnet", MAGNET_SEEN | MAGNET_WEAK, 0, False),
            ("strong_magnet", MAGNET_SEEN | MAGNET_STRONG, 0, False),
            ("bus_error", MAGNET_SEEN, BUS_ERROR, True),
            ("host_stall", MAGNET_SEEN, HOST_STALL, False),
        ]
    ),
)
def test_a_fault_on_request_comes_once_in_the_first_set(fault, status, flags, blind):
    suffering = [(s, f) for _, s, f in records(f"seed=6&fault={fault}")]
    affected = [i for i, state in enumerate(suffering) if state != (MAGNET_SEEN, 0)]
    assert {suffering[i] for i in affected} == {(status, flags)}
    assert affected == list(range(affected[0], affected[-1] + 1))
    [only] = world(f"seed=6&fault={fault}").truth().sets
    assert only.result.start_s < affected[0] / RATE_HZ < only.result.end_s
    nans = sum(isnan(angle) for _, angle in world(f"seed=6&fault={fault}").sensor_trace(100.0))
    assert (nans > 0) is blind


@pytest.mark.parametrize(
    ("fault", "flag"), [("reboot", POWER_CYCLE), ("corrupt", CORRUPT), ("drop", DROP)]
)
def test_events_are_marked_in_one_record(fault, flag):
    assert [f for _, _, f in records(f"seed=6&fault={fault}") if f] == [flag]


def test_a_stuck_encoder_repeats_itself_and_reports_nothing():
    shown = records("seed=6&fault=stuck")
    well = records("seed=6")
    different = [i for i, (a, b) in enumerate(zip(shown, well, strict=True)) if a != b]
    assert len(different) > 50
    assert len({shown[i][0] for i in different}) == 1
    assert {shown[i][1:] for i in different} == {(MAGNET_SEEN, 0)}


def test_a_sensor_without_power_takes_no_samples():
    times = [t for t, _ in world("seed=6&fault=reboot").sensor_trace(100.0)]
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(1.5, abs=0.03)


@pytest.mark.long
def test_memory_does_not_grow_with_the_sets():
    def held(sets):
        simulated = world(f"seed=2&load=1.1&sets={sets}")  # sets of one vain attempt
        stream = simulated.records()
        list(islice(stream, 40))
        tracemalloc.start()
        for _ in stream:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert held(3) < held(1) + 50_000
    assert held(3) < 300_000


def test_a_lifter_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="no lifter"):
        World(SimOptions(lifter="arnold"))


def test_records_are_the_documented_bytes():
    angle, status, flags = struct.unpack("<HBB", stream("seed=1")[16:20])
    assert (status, flags) == (MAGNET_SEEN, 0)
    first = next(world("seed=1").sensor_trace(100.0))
    assert first == (0.0, (angle >> 4) * 360.0 / 4096.0)


def test_a_reader_that_leaves_ends_the_program_quietly():
    program = subprocess.Popen(
        [sys.executable, "-m", "legcurl.simulator.world", EARLY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.read(4) == MAGIC
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(timeout=LIMIT_S) == 0


def test_an_invalid_address_is_one_line_and_exit_code_2():
    done = subprocess.run(
        [sys.executable, "-m", "legcurl.simulator.world", "sim:?lifter=arnold"],
        check=False,
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == ConfigError.exit_code
    assert done.stderr.count(b"\n") == 1
    assert b"steady" in done.stderr

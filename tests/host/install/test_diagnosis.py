"""Every trouble of a sensor has a sentence and a remedy; a healthy one has none."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from led_lever import Led, Watched, frames
from legcurl.install.calibrate.calibration_record import raw_of
from legcurl.install.checks.findings import Finding, problems
from legcurl.install.checks.stream_checks import LinkFigures
from legcurl.install.doctor.clock_drift import Ping, drift_of
from legcurl.install.doctor.diagnosis import Evidence, diagnose
from legcurl.links.address import SerialAddress, SimAddress
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import Samples
from legcurl.protocol.requests import Hello

HELLO = Hello(
    protocol=(1, 1),
    firmware="1.2.3",
    sensor_id="e66058388317812f",
    boot_id=7,
    boot_reason="power_on",
    name="Leg curl 1",
    board="pico_w",
    encoder="as5600",
    counts=4096,
    rate_hz=100.0,
    timer="hard",
    micropython="1.27.0",
)
WELL = {
    "uptime_ms": 60_000,
    "crashes": 0,
    "bad_frames": 0,
    "free_heap": 120_000,
    "loop_max_us": 9000,
}
RECORD = {"extended_raw": raw_of(20.0), "flexed_raw": raw_of(115.0), "direction": 1}


def pings(count: int, ppm: float = 0.0, trip_s: float = 0.002, seed: int = 1) -> tuple[Ping, ...]:
    """Clocks that were compared twice a second, the sensor's gaining so much."""
    rng = Random(seed)
    made = []
    for number in range(count):
        asked_s = 1000.0 + number / 2
        trip = trip_s * rng.uniform(1.0, 3.0)
        read_s = asked_s + trip * rng.random()
        made.append(Ping(asked_s, round((read_s - 900.0) * (1e6 + ppm)), asked_s + trip))
    return tuple(made)


def evidence(watched: Watched | None = None, **other: Any) -> Evidence:
    """Of a healthy sensor that somebody moved, but for what a test changes."""
    watched = watched if watched is not None else Watched().watch(frames(Led().rounds(2).flexion))
    usual = Evidence(
        address=SerialAddress("/dev/ttyACM7"),
        hello=HELLO,
        own_firmware="1.2.3",
        stored=RECORD,
        before=WELL,
        after=WELL,
        free_heap=120_000,
        crash_log="",
        stream=watched.stream,
        magnet=watched.magnet,
        link=LinkFigures(frames=200),
        pings=pings(30),
        pace=1.0,
        longest_silence_s=0.3,
        wired=True,
    )
    return replace(usual, **other)


def told(subject: str, watched: Watched | None = None, **other: Any) -> Finding:
    """The one finding about a subject."""
    [only] = [
        finding for finding in diagnose(evidence(watched, **other)) if finding.subject == subject
    ]
    assert only.state == "ok" or only.remedy, "who is told of trouble is told what to do"
    return only


def at_rest(seconds: float, noise_deg: float) -> Watched:
    return Watched().watch(frames(Led().rests(seconds).flexion, noise_deg=noise_deg))


def test_a_healthy_sensor_has_only_good_findings():
    findings = diagnose(evidence())
    assert {finding.state for finding in findings} == {"ok"}
    assert {"firmware", "magnet", "noise", "rate", "samples", "clock", "calibration"} <= {
        finding.subject for finding in findings
    }


@pytest.mark.parametrize(
    ("remembered", "said"), [(None, "first set"), (0, "first set"), (1, "grows"), (-1, "falls")]
)
def test_an_uncalibrated_sensors_direction_is_told(remembered: int | None, said: str):
    assert said in told("direction", stored=None, remembered=remembered).said


@pytest.mark.parametrize(
    ("theirs", "state", "said"),
    [
        ("1.2.2", "problem", "older than the 1.2.3"),
        ("1.1.9", "problem", "older"),
        ("0.9", "problem", "older"),
        ("1.2.10", "note", "newer"),
        ("2.0.0", "note", "newer"),
        ("1.2.3", "ok", "as in this program"),
    ],
)
def test_firmware_of_another_version_is_told_with_what_to_update(
    theirs: str, state: str, said: str
):
    about = told("firmware", hello=replace(HELLO, firmware=theirs))
    assert about.state == state
    assert said in about.said


def test_a_crash_is_a_problem_only_if_this_firmware_version_crashed():
    log = "=== firmware 1.2.3, 40 s after a start by power_on, times in a row: 1\nValueError: 7\n"
    assert told("crashes", crash_log=log).state == "problem"
    assert "ValueError: 7" in told("crashes", crash_log=log).said
    old = log.replace("1.2.3", "1.0.0")
    [about] = [found for found in diagnose(evidence(crash_log=old)) if found.subject == "crashes"]
    assert about.state == "note"
    assert "2 times" in told("crashes", crash_log=old + log).said


def test_an_angle_that_never_wavers_is_stuck_and_one_at_rest_is_not():
    assert told("stuck", at_rest(40, 0.0)).state == "problem"
    assert told("movement", at_rest(40, 0.015)).state == "note"
    about = told("movement", at_rest(12, 0.0))
    assert about.state == "note", "twelve seconds prove nothing"
    assert "--seconds" in about.remedy


def test_a_counting_encoder_may_stand_as_still_as_it_likes():
    still = at_rest(60, 0.0)
    findings = diagnose(evidence(still, hello=replace(HELLO, encoder="quadrature_pio")))
    assert problems(findings) == []


def test_a_lever_that_moves_the_other_way_than_calibrated_is_found():
    mirrored = {"extended_raw": raw_of(20.0), "flexed_raw": raw_of(285.0), "direction": -1}
    assert "against the direction" in told("direction", stored=mirrored).said
    assert told("direction", stored=mirrored).state == "problem"


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("offset_deg", [20.0, 180.0, 340.0])
def test_a_fitting_range_is_ok_at_any_offset(offset_deg: float, direction: int):
    watched = Watched().watch(
        frames(Led(-6).rounds(2).flexion, offset_deg=offset_deg, direction=direction)
    )
    record = {
        "extended_raw": raw_of(offset_deg),
        "flexed_raw": raw_of(offset_deg + direction * 95.0),
        "direction": direction,
    }
    assert told("calibration", watched, stored=record).state == "ok"
    turned = {**record, "extended_raw": raw_of(offset_deg - direction * 40)}
    turned["flexed_raw"] = raw_of(offset_deg + direction * 55)
    assert told("calibration", watched, stored=turned).state == "problem"


def test_no_calibration_is_a_note():
    assert told("calibration", stored=None).state == "note"
    assert told("calibration", stored={"extended_raw": "x"}).state == "note"


def test_late_samples_are_told_and_many_are_a_note():
    def with_late(count: int) -> Watched:
        late = (0,) * (100 - count) + (900,) * count
        watched = Watched()
        angles = tuple(5000 + 16 * (number % 3) for number in range(100))
        return watched.watch([Samples(0, 0, 10_000, 0, angles, deviations_us=late)])

    assert told("rate", with_late(2)).state == "ok"
    assert "0.9 ms" in told("rate", with_late(2)).said
    assert told("rate", with_late(20)).state == "note"


def test_another_rate_than_was_asked_for_is_a_problem():
    assert told("rate", hello=replace(HELLO, rate_hz=200.0)).state == "problem"


def test_a_stalled_stream_is_a_problem_by_cable_and_a_note_by_radio():
    assert told("stream", longest_silence_s=3.0).state == "problem"
    assert told("stream", longest_silence_s=3.0, wired=False).state == "note"
    assert told("stream", longest_silence_s=0.8, pace=4.0).state == "problem"
    subjects = {found.subject for found in diagnose(evidence(longest_silence_s=9.0, pace=None))}
    assert "stream" not in subjects, "a fast world has no clock to stand still by"


def test_a_clock_that_no_crystal_has_is_a_problem():
    assert told("clock", pings=pings(60, ppm=900.0)).state == "problem"
    assert told("clock", pings=pings(60, ppm=60.0)).state == "ok"
    vague = told("clock", pings=pings(4, ppm=900.0, trip_s=0.5))
    assert vague.state == "ok"
    assert "watch longer" in vague.said


@given(
    ppm=st.floats(-1000, 1000),
    trip_s=st.floats(0.0005, 0.2),
    count=st.integers(2, 60),
    seed=st.integers(0, 1000),
)
def test_the_drift_is_always_within_its_bound(ppm: float, trip_s: float, count: int, seed: int):
    found = drift_of(pings(count, ppm, trip_s, seed))
    assert found is not None
    assert abs(found.ppm - ppm) <= found.bound_ppm * 1.01 + 5.0  # the clock is read in whole µs


def test_one_ping_tells_no_drift():
    assert drift_of(pings(1)) is None


def standing_still(at: int, for_s: float) -> tuple[Ping, ...]:
    """A clock that loses so much once, before the ping of that number."""
    return tuple(
        replace(ping, sensor_us=ping.sensor_us - round(for_s * 1e6 * (number >= at)))
        for number, ping in enumerate(pings(60))
    )


@pytest.mark.parametrize("at", [8, 20, 30, 45, 55])
def test_a_clock_that_stood_still_once_condemns_no_board(at: int):
    about = told("clock", pings=standing_still(at, 0.02))
    assert about.state != "problem"


def test_a_clock_whose_halves_disagree_has_no_drift_figure():
    about = told("clock", pings=standing_still(45, 0.02))
    assert about.state == "note"
    assert "could not be measured" in about.said


@pytest.mark.parametrize(("query", "state"), [("", "ok"), ("drift_ppm=500", "problem")])
def test_a_simulated_clock_is_judged_only_if_it_was_asked_to_drift(query: str, state: str):
    address = SimAddress(parse_address(f"sim:?{query}"))
    assert told("clock", pings=pings(60, ppm=500.0), address=address).state == state


def test_a_simulated_board_has_no_figure_of_its_loop():
    """Its code takes no time of the simulated world."""
    findings = diagnose(evidence(address=SimAddress(parse_address("sim:"))))
    assert "loop" not in {finding.subject for finding in findings}


def test_remedies_name_the_sensor_that_was_looked_at():
    assert told("calibration", stored=None).remedy == "Run: legcurl calibrate serial:/dev/ttyACM7"
    assert "legcurl pair serial:/dev/ttyACM7" in told("key", after={**WELL, "ble": {}}).remedy
    busy = told("loop", after={**WELL, "loop_max_us": 6_000_000})
    assert "legcurl settings serial:/dev/ttyACM7 --rate 50" in busy.remedy
    spaced = SimAddress(parse_address("sim:?seed=7"))
    quoted = told("calibration", stored=None, address=spaced).remedy
    assert f"legcurl calibrate '{spaced}'" in quoted, "as a shell needs it"


@pytest.mark.parametrize(
    ("subject", "change", "state"),
    [
        ("memory", {"free_heap": 15_000}, "note"),
        ("memory", {"free_heap": 4_000}, "problem"),
        ("loop", {"after": {**WELL, "loop_max_us": 2_000_000}}, "note"),
        ("loop", {"after": {**WELL, "loop_max_us": 6_000_000}}, "problem"),
        ("requests", {"after": {**WELL, "bad_frames": 3}}, "note"),
        ("answers", {"pings": pings(20, trip_s=0.4)}, "note"),
        ("cable", {"link": LinkFigures(frames=100, damaged=5)}, "problem"),
        ("link", {"link": LinkFigures(frames=100, lost=1)}, "note"),
        ("key", {"after": {**WELL, "ble": {}}}, "note"),
    ],
)
def test_each_trouble_is_told(subject: str, change: dict[str, Any], state: str):
    assert told(subject, **change).state == state


def test_a_sensor_of_the_first_protocol_lacks_figures_and_nothing_else():
    findings = diagnose(evidence(before=None, after=None, free_heap=0, pings=()))
    assert problems(findings) == []

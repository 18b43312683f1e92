"""What is good enough for a calibration, and what is refused with a remedy."""

from random import Random

import pytest
from led_lever import Led, Watched, frames, installers_frames
from legcurl.install.calibrate.calibration_record import (
    REPEAT_DEG,
    CalibrationResult,
    Measurements,
    direction_of,
    judge,
    must_stop,
    raw_of,
)
from legcurl.install.checks.findings import Finding, problems
from legcurl.install.checks.stream_checks import LinkFigures
from legcurl.protocol.frame import Gap, GapReason, Status
from selection import first_short

WELL = LinkFigures(frames=200)
ADDRESS = "serial:/dev/ttyACM7"
OWN_FIRMWARE = "1.2.10"


def judged(
    watched: Watched, link: LinkFigures = WELL, stored=None, firmware: str = OWN_FIRMWARE
) -> CalibrationResult:
    return judge(
        Measurements(
            *(watched.survey, watched.stream, watched.magnet, link, stored, ADDRESS, 100.0),
            firmware=firmware,
            own_firmware=OWN_FIRMWARE,
        )
    )


@pytest.mark.parametrize(
    ("by", "remedy"), [("rest", "rest at the bottom"), ("index", "index mark")]
)
def test_a_calibration_without_a_zero_says_what_its_encoder_needs(by: str, remedy: str):
    watched = walked(status=Status.NOT_REFERENCED)
    watched.magnet.referenced_by = by
    [found] = [one for one in judged(watched).findings if one.subject == "reference"]
    assert remedy in found.remedy


def walked(trace: Led | None = None, rounds: int = 3, **sensor) -> Watched:
    return Watched(rounds).watch(frames((trace or Led().rounds(3)).flexion, **sensor))


def the_problem(calibrated: CalibrationResult) -> Finding:
    [only] = problems(calibrated.findings)
    assert only.remedy, "a problem says what to do"
    assert calibrated.record is None, "and nothing is written"
    return only


@pytest.mark.parametrize("direction", [1, -1])
def test_a_good_walk_gives_the_record(direction: int):
    calibrated = judged(walked(direction=direction, offset_deg=350.0))
    assert calibrated.record == {
        "extended_raw": pytest.approx(raw_of(350.0), abs=20),
        "flexed_raw": pytest.approx(raw_of(350.0 + direction * 95.0), abs=20),
        "direction": direction,
    }
    assert {finding.state for finding in calibrated.findings} == {"ok"}


@pytest.mark.parametrize(("firmware", "remedy"), [("1.2.9", "flash"), ("1.3.0", "pip install")])
def test_another_firmware_is_told_and_still_calibrated(firmware: str, remedy: str):
    calibrated = judged(walked(), firmware=firmware)
    [about] = [finding for finding in calibrated.findings if finding.subject == "firmware"]
    assert about.state == "note"
    assert firmware in about.said
    assert remedy in about.remedy
    assert calibrated.record is not None


@pytest.mark.parametrize("seed", first_short(range(101, 121), 4))
def test_no_healthy_sensor_is_refused(seed: int):
    assert problems(judged(Watched().watch(installers_frames(seed))).findings) == []


def test_a_range_beyond_half_a_turn_is_written_with_its_direction():
    trace = Led()
    for _ in range(3):
        trace.rests(3).goes(-230, 4).rests(3).goes(0, 4)
    calibrated = judged(walked(trace))
    assert calibrated.record is not None
    assert calibrated.record["direction"] == -1
    assert calibrated.range_deg == pytest.approx(-230.0, abs=0.3)
    [about] = [finding for finding in calibrated.findings if finding.subject == "range"]
    assert about.state == "note", "no knee bends so far: a gear would explain it"


@pytest.mark.parametrize("end", ["extended", "flexed"])
def test_ends_that_do_not_repeat_are_refused(end: str):
    trace = Led()
    for apart in (0.0, REPEAT_DEG + 1.0, 0.0):
        straight, flexed = (apart, 95.0) if end == "extended" else (0.0, 95.0 + apart)
        trace.goes(straight, 1).rests(3).goes(flexed, 3).rests(3)
    assert the_problem(judged(walked(trace))).subject == "repeatability"


def test_a_lever_that_did_not_move_is_refused():
    found = the_problem(judged(walked(Led().rests(30))))
    assert "did not move" in found.said
    found = the_problem(judged(walked(Led().rests(5).goes(12, 2).rests(20))))
    assert "12° only" in found.said


def test_a_walk_that_was_broken_off_says_where():
    found = the_problem(judged(walked(Led().rounds(1).rests(3))))
    assert "full flexion was measured in round 2 of 3" in found.said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.WEAK_MAGNET, "too weak over the whole range"),
        (Status.STRONG_MAGNET, "too strong over the whole range"),
    ],
)
def test_a_magnet_that_is_too_weak_or_strong_is_refused(status: Status, said: str):
    assert said in the_problem(judged(walked(status=int(status)))).said


def test_a_magnet_weak_at_one_end_is_reported_as_off_centre():
    watched = Watched()
    for frame in frames(Led().rounds(3).flexion):
        weak = watched.stream.travel_deg > 20 + 60
        watched.watch([_with_status(frame, int(Status.WEAK_MAGNET) if weak else 0)])
    found = the_problem(judged(watched))
    assert "to 100 % of the way to full flexion" in found.said
    assert "Centre the magnet" in found.remedy


def test_a_magnet_that_is_lost_now_and_then_is_refused():
    trace = Led()
    for _ in range(3):
        trace.rests(3).goes(95, 3).rests(3).goes(60, 1).blind(0.3).goes(0, 2)
    assert the_problem(judged(walked(trace))).subject == "magnet"


def test_a_noisy_angle_is_refused():
    assert the_problem(judged(walked(noise_deg=0.5))).subject == "noise"
    assert judged(walked(noise_deg=0.15)).record is not None


def test_wild_values_are_refused_but_not_one():
    def with_spikes(count: int) -> CalibrationResult:
        sent = frames(Led().rounds(3).flexion)
        for number in Random(1).sample(range(10, 60), count):
            angles = list(sent[number].angles)
            angles[5] = (angles[5] + 16_000) % 65_536
            sent[number] = _with_angles(sent[number], angles)
        return judged(Watched().watch(sent))

    assert with_spikes(1).record is not None
    assert the_problem(with_spikes(4)).subject == "angle"


def test_missed_samples_are_refused_when_they_are_many():
    def with_gap(count: int) -> CalibrationResult:
        watched = walked()
        watched.stream.push(Gap(watched.stream.log.expected or 0, count, GapReason.OVERRUN))
        return judged(watched)

    assert with_gap(2).record is not None
    assert the_problem(with_gap(200)).subject == "samples"


def test_a_bad_cable_is_refused_and_a_single_bad_frame_is_not():
    assert judged(walked(), LinkFigures(frames=200, damaged=1)).record is not None
    assert the_problem(judged(walked(), LinkFigures(frames=200, damaged=9))).subject == "cable"


def test_a_sensor_that_restarts_is_refused():
    watched = walked(Led().rounds(1))
    watched.stream.started(2, 0)
    watched.survey.restart()
    assert must_stop(watched.stream.figures, 0.0)
    assert the_problem(judged(watched)).subject == "restart"


def test_no_angle_for_seconds_is_must_stop_and_a_short_loss_is_not():
    figures = walked().stream.figures
    assert not must_stop(figures, 1.0)
    assert must_stop(figures, 3.0)


@pytest.mark.parametrize(("flexed_deg", "state"), [(25.0, "note"), (95.0, "ok"), (160.0, "note")])
def test_an_unlikely_range_is_reported(flexed_deg: float, state: str):
    trace = Led()
    for _ in range(3):
        trace.rests(3).goes(flexed_deg, 4).rests(3).goes(0, 4)
    [about] = [found for found in judged(walked(trace)).findings if found.subject == "range"]
    assert about.state == state


def test_a_record_of_the_other_direction_is_told_and_replaced():
    other = {"extended_raw": raw_of(20.0), "flexed_raw": raw_of(285.0), "direction": -1}
    calibrated = judged(walked(), stored=other)
    [about] = [found for found in calibrated.findings if found.subject == "direction"]
    assert about.state == "note"
    assert "other direction" in about.said
    assert calibrated.record is not None
    assert calibrated.record["direction"] == 1


@pytest.mark.parametrize(
    ("record", "direction"),
    [
        ({"extended_raw": 0, "flexed_raw": 16384}, 1),
        ({"extended_raw": 16384, "flexed_raw": 0}, -1),
        ({"extended_raw": 60000, "flexed_raw": 1000}, 1),
        ({"extended_raw": 0, "flexed_raw": 16384, "direction": -1}, -1),
        ({"extended_raw": 0, "flexed_raw": 16384, "direction": 7}, 1),
        ({"extended_raw": "0", "flexed_raw": 16384}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_direction_of_a_record_is_the_short_way_unless_it_says(record, direction):
    assert direction_of(record) == direction


def _with_status(frame, status):
    return frame.__class__(frame.index, frame.t_us, frame.period_us, status, frame.angles)


def _with_angles(frame, angles):
    return frame.__class__(frame.index, frame.t_us, frame.period_us, frame.status, tuple(angles))

"""What a stream is like: counted without keeping it."""

from dataclasses import replace

import pytest
from led_lever import Led, Watched, frames
from legcurl.protocol.frame import Gap, GapReason, Samples, Status


def figures(sent, **watched):
    return Watched(**watched).watch(sent).stream.figures


@pytest.mark.parametrize("noise_deg", [0.03, 0.1, 0.4])
def test_noise_is_told_apart_from_a_hand_that_drifts(noise_deg: float):
    trace = Led().goes(3.0, 6).goes(0.0, 6)  # half a degree a second: at rest, for a hand
    quantised = 360 / 4096 / 12**0.5
    expected = (noise_deg**2 + quantised**2) ** 0.5
    told = figures(frames(trace.flexion, noise_deg=noise_deg)).usual_noise_deg
    assert told == pytest.approx(expected, rel=0.15)


def test_a_lever_in_motion_makes_no_noise():
    trace = Led()
    for _ in range(5):
        trace.goes(95, 3).goes(0, 3)
    told = figures(frames(trace.flexion)).usual_noise_deg
    assert told is None or told < 0.1


def test_a_wild_value_is_two_jumps_and_a_fast_lever_none():
    sent = frames(Led().rests(2).goes(95, 0.2).rests(2).flexion)
    assert figures(sent).jumps == 0
    angles = list(sent[3].angles)
    angles[10] = (angles[10] + 20_000) % 65_536
    sent[3] = replace(sent[3], angles=tuple(angles))
    assert figures(sent).jumps == 2


def test_one_number_for_ever_is_frozen():
    sent = frames(Led().rests(40).flexion, noise_deg=0.0)
    assert figures(sent).frozen_s == pytest.approx(40.0, abs=0.02)
    assert figures(sent).frozen_samples == 4001
    assert figures(frames(Led().rests(40).flexion)).frozen_s < 5.0


def test_gaps_are_counted_by_their_reason_and_are_no_jump():
    watched = Watched()
    sent = frames(Led().goes(95, 3).flexion)
    watched.watch(sent[:4])
    watched.stream.push(Gap(100, 50, GapReason.OVERRUN))
    watched.watch(sent[6:])
    told = watched.stream.figures
    assert told.missed == 50
    assert told.due == told.samples + 50
    assert told.jumps == 0
    assert watched.stream.rate_hz == pytest.approx(100.0)


def test_samples_that_come_again_count_once():
    sent = frames(Led().rests(3).flexion)
    watched = Watched().watch(sent[:6]).watch(sent[2:])
    assert watched.stream.figures.samples == 301


def test_status_is_counted_by_fault_and_blind_samples_have_no_angle():
    sent = frames(Led().rests(1).flexion, status=int(Status.WEAK_MAGNET))
    told = figures([*sent, Samples(101, 1_010_000, 10_000, int(Status.BUS_ERROR), (0,) * 20)])
    assert told.status[Status.WEAK_MAGNET] == 101
    assert told.status[Status.BUS_ERROR] == 20
    assert told.blind == 20


def test_late_samples_are_those_that_say_so():
    late = Samples(0, 0, 10_000, 0, (5,) * 4, deviations_us=(0, 80, 350, -2000))
    told = figures([late])
    assert (told.late, told.latest_us) == (2, 2000)


def test_another_boot_is_a_restart_and_another_clock():
    watched = Watched().watch(frames(Led().rests(3).flexion))
    watched.stream.started(2, 0)
    assert watched.stream.figures.restarts == 1
    assert watched.stream.seconds == 0.0
    watched.watch(frames(Led().rests(1).flexion))
    assert watched.stream.figures.samples == 301 + 101
    assert watched.stream.seconds == pytest.approx(1.0)
    assert watched.stream.watched_s == pytest.approx(3.0 + 1.0)


def test_the_same_boot_started_again_is_none():
    watched = Watched().watch(frames(Led().rests(1).flexion))
    watched.stream.started(1, 0)
    assert watched.stream.figures.restarts == 0

"""What a sensor's frames and the notes about its link mean, told as events."""

from __future__ import annotations

from math import isnan

import pytest
import wire_reference as wire
from fake_sensor import (
    PERIOD_US,
    FakeSensor,
    counted,
    decoded,
    leg_curls,
    not_behind,
    only,
    run,
    streaming,
    told,
    wire_angle,
)
from legcurl.events import (
    Progress,
    SamplesMissing,
    SensorSeen,
    SensorTrouble,
)
from legcurl.motion import Calibration, SetTracker
from legcurl.protocol.frame import Gap
from legcurl.protocol.requests import TIME_MAX_US
from legcurl.session.encoder_faults import BLINDING_FAULTS, FAULT_QUIET_US
from legcurl.session.sensor_session import (
    GAPS_WAITING,
    PROGRESS_S,
    SensorSession,
)

LIFT = leg_curls(count=4)
SENSOR = SensorSeen("e66058388317812f", 77, "Leg curl 1", "pico_w", "0.1.0", 100.0)


# --- the samples -------------------------------------------------------------------------------


def test_a_session_gives_the_trackers_events():
    tracker = SetTracker(progress_s=PROGRESS_S)
    t_us = [5_000_000 + index * PERIOD_US for index in range(len(LIFT))]
    events = tracker.push(t_us, [angle * 360 / 65536 for angle in LIFT]) + tracker.finish()
    assert not_behind(told(decoded(FakeSensor(LIFT).packets()))) == [SENSOR, *events]
    assert counted(events) == [(4, "stopped", False)]


@pytest.mark.parametrize("samples_per_frame", [1, 7, 100])
def test_how_samples_were_framed_makes_no_difference(samples_per_frame):
    usual = told(decoded(FakeSensor(LIFT).packets()))
    other = FakeSensor(LIFT, samples_per_frame=samples_per_frame)
    assert told(decoded(other.packets())) == usual


def test_samples_count_from_their_read_time_not_their_due_time():
    late = [3_000 * (index % 2) for index in range(50)]
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:50], deviations_us=tuple(late)))
    assert session.time_us == 5_000_000 + 49 * PERIOD_US + 3_000


def test_samples_not_later_than_the_last_are_dropped_and_counted():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:4], deviations_us=(0, 12_000, 0, 0)))  # 0, 22, 20, 30 ms
    session.push(run(4, LIFT[4:6], deviations_us=(-15_000, 0)))  # 25, 50 ms
    assert (session.counts.samples, session.counts.untimely) == (4, 2)
    assert session.time_us == 5_050_000


def test_times_that_no_clock_can_show_are_dropped_and_counted():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:10]))
    known_us = session.time_us
    for t_us, late_us in ((2**64 - 100, 0), (TIME_MAX_US, 0), (6_000_000, 2**62)):
        index = session.next_index or 0
        deviations = (late_us,) * 10
        assert session.push(run(index, LIFT[:10], t_us=t_us, deviations_us=deviations)) == []
    assert session.counts.untimely == 30
    assert session.time_us == known_us


def test_a_sensor_without_a_rate_can_be_behind():
    sensor = FakeSensor(LIFT)
    [hello, start] = decoded([sensor.hello(rate_hz=0), sensor.start()])
    session = SensorSession()
    session.push(hello)
    assert session.hello is not None
    assert session.hello.rate_hz == 0.0
    session.push(start)
    assert session.next_index == 0


def test_a_late_last_sample_does_not_break_the_next_frame():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:4], deviations_us=(0, 0, 0, 14_000)))  # read at 44 ms
    events = session.push(run(4, LIFT[4:10]))  # the first was due at 40 ms
    assert events == []
    assert (session.counts.samples, session.counts.untimely, session.counts.restarts) == (9, 1, 0)


# --- who the sensor is -------------------------------------------------------------------------


def test_a_sensor_is_told_once_and_after_each_change():
    sensor = FakeSensor(LIFT)
    hello, again = sensor.hello(), sensor.hello(9, time_us=99)
    renamed = sensor.hello(10, name="Leg curl 2")
    seen = told(decoded([hello, again, renamed]))
    assert [event.name for event in only(SensorSeen, seen)] == ["Leg curl 1", "Leg curl 2"]


def test_a_sensor_of_a_newer_protocol_is_left_alone():
    newer = FakeSensor(LIFT).hello(protocol=[2, 0])
    session = SensorSession()
    assert told(decoded([newer]), session) == []
    assert session.boot_id is None


def test_answers_that_refuse_or_break_the_protocol_change_nothing():
    session = SensorSession()
    refused = wire.packet(wire.ANSWER, wire.answer_body(1, 2, 5, b"\x01\0\0\0"))
    broken = wire.packet(wire.ANSWER, wire.answer_body(1, 1, 0, b"{"))
    short = wire.packet(wire.ANSWER, wire.answer_body(1, 2, 0, b"{"))
    assert told(decoded([refused, broken, short]), session) == []
    assert (session.boot_id, session.counts.unreadable) == (None, 2)


def test_the_station_asks_for_the_first_index_that_is_lacking():
    session = streaming(FakeSensor(LIFT))
    assert (session.boot_id, session.next_index, session.wants) == (77, 0, None)
    session.push(run(0, LIFT[:25]))
    session.push(run(50, LIFT[50:75]))
    assert (session.next_index, session.wants) == (25, 25)


def test_samples_without_a_request_are_not_taken():
    sensor = FakeSensor(LIFT)
    session = SensorSession()
    stale = decoded([sensor.samples(500, 525), sensor.hello(), sensor.samples(525, 550)])
    for frame in stale:  # what an earlier program's stream left in the port
        session.push(frame)
    assert (session.counts.samples, session.log.counts.unasked) == (0, 2)


# --- calibration -------------------------------------------------------------------------------

HELD = {"extended_raw": wire_angle(0.0), "flexed_raw": wire_angle(100.0)}


def test_the_range_that_the_sensor_holds_is_used():
    session = SensorSession()
    for frame in decoded([FakeSensor(LIFT, calibration=HELD).hello()]):
        session.push(frame)
    assert session.calibration is not None
    assert session.calibration.signed_rom_deg == pytest.approx(100, abs=0.1)


def test_a_given_range_overrides_the_sensors_own():
    given = Calibration(10.0, 130.0)
    session = SensorSession(given)
    for frame in decoded([FakeSensor(LIFT, calibration=HELD).hello()]):
        session.push(frame)
    assert session.calibration == given


def test_a_range_that_can_be_none_is_learnt_live_instead():
    nonsense = {"extended_raw": 1000, "flexed_raw": 1100}
    sensor = FakeSensor(LIFT, calibration=nonsense)
    session = SensorSession()
    assert counted(told(decoded(sensor.packets()), session)) == [(4, "stopped", False)]
    assert session.calibration is None


def test_a_calibration_with_samples_gives_the_range_from_the_first_one():
    events = told(decoded(FakeSensor(LIFT, calibration=HELD).packets()))
    assert all(event.rom_fraction is not None for event in only(Progress, events)[5:])


# --- faults of the encoder ---------------------------------------------------------------------

STILL = [wire_angle(30.0)] * 1000


@pytest.mark.parametrize(
    ("bit", "fault", "blind"),
    [
        (0x01, "no_magnet", True),
        (0x02, "weak_magnet", False),
        (0x04, "strong_magnet", False),
        (0x08, "bus_error", True),
        (0x10, "not_referenced", True),
        (0x20, "unknown", False),
        (0x40, "unknown", False),
        (0x80, "unknown", False),
    ],
)
def test_a_fault_is_told_at_its_beginning_and_end_and_may_blind(bit, fault, blind):
    sensor = FakeSensor(STILL, status={300: bit, 400: 0})
    session = streaming(sensor)
    handed = Spy(session)
    events = [
        event for frame in decoded(iter(sensor.next_packet, None)) for event in session.push(frame)
    ]
    begins_s, over_s = 8.0, 9.5  # index 300; index 400 and half a second without it
    assert only(SensorTrouble, events) == [
        SensorTrouble(begins_s, fault, active=True),
        SensorTrouble(over_s, fault, active=False),
    ]
    assert (fault in BLINDING_FAULTS) == blind
    assert [isnan(angle) for angle in handed.angles] == [
        blind and 300 <= index < 400 for index in range(1000)
    ]


@pytest.mark.parametrize("referenced_by", ["rest", "index", None])
def test_a_missing_reference_is_told_with_what_the_encoder_needs(referenced_by):
    sensor = FakeSensor(STILL, status={300: 0x10})
    kind = {"kind": "quadrature_pio", "counts": 2400, "referenced_by": referenced_by}
    session = SensorSession()
    for frame in decoded([sensor.hello(encoder=kind), sensor.start()]):
        session.push(frame)
    events = [
        event for frame in decoded(iter(sensor.next_packet, None)) for event in session.push(frame)
    ]
    [trouble] = only(SensorTrouble, events)
    assert (trouble.fault, trouble.referenced_by) == ("not_referenced", referenced_by)


class Spy:
    """Reads along what a session hands to its tracker."""

    def __init__(self, session: SensorSession) -> None:
        tracker = session._tracker
        self.t_us: list[int] = []
        self.angles: list[float] = []
        push = tracker.push

        def reading(t_us, angle_deg):
            self.t_us += t_us
            self.angles += angle_deg
            return push(t_us, angle_deg)

        tracker.push = reading


def test_a_fault_that_flickers_is_one_trouble():
    sensor = FakeSensor(STILL, status={at: 0x02 * (at % 2) for at in range(300, 401)})
    events = told(decoded(sensor.packets()))
    assert [event.active for event in only(SensorTrouble, events)] == [True, False]


def test_two_faults_at_once_are_two_troubles():
    sensor = FakeSensor(STILL, status={300: 0x01 | 0x08, 400: 0x08, 600: 0})
    events = only(SensorTrouble, told(decoded(sensor.packets())))
    assert [(event.fault, event.active) for event in events] == [
        ("no_magnet", True),
        ("bus_error", True),
        ("no_magnet", False),
        ("bus_error", False),
    ]
    assert events[2].t_s == pytest.approx(5 + 4.0 + FAULT_QUIET_US / 1e6, abs=0.25)


def test_a_fault_that_outlasts_a_restart_is_not_told_again():
    before, after = FakeSensor(STILL, status={0: 1}), FakeSensor(STILL, boot_id=78, status={0: 1})
    events = told(decoded(before.packets() + after.packets()))
    assert [event.active for event in only(SensorTrouble, events)] == [True]


# --- gaps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "word"), [(1, "evicted"), (2, "overrun"), (3, "paused"), (9, "unknown")]
)
def test_a_declared_gap_is_told_with_its_place_length_and_reason(reason, word):
    session = streaming(FakeSensor(STILL))
    session.push(run(0, STILL[:100]))
    assert session.push(Gap(100, 50, reason)) == []  # how long it is shows when it goes on
    events = session.push(run(150, STILL[:25]))
    assert only(SamplesMissing, events) == [SamplesMissing(6.0, 0.5, 50, word)]


def test_a_pause_is_as_long_as_the_clock_says_not_as_its_ticks_say():
    session = streaming(FakeSensor(STILL))
    session.push(run(0, STILL[:100]))
    session.push(Gap(100, 1, 3))
    events = session.push(run(101, STILL[:25], t_us=6_020_000, period_us=5_000))
    assert only(SamplesMissing, events) == [SamplesMissing(6.0, 0.02, 1, "paused")]


def test_gaps_in_a_row_are_told_one_by_one():
    session = streaming(FakeSensor(STILL))
    session.push(run(0, STILL[:100]))
    session.push(Gap(100, 50, 1))
    session.push(Gap(150, 50, 2))
    events = session.push(run(200, STILL[:25]))
    assert only(SamplesMissing, events) == [
        SamplesMissing(6.0, 0.5, 50, "evicted"),
        SamplesMissing(6.5, 0.5, 50, "overrun"),
    ]


def test_a_sensor_that_declares_gap_after_gap_fills_no_memory():
    session = streaming(FakeSensor(STILL))
    session.push(run(0, STILL[:100]))
    for index in range(100, 1100):
        session.push(Gap(index, 1, 1 + index % 2))
    missing = only(SamplesMissing, session.push(run(1100, STILL[:25])))
    assert len(missing) == GAPS_WAITING
    assert sum(event.samples for event in missing) == 1000
    assert sum(event.duration_s for event in missing) == pytest.approx(10.0)


def test_a_gap_at_the_very_end_is_told_by_its_ticks():
    session = streaming(FakeSensor(STILL))
    session.push(run(0, STILL[:100]))
    session.push(Gap(100, 50, 2))
    assert only(SamplesMissing, session.finish()) == [SamplesMissing(6.0, 0.5, 50, "overrun")]


def test_samples_evicted_before_the_session_are_not_missing():
    sensor = FakeSensor(STILL)
    sensor.oldest = 400
    session = SensorSession()
    events = told(decoded(sensor.packets(from_index=0)), session)
    assert only(SamplesMissing, events) == []
    assert session.counts.samples == 600


def test_an_overrun_right_after_the_start_is_told_with_the_next_samples():
    session = streaming(FakeSensor(STILL))
    session.push(Gap(0, 50, 2))
    events = session.push(run(50, STILL[:25]))
    assert only(SamplesMissing, events) == [SamplesMissing(5.0, 0.5, 50, "overrun")]

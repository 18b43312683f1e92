"""What a sensor's frames and the notes about its link mean, told as events."""

from __future__ import annotations

import random
from math import isnan

import pytest
import wire_reference as wire
from fake_sensor import PERIOD_US, FakeSensor, decoded, leg_curls, lines, told, wire_angle
from legcurl.events import (
    LinkChanged,
    Progress,
    RepEnded,
    SamplesMissing,
    SensorSeen,
    SensorTrouble,
    SetEnded,
    SetStarted,
)
from legcurl.frame import Answer, Boot, FrameDecoder, Gap, Samples
from legcurl.motion import Calibration, SetTracker
from legcurl.notes import LinkNote, RestartNote
from legcurl.session import (
    FAULT_QUIET_US,
    GAPS_WAITING,
    PROGRESS_S,
    RESTART_GUESS_US,
    SensorSession,
)

LIFT = leg_curls(count=4)
MID_SET = 2100  # index in LIFT: at the top of the second rep
SENSOR = SensorSeen("e66058388317812f", 77, "Leg curl 1", "pico_w", "0.1.0", 100.0)


def only(kind, events):
    return [event for event in events if isinstance(event, kind)]


def motion(events):
    """What is said about the lifter, not about the sensor and its link."""
    sensors = SensorSeen | LinkChanged | SensorTrouble | SamplesMissing
    return [event for event in events if not isinstance(event, sensors)]


def counted(events) -> list[tuple[int, str, bool]]:
    """Sets: completed reps, outcome, whether samples are missing."""
    ended = only(SetEnded, events)
    return [(event.set.completed_reps, event.set.outcome, event.set.incomplete) for event in ended]


def streaming(sensor: FakeSensor) -> SensorSession:
    session = SensorSession()
    for frame in decoded([sensor.hello(), sensor.start()]):
        session.push(frame)
    return session


def run(index: int, angles: list[int], **fields) -> Samples:
    """A frame of the fake sensor's time base."""
    fields = {"t_us": 5_000_000 + index * PERIOD_US, "period_us": PERIOD_US, "status": 0, **fields}
    return Samples(index=index, angles=tuple(angles), **fields)


# --- the samples -------------------------------------------------------------------------------


def test_a_session_says_what_the_tracker_says_about_the_same_samples():
    tracker = SetTracker(progress_s=PROGRESS_S)
    t_us = [5_000_000 + index * PERIOD_US for index in range(len(LIFT))]
    events = tracker.push(t_us, [angle * 360 / 65536 for angle in LIFT]) + tracker.finish()
    assert told(decoded(FakeSensor(LIFT).packets())) == [SENSOR, *events]
    assert counted(events) == [(4, "stopped", False)]


@pytest.mark.parametrize("samples_per_frame", [1, 7, 100])
def test_how_samples_were_framed_makes_no_difference(samples_per_frame):
    usual = told(decoded(FakeSensor(LIFT).packets()))
    other = FakeSensor(LIFT, samples_per_frame=samples_per_frame)
    assert told(decoded(other.packets())) == usual


def test_samples_count_from_when_they_were_read_not_from_when_they_were_due():
    late = [3_000 * (index % 2) for index in range(50)]
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:50], deviations_us=tuple(late)))
    assert session.time_us == 5_000_000 + 49 * PERIOD_US + 3_000


def test_samples_read_no_later_than_the_one_before_are_left_out_and_counted():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:4], deviations_us=(0, 12_000, 0, 0)))  # 0, 22, 20, 30 ms
    session.push(run(4, LIFT[4:6], deviations_us=(-15_000, 0)))  # 25, 50 ms
    assert (session.counts.samples, session.counts.untimely) == (4, 2)
    assert session.time_us == 5_050_000


def test_a_late_last_sample_does_not_break_the_next_frame():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:4], deviations_us=(0, 0, 0, 14_000)))  # read at 44 ms
    events = session.push(run(4, LIFT[4:10]))  # the first was due at 40 ms
    assert events == []
    assert (session.counts.samples, session.counts.untimely, session.counts.restarts) == (9, 1, 0)


# --- who the sensor is -------------------------------------------------------------------------


def test_a_sensor_is_told_once_and_again_when_something_about_it_changed():
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


def test_samples_that_nobody_asked_for_are_not_taken():
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


def test_a_range_that_was_given_goes_before_the_sensor_s_own():
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
def test_a_fault_is_told_when_it_begins_and_ends_and_blinds_where_it_means_so(bit, fault, blind):
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
    assert [isnan(angle) for angle in handed.angles] == [
        blind and 300 <= index < 400 for index in range(1000)
    ]


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


def test_what_was_evicted_before_the_session_began_is_not_missing():
    sensor = FakeSensor(STILL)
    sensor.oldest = 400
    session = SensorSession()
    events = told(decoded(sensor.packets(from_index=0)), session)
    assert only(SamplesMissing, events) == []
    assert session.counts.samples == 600


def test_an_overrun_right_after_the_start_is_told_from_the_samples_that_follow():
    session = streaming(FakeSensor(STILL))
    session.push(Gap(0, 50, 2))
    events = session.push(run(50, STILL[:25]))
    assert only(SamplesMissing, events) == [SamplesMissing(5.0, 0.5, 50, "overrun")]


# --- links that lose ---------------------------------------------------------------------------


def over_a_bad_link(seed: int, *, lost: float = 0.1) -> tuple[SensorSession, list]:
    """Stream LIFT while packets are lost, changed, doubled and held back."""
    source = random.Random(seed)
    sensor = FakeSensor(LIFT)
    session, decoder = SensorSession(), FrameDecoder()
    events: list = []

    def deliver(packet: bytes) -> None:
        for frame in decoder.push(packet):
            events.extend(session.push(frame))

    deliver(sensor.hello() + sensor.start())
    in_flight: list[bytes] = []
    while session.next_index != len(LIFT):
        packet = sensor.next_packet()
        if packet is not None:
            in_flight.append(packet)
        while in_flight and (packet is None or len(in_flight) > source.randrange(5)):
            arriving = in_flight.pop(0)
            fate = source.random()
            if fate < lost:
                continue
            if fate < 2 * lost:
                at = source.randrange(len(arriving))
                arriving = arriving[:at] + bytes([arriving[at] ^ 0x41]) + arriving[at + 1 :]
            if fate > 1 - lost:
                arriving += arriving
            deliver(arriving)
        if session.wants is not None or packet is None:
            in_flight.clear()
            deliver(b"\0" + sensor.start(session.wants or session.next_index or 0))
    return session, [*events, *session.finish()]


@pytest.mark.parametrize("seed", range(8))
def test_a_link_that_loses_changes_and_repeats_bytes_changes_no_event(seed):
    session, events = over_a_bad_link(seed)
    assert lines(events) == lines(told(decoded(FakeSensor(LIFT).packets())))
    assert session.log.counts.refused > 0
    assert session.log.counts.repeated > 0


def test_a_set_in_progress_when_the_link_drops_goes_on_where_it_was():
    sensor = FakeSensor(LIFT)
    packets = sensor.packets()
    cut = 2 + MID_SET // 25
    session = SensorSession()
    events = [event for frame in decoded(packets[:cut]) for event in session.push(frame)]
    lost, restored = LinkNote("lost", "unplugged"), LinkNote("restored")
    assert session.push(lost) == [LinkChanged("lost", "unplugged")]
    assert session.push(restored) == [LinkChanged("restored", "")]
    resumed = sensor.packets(from_index=session.next_index or 0)
    events += [event for frame in decoded(resumed) for event in session.push(frame)]
    assert events + session.finish() == told(decoded(packets))


def test_an_outage_longer_than_the_log_leaves_a_gap_in_the_set():
    sensor = FakeSensor(LIFT)
    session = SensorSession()
    cut = 2 + MID_SET // 25
    events = [event for frame in decoded(sensor.packets()[:cut]) for event in session.push(frame)]
    sensor.oldest = MID_SET + 300
    resumed = sensor.packets(from_index=session.next_index or 0)
    events += told(decoded(resumed), session)
    (missing,) = only(SamplesMissing, events)
    assert (missing.reason, missing.samples, missing.duration_s) == ("evicted", 300, 3.0)
    assert [incomplete for _, _, incomplete in counted(events)] == [True]


# --- restarts ----------------------------------------------------------------------------------

OUTAGE_US = 2_000_000  # from the last sample's successor to zero of the new clock
LOST = 220  # samples that the lifter moved on by meanwhile: the outage, and 0.2 s of the new clock


def restarted(*between, again: dict | None = None) -> tuple[list, SensorSession]:
    """LIFT, with a restart of the sensor in the second rep's hold."""
    before = FakeSensor(LIFT[:MID_SET])
    after = FakeSensor(
        LIFT[MID_SET + LOST :], **{"boot_id": 78, "time_us": 200_000, **(again or {})}
    )
    items = [*decoded(before.packets()), *between, *decoded([after.boot(), *after.packets()])]
    session = SensorSession()
    return told(items, session), session


DUE_US = 5_000_000 + MID_SET * PERIOD_US  # when the first lost sample was due
MEASURED = RestartNote(78, DUE_US + OUTAGE_US)


def test_a_set_survives_a_restart_of_the_sensor_that_the_host_measured():
    events, session = restarted(MEASURED)
    assert only(SamplesMissing, events) == [
        SamplesMissing(DUE_US / 1e6, (OUTAGE_US + 200_000) / 1e6, 0, "reboot")
    ]
    assert [told_of[1:] for told_of in counted(events)] == [("stopped", True)]
    unbroken = told(decoded(FakeSensor(LIFT).packets()))
    last, same = only(RepEnded, events)[-1].rep, only(RepEnded, unbroken)[-1].rep
    assert (last.start_s, last.end_s) == pytest.approx((same.start_s, same.end_s), abs=0.02)
    assert session.counts.restarts == 1


def test_it_does_not_matter_whether_the_measure_comes_before_or_after_the_hello():
    first, _ = restarted(MEASURED)
    before, after = FakeSensor(LIFT[:MID_SET]), FakeSensor(LIFT[MID_SET + LOST :], boot_id=78)
    after.time_us = 200_000
    items = [*decoded(before.packets()), *decoded([after.boot(), after.hello()]), MEASURED]
    assert told([*items, *decoded(after.packets())]) == first


def test_a_set_survives_a_restart_on_a_link_that_never_broke():
    events, _ = restarted()
    (missing,) = only(SamplesMissing, events)
    assert missing.duration_s == (RESTART_GUESS_US + 200_000) / 1e6
    assert [told_of[1:] for told_of in counted(events)] == [("stopped", True)]


def test_a_restart_of_unknown_length_ends_the_set():
    events, _ = restarted(LinkNote("lost"), LinkNote("restored"))
    ended = only(SetEnded, events)
    assert ended[0].set.outcome == "interrupted"
    assert ended[0].t_s <= DUE_US / 1e6
    assert len(ended) == 2


def test_a_measured_restart_keeps_the_set_whatever_became_of_the_link():
    events, _ = restarted(LinkNote("lost"), MEASURED, LinkNote("restored"))
    assert len(counted(events)) == 1


def test_a_restart_measured_to_lie_in_the_past_is_taken_for_one_that_nobody_measured():
    early = RestartNote(78, DUE_US - 3_000_000)
    assert restarted(early)[0] == restarted()[0]


def test_time_never_runs_backwards_over_a_restart():
    for note in ((), (MEASURED,), (LinkNote("lost"),)):
        events, _ = restarted(*note)
        times = [event.t_s for event in only(Progress, events)]
        assert times == sorted(set(times))
        assert times[-1] > len(LIFT) * PERIOD_US / 1e6


def test_a_boot_that_was_missed_shows_in_the_hello():
    before, after = FakeSensor(LIFT[:MID_SET]), FakeSensor(LIFT[MID_SET + LOST :], boot_id=78)
    after.time_us = 200_000
    items = [*decoded(before.packets()), *decoded(after.packets())]
    assert told(items) == restarted()[0]


def test_a_boot_that_was_missed_shows_in_the_answer_to_start():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:100]))
    for frame in decoded([FakeSensor(LIFT, boot_id=78).start()]):
        session.push(frame)
    assert (session.boot_id, session.next_index) == (78, 0)


def test_after_a_restart_the_new_log_is_wanted_from_its_beginning():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:100]))
    session.push(Boot(78, 1, 0))
    assert (session.boot_id, session.next_index, session.wants) == (78, None, None)


def test_a_boot_heard_twice_is_one_restart():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:100]))
    for frame in decoded([FakeSensor(LIFT, boot_id=78).boot()] * 2):
        session.push(frame)
    assert session.counts.restarts == 1


def test_two_restarts_without_a_sample_between_them_are_one_hole():
    between = [Boot(99, 1, 0), RestartNote(99, DUE_US + 500_000), RestartNote(78, 1_500_000)]
    events, session = restarted(*between)
    (missing,) = only(SamplesMissing, events)
    assert missing.duration_s == (OUTAGE_US + 200_000) / 1e6
    assert session.counts.restarts == 2


def test_a_restart_before_the_first_sample_is_no_loss():
    first, second = FakeSensor(LIFT), FakeSensor(LIFT, boot_id=78)
    events = told(decoded([first.hello(), first.start(), second.boot(), *second.packets()]))
    assert only(SamplesMissing, events) == []
    assert motion(events) == motion(told(decoded(first.packets())))


def test_another_sensor_at_the_same_port_ends_the_set():
    events, _ = restarted(again={"sensor_id": "another"})
    assert counted(events)[0][1] == "interrupted"
    assert [event.sensor_id for event in only(SensorSeen, events)] == [SENSOR.sensor_id, "another"]


def test_a_clock_that_runs_backwards_without_a_restart_ends_the_set_and_goes_on():
    session = streaming(FakeSensor(LIFT))
    events = []
    for index in range(0, len(LIFT), 25):
        t_us = 5_000_000 + index * PERIOD_US - (3_000_000 if index >= MID_SET else 0)
        events += session.push(run(index, LIFT[index : index + 25], t_us=t_us))
    (missing,) = only(SamplesMissing, events)
    assert (missing.reason, missing.duration_s) == ("unknown", RESTART_GUESS_US / 1e6)
    assert counted(events)[0][1] == "interrupted"
    assert session.counts.samples == len(LIFT)


# --- the end -----------------------------------------------------------------------------------


def test_an_end_in_mid_set_interrupts_it():
    frames = decoded(FakeSensor(LIFT).packets()[: 2 + MID_SET // 25])
    assert [outcome for _, outcome, _ in counted(told(frames))] == ["interrupted"]


def test_a_session_is_finished_once():
    session = streaming(FakeSensor(LIFT))
    session.push(run(0, LIFT[:100]))
    session.finish()
    assert session.finish() == []
    with pytest.raises(ValueError, match="finished"):
        session.push(LinkNote("lost"))


@pytest.mark.parametrize("seed", range(20))
def test_no_sequence_of_items_is_too_odd(seed):
    """Frames of a defective sensor: any field may be anything that the wire can carry."""
    source = random.Random(seed)

    def big() -> int:
        return source.randrange(1 << source.randrange(1, 64))

    session = SensorSession()
    for _ in range(300):
        boot_id = source.randrange(3)
        item = source.choice(
            (
                run(big(), [big() % 65536], t_us=big(), period_us=1_000 + big() % 999_000),
                run(session.next_index or 0, [big() % 65536] * 9, t_us=big(), status=big() % 256),
                run(session.next_index or 0, [7, 9], deviations_us=(-big(), big())),
                Gap(session.next_index or 0, 1 + big() % 9999, big() % 5),
                Boot(boot_id, 1, 0),
                Answer(1, 2, 0, wire.start_payload(boot_id, big(), big())),
                Answer(1, 1, 0, source.randbytes(9)),
                LinkNote(source.choice(("lost", "restored")), "x"),
                RestartNote(boot_id, big()),
            )
        )
        for event in session.push(item):
            assert not isinstance(event, SetStarted)
    session.finish()

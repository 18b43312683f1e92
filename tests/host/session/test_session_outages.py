"""What becomes of a session when the link loses bytes, or breaks, or the sensor restarts."""

from __future__ import annotations

import random

import pytest
import wire_reference as wire
from fake_sensor import (
    PERIOD_US,
    FakeSensor,
    counted,
    decoded,
    leg_curls,
    lines,
    not_behind,
    only,
    run,
    streaming,
    told,
)
from legcurl.events import (
    CatchingUp,
    LinkChanged,
    Progress,
    RepEnded,
    SamplesMissing,
    SensorSeen,
    SensorTrouble,
    SetEnded,
    SetStarted,
)
from legcurl.gym.machine_state import MachineState
from legcurl.protocol.frame import Answer, Boot, FrameDecoder, Gap
from legcurl.session.annotations import LinkNote, RestartNote
from legcurl.session.sensor_session import RESTART_GUESS_US, SensorSession
from selection import first_short

LIFT = leg_curls(count=4)
MID_SET = 2100  # index in LIFT: at the top of the second rep
SENSOR_ID = "e66058388317812f"


def motion(events):
    """What is said about the lifter, not about the sensor and its link."""
    sensors = SensorSeen | LinkChanged | CatchingUp | SensorTrouble | SamplesMissing
    return [event for event in events if not isinstance(event, sensors)]


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


@pytest.mark.parametrize("seed", first_short(range(8)))
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
    assert not_behind(events + session.finish()) == not_behind(told(decoded(packets)))


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


# --- catching up -------------------------------------------------------------------------------


def test_a_host_that_is_behind_says_how_far_and_when_it_is_there():
    """The past comes first: a coach who looks now must know that it is the past."""
    sensor = FakeSensor(LIFT)
    packets = sensor.packets()
    cut = 2 + MID_SET // 25
    session = SensorSession()
    for frame in decoded(packets[:cut]):
        session.push(frame)
    session.push(LinkNote("lost", "unplugged"))
    resumed = decoded(sensor.packets(from_index=session.next_index or 0))
    events = [event for frame in resumed for event in session.push(frame)]
    behind_s = (len(LIFT) - MID_SET) * PERIOD_US / 1e6
    began, ended = only(CatchingUp, events)
    assert began == CatchingUp(5.0 + MID_SET * PERIOD_US / 1e6, behind_s)
    assert ended == CatchingUp(began.t_s + behind_s, 0.0)
    assert events.index(began) == 0
    assert events.index(ended) == len(events) - 1


def test_a_host_that_starts_is_behind_since_a_moment_of_the_sensors_clock():
    """Between hello and start the log grows; where the clock ends, no sample can be before it."""
    sensor = FakeSensor(LIFT, time_us=0)
    early = sensor.hello(time_us=2_000_000, log={"first": 0, "next": 200, "bytes": 98304})
    (began, *_) = only(CatchingUp, told(decoded([early, sensor.start()])))
    assert began == CatchingUp(0.0, len(LIFT) * PERIOD_US / 1e6)
    late = sensor.hello(time_us=1_990_000, log={"first": 0, "next": 200, "bytes": 98304})
    (began, *_) = only(CatchingUp, told(decoded([late, sensor.start()])))
    assert began.t_s == 0.0


def test_a_loss_that_is_made_good_at_once_is_not_worth_a_word():
    sensor = FakeSensor(LIFT[:1000])
    packets = sensor.packets()
    session = SensorSession()
    for frame in decoded(packets):
        session.push(frame)
    assert (
        only(CatchingUp, [e for f in decoded([sensor.start(950)]) for e in session.push(f)]) == []
    )


def test_a_view_shows_how_old_its_picture_is_until_it_is_not():
    sensor = FakeSensor(LIFT)
    state = MachineState()
    ages = []
    for event in told(decoded(sensor.packets())):
        state = state.apply(event)
        ages.append(state.behind_s)
    whole_s = len(LIFT) * PERIOD_US / 1e6
    assert max(ages) == pytest.approx(whole_s)
    ages = ages[ages.index(max(ages)) :]
    assert ages == sorted(ages, reverse=True)
    assert ages[-1] == 0.0


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


def test_a_restart_measure_counts_before_or_after_the_hello():
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


def test_a_measured_restart_keeps_the_set_after_any_loss():
    events, _ = restarted(LinkNote("lost"), MEASURED, LinkNote("restored"))
    assert len(counted(events)) == 1


def test_a_restart_measured_in_the_past_counts_as_not_measured():
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


def test_the_hosts_clock_finds_a_restart_with_the_same_boot_id():
    """Its new log may be longer than the old one by the time that anybody looks."""
    before, after = FakeSensor(LIFT[:MID_SET]), FakeSensor(LIFT[MID_SET + LOST :], time_us=200_000)
    session = SensorSession()
    events = [event for frame in decoded(before.packets()) for event in session.push(frame)]
    last_us = 5_000_000 + MID_SET * PERIOD_US
    session.push(LinkNote("lost", "unplugged"))
    session.push(RestartNote(before.boot_id, last_us + OUTAGE_US))
    assert session.next_index is None, "all of the new log is wanted"
    events += told(decoded(after.packets()), session)
    (missing,) = only(SamplesMissing, events)
    assert (missing.reason, missing.duration_s) == ("reboot", pytest.approx(LOST * PERIOD_US / 1e6))
    assert [one[1] for one in counted(events)] == ["stopped"], "the set went on"


def test_a_restart_before_the_first_sample_is_no_loss():
    first, second = FakeSensor(LIFT), FakeSensor(LIFT, boot_id=78)
    events = told(decoded([first.hello(), first.start(), second.boot(), *second.packets()]))
    assert only(SamplesMissing, events) == []
    assert motion(events) == motion(told(decoded(first.packets())))


def test_another_sensor_at_the_same_port_ends_the_set():
    events, _ = restarted(again={"sensor_id": "another"})
    assert counted(events)[0][1] == "interrupted"
    assert [event.sensor_id for event in only(SensorSeen, events)] == [SENSOR_ID, "another"]


def test_a_sensor_clock_that_runs_backwards_ends_the_set():
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

"""A host that starts when the sensor's log no longer holds the beginning of the set."""

from __future__ import annotations

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls, only, told, wire_angle
from legcurl.events import SamplesMissing, SetEnded
from legcurl.session.sensor_session import SensorSession

BOTTOM = wire_angle(0.0)
TWO_SETS = leg_curls(count=5) + leg_curls(count=3)
HELD_UP, SINKING, BETWEEN_REPS, HELD_UP_LATER, NEARLY_DOWN = 800, 1100, 1430, 1900, 2400
MID_SET = (HELD_UP, SINKING, BETWEEN_REPS, HELD_UP_LATER, NEARLY_DOWN)


def sets_from(angles: list[int], oldest: int, **sensor: object) -> list[tuple[int, bool]]:
    """Reps and incompleteness of each set that a host tells whose log begins at `oldest`."""
    fake = FakeSensor(angles, **sensor)  # pyright: ignore[reportArgumentType]
    fake.oldest = oldest
    events = told(decoded(fake.packets()))
    assert only(SamplesMissing, events) == [], "nothing is missing between the samples"
    return [(ended.set.completed_reps, ended.set.incomplete) for ended in only(SetEnded, events)]


@pytest.mark.parametrize("calibration", [None, {"extended_raw": BOTTOM, "flexed_raw": 14_564}])
@pytest.mark.parametrize("oldest", MID_SET)
def test_the_set_that_was_under_way_at_the_first_sample_is_incomplete(oldest, calibration):
    """The host died, and when it came back the small log had lost the first reps."""
    (first, incomplete), second = sets_from(TWO_SETS, oldest, calibration=calibration)
    assert first < 5
    assert incomplete
    assert second == (3, False), "the next set was seen to begin"


@pytest.mark.parametrize("oldest", [0, 1, 190])
def test_a_lever_at_rest_when_the_samples_begin_begins_a_whole_set(oldest):
    assert sets_from(TWO_SETS, oldest) == [(5, False), (3, False)]


def test_a_set_after_the_rest_of_another_is_whole():
    in_the_last_rep = 400 + 4 * 1040 + 900
    assert sets_from(TWO_SETS, in_the_last_rep) == [(3, False)]


def test_the_other_way_round_too():
    mirrored = [65_536 - angle if angle else 0 for angle in TWO_SETS]
    assert sets_from(mirrored, 0) == [(5, False), (3, False)]
    (_, incomplete), second = sets_from(mirrored, HELD_UP_LATER)
    assert incomplete
    assert second == (3, False)


def test_a_host_that_wants_no_history_may_begin_in_mid_set_too():
    sensor = FakeSensor(TWO_SETS)
    sensor.oldest = SINKING  # the present, to a host that asks from now
    session = SensorSession()
    packets = [sensor.hello(), sensor.start(SINKING)]
    while (packet := sensor.next_packet()) is not None:
        packets.append(packet)
    first, second = only(SetEnded, told(decoded(packets), session))
    assert first.set.incomplete
    assert not second.set.incomplete


def test_a_rest_in_mid_set_is_not_the_beginning_of_one():
    """Held up, down, five seconds of rest, and on: the same lifter's set."""
    resting = TWO_SETS[:1430] + [BOTTOM] * 500 + TWO_SETS[1430:]
    (first, incomplete), _ = sets_from(resting, HELD_UP)
    assert first == 4
    assert incomplete

"""A calibration says where the range ends, and which way round the lever goes."""

import pytest
from legcurl import SetTracker
from legcurl.errors import CalibrationError
from legcurl.events import SetEnded
from legcurl.motion import Calibration
from lever import Lever


@pytest.mark.parametrize(
    ("extended", "flexed", "direction", "way"),
    [
        (10.0, 100.0, 0, 90.0),
        (10.0, 100.0, 1, 90.0),
        (350.0, 80.0, 0, 90.0),
        (80.0, 350.0, -1, -90.0),
        (10.0, 240.0, 1, 230.0),
        (240.0, 10.0, -1, -230.0),
        (10.0, 240.0, 0, -130.0),
    ],
)
def test_the_way_is_the_short_one_unless_it_says(extended, flexed, direction, way):
    assert Calibration(extended, flexed, direction).signed_rom_deg == pytest.approx(way)


def test_nearly_a_whole_turn_is_a_range_where_the_direction_says_so():
    assert Calibration(0.0, 350.0, 1).signed_rom_deg == pytest.approx(350.0)
    with pytest.raises(CalibrationError):
        Calibration(0.0, 350.0)


@pytest.mark.parametrize("direction", [1, -1])
def test_reps_beyond_half_a_turn_count(direction: int):
    """A gear between lever and magnet: the encoder turns by 230°."""
    lever = Lever().rests(3)
    for _ in range(4):
        lever.rep(top=230.0, up_s=3.0, down_s=4.0)
    t_us, angle_deg = lever.rests(20).seen(offset=40.0, direction=direction)
    calibration = Calibration(40.0, (40.0 + direction * 230.0) % 360.0, direction)
    tracker = SetTracker(calibration)
    events = [*tracker.push(t_us, angle_deg), *tracker.finish()]
    [ended] = [event for event in events if isinstance(event, SetEnded)]
    assert ended.set.completed_reps == 4
    assert ended.set.rom_deg == pytest.approx(230.0, abs=3.0)

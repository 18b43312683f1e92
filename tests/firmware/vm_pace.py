"""A pace: the world's time follows a wall clock, which the test moves."""

import simclock
from simclock import SimClock


class Wall:
    """The computer's clock and its sleep."""

    def __init__(self):
        self.us = 5_000_000
        self.slept_ms = []

    def ticks_us(self):
        return self.us

    def sleep_ms(self, ms):
        self.slept_ms.append(ms)
        self.us += 1000 * ms


class At:
    """A clock at a pace, before a wall clock of its own."""

    def __init__(self, pace):
        self.pace = pace
        self.wall = Wall()

    def __enter__(self):
        self._utime, simclock.utime = simclock.utime, self.wall
        clock = SimClock()
        clock.set_pace(self.pace)
        return clock, self.wall

    def __exit__(self, *_):
        simclock.utime = self._utime


def test_the_pace_is_how_many_times_as_fast_time_goes():
    for pace, wall_ms in (("1", 8000), ("4", 2000), ("0.5", 16_000)):
        with At(pace) as (clock, wall):
            began = wall.us
            for _ in range(800):
                clock.sleep(10_000)
            assert clock.now == 8_000_000
            assert wall_ms <= (wall.us - began) // 1000 <= wall_ms + 20, pace


def test_after_a_hiccup_the_firmware_catches_up_turn_by_turn():
    with At("4") as (clock, wall):
        wall.us += 1_000_000
        for turn in range(400):
            clock.sleep(10_000)
            assert clock.now == (turn + 1) * 10_000
        assert wall.slept_ms == []
        clock.sleep(10_000)
        assert len(wall.slept_ms) == 1

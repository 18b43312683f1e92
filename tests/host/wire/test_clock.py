"""The clock model finds the sensor's clock in the host's, whatever the link does to the pings."""

from __future__ import annotations

import random

import pytest
from legcurl.clock import PING_EVERY_S, POINTS_MAX, ClockModel


class Crystal:
    """A sensor's clock: it began at a host time and runs fast or slow."""

    def __init__(self, began_s: float = 1000.0, drift: float = 0.0, pace: float = 1.0) -> None:
        self.began_s, self.drift, self.pace = began_s, drift, pace

    def us(self, host_s: float) -> int:
        return round((host_s - self.began_s) * (1 + self.drift) * self.pace * 1e6)


def pinged(model, crystal, *, begin_s, seconds, delay, every_s=PING_EVERY_S):
    """Ping for a while; `delay()` gives the way there and the way back."""
    sent_s = begin_s
    while sent_s < begin_s + seconds:
        there_s, back_s = delay()
        model.ping(sent_s, crystal.us(sent_s + there_s), sent_s + there_s + back_s)
        sent_s += max(every_s, there_s + back_s)
    return sent_s


def jitter(seed: int, least_s: float = 0.0005, mean_s: float = 0.002):
    source = random.Random(seed)
    return lambda: tuple(least_s + source.expovariate(1 / mean_s) for _ in range(2))


def test_before_the_first_ping_nothing_is_known():
    model = ClockModel()
    assert not model.known
    assert model.host_s(0) is None
    assert model.sensor_us(0.0) is None
    assert model.boot_began_us(0.0, 0) is None


def test_one_ping_tells_the_time_to_half_of_its_round_trip():
    model, crystal = ClockModel(), Crystal()
    model.ping(1010.0, crystal.us(1010.003), 1010.004)
    assert model.known
    assert model.uncertainty_s == pytest.approx(0.002)
    assert model.host_s(crystal.us(1010.5)) == pytest.approx(1010.5, abs=0.002)


@pytest.mark.parametrize("drift_ppm", [-80, 0, 30, 120])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_minutes_on_a_busy_link_give_a_millisecond_and_the_drift(seed, drift_ppm):
    model, crystal = ClockModel(), Crystal(drift=drift_ppm * 1e-6)
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=600, delay=jitter(seed))
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=0.001)
    assert model.drift_ppm == pytest.approx(-drift_ppm, abs=3)


def test_a_minute_without_pings_costs_little_because_the_drift_is_known():
    model, crystal = ClockModel(), Crystal(drift=100e-6)
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=600, delay=jitter(4))
    assert model.host_s(crystal.us(end_s + 60)) == pytest.approx(end_s + 60, abs=0.0015)


def test_there_and_back_again():
    model, crystal = ClockModel(), Crystal(drift=50e-6)
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=300, delay=jitter(5))
    sensor_us = model.sensor_us(end_s)
    assert sensor_us is not None
    assert model.host_s(sensor_us) == pytest.approx(end_s, abs=1e-6)


def test_long_round_trips_do_not_move_the_line():
    model, crystal = ClockModel(), Crystal()
    source = random.Random(6)
    usual = jitter(6)

    def delay():
        if source.random() < 0.3:
            return 0.001, source.uniform(0.3, 2.0)  # the answer waits behind a resend
        return usual()

    end_s = pinged(model, crystal, begin_s=1005.0, seconds=600, delay=delay)
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=0.0015)


def test_a_bad_stretch_is_outvoted():
    model, crystal = ClockModel(), Crystal()
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=300, delay=jitter(7))
    end_s = pinged(model, crystal, begin_s=end_s, seconds=40, delay=lambda: (0.0005, 0.015))
    end_s = pinged(model, crystal, begin_s=end_s, seconds=300, delay=jitter(8))
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=0.001)


def test_one_impossible_ping_is_not_believed():
    model, crystal = ClockModel(), Crystal()
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=60, delay=jitter(9))
    model.ping(end_s, crystal.us(end_s) + 3_000_000, end_s + 0.002)
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=0.002)


def test_after_a_suspended_host_a_new_line_is_drawn():
    model, crystal = ClockModel(), Crystal()
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=300, delay=jitter(10))
    crystal.began_s -= 3600.0  # the sensor ran on for an hour that the host's clock left out
    end_s = pinged(model, crystal, begin_s=end_s, seconds=30, delay=jitter(11))
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=0.004)


def test_the_length_of_a_restart_is_measured_across_two_clocks():
    model, crystal = ClockModel(), Crystal(began_s=1000.0, drift=40e-6)
    pinged(model, crystal, begin_s=1005.0, seconds=300, delay=jitter(14))
    again = Crystal(began_s=1400.0)
    began_us = model.boot_began_us(1400.8, again.us(1400.8))
    assert began_us == pytest.approx(crystal.us(1400.0), abs=3000)


def test_a_simulated_sensor_may_run_at_eight_times_the_pace():
    model, crystal = ClockModel(pace=8.0), Crystal(pace=8.0)
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=120, delay=jitter(15))
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=0.002)
    assert model.sensor_us(end_s) == pytest.approx(crystal.us(end_s), abs=16_000)


def test_a_year_of_sensor_time_keeps_its_microseconds():
    model, crystal = ClockModel(), Crystal(began_s=-31_536_000.0)
    end_s = pinged(model, crystal, begin_s=0.0, seconds=120, delay=lambda: (0.001, 0.001))
    assert model.host_s(crystal.us(end_s)) == pytest.approx(end_s, abs=1e-5)


def test_the_drift_of_a_broken_clock_is_not_followed():
    model, crystal = ClockModel(), Crystal(drift=0.0006)
    pinged(model, crystal, begin_s=1005.0, seconds=600, delay=jitter(16))
    assert abs(model.drift_ppm) <= 500


def test_a_day_of_pings_keeps_a_bounded_number_of_points():
    model, crystal = ClockModel(), Crystal()
    pinged(model, crystal, begin_s=0.0, seconds=86_400, delay=jitter(17), every_s=10.0)
    assert model.points == POINTS_MAX


def test_time_does_not_run_backwards_within_a_ping():
    with pytest.raises(ValueError, match="after it was sent"):
        ClockModel().ping(2.0, 0, 1.0)

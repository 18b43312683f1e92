"""The clock model finds the sensor's clock in the host's, whatever the link does to the pings."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import legcurl.motion
import legcurl.session.sensor_session
import pytest
from bench_clock import Radio, Wire
from legcurl.station.clock_sync import PING_EVERY_S, POINTS_MAX, THERE_BY_RADIO, ClockModel
from legcurl.station.wall_clock import WallLine, WallTimes
from selection import first_short


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
    assert model.host_s(0) is None
    assert model.sensor_us(0.0) is None
    assert model.boot_began_us(0.0, 0) is None


def test_one_ping_tells_the_time_to_half_of_its_round_trip():
    model, crystal = ClockModel(), Crystal()
    model.ping(1010.0, crystal.us(1010.003), 1010.004)
    assert model.uncertainty_s == pytest.approx(0.002)
    assert model.host_s(crystal.us(1010.5)) == pytest.approx(1010.5, abs=0.002)


@pytest.mark.parametrize("drift_ppm", [-80, 0, 30, 120])
@pytest.mark.parametrize("seed", first_short([1, 2, 3]))
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


@pytest.mark.parametrize("drift_ppm", [-100, 0, 100])
@pytest.mark.parametrize("outage_s", [0.5, 30.0, 600.0])
@pytest.mark.parametrize("seed", first_short(range(5)))
def test_a_restart_is_measured_to_fifty_milliseconds_over_a_jittering_wire(
    seed, outage_s, drift_ppm
):
    """The first answer of the new boot is late, and the clocks drifted while it was away."""
    model, crystal = ClockModel(), Crystal(began_s=1000.0, drift=drift_ppm * 1e-6)
    end_s = pinged(model, crystal, begin_s=1005.0, seconds=20, delay=jitter(seed))
    again = Crystal(began_s=end_s + outage_s, drift=drift_ppm * 1e-6)
    read_s = again.began_s + 1.5
    late_s = sum(jitter(seed + 100)())
    began_us = model.boot_began_us(read_s + late_s, again.us(read_s))
    assert began_us == pytest.approx(crystal.us(again.began_s), abs=50_000 + outage_s * 100)


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


# --- two hours ---------------------------------------------------------------------------------

AGO_S = (0.0, 5.0, 60.0)  # that a rep ended when its wall time is asked for


def misses_s(model: ClockModel, crystal: Crystal, link: Radio | Wire) -> list[float]:
    """How far wall times were off in two hours of pings, in order of size."""
    misses: list[float] = []
    sent_s = 1105.0
    while sent_s < 1105.0 + 7200:
        read_s, received_s = link.round_trip(sent_s)
        model.ping(sent_s, crystal.us(read_s), received_s)
        for ago_s in AGO_S:
            told_s = model.host_s(crystal.us(received_s - ago_s))
            assert told_s is not None
            misses.append(abs(told_s - (received_s - ago_s)))
        sent_s = max(sent_s + PING_EVERY_S, received_s)
    return sorted(misses)


@pytest.mark.parametrize("drift_ppm", [-100, 100])
@pytest.mark.parametrize("interval_s", [0.0075, 0.03, 0.1])
@pytest.mark.parametrize("seed", first_short([1, 2]))
def test_the_wait_for_a_connection_event_does_not_shift_the_clock(interval_s, seed, drift_ppm):
    """A radio that loses events, and falls silent for half a second now and then."""
    model, crystal = ClockModel(there=THERE_BY_RADIO), Crystal(drift=drift_ppm * 1e-6)
    misses = misses_s(model, crystal, Radio(interval_s, seed))
    assert misses[int(0.95 * len(misses))] < 0.02


@pytest.mark.parametrize("drift_ppm", [-100, 100])
@pytest.mark.parametrize("seed", first_short([1, 2]))
def test_a_wire_that_hiccups_costs_no_wall_time_either(seed, drift_ppm):
    """One way in ten takes up to half a second longer."""
    model, crystal = ClockModel(), Crystal(drift=drift_ppm * 1e-6)
    misses = misses_s(model, crystal, Wire(0.005, 0.1, seed))
    assert misses[int(0.95 * len(misses))] < 0.02


# --- wall time ---------------------------------------------------------------------------------


class Clocks:
    """A host's monotonic and wall clock, and a sensor, in true time."""

    def __init__(self) -> None:
        self.monotonic_at_s = 0.0  # minus true time
        self.wall_at_s = 1.7e9
        self.crystal = Crystal(began_s=0.0, drift=60e-6)
        self.model = ClockModel()
        self.true_s = 10.0

    def run(self, seconds: float, *, seed: int = 1) -> None:
        """Ping for a while."""
        delay = jitter(seed)
        until_s = self.true_s + seconds
        while self.true_s < until_s:
            there_s, back_s = delay()
            sent_s = self.true_s + self.monotonic_at_s
            us = self.crystal.us(self.true_s + there_s)
            self.model.ping(sent_s, us, sent_s + there_s + back_s)
            self.true_s += PING_EVERY_S

    def line(self, t_us: int) -> WallLine:
        host_s = self.model.host_s(t_us)
        assert host_s is not None
        return WallLine(t_us, host_s + self.wall_at_s - self.monotonic_at_s, self.model.rate)

    def told_s(self, times: WallTimes, t_us: int) -> float:
        """What is said of a moment now."""
        told_s = times.at(t_us, self.line(t_us))
        assert told_s is not None
        return told_s


@pytest.mark.parametrize("step_s", [0.4, -0.4, 3600.0, -86_400.0])
def test_a_step_of_the_wall_clock_moves_no_rep_against_another(step_s):
    clocks, times = Clocks(), WallTimes()
    clocks.run(120.0)
    first_us = clocks.crystal.us(clocks.true_s)
    times.begin(first_us, clocks.line(first_us))
    first_s = clocks.told_s(times, first_us)
    assert first_s == pytest.approx(1.7e9 + clocks.true_s, abs=0.002)
    clocks.run(30.0, seed=2)
    clocks.wall_at_s += step_s
    later_us = clocks.crystal.us(clocks.true_s)
    apart_s = clocks.told_s(times, later_us) - clocks.told_s(times, first_us)
    assert apart_s == pytest.approx((later_us - first_us) / 1e6, abs=0.005)
    clocks.run(30.0, seed=3)
    times.end(first_us, later_us, clocks.line(first_us))
    clocks.wall_at_s -= step_s
    clocks.run(30.0, seed=4)
    told = [clocks.told_s(times, us) for us in (first_us, later_us)]
    assert told[1] - told[0] == pytest.approx(apart_s, abs=0.005)
    assert told[0] == pytest.approx(first_s + step_s, abs=0.005), "as the wall clock was at its end"


def test_a_host_that_slept_tells_the_same_wall_times_as_before():
    """Its monotonic clock stood still for an hour; the sensor's and the wall's did not."""
    clocks, times = Clocks(), WallTimes()
    clocks.run(120.0)
    start_us = clocks.crystal.us(clocks.true_s)
    times.begin(start_us, clocks.line(start_us))
    clocks.run(60.0, seed=2)
    end_us = clocks.crystal.us(clocks.true_s)
    before_us = clocks.crystal.us(50.0)
    times.end(start_us, end_us, clocks.line(start_us))
    told_s = times.at(start_us, clocks.line(start_us))
    clocks.true_s += 3600.0
    clocks.monotonic_at_s -= 3600.0
    clocks.run(60.0, seed=3)
    assert times.at(start_us, clocks.line(start_us)) == told_s
    assert times.at(before_us, clocks.line(before_us)) == pytest.approx(1.7e9 + 50.0, abs=0.3), (
        "outside of sets as well: line and offset have moved against each other"
    )
    now_us = clocks.crystal.us(clocks.true_s)
    assert times.at(now_us, clocks.line(now_us)) == pytest.approx(1.7e9 + clocks.true_s, abs=0.01)


def test_a_set_from_before_the_first_ping_gets_wall_time_with_it():
    clocks, times = Clocks(), WallTimes()
    times.begin(10_000_000, None)
    assert times.at(11_000_000, None) is None
    clocks.run(60.0)
    assert times.at(11_000_000, clocks.line(11_000_000)) == pytest.approx(1.7e9 + 11.0, abs=0.01)


def test_ended_sets_are_kept_in_bounded_number():
    clocks, times = Clocks(), WallTimes()
    clocks.run(60.0)
    for number in range(1000):
        start_us = number * 100_000_000
        times.begin(start_us, clocks.line(start_us))
        times.end(start_us, start_us + 60_000_000, clocks.line(start_us))
    clocks.wall_at_s += 5.0
    newest, oldest = 999 * 100_000_000, 0
    assert times.at(newest, clocks.line(newest)) == pytest.approx(1.7e9 + 99_900, abs=6.5)
    assert times.at(oldest, clocks.line(oldest)) == pytest.approx(1.7e9 + 5.0, abs=0.1)


def test_nothing_that_measures_a_rep_can_look_at_a_clock():
    """Durations are the samples' own: these modules import nothing that knows the time."""
    sources = [
        Path(legcurl.session.sensor_session.__file__),
        *Path(legcurl.motion.__file__).parent.glob("*.py"),
    ]
    assert len(sources) > 10
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                names = {node.module}
            assert not names & {"time", "datetime", "asyncio", "legcurl.station.clock_sync"}, (
                source.name
            )

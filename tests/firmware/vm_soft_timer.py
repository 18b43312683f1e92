"""Sampling on ESP32, whose timers are soft: a tick may be late, but never wrong about its time."""

import simboard
from machine import Timer
from sensor.anglelog import AngleLog, Cursor
from sensor.clock import SensorClock
from sensor.frame import OVERRUN
from sensor.health import Counters
from sensor.sampler import Sampler
from simclock import clock
from simsoft import scheduler
from still_world import ESP32, RP2, power_up
from whole_log import read_all

RATES_HZ = (20, 50, 100, 200, 400)
WORTH_TELLING_US = 100  # docs/protocol.md: a smaller deviation is not sent
FIRST_DELAY_US = 1_000  # a first tick that is no later than this is the grid's origin


class Witness:
    """An encoder that notes when it was read; its angle is the number of that reading."""

    shift = 0

    def __init__(self):
        self.angle = 65535
        self.status = 0
        self.times = []

    def read(self):
        self.times.append(clock.now)
        self.angle = (self.angle + 1) % 65536


class Bench:
    def __init__(self, board, rate_hz, seed=7):
        simboard.seed = seed
        power_up(board, "quadrature_pcnt" if board is ESP32 else "as5600")
        self.witness = Witness()
        self.counters = Counters()
        self.log = AngleLog(200_000, 0, self.counters)
        self.begun = clock.now
        self.sampler = Sampler(self.witness, SensorClock(), self.log, self.counters, 0)
        self.sampler.start(rate_hz)

    def run(self, seconds):
        """Run, with the main loop at its usual pace; what is in the log then."""
        for _ in range(200 * seconds):
            clock.sleep(5_000)
            self.sampler.drain()
        self.log.close_run()
        cursor = Cursor()
        self.log.seek(cursor, 0)
        return read_all(self.log, cursor)

    def origin(self):
        """When the sample of index 0 was due."""
        return self.sampler._base + clock.booted - self.begun

    def samples(self, entries):
        """(index, time told, time of the reading) of what is no gap."""
        return [
            (index, told[0], self.witness.times[told[1]] - self.begun)
            for index, told in entries
            if told != OVERRUN
        ]


def test_a_hard_timer_is_refused_in_the_ports_own_way_and_a_soft_one_taken():
    bench = Bench(ESP32, 100)
    assert not bench.sampler.hard
    refused = False
    try:
        Timer(0).init(period=10, callback=bench.sampler.tick, hard=True)
    except ValueError:
        refused = True
    assert refused
    assert Bench(RP2, 100).sampler.hard


def test_each_sample_tells_its_true_time_however_late_it_was():
    for rate_hz in RATES_HZ:
        bench = Bench(ESP32, rate_hz)
        samples = bench.samples(bench.run(20))
        assert len(samples) > 20 * rate_hz * 3 // 4
        for _, told, true in samples:
            assert abs(told - true) <= WORTH_TELLING_US, (rate_hz, told, true)
        period = 1_000_000 // rate_hz
        late = [true - bench.origin() - index * period for index, _, true in samples]
        assert max(late) > min(period, 9_000) // 2  # the heap was collected, and it shows


def test_no_index_is_skipped_or_told_twice_and_the_grid_stands():
    for rate_hz in RATES_HZ:
        for seed in range(5):
            bench = Bench(ESP32, rate_hz, seed)
            entries = bench.run(10)
            assert [index for index, _ in entries] == list(range(len(entries)))
            period = 1_000_000 // rate_hz
            for index, told, _ in bench.samples(entries):
                late = told - bench.origin() - index * period
                assert -FIRST_DELAY_US <= late <= period + WORTH_TELLING_US
            assert abs(len(entries) - 10 * rate_hz) <= 1 + 10_000 // period


def test_ticks_that_came_too_late_are_told_as_a_gap_and_counted():
    # A collection of up to 10 ms is four ticks at 400 Hz: one is late, the others never were.
    bench = Bench(ESP32, 400)
    entries = bench.run(30)
    gaps = [index for index, told in entries if told == OVERRUN]
    assert len(gaps) > 20
    assert bench.counters.missed_ticks == len(gaps)
    assert bench.counters.samples + bench.counters.missed_ticks == len(entries)
    # At 20 Hz no collection is as long as a period.
    bench = Bench(ESP32, 20)
    assert bench.counters.samples + bench.counters.missed_ticks == 0
    bench.run(30)
    assert bench.counters.missed_ticks == 0


def test_a_hard_timer_is_never_late():
    for rate_hz in RATES_HZ:
        bench = Bench(RP2, rate_hz)
        for _, told, true in bench.samples(bench.run(10)):
            assert told == true
        assert bench.counters.missed_ticks == 0


def test_callbacks_that_found_the_ports_queue_full_are_missed_ticks_too():
    bench = Bench(ESP32, 400)
    bench.run(1)
    lost = scheduler.lost
    scheduler._collected = clock.now + 60_000  # flash is erased: 24 ticks, and a queue of 8
    scheduler._collection = clock.now
    entries = bench.run(1)
    assert scheduler.lost - lost >= 15
    assert [index for index, _ in entries] == list(range(len(entries)))
    assert bench.counters.samples + bench.counters.missed_ticks == len(entries)
    for _, told, true in bench.samples(entries):
        assert abs(told - true) <= WORTH_TELLING_US


def test_lateness_comes_from_the_seed():
    def times(seed):
        bench = Bench(ESP32, 100, seed)
        bench.run(5)
        return [time - bench.begun for time in bench.witness.times]

    assert times(3) == times(3)
    assert times(3) != times(4)

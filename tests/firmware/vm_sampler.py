"""The sampler: every due tick is a sample or is counted, and each sample knows when it was read."""

from machine import Timer
from sensor.anglelog import AngleLog, Cursor
from sensor.clock import SensorClock
from sensor.encoders import BUS_ERROR
from sensor.frame import OVERRUN, PAUSED
from sensor.health import Counters
from sensor.sampler import Sampler, SamplingStoppedError
from simclock import clock
from whole_log import read_all

PERIOD_US = 10_000
RING = 512
WRAP_US = 1 << 30


class CountingEncoder:
    """Its angle is the number of times it was read."""

    shift = 0

    def __init__(self):
        self.angle = 0
        self.status = 0

    def read(self):
        self.angle = (self.angle + 1) % 65536


class Bench:
    """A sampler on the simulated board's timer; `hand=True`: ticks are called by the test."""

    def __init__(self, rate_hz=100, hand=False, start_us=0):
        clock.set_pace("fast")
        clock.frozen = False
        clock.now = start_us
        clock.booted = 0
        clock._timers.clear()
        self.counters = Counters()
        self.encoder = CountingEncoder()
        self.log = AngleLog(98_304, 0, self.counters)
        self.log.set_run_length(1)
        self.clock = SensorClock()
        self.sampler = Sampler(self.encoder, self.clock, self.log, self.counters)
        self.sampler.start(rate_hz)
        self.origin = clock.now
        if hand:
            clock._timers.clear()

    def tick(self, at_us):
        """The timer fires `at_us` after the start."""
        clock.now = self.origin + at_us
        self.sampler.tick(None)

    def samples(self):
        """What is in the log: (index, (time, angle, status)), or (index, gap's reason)."""
        self.sampler.drain()
        self.log.close_run()
        cursor = Cursor()
        self.log.seek(cursor, 0)
        return read_all(self.log, cursor)


def test_a_tick_is_due_every_period_from_the_first_on():
    for rate_hz in (20, 30, 100, 400):
        bench = Bench(rate_hz)
        clock.sleep(1_000_000)
        period_us = 1_000_000 // rate_hz
        assert bench.samples() == [
            (i, ((i + 1) * period_us, i + 1, 0)) for i in range(1_000_000 // period_us)
        ]
        assert bench.counters.missed_ticks == bench.counters.ring_overruns == 0


def test_the_timer_is_asked_for_hard_interrupts_and_whole_microseconds():
    asked = {}

    class WatchedTimer(Timer):
        def init(self, **options):
            asked.update(options)
            super().init(**options)

    import sensor.sampler

    sensor.sampler.Timer = WatchedTimer
    try:
        bench = Bench(30)
    finally:
        sensor.sampler.Timer = Timer
    assert (asked["period"], asked["tick_hz"], asked["hard"]) == (33_333, 1_000_000, True)
    assert bench.sampler.hard


def test_a_port_without_hard_timers_gets_a_soft_one_and_says_so():
    class SoftTimer(Timer):
        def init(self, *, mode, period, tick_hz, callback):
            super().init(mode=mode, period=period, tick_hz=tick_hz, callback=callback)

    import sensor.sampler

    sensor.sampler.Timer = SoftTimer
    try:
        bench = Bench(100)
    finally:
        sensor.sampler.Timer = Timer
    assert not bench.sampler.hard
    clock.sleep(50_000)
    assert len(bench.samples()) == 5


def test_a_late_tick_keeps_its_index_and_says_when_it_was_read():
    bench = Bench(hand=True)
    bench.tick(10_000)
    bench.tick(20_000)
    bench.tick(36_000)
    bench.tick(40_000)
    assert [entry[1][0] for entry in bench.samples()] == [10_000, 20_000, 36_000, 40_000]
    assert bench.counters.missed_ticks == 0


def test_ticks_that_fell_due_while_interrupts_were_off_are_a_gap():
    bench = Bench(hand=True)
    bench.tick(10_000)
    bench.tick(55_000)  # due were 20, 30, 40 and 50 ms: the last of them is sampled, late
    entries = bench.samples()
    assert entries == [
        (0, (10_000, 1, 0)),
        (1, OVERRUN),
        (2, OVERRUN),
        (3, OVERRUN),
        (4, (55_000, 2, 0)),
    ]
    assert bench.counters.missed_ticks == 3


def test_ticks_that_the_timer_makes_up_for_all_at_once_are_no_samples():
    # rp2's alarms fire once for each missed period, back to back, and are then on time again.
    bench = Bench(hand=True)
    bench.tick(10_000)
    bench.tick(55_000)
    for i in range(3):
        bench.tick(55_100 + 100 * i)
    bench.tick(60_000)
    bench.tick(70_000)
    entries = bench.samples()
    assert [entry[0] for entry in entries if entry[1] != OVERRUN] == [0, 4, 5, 6]
    assert [entry[1][0] for entry in entries[4:]] == [55_000, 60_000, 70_000]


def test_a_delayed_first_tick_is_late_and_does_not_move_the_grid():
    # A soft timer's callback waits for a garbage collection.
    bench = Bench(hand=True)
    bench.tick(14_000)
    bench.tick(20_000)
    assert [entry[1][0] for entry in bench.samples()] == [14_000, 20_000]
    bench = Bench(hand=True)
    bench.tick(34_000)
    bench.tick(40_000)
    assert bench.samples() == [
        (0, OVERRUN),
        (1, OVERRUN),
        (2, (34_000, 1, 0)),
        (3, (40_000, 2, 0)),
    ]


def test_the_first_ticks_usual_delay_is_the_grids_origin():
    bench = Bench(hand=True)
    for i in range(5):
        bench.tick(10_150 + i * PERIOD_US)
    assert [entry[1][0] for entry in bench.samples()] == [10_150 + i * 10_000 for i in range(5)]
    assert set(bench.sampler._late) == {0}


def test_a_little_jitter_never_moves_the_grid():
    bench = Bench(hand=True)
    late = (0, 80, 20, 90, 5, 60, 0, 30)
    for i in range(800):
        bench.tick((i + 1) * PERIOD_US + late[i % 8])
        if i % 100 == 0:
            bench.sampler.drain()
    # Below 100 µs a deviation is not worth a byte, so what comes out is the grid.
    assert [entry[1][0] for entry in bench.samples()] == [(i + 1) * PERIOD_US for i in range(800)]


def test_a_full_ring_counts_lost_samples_and_goes_on():
    bench = Bench()
    clock.sleep((RING + 100) * PERIOD_US)  # the main loop hangs
    bench.sampler.drain()
    clock.sleep(5 * PERIOD_US)
    entries = bench.samples()
    lost = [entry[0] for entry in entries if entry[1] == OVERRUN]
    assert lost == list(range(RING - 1, RING + 100))
    assert [entry[0] for entry in entries] == list(range(RING + 105))
    index, (time_us, _, _) = entries[-1]
    assert time_us == (index + 1) * PERIOD_US
    assert bench.counters.ring_overruns == 101


def test_time_goes_on_where_the_boards_ticks_wrap():
    bench = Bench(start_us=WRAP_US - 3 * PERIOD_US - 5_000)
    for _ in range(4):
        clock.sleep(2 * PERIOD_US)
        bench.sampler.drain()
    times = [entry[1][0] for entry in bench.samples()]
    assert times == [(i + 1) * PERIOD_US for i in range(8)]


def test_an_hour_and_a_half_of_samples_lies_on_one_grid():
    bench = Bench(20)
    bench.log.set_run_length(100)
    for _ in range(540):
        clock.sleep(10_000_000)
        bench.sampler.drain()
        bench.clock.now_us()  # as the main loop does
    assert bench.clock.now_us() == 5_400_000_000
    assert bench.log.next_index == 108_000
    bench.log.close_run()
    cursor = Cursor()
    bench.log.seek(cursor, 107_950)
    assert read_all(bench.log, cursor)[-1] == (107_999, (5_400_000_000, 108_000 % 65536, 0))


def test_a_new_rate_starts_a_new_grid_behind_a_pause():
    bench = Bench(100)
    clock.sleep(105_000)
    bench.sampler.stop()
    clock.sleep(20_000)
    bench.sampler.start(400)
    clock.sleep(5_000)
    entries = bench.samples()
    assert [entry[1][0] for entry in entries[:10]] == [(i + 1) * 10_000 for i in range(10)]
    # 110 and 120 ms passed unsampled; the new grid begins one new period after the start.
    assert entries[10:] == [
        (10, PAUSED),
        (11, PAUSED),
        (12, (127_500, 11, 0)),
        (13, (130_000, 12, 0)),
    ]


def test_a_callback_left_over_from_before_a_restart_is_ignored():
    # On ESP32 callbacks are scheduled: one may come after the timer has been stopped.
    bench = Bench(hand=True)
    bench.tick(10_000)
    bench.sampler.stop()
    bench.tick(12_000)
    assert len(bench.samples()) == 1
    bench.sampler.start(100)
    clock._timers.clear()
    bench.tick(12_100)
    bench.tick(22_000)
    assert [entry[1][0] for entry in bench.samples() if entry[1] != PAUSED] == [10_000, 22_000]


def test_the_interrupt_makes_no_integer_that_a_32_bit_board_would_allocate():
    # Small integers end at 2^30 there, and ticks_us wraps there, so nothing is larger for good.
    bench = Bench(hand=True)
    at_us = 0
    for i in range(20_000):
        at_us += (10_000, 12_000, 9_000, 75_000, 100)[i % 5] + WRAP_US // 2000
        bench.tick(at_us)
        for name in ("_due", "_base", "_missed_now", "_overrun_now", "_head"):
            assert 0 <= getattr(bench.sampler, name) < WRAP_US, name
        bench.clock.now_us()
    assert at_us > 5 * WRAP_US


def test_a_fault_is_the_status_of_its_samples():
    bench = Bench()
    clock.sleep(30_000)
    bench.encoder.status = BUS_ERROR
    clock.sleep(20_000)
    bench.encoder.status = 0
    clock.sleep(10_000)
    assert [entry[1][2] for entry in bench.samples()] == [0, 0, 0, BUS_ERROR, BUS_ERROR, 0]
    assert bench.counters.bus_errors == 2


def test_a_timer_that_has_died_ends_the_sensor_and_not_its_samples():
    """On rp2 an exception in a hard timer's callback does, and the port says nothing."""
    bench = Bench(hand=True)
    bench.tick(PERIOD_US)
    for at_us in (PERIOD_US, 2_000_000, 3_000_000):
        clock.now = bench.origin + at_us
        bench.sampler.drain()
    clock.now = bench.origin + 3_100_000
    try:
        bench.sampler.drain()
        stopped = False
    except SamplingStoppedError:
        stopped = True
    assert stopped
    bench.sampler.stop()
    assert bench.counters.samples == 1

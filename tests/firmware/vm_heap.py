"""The sampling path allocates nothing: it runs with the heap locked, as in a hard interrupt.

The buses and counters here allocate nothing themselves. What a 32-bit board would allocate and this
64-bit VM does not, integers of 2^30 and more, test_interrupt_path.py looks for.
"""

import micropython
import sensor.encoders.as5600
from sensor.anglelog import AngleLog
from sensor.clock import SensorClock
from sensor.encoders import BUS_ERROR, MAGNET_WEAK, NO_MAGNET, NOT_REFERENCED, open_encoder
from sensor.encoders.as5600 import AS5600
from sensor.health import Counters
from sensor.sampler import Sampler
from simclock import clock
from still_world import BUS_FAILS, DETECTED, ESP32, RP2, WEAK, power_up

ENGINES = ("micropython",)

WIRING = {"i2c": 0, "sda": 4, "scl": 5}


class Bus:
    """An I2C bus that allocates nothing itself. `script` tells what each read gives."""

    def __init__(self):
        self.error = OSError(19)
        self.fails = False
        self.magnet = 0x20
        self.turn = 0

    def readfrom_mem_into(self, _address, _register, buffer):
        if self.fails:
            raise self.error
        self.turn = (self.turn + 7) & 4095
        buffer[0] = self.magnet
        buffer[1] = self.turn >> 8
        buffer[2] = self.turn & 0xFF


def sampler_on(encoder):
    clock.set_pace("fast")
    clock.frozen = False
    counters = Counters()
    sampler = Sampler(encoder, SensorClock(), AngleLog(98_304, 4, counters), counters)
    sampler.start(100)
    clock._timers.clear()
    return sampler


def locked(sampler, steps_us):
    """Tick with the heap locked, time moving on by each step; the error that came of it."""
    error = None
    micropython.heap_lock()
    try:
        for step_us in steps_us:
            clock.now += step_us
            sampler.tick(None)
    except MemoryError as raised:
        error = raised
    micropython.heap_unlock()
    return error


def as5600_on(bus):
    encoder = AS5600(WIRING)
    encoder._bus = bus
    return encoder


def test_sampling_allocates_nothing():
    bus = Bus()
    sampler = sampler_on(as5600_on(bus))
    assert locked(sampler, (10_000,) * 400) is None
    sampler.drain()
    assert sampler._counters.samples == 400


def test_a_failing_bus_and_a_lost_magnet_allocate_nothing():
    bus = Bus()
    encoder = as5600_on(bus)
    sampler = sampler_on(encoder)
    bus.fails = True
    assert locked(sampler, (10_000,) * 100) is None
    assert encoder.status == BUS_ERROR
    bus.fails = False
    bus.magnet = 0
    assert locked(sampler, (10_000,) * 100) is None
    assert encoder.status == NO_MAGNET
    sampler.drain()
    assert sampler._counters.samples == 200


def test_late_missed_and_early_ticks_and_a_full_ring_allocate_nothing():
    sampler = sampler_on(as5600_on(Bus()))
    assert locked(sampler, (10_000, 14_000, 6_000, 55_000, 10, 10, 14_980) * 200) is None
    assert sampler._overrun_now > 0
    sampler.drain()
    assert sampler._counters.missed_ticks > 200


def test_a_look_at_the_magnet_allocates_nothing():
    encoder = as5600_on(Bus())
    sampler = sampler_on(encoder)
    for _ in range(20):
        encoder.look()
        assert locked(sampler, (10_000,)) is None
    assert encoder.magnitude is not None


def test_an_as5048a_allocates_nothing_for_any_reply():
    world, board = power_up(RP2, "as5048a")
    encoder = open_encoder(board)
    sampler = sampler_on(encoder)
    told = []
    for magnet, faults in (
        (DETECTED, 0),
        (DETECTED | WEAK, 0),
        (0, 0),
        (DETECTED, BUS_FAILS),
        (DETECTED, 0),
    ):
        world.magnet = magnet
        world.faults = faults
        encoder.look()
        assert locked(sampler, (10_000,) * 60) is None
        told.append(encoder.status)
    assert told == [0, MAGNET_WEAK, NO_MAGNET, BUS_ERROR, 0]
    assert encoder.magnitude is not None


class Unit:
    """A pulse counter that is somewhere else each time."""

    def __init__(self):
        self.count = 0

    def value(self):
        self.count = (self.count + 1_234) % 32_000
        return self.count - 16_000


def quadratures(**wiring):
    """(encoder, how to move it) on both ports, counters that allocate nothing."""
    world, board = power_up(RP2, "quadrature_pio", **wiring)
    encoder = open_encoder(board)
    yield encoder, world
    _, board = power_up(ESP32, "quadrature_pcnt", **wiring)
    encoder = open_encoder(board)
    encoder._counter._unit = Unit()
    yield encoder, world


def test_a_quadrature_encoder_in_motion_allocates_nothing():
    for encoder, world in quadratures(counts=16_000):
        sampler = sampler_on(encoder)
        for _ in range(40):
            world.at += 1_001
            assert locked(sampler, (10_000,) * 10) is None
        assert encoder.status == NOT_REFERENCED


def test_a_quadrature_encoder_that_finds_its_reference_allocates_nothing():
    world, board = power_up(RP2, "quadrature_pio", counts=16_000)
    encoder = open_encoder(board)
    sampler = sampler_on(encoder)
    assert locked(sampler, (10_000,) * 510) is None
    assert encoder.status == 0
    world.at = 60_000
    assert locked(sampler, (10_000,)) is None
    assert encoder.angle > 59_000


def test_an_index_pulse_allocates_nothing():
    for encoder, world in quadratures(index=14, counts=16_000):
        for at in (1_000, 9_000, 30_000, 50_000):  # a reference, and slips
            world.at = at
            encoder.read()
            error = None
            micropython.heap_lock()
            try:
                encoder._index_seen(None)
                encoder.read()
            except MemoryError as raised:
                error = raised
            micropython.heap_unlock()
            assert error is None


def test_the_proof_would_notice_an_allocation_in_every_driver():
    for kind, board in (
        ("as5600", RP2),
        ("as5048a", RP2),
        ("quadrature_pio", RP2),
        ("quadrature_pcnt", ESP32),
    ):
        _, wired = power_up(board, kind)
        encoder = open_encoder(wired)
        driver = type(encoder)

        class Wasteful(driver):
            def read(self):
                super().read()
                self.copy = [self.angle]

        sampler = sampler_on(Wasteful(wired["encoders"][kind]))
        assert isinstance(locked(sampler, (10_000,)), MemoryError), kind
        assert locked(sampler_on(encoder), (10_000,)) is None, kind


def test_the_proof_would_notice_one_small_allocation():
    class Wasteful(AS5600):
        def read(self):
            self.registers = bytearray(3)
            super().read()

    encoder = Wasteful(WIRING)
    encoder._bus = Bus()
    sampler = sampler_on(encoder)
    assert isinstance(locked(sampler, (10_000,)), MemoryError)


def test_the_proof_would_notice_a_bound_method():
    class Binding(AS5600):
        def read(self):
            self.again = self.recover

    encoder = Binding(WIRING)
    sampler = sampler_on(encoder)
    assert isinstance(locked(sampler, (10_000,)), MemoryError)


def test_the_heap_is_locked_where_it_should_be():
    micropython.heap_lock()
    error = None
    try:
        bytearray(1)
    except MemoryError as raised:
        error = raised
    micropython.heap_unlock()
    assert error is not None
    assert sensor.encoders.as5600.AS5600 is AS5600

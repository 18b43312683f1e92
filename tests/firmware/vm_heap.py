"""The sampling path allocates nothing: it runs with the heap locked, as in a hard interrupt."""

import micropython
import sensor.encoders.as5600
from sensor.anglelog import AngleLog
from sensor.clock import SensorClock
from sensor.encoders import BUS_ERROR, NO_MAGNET
from sensor.encoders.as5600 import AS5600
from sensor.health import Counters
from sensor.sampler import Sampler
from simclock import clock

ENGINES = ("micropython",)

WIRING = {"i2c": 0, "sda": 4, "scl": 5}


class Bus:
    """An I2C bus that allocates nothing itself. `script` tells what each read gives."""

    def __init__(self):
        self.error = OSError(19)
        self.fails = False
        self.magnet = 0x20
        self.turn = 0

    def readfrom_mem_into(self, address, register, buffer):
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

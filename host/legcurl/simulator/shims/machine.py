"""`machine` of the simulated board: pins, an I2C bus with an AS5600 on it, timers, watchdog."""

from hashlib import sha256

import simboard
from simas5600 import ADDRESS, AS5600Chip
from simclock import WorldEnded, clock

PWRON_RESET = 1
WDT_RESET = 3

_ENODEV = 19
_DARK_US = 1_500_000  # from the end of a reset to the first line of main.py
_chip = AS5600Chip()


def unique_id():
    return sha256(b"unique id %d" % simboard.seed).digest()[:8]


def reset_cause():
    return simboard.reset_cause


def reset():
    clock.power_off(WDT_RESET, _DARK_US)  # as rp2 does it


def bootloader():
    raise WorldEnded  # there is no sensor in there


def freq():
    return 125_000_000


class Pin:
    """A pin that remembers its level."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1

    def __init__(self, name, mode=IN, pull=None, value=0):
        self.name = name
        self.mode = mode
        self._level = value

    def __call__(self, level=None):
        return self.value(level)

    def value(self, level=None):
        if level is None:
            return self._level
        self._level = level
        return None

    def on(self):
        self._level = 1

    def off(self):
        self._level = 0


class I2C:
    """A bus with one AS5600."""

    def __init__(self, bus, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        self.bus = bus

    def scan(self):
        return [] if _chip.dead() else [ADDRESS]

    def readfrom_mem_into(self, address, register, buffer):
        if address != ADDRESS or _chip.dead():
            raise OSError(_ENODEV)
        _chip.read(register, buffer)

    def readfrom_mem(self, address, register, size):
        buffer = bytearray(size)
        self.readfrom_mem_into(address, register, buffer)
        return bytes(buffer)


class Timer:
    """A timer that fires exactly when it is due."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, number=-1, **options):
        self.due = 0
        self._period_us = 0
        self._mode = Timer.PERIODIC
        self._callback = None
        if options:
            self.init(**options)

    def init(self, *, mode=PERIODIC, period=-1, freq=None, tick_hz=1000, callback=None, hard=False):
        self._period_us = 1_000_000 // freq if freq else period * 1_000_000 // tick_hz
        if self._period_us < 1:
            raise ValueError("a timer needs a period or a freq")
        self._mode = mode
        self._callback = callback
        self.due = clock.now + self._period_us
        clock.add_timer(self)

    def deinit(self):
        clock.remove_timer(self)

    def fire(self):
        if self._mode == Timer.PERIODIC:
            self.due += self._period_us
        else:
            clock.remove_timer(self)
        self._callback(self)


class WDT:
    """Restarts the sensor when it was not fed for `timeout` ms."""

    def __init__(self, id=0, timeout=5000):
        self._timeout_us = 1000 * timeout
        self.due = clock.now + self._timeout_us
        clock.add_timer(self)

    def feed(self):
        self.due = clock.now + self._timeout_us

    def fire(self):
        clock.power_off(WDT_RESET, _DARK_US)

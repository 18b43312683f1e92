"""`machine` of the simulated board: pins, buses with an encoder chip on each, timers, watchdog."""

from hashlib import sha256

import simboard
import simpins
import simsoft
from simas5048a import AS5048AChip
from simas5600 import ADDRESS, AS5600Chip
from simclock import WorldEnded, clock
from simpins import Pin  # noqa: F401 - re-exported

PWRON_RESET = 1
WDT_RESET = 3

_ENODEV = 19
_ETIMEDOUT = 116
_FREERTOS_TICK_US = 10_000
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


class I2C:
    """A bus with one AS5600."""

    def __init__(self, bus, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        self.bus = bus
        # ESP-IDF counts in FreeRTOS ticks and rounds down; none is over at once.
        self._times_out = simboard.port == "esp32" and timeout // _FREERTOS_TICK_US < 2

    def scan(self):
        return [] if _chip.dead() else [ADDRESS]

    def readfrom_mem_into(self, address, register, buffer):
        if self._times_out:
            raise OSError(_ETIMEDOUT)
        if address != ADDRESS or _chip.dead():
            raise OSError(_ENODEV)
        _chip.read(register, buffer)

    def readfrom_mem(self, address, register, size):
        buffer = bytearray(size)
        self.readfrom_mem_into(address, register, buffer)
        return bytes(buffer)


class SPI:
    """A bus with one AS5048A, which is selected by the pin that the board file says."""

    MSB = 0

    def __init__(
        self,
        bus,
        *,
        baudrate=1_000_000,
        polarity=0,
        phase=0,
        bits=8,
        firstbit=MSB,
        sck=None,
        mosi=None,
        miso=None,
    ):
        self._chip = AS5048AChip()
        self._mode = polarity, phase
        simpins.drives(simboard.encoders["as5048a"]["cs"], self._chip)

    def write_readinto(self, going, coming):
        if len(going) != len(coming):
            raise ValueError("buffers must be the same length")
        for i in range(len(going)):
            answer = self._chip.exchange(going[i])
            # In another mode both sides look at the line while it changes.
            coming[i] = answer if self._mode == (0, 1) else answer >> 1


class Timer:
    """A timer that fires exactly when it is due; on ESP32 its callback is then scheduled."""

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
        if hard and simboard.port == "esp32":
            raise ValueError("hard Timers are not implemented")
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
        if simboard.port == "esp32":
            simsoft.scheduler.schedule(self._callback, self)
        else:
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

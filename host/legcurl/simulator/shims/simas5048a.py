"""An AS5048A in front of the simulated magnet, frame by frame (ams datasheet v1-06).

A frame lasts as long as chip select is low, and has 16 bits, with even parity. What comes out
is the answer to the frame before. A frame with a wrong parity, an unknown register or another
number of bits raises the error flag, which stands until register 0x0001 is read.
"""

from simclock import clock
from simworld import BUS_FAILS

_READ = 0x4000
_ERROR_FLAG = 0x4000
_FRAMING = 0x01
_INVALID = 0x02
_PARITY = 0x04
_OCF = 0x100
_COMP_LOW = 0x400
_COMP_HIGH = 0x800

_NOP = 0x0000
_CLEAR_ERROR_FLAG = 0x0001
_DIAGNOSTICS = 0x3FFD
_MAGNITUDE = 0x3FFE
_ANGLE = 0x3FFF

_DETECTED = 0x20  # STATUS register of the world stream
_WEAK = 0x10
_STRONG = 0x08
_GAIN_CENTRED = 110
_GAIN_MOST = 255
_FLOATING = 0xFF  # of a line that no chip drives


class AS5048AChip:
    """The chip on the bus."""

    def __init__(self):
        self._open = False
        self._bits = 0
        self._coming = 0
        self._going = 0  # with its parity
        self._errors = 0
        self._answer = 0

    def selected(self, level):
        """Chip select has been driven."""
        if level == 0 and not self._open:
            self._open = True
            self._bits = 0
            self._coming = 0
            self._going = _with_parity(self._answer | (_ERROR_FLAG if self._errors else 0))
        elif level == 1 and self._open:
            self._open = False
            self._take()

    def exchange(self, byte):
        """Eight clocks: the byte that comes out while `byte` goes in."""
        if not self._open or _bus_fails():
            return _FLOATING
        self._coming = (self._coming << 8 | byte) & 0xFFFF
        self._bits += 8
        self._going <<= 8
        return self._going >> 16 & 0xFF

    def _take(self):
        """The frame is over."""
        if _bus_fails() or self._bits == 0:
            return
        self._answer = 0
        if self._bits != 16:
            self._errors |= _FRAMING
        elif _odd(self._coming):
            self._errors |= _PARITY
        elif self._coming & _READ:
            self._answer = self._register(self._coming & 0x3FFF)

    def _register(self, number):
        if number == _NOP:
            return 0
        if number == _CLEAR_ERROR_FLAG:
            errors = self._errors
            self._errors = 0
            return errors
        if number == _DIAGNOSTICS:
            return _diagnosis()
        if number == _MAGNITUDE:
            return _magnitude()
        if number == _ANGLE:
            return _angle()
        self._errors |= _INVALID
        return 0


def _bus_fails():
    return clock.world is not None and clock.world.faults & BUS_FAILS


def _magnet():
    return clock.world.magnet if clock.world is not None else _DETECTED


def _angle():
    if not _magnet() & _DETECTED:
        return clock.now * 7919 >> 3 & 0x3FFF  # noise
    return clock.world.angle() >> 2 if clock.world is not None else 0


def _diagnosis():
    magnet = _magnet()
    if not magnet & _DETECTED:
        return _OCF | _COMP_HIGH | _GAIN_MOST
    gain = clock.world.gain() if clock.world is not None else _GAIN_CENTRED
    if magnet & _WEAK:
        return _OCF | _COMP_HIGH | gain
    if magnet & _STRONG:
        return _OCF | _COMP_LOW | gain
    return _OCF | gain


def _magnitude():
    magnet = _magnet()
    if not magnet & _DETECTED:
        return 90
    if magnet & _WEAK:
        return 4_000
    return 12_000 if magnet & _STRONG else 8_000


def _odd(word):
    ones = 0
    while word:
        ones ^= word & 1
        word >>= 1
    return ones


def _with_parity(word):
    return word | 0x8000 if _odd(word) else word

"""An AS5600 in front of the simulated magnet: its registers (ams datasheet v1-06, figure 22)."""

from simclock import clock
from simworld import BUS_FAILS

ADDRESS = 0x36
_STATUS = 0x0B
_RAW_ANGLE = 0x0C
_ANGLE = 0x0E
_HIGH_BYTES = (_RAW_ANGLE, _ANGLE)  # here, since vm_heap.py reads with the heap locked
_LOW_BYTES = (_RAW_ANGLE + 1, _ANGLE + 1)
_AGC = 0x1A
_MAGNITUDE = 0x1B
_MD = 0x20
_ML = 0x10
_MH = 0x08
_TYPICAL_GAIN = 110  # of 255
_MAGNITUDES = {_MD: 2000, _MD | _ML: 700, _MD | _MH: 3600}  # by STATUS
_MAGNITUDE_OF_NOISE = 30


class AS5600Chip:
    """The chip on the bus."""

    def dead(self):
        """Whether the bus fails just now."""
        return clock.world is not None and clock.world.faults & BUS_FAILS

    def read(self, register, buffer):
        """Fill `buffer` from `register` on; the address counts up."""
        world = clock.world
        angle = world.angle() >> 4 if world is not None else 0
        magnet = world.magnet if world is not None else _MD
        for i in range(len(buffer)):
            buffer[i] = _register(register + i, angle, magnet)


def _agc():
    """The AGC register: 0 to 128 in a chip at 3.3 V."""
    gain = _TYPICAL_GAIN if clock.world is None else clock.world.gain()
    return (gain + 1) // 2


def _register(number, angle, magnet):
    if number == _STATUS:
        return magnet
    if number in _HIGH_BYTES:
        return angle >> 8
    if number in _LOW_BYTES:
        return angle & 0xFF
    if number == _AGC:
        return _agc()
    if number == _MAGNITUDE:
        return _MAGNITUDES.get(magnet, _MAGNITUDE_OF_NOISE) >> 8
    if number == _MAGNITUDE + 1:
        return _MAGNITUDES.get(magnet, _MAGNITUDE_OF_NOISE) & 0xFF
    return 0

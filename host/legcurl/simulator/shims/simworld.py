"""The world stream: what the magnet in front of the encoder does, and what goes wrong when.

Little-endian. Header, 16 bytes: b"LCW1", rate in Hz u16, version u16 (1), seed u32, magnet u32.
Then one record of 4 bytes every 1/rate s: magnet angle u16 (65536 to the turn), STATUS register
of the AS5600 u8, faults u8. The end of the stream is the end of the simulation.

The header's `magnet` is 0 for one on its axle; else the angle at which it is farthest from the
chip (u16) and by how much the gain that it needs swings about _GAIN_CENTRED around the turn (u16).

Between records the angle is interpolated, the short way round. Integers only, so every VM
computes the same. A small window of the stream is in memory.
"""

import struct

from simclock import WorldEnded, clock

_HEADER = "<4sHHII"
_HEADER_SIZE = 16
_RECORD_SIZE = 4
_WINDOW = 256 * _RECORD_SIZE

BUS_FAILS = 0x01
POWER_CYCLE = 0x02
HOST_STALLS = 0x04  # the host takes no bytes
CORRUPT_BYTE = 0x08  # one of the next bytes sent is damaged, for each record
DROP_BYTE = 0x10  # one of the next bytes sent is lost, for each record
TICKS_HELD = 0x20  # interrupts are off: timers fire when they are on again
LINK_DOWN = 0x40  # no byte gets through, either way, and each side sees the other gone
DOUBLE_BYTES = 0x80  # one of the next chunks sent arrives twice, for each record

_LOSES = CORRUPT_BYTE | DROP_BYTE | LINK_DOWN | DOUBLE_BYTES

_GAIN_CENTRED = 110
_GAIN_MOST = 255
_WEAK = 0x10  # STATUS: the chip is at its greatest gain
_STRONG = 0x08  # at its least

_POWER_ON = 1
_DARK_US = 1_500_000


class World:
    """A window on the stream that moves forward only."""

    def __init__(self, stream):
        self._stream = stream
        self._window = bytearray(_WINDOW)
        self._at = 0
        self._filled = 0
        header = bytearray(_HEADER_SIZE)
        if stream.readinto(header) != _HEADER_SIZE:
            raise WorldEnded
        magic, self._rate, version, self.seed, magnet = struct.unpack(_HEADER, header)
        if magic != b"LCW1" or version != 1:
            raise ValueError("LEGCURL_WORLD_FD: not a world stream of version 1")
        self._weakest = magnet & 0xFFFF
        self._swing = magnet >> 16
        self._ended = False
        self._number = -1  # of the record that is in force
        self._angle = 0
        self.magnet = 0
        self.faults = 0
        self._next = self._read()
        self._fraction = 0  # of the way to the next record, in millionths
        self.corrupt_bytes = 0
        self.drop_bytes = 0
        self.double_chunks = 0
        self.lossy = False  # the link has lost something on its way
        self.seek(0)

    def seek(self, now_us):
        """Move to world time `now_us`. Raises WorldEnded, once, or Restart at a power cut."""
        place = now_us * self._rate
        number = place // 1_000_000
        self._fraction = place % 1_000_000
        power_cut = False
        while self._number < number:
            if self._next is None:
                if self._ended:  # said once; what the firmware does then is its farewell
                    return
                self._ended = True
                raise WorldEnded
            self._number += 1
            before = self.faults
            self._angle, self.magnet, self.faults = self._next
            self._next = self._read()
            if (self.faults ^ before) & LINK_DOWN:
                self._cut_link(bool(self.faults & LINK_DOWN))
            if self.faults & _LOSES:
                self.lossy = True
            if self.faults & CORRUPT_BYTE:
                self.corrupt_bytes += 1
            if self.faults & DROP_BYTE:
                self.drop_bytes += 1
            if self.faults & DOUBLE_BYTES:
                self.double_chunks += 1
            if self.faults & POWER_CYCLE:
                power_cut = True
        if power_cut:
            clock.power_off(_POWER_ON, _DARK_US)

    def mend_link(self):
        """From here on every byte arrives as it was sent."""
        self.corrupt_bytes = self.drop_bytes = self.double_chunks = 0

    def angle(self):
        """The magnet's angle now, 65536 to the turn."""
        if self._next is None:
            return self._angle
        way = (self._next[0] - self._angle + 32768) % 65536 - 32768
        return (self._angle + way * self._fraction // 1_000_000) % 65536

    @property
    def ticks_held(self):
        """Whether interrupts are off."""
        return bool(self.faults & TICKS_HELD)

    def gain(self):
        """What the chip amplifies by to see the magnet now: 0 for the nearest, to 255."""
        if self.magnet & _WEAK:
            return _GAIN_MOST
        if self.magnet & _STRONG:
            return 0
        away = abs((self.angle() - self._weakest + 32768) % 65536 - 32768)
        return max(0, min(_GAIN_MOST, _GAIN_CENTRED + self._swing * (16384 - away) // 16384))

    def _cut_link(self, down):
        # What a broken cable did to bytes goes with the cable.
        self.corrupt_bytes = self.drop_bytes = self.double_chunks = 0
        clock.link_changed(down)

    def _read(self):
        """The next record, or None at the end."""
        if self._at + _RECORD_SIZE > self._filled:
            self._filled = self._stream.readinto(self._window) or 0
            self._at = 0
            if self._filled < _RECORD_SIZE:
                return None
        record = struct.unpack_from("<HBB", self._window, self._at)
        self._at += _RECORD_SIZE
        return record

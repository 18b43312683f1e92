"""The world stream: what the magnet in front of the encoder does, and what goes wrong when.

Little-endian. Header, 16 bytes: b"LCW1", rate in Hz u16, version u16 (1), seed u32, reserved u32.
Then one record of 4 bytes every 1/rate s: magnet angle u16 (65536 to the turn), STATUS register
of the AS5600 u8, faults u8. The end of the stream is the end of the simulation.

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
        magic, self._rate, version, self.seed, _ = struct.unpack(_HEADER, header)
        if magic != b"LCW1" or version != 1:
            raise ValueError("LEGCURL_WORLD_FD: not a world stream of version 1")
        self._ended = False
        self._number = -1  # of the record that is in force
        self._angle = 0
        self.magnet = 0
        self.faults = 0
        self._next = self._read()
        self._fraction = 0  # of the way to the next record, in millionths
        self.corrupt_bytes = 0
        self.drop_bytes = 0
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
            self._angle, self.magnet, self.faults = self._next
            self._next = self._read()
            if self.faults & CORRUPT_BYTE:
                self.corrupt_bytes += 1
            if self.faults & DROP_BYTE:
                self.drop_bytes += 1
            if self.faults & POWER_CYCLE:
                power_cut = True
        if power_cut:
            clock.power_off(_POWER_ON, _DARK_US)

    def angle(self):
        """The magnet's angle now, 65536 to the turn."""
        if self._next is None:
            return self._angle
        way = (self._next[0] - self._angle + 32768) % 65536 - 32768
        return (self._angle + way * self._fraction // 1_000_000) % 65536

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

"""Frames of docs/protocol.md, the sensor's half: SAMPLES, GAP, BOOT and ANSWER out, REQUEST in.

Buffers are allocated once and reused. Encoding a SAMPLES body happens once, when the samples are
logged; sending it, or sending it again, is a copy, a CRC and COBS.
"""

from binascii import crc32

import micropython
from micropython import const

REQUEST = const(0x01)
ANSWER = const(0x02)
SAMPLES = const(0x10)
GAP = const(0x11)
BOOT = const(0x12)

EVICTED = const(1)
OVERRUN = const(2)
PAUSED = const(3)

MAX_FRAME = const(1024)
MAX_WIRE = const(1032)  # COBS adds a byte in 254, and the final zero
MAX_BODY = const(MAX_FRAME - 5)
_CRC_SIZE = const(4)
_SHORTEST_REQUEST = const(7)  # type, id, op, crc

_HAS_STATUS = const(0x10)
_HAS_DEVIATIONS = const(0x20)
WORTH_TELLING_US = const(100)  # a deviation below this is less than an encoder count in any lift


def put_uvarint(buffer, at, value):
    """Write `value`; returns the position behind it."""
    while value > 0x7F:
        buffer[at] = value & 0x7F | 0x80
        value >>= 7
        at += 1
    buffer[at] = value
    return at + 1


def encode_samples(buffer, index, time_us, period_us, status, shift, angles, late_us, start, count):
    """Write a SAMPLES body of `count` of `angles` and `late_us` from `start` on; its length."""
    end = start + count
    deviations = False
    for i in range(start, end):
        if late_us[i] > WORTH_TELLING_US or late_us[i] < -WORTH_TELLING_US:
            deviations = True
            break
    buffer[0] = shift | (_HAS_STATUS if status else 0) | (_HAS_DEVIATIONS if deviations else 0)
    at = put_uvarint(buffer, 1, index)
    at = put_uvarint(buffer, at, time_us)
    at = put_uvarint(buffer, at, period_us)
    buffer[at] = count
    at += 1
    if status:
        buffer[at] = status
        at += 1
    buffer[at] = angles[start] & 0xFF
    buffer[at + 1] = angles[start] >> 8
    at = _put_deltas(buffer, at + 2, angles, start, end, shift)
    if deviations:
        for i in range(start, end):
            late = late_us[i]
            at = put_uvarint(buffer, at, 2 * late if late >= 0 else -2 * late - 1)
    return at


def encode_gap(buffer, index, count, reason):
    """Write a GAP body; returns its length."""
    at = put_uvarint(buffer, put_uvarint(buffer, 0, index), count)
    buffer[at] = reason
    return at + 1


class FrameWriter:
    """Makes one wire frame at a time: fill `body`, then `finish`; `wire[:length]` is to be sent."""

    def __init__(self):
        self._frame = bytearray(MAX_FRAME)
        self._view = memoryview(self._frame)
        self.body = self._view[1:]
        self._wire = bytearray(MAX_WIRE)
        self.wire = memoryview(self._wire)

    def finish(self, frame_type, body_length):
        """Add type and CRC to the body that stands in `body`; returns the wire frame's length."""
        frame = self._frame
        frame[0] = frame_type
        end = 1 + body_length
        crc = crc32(self._view[:end])
        for i in range(_CRC_SIZE):
            frame[end + i] = crc & 0xFF
            crc >>= 8
        return _cobs(frame, end + _CRC_SIZE, self._wire)


class FrameReader:
    """Finds REQUEST frames in a stream of bytes.

    Noise, truncated frames and frames of other types are counted in `counters.bad_frames` and
    otherwise ignored. Memory is bounded by the longest frame.
    """

    def __init__(self, counters):
        self._counters = counters
        self.frame = bytearray(MAX_FRAME)
        self._view = memoryview(self.frame)
        self._length = 0  # decoded bytes in frame
        self._left = 0  # bytes that the current COBS block still owes
        self._zero_due = False  # the current block ends in a zero, unless the frame ends first
        self._raw = 0  # wire bytes since the last zero

    def reset(self):
        """Forget the beginning of a frame whose sender has gone."""
        self._length = 0
        self._left = 0
        self._raw = 0
        self._zero_due = False

    def push(self, byte):
        """Take one byte. Returns the length of the frame that it ends, less its CRC, or 0."""
        if byte == 0:
            return self._end()
        raw = self._raw + 1
        if raw >= MAX_WIRE:  # too long for a frame: skip to the next zero
            self._raw = MAX_WIRE
            return 0
        self._raw = raw
        if self._left:
            self._left -= 1
            self._put(byte)
            return 0
        if self._zero_due:
            self._put(0)
        self._left = byte - 1
        self._zero_due = byte != 0xFF
        return 0

    def _put(self, byte):
        if self._length < MAX_FRAME:
            self.frame[self._length] = byte
            self._length += 1
        else:
            self._raw = MAX_WIRE

    def _end(self):
        raw = self._raw
        length = self._length
        whole = self._left == 0
        self.reset()
        if raw == 0:
            return 0  # an empty frame means nothing
        if (
            raw >= MAX_WIRE
            or not whole
            or length < _SHORTEST_REQUEST
            or self.frame[0] != REQUEST
            or crc32(self._view[: length - _CRC_SIZE])
            != int.from_bytes(self._view[length - _CRC_SIZE : length], "little")
        ):
            self._counters.bad_frames += 1
            return 0
        return length - _CRC_SIZE


@micropython.native
def _put_deltas(buffer, at, angles, start, end, shift):
    """Write the zigzag nibble deltas between angles; returns the position behind them."""
    half = False  # the low half of buffer[at] is taken
    previous = angles[start]
    for i in range(start + 1, end):
        angle = angles[i]
        delta = ((angle - previous + 32768) & 0xFFFF) - 32768 >> shift
        previous = angle
        z = 2 * delta if delta >= 0 else -2 * delta - 1
        while True:
            nibble = z & 7
            z >>= 3
            if z:
                nibble |= 8
            if half:
                buffer[at] |= nibble << 4
                at += 1
                half = False
            else:
                buffer[at] = nibble
                half = True
            if not z:
                break
    return at + 1 if half else at


@micropython.native
def _cobs(frame, length, wire):
    """Stuff `frame[:length]` into `wire` and end it with a zero; returns the wire length."""
    code_at = 0
    at = 1
    code = 1
    for i in range(length):
        if code == 0xFF:  # a full block is closed when more follows, and stands for no zero
            wire[code_at] = code
            code_at = at
            at += 1
            code = 1
        byte = frame[i]
        if byte:
            wire[at] = byte
            at += 1
            code += 1
        else:
            wire[code_at] = code
            code_at = at
            at += 1
            code = 1
    wire[code_at] = code
    wire[at] = 0
    return at + 1

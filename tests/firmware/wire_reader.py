"""Reads what the sensor sends, on whatever VM: a second, plain reading of docs/protocol.md."""

import struct
from binascii import crc32

SAMPLES_FRAME = 0x10
GAP_FRAME = 0x11
BOOT_FRAME = 0x12
ANSWER_FRAME = 0x02


def uvarint(body, at):
    value = 0
    bits = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << bits
        bits += 7
        if byte < 0x80:
            return value, at


def zigzag(value):
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def samples(body):
    """(index, time_us, period_us, status, angles, deviations or None) of a SAMPLES body."""
    flags = body[0]
    shift = flags & 15
    index, at = uvarint(body, 1)
    time_us, at = uvarint(body, at)
    period_us, at = uvarint(body, at)
    count = body[at]
    at += 1
    status = 0
    if flags & 0x10:
        status = body[at]
        at += 1
    angles = [body[at] | body[at + 1] << 8]
    at += 2
    nibbles = []
    while len(angles) < count:
        value = 0
        bits = 0
        while True:
            if not nibbles:
                nibbles = [body[at] & 15, body[at] >> 4]
                at += 1
            nibble = nibbles.pop(0)
            value |= (nibble & 7) << bits
            bits += 3
            if nibble < 8:
                break
        angles.append((angles[-1] + (zigzag(value) << shift)) % 65536)
    assert not any(nibbles)
    deviations = None
    if flags & 0x20:
        deviations = []
        for _ in range(count):
            value, at = uvarint(body, at)
            deviations.append(zigzag(value))
    assert at == len(body)
    return index, time_us, period_us, status, angles, deviations


def gap(body):
    """(index, count, reason) of a GAP body."""
    index, at = uvarint(body, 0)
    count, at = uvarint(body, at)
    assert at + 1 == len(body)
    return index, count, body[at]


def read_all(log, cursor):
    """All that a log has from the cursor on, as (index, (time, angle, status) or gap's reason)."""
    body = bytearray(1019)
    entries = []
    while True:
        frame_type, length = log.read(cursor, memoryview(body))
        if not length:
            return entries
        assert length <= 1019
        if frame_type == GAP_FRAME:
            index, count, reason = gap(body[:length])
            entries.extend((index + i, reason) for i in range(count))
        else:
            index, time_us, period_us, status, angles, late = samples(body[:length])
            for i, angle in enumerate(angles):
                read_us = time_us + i * period_us + (late[i] if late else 0)
                entries.append((index + i, (read_us, angle, status)))


def unstuff(packet):
    """COBS taken off; None if it does not add up."""
    raw = bytearray()
    at = 0
    while at < len(packet):
        code = packet[at]
        if at + code > len(packet):
            return None
        raw.extend(packet[at + 1 : at + code])
        at += code
        if code < 255 and at < len(packet):
            raw.append(0)
    return bytes(raw)


def frames(stream):
    """The intact frames in `stream`, (type, body) each, and how many packets were not intact."""
    whole = []
    bad = 0
    for packet in bytes(stream).split(b"\0"):
        if not packet:
            continue
        raw = unstuff(packet)
        if raw is None or len(raw) < 5 or crc32(raw[:-4]) != struct.unpack("<I", raw[-4:])[0]:
            bad += 1
        else:
            whole.append((raw[0], raw[1:-4]))
    return whole, bad


def request(number, op, payload=b""):
    """A request as it goes over the wire."""
    raw = bytes((1, number, op)) + payload
    raw += struct.pack("<I", crc32(raw))
    stuffed = bytearray()
    for block in (raw + b"\0").split(b"\0")[:-1]:
        while len(block) >= 254:
            stuffed.append(255)
            stuffed.extend(block[:254])
            block = block[254:]
        stuffed.append(len(block) + 1)
        stuffed.extend(block)
    return b"\0" + bytes(stuffed) + b"\0"


class Random:
    """The same numbers on every VM: xorshift32."""

    def __init__(self, seed):
        self._state = seed or 1

    def below(self, limit):
        state = self._state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        self._state = state
        return state % limit

    def bytes(self, count):
        return bytes(self.below(256) for _ in range(count))

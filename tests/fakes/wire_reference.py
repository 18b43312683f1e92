"""A second codec, written from docs/protocol.md alone, to hold the host's against.

The sensor's half, since the host never encodes samples, and a reader of bodies that follows the
text sentence by sentence, slow and plain. It shares no line with legcurl.protocol.frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

ANSWER, SAMPLES, GAP, BOOT = 0x02, 0x10, 0x11, 0x12


def crc(covered: bytes) -> bytes:
    return zlib.crc32(covered).to_bytes(4, "little")


def stuffed(raw: bytes) -> bytes:
    """COBS, byte by byte: a code, then code − 1 bytes that are not zero."""
    out = [0]
    code_at = 0
    for at, byte in enumerate(raw):
        if byte:
            out.append(byte)
        if byte == 0 or len(out) - code_at == 255:
            out[code_at] = len(out) - code_at
            if byte == 0 or at != len(raw) - 1:
                code_at = len(out)
                out.append(0)
    if code_at < len(out) and out[code_at] == 0:
        out[code_at] = len(out) - code_at
    return bytes(out)


def packet(frame_type: int, body: bytes) -> bytes:
    covered = bytes([frame_type]) + body
    return stuffed(covered + crc(covered)) + b"\0"


def uvarint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        if not value:
            out.append(low)
            return bytes(out)
        out.append(low + 128)


def zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def nibbles(z: int) -> list[int]:
    out = []
    while True:
        z, low = divmod(z, 8)
        if not z:
            return [*out, low]
        out.append(low + 8)


def samples_body(
    index: int,
    t_us: int,
    period_us: int,
    angles: Sequence[int],
    *,
    status: int = 0,
    shift: int = 4,
    deviations_us: Sequence[int] | None = None,
    tell_status: bool = False,
) -> bytes:
    """The body of a SAMPLES frame; `tell_status` writes a status of 0 out."""
    flags = shift
    if status or tell_status:
        flags += 16
    if deviations_us is not None:
        flags += 32
    body = bytes([flags]) + uvarint(index) + uvarint(t_us) + uvarint(period_us)
    body += bytes([len(angles)])
    if status or tell_status:
        body += bytes([status])
    body += angles[0].to_bytes(2, "little")
    stream: list[int] = []
    for before, now in pairwise(angles):
        difference = (now - before + 32768) % 65536 - 32768
        assert difference % (1 << shift) == 0, "angles are congruent modulo 2^shift"
        stream += nibbles(zigzag(difference >> shift))
    if len(stream) % 2:
        stream.append(0)
    body += bytes(low + 16 * high for low, high in zip(stream[::2], stream[1::2], strict=True))
    for deviation in deviations_us or ():
        body += uvarint(zigzag(deviation))
    return body


def gap_body(index: int, count: int, reason: int) -> bytes:
    return uvarint(index) + uvarint(count) + bytes([reason])


def boot_body(boot_id: int, major: int = 1, minor: int = 0) -> bytes:
    return boot_id.to_bytes(4, "little") + bytes([major, minor])


def answer_body(request_id: int, op: int, result: int, payload: bytes = b"") -> bytes:
    return bytes([request_id, op, result]) + payload


def start_payload(boot_id: int, first: int, upcoming: int) -> bytes:
    return (
        boot_id.to_bytes(4, "little") + first.to_bytes(8, "little") + upcoming.to_bytes(8, "little")
    )


class Malformed(Exception):  # noqa: N818 - it is no error here
    """The body breaks a rule of the text."""


class Reader:
    """Takes fields off the front of a body."""

    def __init__(self, body: bytes) -> None:
        self.rest = list(body)

    def byte(self) -> int:
        if not self.rest:
            raise Malformed("bytes are missing")
        return self.rest.pop(0)

    def uvarint(self) -> int:
        groups = []
        while True:
            byte = self.byte()
            groups.append(byte % 128)
            if byte < 128:
                break
        value = sum(group * 128**place for place, group in enumerate(groups))
        if len(groups) > 10 or value >= 2**64:
            raise Malformed("a uvarint is too long or too large")
        return value

    def zigzag(self) -> int:
        return unzigzag(self.uvarint())

    def end(self) -> None:
        if self.rest:
            raise Malformed("bytes are left over")


def unzigzag(z: int) -> int:
    return z // 2 if z % 2 == 0 else -(z + 1) // 2


def read_samples(body: bytes) -> dict[str, Any]:
    """What a SAMPLES body says. Raises Malformed."""
    reader = Reader(body)
    flags = reader.byte()
    shift = flags % 16
    if flags >= 64 or shift > 12:
        raise Malformed("flags")
    index, t_us, period_us = reader.uvarint(), reader.uvarint(), reader.uvarint()
    count = reader.byte()
    if not 1_000 <= period_us <= 1_000_000 or count < 1:
        raise Malformed("a number is out of its range")
    status = reader.byte() if flags & 16 else 0
    angles = [reader.byte() + 256 * reader.byte()]
    spare: list[int] = []  # the high half of a byte whose low half has been taken
    for _ in range(count - 1):
        z, place = 0, 0
        while True:
            if not spare:
                byte = reader.byte()
                spare = [byte % 16, byte // 16]
            nibble = spare.pop(0)
            if place == 6:
                raise Malformed("a delta needs more than 6 nibbles")
            z += nibble % 8 * 8**place
            place += 1
            if nibble < 8:
                break
        change = unzigzag(z) * 2**shift
        if not -32768 <= change < 32768:
            raise Malformed("a delta leaves 16 bits")
        angles.append((angles[-1] + change) % 65536)
    if spare not in ([], [0]):
        raise Malformed("the spare nibble is not zero")
    deviations_us = tuple(reader.zigzag() for _ in range(count)) if flags & 32 else None
    reader.end()
    return {
        "index": index,
        "t_us": t_us,
        "period_us": period_us,
        "status": status,
        "angles": tuple(angles),
        "deviations_us": deviations_us,
    }


def read_gap(body: bytes) -> dict[str, Any]:
    """What a GAP body says. Raises Malformed."""
    reader = Reader(body)
    index, count, reason = reader.uvarint(), reader.uvarint(), reader.byte()
    reader.end()
    if count < 1:
        raise Malformed("an empty gap")
    return {"index": index, "count": count, "reason": reason}

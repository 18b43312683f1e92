"""A second codec, written from docs/protocol.md alone, to hold the host's against.

It is the sensor's half (the host never encodes samples) and a decoder that follows the text
sentence by sentence, slow and plain. It shares no line with legcurl.frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

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

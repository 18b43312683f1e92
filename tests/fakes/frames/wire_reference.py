"""A second codec, written from docs/protocol.md alone, to hold firmware and host against.

Slow and plain, it follows the text sentence by sentence and shares no line with the product. It
runs on CPython and on the MicroPython VM.
"""

from binascii import crc32

REQUEST, ANSWER, SAMPLES, GAP, BOOT = 0x01, 0x02, 0x10, 0x11, 0x12


def crc(covered: bytes) -> bytes:
    return crc32(covered).to_bytes(4, "little")


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


def unstuffed(packet: bytes) -> bytes | None:
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


def packet(frame_type: int, body: bytes) -> bytes:
    covered = bytes([frame_type]) + body
    return stuffed(covered + crc(covered)) + b"\0"


def request(number: int, op: int, payload: bytes = b"") -> bytes:
    """A request as it goes over the wire, after a zero that ends whatever came before."""
    return b"\0" + packet(REQUEST, bytes([number, op]) + payload)


def frames(stream: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """The intact frames in `stream`, (type, body) each, and how many packets were not intact."""
    whole = []
    bad = 0
    for packet in bytes(stream).split(b"\0"):
        if not packet:
            continue
        raw = unstuffed(packet)
        if raw is None or len(raw) < 5 or crc(raw[:-4]) != raw[-4:]:
            bad += 1
        else:
            whole.append((raw[0], raw[1:-4]))
    return whole, bad


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


def unzigzag(z: int) -> int:
    return z // 2 if z % 2 == 0 else -(z + 1) // 2


def nibbles(z: int) -> list[int]:
    out = []
    while True:
        z, low = divmod(z, 8)
        if not z:
            out.append(low)
            return out
        out.append(low + 8)


def samples_body(
    index: int,
    t_us: int,
    period_us: int,
    angles: list[int],
    *,
    status: int = 0,
    shift: int = 4,
    deviations_us: list[int] | None = None,
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
    for before, now in zip(angles, angles[1:]):  # noqa: B905, RUF007 - the VM's zip
        difference = (now - before + 32768) % 65536 - 32768
        assert difference % (1 << shift) == 0, "angles are congruent modulo 2^shift"
        stream += nibbles(zigzag(difference >> shift))
    if len(stream) % 2:
        stream.append(0)
    body += bytes(stream[at] + 16 * stream[at + 1] for at in range(0, len(stream), 2))
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
        self.body = body
        self.at = 0

    def byte(self) -> int:
        if self.at == len(self.body):
            raise Malformed("bytes are missing")
        self.at += 1
        return self.body[self.at - 1]

    def uvarint(self) -> int:
        value = place = 0
        while True:
            byte = self.byte()
            value += byte % 128 << 7 * place
            place += 1
            if byte < 128:
                break
        if place > 10 or value >= 1 << 64:
            raise Malformed("a uvarint is too long or too large")
        return value

    def zigzag(self) -> int:
        return unzigzag(self.uvarint())

    def end(self) -> None:
        if self.at < len(self.body):
            raise Malformed("bytes are left over")


def read_samples(
    body: bytes,
) -> tuple[int, int, int, int, tuple[int, ...], tuple[int, ...] | None]:
    """(index, t_us, period_us, status, angles, deviations_us) of a SAMPLES body, or Malformed."""
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
        z = place = 0
        while True:
            if not spare:
                byte = reader.byte()
                spare = [byte % 16, byte // 16]
            nibble = spare.pop(0)
            if place == 6:
                raise Malformed("a delta needs more than 6 nibbles")
            z += nibble % 8 << 3 * place
            place += 1
            if nibble < 8:
                break
        change = unzigzag(z) * 2**shift
        if not -32768 <= change < 32768:
            raise Malformed("a delta leaves 16 bits")
        angles.append((angles[-1] + change) % 65536)
    if spare not in ([], [0]):
        raise Malformed("the spare nibble is not zero")
    deviations_us = tuple([reader.zigzag() for _ in range(count)]) if flags & 32 else None
    reader.end()
    return index, t_us, period_us, status, tuple(angles), deviations_us


def read_gap(body: bytes) -> tuple[int, int, int]:
    """(index, count, reason) of a GAP body, or Malformed."""
    reader = Reader(body)
    index, count, reason = reader.uvarint(), reader.uvarint(), reader.byte()
    reader.end()
    if count < 1:
        raise Malformed("an empty gap")
    return index, count, reason


def entries(frame_type: int, body: bytes) -> list[tuple]:
    """(index, (time, angle, status)) of each sample, (index, reason) of each that is missing."""
    if frame_type == GAP:
        index, count, reason = read_gap(body)
        return [(index + i, reason) for i in range(count)]
    index, t_us, period_us, status, angles, late_us = read_samples(body)
    return [
        (index + i, (t_us + i * period_us + (late_us[i] if late_us else 0), angle, status))
        for i, angle in enumerate(angles)
    ]

"""Bytes from a sensor to frames, and requests to bytes: the host's half of docs/protocol.md.

Bytes come in pieces of any size; whole frames come out as frozen values. Invalid bytes are
discarded and counted by their fault, never raised: noise on a cable is normal, and the sensor sends
lost samples again. The longest packet of the protocol bounds the memory.

Three steps can be used separately: `PacketSplitter` cuts at the zeros, `FrameDecoder.unwrap`
removes COBS and checks the CRC, `parse_frame` reads the fields. A recording (recording/file.py) has
frame types of its own between the last two.

A frame keeps the bytes that it came from (`wire`), so that a recorder stores exactly what was
received. Comparisons ignore it.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from itertools import accumulate

from legcurl.errors import FrameError
from legcurl.protocol.cobs import cobs_decode, cobs_encode

FRAME_MIN_BYTES = 5  # type and CRC: "Frames" in docs/protocol.md
FRAME_MAX_BYTES = 1024  # the same section
PACKET_LIMIT_BYTES = 1032  # without a zero among them; longer ones are no packets
CRC_BYTES = 4
BODY_MAX_BYTES = FRAME_MAX_BYTES - CRC_BYTES - 1

PERIOD_MIN_US = 1_000
PERIOD_MAX_US = 1_000_000
TURN = 65_536  # wire angles of one turn
SHIFT_MAX = 12
DELTA_MAX_NIBBLES = 6
UVARINT_MAX_BYTES = 10
UVARINT_LIMIT = 1 << 64

FLAG_SHIFT_MASK = 0x0F
FLAG_STATUS = 0x10
FLAG_DEVIATIONS = 0x20
FLAG_RESERVED = 0xC0


class FrameType(IntEnum):
    """The first byte of a frame."""

    REQUEST = 0x01
    ANSWER = 0x02
    SAMPLES = 0x10
    GAP = 0x11
    BOOT = 0x12


class Status(IntFlag):
    """What the encoder reports with its angles."""

    NO_MAGNET = 0x01
    WEAK_MAGNET = 0x02
    STRONG_MAGNET = 0x04
    BUS_ERROR = 0x08
    NOT_REFERENCED = 0x10


STATUS_BLIND = Status.NO_MAGNET | Status.BUS_ERROR | Status.NOT_REFERENCED  # the angle is invalid
STATUS_RESERVED = 0xE0


class GapReason(IntEnum):
    """Why samples will never come. A newer sensor may send other reasons."""

    EVICTED = 1
    OVERRUN = 2
    PAUSED = 3


@dataclass(frozen=True, slots=True)
class Samples:
    """A run of samples at one period and one status; angles are fractions of a turn × 65536."""

    index: int
    t_us: int  # sensor time at which the first sample was due
    period_us: int
    status: int
    angles: tuple[int, ...]
    deviations_us: tuple[int, ...] | None = None  # read minus due; None: all on time
    wire: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples `index` to `index + count − 1` will never come."""

    index: int
    count: int
    reason: int  # a GapReason, or a number of a newer sensor
    wire: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Boot:
    """The sensor has just started, with an empty log and a clock near zero."""

    boot_id: int
    major: int
    minor: int
    wire: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the request of the same `id` and `op` (see requests.py)."""

    id: int
    op: int
    result: int
    payload: bytes
    wire: bytes = field(default=b"", compare=False, repr=False)


Frame = Samples | Gap | Boot | Answer


@dataclass(slots=True)
class DecoderCounts:
    """Counts of received packets. Each packet counts once."""

    frames: int = 0
    bad_framing: int = 0  # invalid COBS, or too short or long for a frame
    bad_crc: int = 0
    malformed: int = 0  # the CRC is correct, but the fields break the rules
    oversized: int = 0  # no zero within PACKET_LIMIT_BYTES
    unknown_type: int = 0  # from a newer sensor, or our own requests echoed

    @property
    def dropped(self) -> int:
        """Packets that gave no frame."""
        return self.bad_framing + self.bad_crc + self.malformed + self.oversized + self.unknown_type


class PacketSplitter:
    """Cuts a stream of bytes into the packets between its zeros; holds at most one packet.

    An oversized packet is given once, cut to PACKET_LIMIT_BYTES; the rest up to the next zero is
    discarded.
    """

    def __init__(self) -> None:
        self._partial = bytearray()
        self._skipping = False

    @property
    def pending(self) -> int:
        """Bytes of the unfinished packet."""
        return len(self._partial)

    def push(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; give the packets that they complete."""
        packets: list[bytes] = []
        pieces = chunk.split(b"\0")
        last = len(pieces) - 1
        for at, piece in enumerate(pieces):
            if not self._skipping:
                room = PACKET_LIMIT_BYTES - len(self._partial)
                if len(piece) >= room:
                    packets.append(bytes(self._partial) + piece[:room])
                    self._partial.clear()
                    self._skipping = True
                elif at == last:
                    self._partial += piece
                elif self._partial:
                    packets.append(bytes(self._partial) + piece)
                    self._partial.clear()
                elif piece:
                    packets.append(piece)
            if at != last:
                self._skipping = False
        return packets


class FrameDecoder:
    """Decodes the bytes of a serial link to frames; `counts` has what was dropped."""

    def __init__(self) -> None:
        self.counts = DecoderCounts()
        self._splitter = PacketSplitter()

    @property
    def pending(self) -> int:
        """Bytes of the unfinished frame."""
        return self._splitter.pending

    def push(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes; give the frames that they complete, in order."""
        frames: list[Frame] = []
        for packet in self._splitter.push(chunk):
            raw = self.unwrap(packet)
            frame = None if raw is None else self.parse(raw)
            if frame is not None:
                frames.append(frame)
        return frames

    def unwrap(self, packet: bytes) -> bytes | None:
        """Remove COBS and check the CRC; None, counted, if the frame is not intact."""
        if len(packet) >= PACKET_LIMIT_BYTES:
            self.counts.oversized += 1
            return None
        raw = cobs_decode(packet)
        if raw is None or not FRAME_MIN_BYTES <= len(raw) <= FRAME_MAX_BYTES:
            self.counts.bad_framing += 1
            return None
        if crc32(raw[:-CRC_BYTES]) != int.from_bytes(raw[-CRC_BYTES:], "little"):
            self.counts.bad_crc += 1
            return None
        return raw

    def parse(self, raw: bytes) -> Frame | None:
        """Read the fields of an intact frame; None, counted, if they are invalid or unknown."""
        try:
            frame = parse_frame(raw)
        except FrameError:
            self.counts.malformed += 1
            return None
        if frame is None:
            self.counts.unknown_type += 1
        else:
            self.counts.frames += 1
        return frame


def parse_frame(raw: bytes) -> Frame | None:
    """Read type · body · CRC, with a checked CRC; None if the type is not for a host.

    Raises FrameError if the body breaks the rules of its type.
    """
    parse = _PARSERS.get(raw[0])
    if parse is None:
        return None
    try:
        return parse(raw)
    except IndexError:
        raise FrameError(f"A frame of type 0x{raw[0]:02x} ends in the middle of a field.") from None


def encode_frame(frame_type: int, body: bytes) -> bytes:
    """Give the packet of a frame as it goes over a serial link, its ending zero included."""
    if len(body) > BODY_MAX_BYTES:
        raise FrameError(
            f"A frame's body may have {BODY_MAX_BYTES} bytes, and this one has {len(body)}: "
            "send less at a time."
        )
    covered = bytes((frame_type,)) + body
    return cobs_encode(covered + crc32(covered).to_bytes(CRC_BYTES, "little")) + b"\0"


def encode_request(request_id: int, op: int, payload: bytes = b"") -> bytes:
    """Give the bytes of a request. They begin with a zero, which ends any noise before it."""
    return b"\0" + encode_frame(FrameType.REQUEST, bytes((request_id, op)) + payload)


def _uvarint(body: bytes, at: int) -> tuple[int, int]:
    """Read the uvarint at `at`: its value, and where it ends. IndexError if it is cut off."""
    byte = body[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value = byte & 0x7F
    bits = 7
    limit = at + UVARINT_MAX_BYTES - 1
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << bits
        if byte < 0x80:
            break
        if at == limit:
            raise FrameError("A uvarint has more than 10 bytes.")
        bits += 7
    if value >= UVARINT_LIMIT:
        raise FrameError("A uvarint is 2^64 or more.")
    return value, at


def _unzigzag(value: int) -> int:
    return -((value + 1) >> 1) if value & 1 else value >> 1


# One delta is nibbles with bit 3 set, then one without; as hex digits that is a regular
# expression, so the regex engine cuts a frame's deltas apart at the speed of C.
_DELTA = re.compile("[89a-f]*[0-7]")
_SWAP_NIBBLES = bytes(byte >> 4 | (byte & 0x0F) << 4 for byte in range(256))  # low half first


def _delta_of(digits: str) -> int:
    """Give the difference that these nibbles mean, before the shift."""
    if len(digits) > DELTA_MAX_NIBBLES:
        raise FrameError(f"A delta has more than {DELTA_MAX_NIBBLES} nibbles.")
    value = 0
    for place, digit in enumerate(digits):
        value |= (int(digit, 16) & 0x07) << (3 * place)
    return _unzigzag(value)


# The deltas of up to three nibbles; a lever's motion needs no longer ones.
_CONTINUED = "89abcdef"
_DELTAS = {
    digits: _delta_of(digits)
    for last in "01234567"
    for digits in (
        last,
        *(first + last for first in _CONTINUED),
        *(first + second + last for first in _CONTINUED for second in _CONTINUED),
    )
}


def _parse_samples(raw: bytes) -> Samples:
    body = raw[1:-CRC_BYTES]
    flags = body[0]
    shift = flags & FLAG_SHIFT_MASK
    if flags & FLAG_RESERVED or shift > SHIFT_MAX:
        raise FrameError(f"The flags of a SAMPLES frame are 0x{flags:02x}.")
    index, at = _uvarint(body, 1)
    t_us, at = _uvarint(body, at)
    period_us, at = _uvarint(body, at)
    count = body[at]
    at += 1
    if not PERIOD_MIN_US <= period_us <= PERIOD_MAX_US or count == 0:
        raise FrameError(f"A SAMPLES frame has {count} samples, one in {period_us} µs.")
    status = 0
    if flags & FLAG_STATUS:
        status = body[at]
        at += 1
    first = body[at] | body[at + 1] << 8
    at += 2
    deltas, at = _read_deltas(body, at, count - 1, exact=not flags & FLAG_DEVIATIONS)
    limit = TURN // 2 >> shift
    if deltas and not (-limit <= min(deltas) and max(deltas) < limit):
        raise FrameError("A delta leaves 16 bits.")
    angles = tuple([(first + (moved << shift)) % TURN for moved in accumulate(deltas, initial=0)])
    deviations = None
    if flags & FLAG_DEVIATIONS:
        late: list[int] = []
        for _ in range(count):
            value, at = _uvarint(body, at)
            late.append(_unzigzag(value))
        deviations = tuple(late)
    if at != len(body):
        raise FrameError("Bytes are left over in a SAMPLES frame.")
    return Samples(index, t_us, period_us, status, angles, deviations, raw)


def _read_deltas(body: bytes, at: int, count: int, *, exact: bool) -> tuple[list[int], int]:
    """Read `count` deltas from `at`; give them and where they end, the spare nibble checked.

    `exact` says that nothing follows them, which saves a check of their end.
    """
    if count == 0:
        return [], at
    digits = body[at:].translate(_SWAP_NIBBLES).hex()
    found = _DELTA.findall(digits)
    if len(found) < count:
        raise IndexError
    if exact and len(found) == count:
        used = len(digits)
        if digits[-1] > "7":  # nibbles after the last delta that never end
            raise FrameError("The spare nibble of a SAMPLES frame is not zero.")
    else:
        del found[count:]
        used = sum(map(len, found))
        if used % 2:
            if digits[used] != "0":
                raise FrameError("The spare nibble of a SAMPLES frame is not zero.")
            used += 1
    try:
        deltas = [_DELTAS[digits] for digits in found]
    except KeyError:
        deltas = [_delta_of(digits) for digits in found]
    return deltas, at + used // 2


def _parse_gap(raw: bytes) -> Gap:
    body = raw[1:-CRC_BYTES]
    index, at = _uvarint(body, 0)
    count, at = _uvarint(body, at)
    reason = body[at]
    if count == 0 or at + 1 != len(body):
        raise FrameError("A GAP frame is empty or too long.")
    return Gap(index, count, reason, raw)


def _parse_boot(raw: bytes) -> Boot:
    body = raw[1:-CRC_BYTES]
    if len(body) != 6:
        raise FrameError(f"A BOOT frame has a body of 6 bytes, not of {len(body)}.")
    return Boot(int.from_bytes(body[:4], "little"), body[4], body[5], raw)


def _parse_answer(raw: bytes) -> Answer:
    body = raw[1:-CRC_BYTES]
    return Answer(body[0], body[1], body[2], body[3:], raw)


_PARSERS: dict[int, Callable[[bytes], Frame]] = {
    FrameType.ANSWER: _parse_answer,
    FrameType.SAMPLES: _parse_samples,
    FrameType.GAP: _parse_gap,
    FrameType.BOOT: _parse_boot,
}

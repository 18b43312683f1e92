"""Raw traces as bytes: second differences of time and differences of angle, then deflate.

Angles go in as the wire's sixteen-bit fractions of a turn, so nothing is lost, and a set can be
measured again by better rules years later. A minute at 100 Hz takes 3 to 6 kB.

Layout before deflate: version u8, then uvarints: count, the count of blind samples and their
indexes (differences), the first time, its zigzag second differences, the first angle, its zigzag
differences (the short way round).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from math import isnan, nan

from legcurl.errors import StoreError
from legcurl.store.records import Trace

VERSION = 1
TURN = 65536  # the wire's angles: see docs/protocol.md
LEVEL = 6  # zlib's usual: 9 takes twice as long for 1 % less
LONGEST = 3600 * 400  # samples: an hour, in which a set is long over, at the highest rate
LONGEST_BYTES = 6 * LONGEST  # unpacked; a sample has a few bytes
_GO_ON = bytes(range(0x80, 0x100))  # bytes of a uvarint but its last
_ENDLESS = re.compile(rb"[\x80-\xff]{10}")


def pack(trace: Trace) -> bytes:
    """Pack a trace."""
    raw: list[int] = []
    blind: list[int] = []
    last = 0
    for place, degrees in enumerate(trace.angle_deg):
        if isnan(degrees):
            blind.append(place)
        else:
            last = round(degrees * TURN / 360.0) % TURN
        raw.append(last)
    out = bytearray((VERSION,))
    _put(out, len(raw))
    _put(out, len(blind))
    for before, place in zip([0, *blind], blind, strict=False):
        _put(out, place - before)
    pace = 0
    for before, time in zip([0, *trace.t_us], trace.t_us, strict=False):
        _put(out, _zigzag(time - before - pace))
        pace = time - before
    for before, angle in zip([0, *raw], raw, strict=False):
        _put(out, _zigzag((angle - before + TURN // 2) % TURN - TURN // 2))
    return zlib.compress(bytes(out), LEVEL)


def check(packed: bytes) -> None:
    """StoreError for a trace that no sensor sent: too long, however small it is packed."""
    _content(packed)


def unpack(packed: bytes) -> Trace:
    """Unpack a trace, in bounded time and memory. StoreError if it is damaged."""
    try:
        content = _content(packed)
        numbers = _numbers(content[1:])
        count = next(numbers)
        blind: set[int] = set()
        place = 0
        for _ in range(next(numbers)):
            place += next(numbers)
            blind.add(place)
        times: list[int] = []
        time = pace = 0
        for _ in range(count):
            pace += _unzigzag(next(numbers))
            time += pace
            times.append(time)
        angles: list[float] = []
        angle = 0
        for place in range(count):
            angle = (angle + _unzigzag(next(numbers))) % TURN
            angles.append(nan if place in blind else angle * 360.0 / TURN)
    except (StopIteration, IndexError, RuntimeError) as error:
        raise StoreError(f"A stored trace is damaged ({error or 'it ends too soon'}).") from error
    return Trace(tuple(times), tuple(angles))


def _content(packed: bytes) -> bytes:
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(packed, LONGEST_BYTES)
    except zlib.error as error:
        raise StoreError(f"A stored trace is damaged ({error}).") from error
    if not inflater.eof or not content or _ENDLESS.search(content):
        raise StoreError("A stored trace is damaged: its length is invalid.")
    if content[0] != VERSION:
        raise StoreError(
            f"A trace is of version {content[0]}; this legcurl reads {VERSION}: update it."
        )
    count = next(_numbers(content[1:12]), 0)
    numbers = len(content.translate(None, _GO_ON)) - 1  # those behind the version
    if count > LONGEST or numbers < 2 + 2 * count:
        raise StoreError("A stored trace is damaged: its length is invalid.")
    return content


def _put(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _numbers(content: Sequence[int]) -> Iterator[int]:
    value = shift = 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if not value & 1 else -(value >> 1) - 1

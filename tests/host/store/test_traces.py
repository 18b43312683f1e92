"""A raw trace is small, whatever the encoder's noise, and comes back to the last count."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from legcurl.errors import StoreError
from legcurl.store.records import Trace
from legcurl.store.traces import LONGEST, LONGEST_BYTES, TURN, VERSION, check, pack, unpack
from made_sets import measured
from selection import first_short

A_MINUTE_US = 60_000_000
AT_MOST = 10_000  # bytes a minute at 100 Hz
ENCODERS = {  # bits, and the standard deviation of its noise in its own counts
    "as5600": (12, 1.0),
    "as5600, weak magnet": (12, 3.0),
    "as5048a": (14, 1.6),  # its data sheet's 0.06° peak to peak is less
    "quadrature": (13, 0.0),
}


def noisy(trace: Trace, bits: int, noise: float, seed: int) -> Trace:
    """A trace as an encoder of so many bits reads it, by a timer that is late now and then."""
    draw = random.Random(seed)
    counts = 2**bits
    times, angles, last = [], [], -1
    for t_us, degrees in zip(trace.t_us, trace.angle_deg, strict=True):
        count = round(degrees * counts / 360.0 + draw.gauss(0.0, noise)) % counts
        late = draw.randrange(400, 4000) if draw.random() < 0.02 else 0
        last = max(t_us + late, last + 1)
        times.append(last)
        angles.append(count * (TURN // counts) * 360.0 / TURN)
    return Trace(tuple(times), tuple(angles))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("lifter", "seed"), first_short([("steady", 5), ("sloppy", 3), ("partials", 2)])
)
def test_a_minute_takes_at_most_ten_kilobytes_and_nothing_is_lost(encoder, lifter, seed):
    trace = noisy(measured(lifter, seed)[0], *ENCODERS[encoder], seed)
    packed = pack(trace)
    assert unpack(packed) == trace
    assert len(packed) * A_MINUTE_US / (trace.t_us[-1] - trace.t_us[0]) <= AT_MOST


BOMBS = {
    "half a gigabyte of zeros": bytes((VERSION,)) + bytes(10 * LONGEST_BYTES),
    "a number without an end": bytes((VERSION,)) + b"\xff" * 100_000,
    "more samples than an hour has": bytes((VERSION, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F)),
    "nine samples that are not there": bytes((VERSION, 9, 0)),
    "nothing": b"",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_takes_memory_or_time(content: bytes):
    packed = zlib.compress(content, 9)
    tracemalloc.start()
    try:
        for take in (check, unpack):
            with pytest.raises(StoreError, match="damaged"):
                take(packed)
        assert tracemalloc.get_traced_memory()[1] < 4 * LONGEST_BYTES
    finally:
        tracemalloc.stop()


def test_a_longest_set_is_no_bomb():
    trace = Trace(tuple(range(0, LONGEST * 2500, 2500)), (90.0,) * LONGEST)
    check(pack(trace))

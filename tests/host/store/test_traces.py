"""A raw trace is small, whatever the encoder's noise, and comes back to the last count."""

from __future__ import annotations

import random

import pytest
from legcurl.store.records import Trace
from legcurl.store.traces import TURN, pack, unpack
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

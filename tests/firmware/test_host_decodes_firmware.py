"""The host decodes what the firmware encodes: every status, rate, delta, wrap and lateness.

The two codecs have no code in common. The firmware's runs on the VM, in one process that encodes
case after case; the host's decodes the very bytes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.protocol.frame import FrameDecoder, Gap, Samples
from legcurl.simulator.runner import Engine
from timings import LIMIT_S

U64 = 2**64 - 1
RATES_HZ = (20, 400)
LONGEST_RUN = 160
WORTH_TELLING_US = 100


class EncoderService:
    """The firmware's encoder, in a process of its own."""

    def __init__(self, engine: Engine) -> None:
        self._process = subprocess.Popen(
            [
                *engine.command,
                str(Path(__file__).parent / "encoder_service.py"),
                str(shims_directory()),
                str(firmware_directory()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def encode(self, fields: dict[str, Any]) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(fields) + "\n")
        return bytes.fromhex(self._process.stdout.readline())

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(LIMIT_S)


@pytest.fixture(scope="module")
def service(engine: Engine) -> Iterator[EncoderService]:
    running = EncoderService(engine)
    yield running
    running.close()


def angles_of(shift: int) -> st.SearchStrategy[list[int]]:
    """Runs of angles that are multiples of 2^shift: still, creeping, leaping, wrapping."""
    top = 65536 >> shift
    anywhere = st.integers(0, top - 1)
    steps = st.one_of(
        st.just(0), st.integers(-3, 3), st.integers(-60, 60), st.integers(-top // 2, top // 2)
    )

    def walked(first: int, moves: list[int]) -> list[int]:
        angles = [first % top]
        for move in moves:
            angles.append((angles[-1] + move) % top)
        return [angle << shift for angle in angles]

    return st.builds(walked, anywhere, st.lists(steps, max_size=LONGEST_RUN - 1))


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    """A run of samples such as a sensor may have to tell."""
    shift = draw(st.integers(0, 12))
    angles = draw(angles_of(shift))
    period_us = 1_000_000 // draw(st.integers(*RATES_HZ))
    late = st.one_of(
        st.just(0),
        st.integers(-WORTH_TELLING_US, WORTH_TELLING_US),
        st.integers(-1000, period_us - 1),
    )
    return {
        "index": draw(st.integers(0, U64)),
        "t_us": draw(st.integers(0, U64)),
        "period_us": period_us,
        "status": draw(st.integers(0, 255)),
        "shift": shift,
        "angles": angles,
        "late_us": draw(st.lists(late, min_size=len(angles), max_size=len(angles))),
    }


AT_REST = {
    "index": 0,
    "t_us": 0,
    "period_us": 10_000,
    "status": 0,
    "shift": 4,
    "angles": [0] * LONGEST_RUN,
    "late_us": [0] * LONGEST_RUN,
}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(asked=runs())
@example(asked=AT_REST)
@example(asked=AT_REST | {"angles": [65520, 0] * 80})
@example(asked=AT_REST | {"angles": [0, 32768] * 80, "shift": 0, "late_us": [49_999] * 160})
def test_a_run_of_samples_arrives_as_it_was_taken(
    service: EncoderService, asked: dict[str, Any]
) -> None:
    told = max(abs(late) for late in asked["late_us"]) > WORTH_TELLING_US
    assert decoded(service.encode(asked)) == Samples(
        index=asked["index"],
        t_us=asked["t_us"],
        period_us=asked["period_us"],
        status=asked["status"],
        angles=tuple(asked["angles"]),
        deviations_us=tuple(asked["late_us"]) if told else None,
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(index=st.integers(0, U64), count=st.integers(1, U64), reason=st.integers(0, 255))
def test_a_gap_arrives_with_its_fields(
    service: EncoderService, index: int, count: int, reason: int
) -> None:
    asked = {"index": index, "count": count, "reason": reason}
    assert decoded(service.encode(asked)) == Gap(index, count, reason)


def test_every_delta_of_a_12_bit_encoder_arrives(service: EncoderService) -> None:
    for first in range(0, 4096, 80):
        angles = []
        for step in range(first, min(first + 80, 4096)):
            angles += [32768, (32768 + 16 * step) % 65536]
        asked = AT_REST | {"angles": angles, "late_us": [0] * len(angles)}
        frame = decoded(service.encode(asked))
        assert isinstance(frame, Samples)
        assert list(frame.angles) == angles


def decoded(wire: bytes) -> Samples | Gap:
    decoder = FrameDecoder()
    frames = decoder.push(wire)
    assert decoder.counts.dropped == 0
    assert len(frames) == 1
    assert isinstance(frames[0], Samples | Gap)
    return frames[0]

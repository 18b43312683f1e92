"""The host reads what the firmware writes, and the firmware what the host writes.

The firmware's own files do the other half, on the MicroPython VM where there is one and on
CPython: neither codec knows of the other.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legcurl.frame import FrameDecoder, Gap, Samples, encode_request
from legcurl.simulator.firmware_home import firmware_directory, shims_directory
from legcurl.simulator.runner import find_engine

FILTER = Path(__file__).resolve().parents[2] / "firmware" / "codec_filter.py"
U64 = 2**64 - 1
WORTH_TELLING_US = 100  # a smaller deviation needs no telling: SAMPLES in docs/protocol.md
LONGEST_RUN = 160  # so many samples fit a frame at their worst
many = settings(max_examples=300)


class SensorCodec:
    """The firmware's codec in a process of its own."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [*command, str(FILTER), str(shims_directory()), str(firmware_directory())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **asked: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


ENGINES = {engine.name: engine for engine in (find_engine(), find_engine("cpython"))}


@pytest.fixture(scope="module", params=ENGINES)
def sensor(request) -> Iterator[SensorCodec]:
    codec = SensorCodec(ENGINES[request.param].command)
    yield codec
    codec.close()


@st.composite
def runs(draw) -> dict[str, Any]:
    """What an encoder of any resolution can see, at any rate, anywhere in the log."""
    bits = draw(st.integers(4, 16))
    turn = 1 << bits
    brisk = draw(st.sampled_from((1, 4, turn // 8, turn // 2)))
    steps = st.integers(-brisk, max(brisk - 1, 0))
    angles = [draw(st.integers(0, turn - 1))]
    for step in draw(st.lists(steps, max_size=LONGEST_RUN - 1)):
        angles.append((angles[-1] + step) % turn)
    most_late = draw(st.sampled_from((0, WORTH_TELLING_US, WORTH_TELLING_US + 1, 60_000)))
    late = st.integers(-most_late, most_late)
    return {
        "index": draw(st.integers(0, U64)),
        "t_us": draw(st.integers(0, U64)),
        "period_us": draw(st.integers(1_000, 1_000_000)),
        "status": draw(st.integers(0, 255)),
        "shift": 16 - bits,
        "angles": [angle << (16 - bits) for angle in angles],
        "late_us": draw(st.lists(late, min_size=len(angles), max_size=len(angles))),
    }


@many
@given(run=runs())
def test_the_host_decodes_what_the_firmware_encodes(sensor, run):
    decoder = FrameDecoder()
    packet = sensor.ask(samples=[*run.values(), len(run["angles"])])
    (frame,) = decoder.push(bytes.fromhex(packet))
    worth_telling = any(abs(late) > WORTH_TELLING_US for late in run["late_us"])
    assert frame == Samples(
        index=run["index"],
        t_us=run["t_us"],
        period_us=run["period_us"],
        status=run["status"],
        angles=tuple(run["angles"]),
        deviations_us=tuple(run["late_us"]) if worth_telling else None,
    )


@many
@given(index=st.integers(0, U64), count=st.integers(1, U64), reason=st.integers(0, 255))
def test_gaps_arrive_as_they_were_sent(sensor, index, count, reason):
    packet = sensor.ask(gap=[index, count, reason])
    assert FrameDecoder().push(bytes.fromhex(packet)) == [Gap(index, count, reason)]


asked = st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=1000))


@many
@given(requests=st.lists(asked, max_size=4), noise=st.binary(max_size=40))
def test_the_firmware_finds_the_host_s_requests_after_any_noise(sensor, requests, noise):
    stream = noise.replace(b"\0", b"\1") + b"".join(encode_request(*each) for each in requests)
    told = sensor.ask(bytes=stream.hex())
    assert told["requests"] == [[number, op, load.hex()] for number, op, load in requests]
    assert told["bad"] == (1 if noise and requests else 0)  # noise ends at the first zero

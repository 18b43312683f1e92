"""Every encoder of every board, from the shaft to the wire: real firmware, simulated chips."""

from __future__ import annotations

import json
import math
import re

import pytest
from legcurl.firmware_files import firmware_directory
from legcurl.protocol.frame import Answer, Samples, encode_request
from legcurl.simulator.runner import find_engine
from sensor_process import (
    HELLO,
    Moment,
    decode,
    run_to_the_end,
    samples_of,
    world,
)

COUNTS = {"as5600": 4096, "as5048a": 16384, "quadrature_pio": 2400, "quadrature_pcnt": 2400}
NO_MAGNET, WEAK, STRONG, BUS_ERROR, NOT_REFERENCED = 0x01, 0x02, 0x04, 0x08, 0x10
TURN = 65536


def wired() -> list[tuple[str, str]]:
    """(board, encoder) for every encoder that a board file has pins for."""
    found = []
    for path in sorted((firmware_directory() / "boards").glob("*.json")):
        board = json.loads(path.read_text())
        found += [(board["board"], encoder) for encoder in board["encoders"]]
    return found


def test_every_driver_of_the_firmware_is_wired_on_some_board_and_run_here() -> None:
    """A new driver is listed in COUNTS above: see docs/firmware.md."""
    text = (firmware_directory() / "sensor" / "encoders" / "__init__.py").read_text()
    kinds = set(re.findall(r'if kind == "(\w+)"', text))
    assert kinds == set(COUNTS) == {encoder for _, encoder in wired()}


def lever(t_s: float) -> float:
    """Angle in turns: at rest for 8 s, then to and fro through the encoder's zero."""
    return 0.1 + 0.25 * (math.cos(0.8 * max(0.0, t_s - 8.0)) - 1.0)


def moving(t_s: float) -> Moment:
    return Moment(round(lever(t_s) * TURN) % TURN)


def short_way(a: float, b: float) -> float:
    return (a - b + TURN / 2) % TURN - TURN / 2


def read_times(frames) -> list[float]:
    """Seconds at which the samples were really read."""
    return [
        (frame.t_us + i * frame.period_us + (frame.deviations_us[i] if frame.deviations_us else 0))
        / 1e6
        for frame in frames
        if isinstance(frame, Samples)
        for i in range(len(frame.angles))
    ]


@pytest.mark.parametrize(("board", "encoder"), wired())
def test_a_sensor_with_it_starts_names_it_and_shows_the_lever(board: str, encoder: str) -> None:
    requests = encode_request(1, HELLO, b"\x01\x01")
    frames = decode(
        run_to_the_end(
            find_engine(), world(24, moving), requests=requests, board=board, encoder=encoder
        )
    )
    hello = json.loads(next(frame.payload for frame in frames if isinstance(frame, Answer)))
    assert hello["encoder"] == {
        "kind": encoder,
        "counts": COUNTS[encoder],
        "referenced_by": "rest" if encoder.startswith("quadrature") else None,
    }
    samples = samples_of(frames)
    assert len(samples) > 2300
    known = [
        (at, angle)
        for at, (_, _, angle, status) in zip(read_times(frames), samples, strict=True)
        if status == 0
    ]
    assert len(known) > 1500
    # An absolute encoder shows the angle; another one its way from where it rested.
    origin = 0.0 if "quadrature" not in encoder else known[0][1] - lever(known[0][0]) * TURN
    step = TURN / COUNTS[encoder]
    for at, angle in known:
        assert abs(short_way(angle, lever(at) * TURN + origin)) <= 2 * step + 16


def test_boards_differ_in_their_timers_and_say_so() -> None:
    # On ESP32 samples come late, some by much; on rp2 they never do.
    for board, late in (("pico", False), ("esp32", True)):
        frames = decode(run_to_the_end(find_engine(), world(20, moving), board=board))
        deviations = [
            late_us
            for frame in frames
            if isinstance(frame, Samples)
            for late_us in frame.deviations_us or ()
        ]
        assert (max(deviations, default=0) > 3_000) is late

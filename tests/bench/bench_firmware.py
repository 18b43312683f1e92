"""The firmware in numbers: what a sample costs on the wire, and how fast a simulation runs.

    python tests/bench/bench_firmware.py

The bytes are those that the firmware sent, boot, answers and all, in front of simulated lifters;
the set with the time before and after it, when the lever hardly moves, is counted apart from the
minutes of the set itself. Speeds are this machine's.

How long sampling takes on a board has to be measured there. What is printed of it is an estimate:
the bytecodes and calls that one interrupt executes are counted, and weighed with times that were
measured on an emulated Pico at 125 MHz (YARDSTICK_US, CALL_US), and the bus's own time is added. It
errs upwards: a call into C is taken for as dear as one into Python. No ESP32 is as slow.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "firmware"))

from legcurl.frame import Samples, encode_request
from legcurl.simulator.firmware_home import firmware_directory, shims_directory
from legcurl.simulator.options import parse_address
from legcurl.simulator.runner import Engine, find_engine
from legcurl.simulator.world import World
from sensor_process import SETTINGS_PUT, decode, run_to_the_end

FIRMWARE_TESTS = Path(__file__).resolve().parents[1] / "firmware"
GOAL_BYTES = 1.5  # a sample at 100 Hz, all included
LIFTERS = ("steady", "early", "sloppy", "quits", "partials", "tremor", "long_grind")
SEED = 20_001  # far from those that detection was tuned on
RATES_HZ = (50, 100, 200, 400)
FRAMES_MS = (50, 100, 250, 1000)
YARDSTICK_US = 1300  # a CRC-16 of 16 bytes, bit by bit
CALL_US = 13  # of an empty function
BUS_US = {  # on the wires, with the port's part in it
    "as5600": 150,  # three bytes from a register, at 400 kHz: measured
    "as5048a": 48,  # three frames of 16 bits at 1 MHz
    "quadrature_pio": 2,
    "quadrature_pcnt": 2,
}
GOAL_SHARE = 0.25  # of a Pico's time
SAMPLING_HZ = 200
FRAME_SAMPLES = 50
COBS_BYTES = 2  # code byte and final zero; a frame as it is kept has its CRC


def main() -> None:
    """Print all figures."""
    worlds = {lifter: world_of(lifter) for lifter in LIFTERS}
    engine = find_engine()
    print(f"bytes a sample on the wire, as sent by the firmware (goal at 100 Hz: {GOAL_BYTES})")
    for rate_hz in RATES_HZ:
        show(f"{rate_hz:3} Hz, frames of 250 ms", engine, worlds.values(), rate_hz, 250)
    for frame_ms in FRAMES_MS:
        show(f"100 Hz, frames of {frame_ms:4} ms", engine, worlds.values(), 100, frame_ms)
    show_sampling()
    print("\nsimulated seconds in a second, pace=fast (firmware and shims, the world ready)")
    for name in dict.fromkeys((engine.name, "cpython")):
        stream = worlds["steady"]
        began = perf_counter()
        samples = samples_in(run_to_the_end(find_engine(name), stream))
        print(f"  {name:12} {samples / 100 / (perf_counter() - began):6.0f}")


def show(what: str, engine: Engine, worlds: Iterable[bytes], rate_hz: int, frame_ms: int) -> None:
    put = json.dumps({"rate_hz": rate_hz, "frame_ms": frame_ms}).encode()
    whole: list[float] = []
    lifting: list[float] = []
    for stream in worlds:
        received = run_to_the_end(engine, stream, requests=encode_request(1, SETTINGS_PUT, put))
        whole.append(len(received) / samples_in(received))
        lifting.append(cost_of_lifting(received))
    print(
        f"  {what}   {min(whole):.3f} to {max(whole):.3f} with rests, "
        f"{min(lifting):.3f} to {max(lifting):.3f} in the set"
    )


def show_sampling() -> None:
    """The estimated share of a Pico's time."""
    counted = subprocess.run(
        [
            *(sys.executable, str(FIRMWARE_TESTS / "interrupt_cost.py")),
            *(str(shims_directory()), str(firmware_directory())),
        ],
        check=True,
        capture_output=True,
    )
    costs = json.loads(counted.stdout)
    code_us = YARDSTICK_US / costs.pop("yardstick")[0]
    codes, calls = costs.pop("keeping")
    keeping_us = (codes * code_us + calls * CALL_US) / FRAME_SAMPLES
    print(f"\nestimated time of a sample on a Pico, and share at {SAMPLING_HZ} Hz", end="")
    print(f" (goal: {GOAL_SHARE:.0%}); the main loop's part of each: {keeping_us:.0f} us")
    for encoder, (codes, calls) in costs.items():
        interrupt_us = codes * code_us + calls * CALL_US + BUS_US[encoder]
        share = (interrupt_us + keeping_us) * SAMPLING_HZ / 1e6
        print(
            f"  {encoder:16} interrupt {interrupt_us:4.0f} us"
            f" ({codes} bytecodes, {calls} calls, bus {BUS_US[encoder]} us)   {share:5.1%}"
        )


def world_of(lifter: str) -> bytes:
    options = parse_address(f"sim:?seed={SEED}&lifter={lifter}&pace=fast")
    return b"".join(World(options).records())


def samples_in(received: bytes) -> int:
    return sum(len(frame.angles) for frame in decode(received) if isinstance(frame, Samples))


def cost_of_lifting(received: bytes) -> float:
    """Bytes a sample in frames whose lever moved by more than noise does."""
    frames = [
        frame
        for frame in decode(received)
        if isinstance(frame, Samples) and max(frame.angles) - min(frame.angles) > 64
    ]
    size = sum(len(frame.wire) + COBS_BYTES for frame in frames)
    return size / sum(len(frame.angles) for frame in frames)


if __name__ == "__main__":
    main()

"""The firmware in numbers: what a sample costs on the wire, and how fast a simulation runs.

    make bench-firmware

The bytes are those that the firmware sent, boot, answers and all, in front of simulated lifters;
the set with the time before and after it, when the lever hardly moves, is counted apart from the
minutes of the set itself. Speeds are this machine's.

How long sampling takes on a board has to be measured there. What is printed of it is an estimate:
the bytecodes and calls that one interrupt executes are counted, and weighed with times that were
measured on an emulated Pico at 125 MHz (YARDSTICK_US, CALL_US), and the bus's own time is added. It
errs upwards: a call into C is taken for as dear as one into Python. No ESP32 is as slow.

How long a turn of the main loop holds everything else up is estimated in the same way: the code of
each part at its longest, and the longest that flash, USB and the heap are known to take (HELD_US).
The board itself tells the truth of it: `loop_max_us` and `collect_max_us` of its statistics.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import Samples, encode_request
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
HELD_US = {  # beside the code, at worst
    "drain": 0,
    "encode": 0,
    "send": 0,  # USB takes a packet at once, or the turn goes on
    "notify": 0,  # the stack copies it
    "store": 400_000,  # to erase a sector of 4 kB: W25Q16JV, tSE
}
STALLED_WRITE_US = 500_000  # TinyUSB's patience with a host that has stopped reading
COLLECTION_US = 14_000  # 2000 small lists, measured on the emulated Pico; the log is one block
TURN_PARTS = {  # and how often each is done in a turn, at most
    "drain": ("drain of a full ring (511 samples)", 1),
    "encode": ("encoding of a run at its longest (160 samples), part of the drain", 0),
    "send": ("sending of such a frame over USB", 8),
    "notify": ("one Bluetooth notification", 1),
    "store": ("one step of a store", 1),
}
RING_S = 511 / 400  # the ring at the highest rate bridges this
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
    costs = counted_costs()
    show_sampling(costs)
    show_turns(costs)
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


def counted_costs() -> dict[str, Any]:
    """Bytecodes and calls of each part of the firmware: interrupt_cost.py."""
    counted = subprocess.run(
        [
            *(sys.executable, str(FIRMWARE_TESTS / "interrupt_cost.py")),
            *(str(shims_directory()), str(firmware_directory())),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return json.loads(counted.stdout)


def code_us(costs: dict[str, Any], cost: tuple[int, int]) -> float:
    """What so many bytecodes and calls take on a Pico."""
    codes, calls = cost
    return codes * YARDSTICK_US / costs["yardstick"][0] + calls * CALL_US


def show_turns(costs: dict[str, Any]) -> None:
    """What a turn of the main loop may take, part by part."""
    print("\nlongest turn of the main loop, estimated for a Pico (never measured on one)")
    parts = {
        words: (code_us(costs, costs["turn"][part]) + HELD_US[part], times)
        for part, (words, times) in TURN_PARTS.items()
    }
    parts["a USB write that stalls"] = (STALLED_WRITE_US, 1)
    parts["collection of the heap"] = (COLLECTION_US, 1)
    for words, (one_us, times) in parts.items():
        often = f", {times} in a turn: {one_us * times / 1000:.1f} ms" if times > 1 else ""
        print(f"  {words:66} {one_us / 1000:6.1f} ms{often}")
    worst = max(parts, key=lambda words: parts[words][0])
    print(f"  the worst of these: {worst}, {parts[worst][0] / 1000:.0f} ms")
    all_us = sum(one_us * times for one_us, times in parts.values())
    print(
        f"  all of them in one turn: {all_us / 1e6:.2f} s; "
        f"the ring bridges {RING_S:.2f} s at 400 Hz, and {2 * RING_S:.2f} s at 200 Hz"
    )


def show_sampling(costs: dict[str, Any]) -> None:
    """The estimated share of a Pico's time."""
    keeping_us = code_us(costs, costs["keeping"]) / FRAME_SAMPLES
    print(f"\nestimated time of a sample on a Pico, and share at {SAMPLING_HZ} Hz", end="")
    print(f" (goal: {GOAL_SHARE:.0%}); the main loop's part of each: {keeping_us:.0f} us")
    for encoder, (codes, calls) in costs["interrupt"].items():
        interrupt_us = code_us(costs, (codes, calls)) + BUS_US[encoder]
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

"""The wire in numbers: what a sample costs on it, and how fast the host reads.

    make bench-wire

Speed is told beside two other ways to read the same samples, timed in the same process on the
same machine, since a figure alone says more about the machine than about the code:
`json` is the standard library's parser on lines of JSON, as many hobby sensors send them;
`by the letter` is the plain reader that the tests hold the host's against.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import isnan
from statistics import median, quantiles
from time import perf_counter, process_time

import wire_reference as wire
from fake_sensor import FakeSensor, decoded
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import FrameDecoder, Samples
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.world import World

GOAL_BYTES = 1.5  # a sample, at 100 Hz and with frame_ms 250, all included
FRAME_S = 0.25
LIFTERS = ("steady", "early", "sloppy", "quits", "partials", "tremor", "long_grind")
SEED = 20_001  # far from those that detection was tuned on
REPEATS = 7


def main() -> None:
    """Print all figures."""
    angles = simulated_set("steady", 100)
    print(f"simulated set: {len(angles)} samples at 100 Hz\n")
    wire_cost()
    reading_speed(angles)
    frame_latency(angles)


def wire_cost() -> None:
    print(f"wire cost, bytes a sample, one frame in {FRAME_S:g} s (goal at 100 Hz: {GOAL_BYTES})")
    for rate_hz in (50, 100, 200, 400):
        costs = [cost(simulated_set(lifter, rate_hz), rate_hz) for lifter in LIFTERS]
        print(
            f"  {rate_hz:3} Hz   {min(costs):.3f} to {max(costs):.3f} over {len(LIFTERS)} lifters, "
            f"median {median(costs):.3f}"
        )
    still = [wire_angle(30.0)] * 6000
    source = random.Random(SEED)
    turning = [source.randrange(4096) * 16 for _ in range(6000)]
    print(f"  100 Hz   {cost(still, 100):.3f} at rest without noise")
    print(f"  100 Hz   {cost(turning, 100):.3f} at random angles: no lever can, the worst there is")
    weeks = 4 * 7 * 86_400 * 100
    print(f"  100 Hz   {cost(still, 100, first=weeks):.3f} at rest, four weeks after the boot\n")


def reading_speed(angles: list[int]) -> None:
    per_frame = round(100 * FRAME_S)
    packets = FakeSensor(angles, samples_per_frame=per_frame).packets()[2:]
    bodies = [frame.wire[1:-4] for frame in decoded(packets)]
    lines = [
        json.dumps({"index": frame.index, "t_us": frame.t_us, "angles": frame.angles}).encode()
        for frame in decoded(packets)
        if isinstance(frame, Samples)
    ]
    stream = b"".join(packets)

    def ours() -> None:
        FrameDecoder().push(stream)

    def ours_bytewise() -> None:
        push = FrameDecoder().push
        for at in range(len(stream)):
            push(stream[at : at + 1])

    def whole_way() -> None:
        sensor = FakeSensor(angles, samples_per_frame=per_frame)
        session = SensorSession()
        for frame in decoded([sensor.hello(), sensor.start()]):
            session.push(frame)
        for frame in FrameDecoder().push(stream):
            session.push(frame)

    print("reading speed                            samples/s   µs a frame of 25")
    for name, read in (
        ("legcurl.protocol.frame: packets to frames", ours),
        ("legcurl.protocol.frame, one byte at a time", ours_bytewise),
        ("baseline json: a line to a dict", lambda: [json.loads(line) for line in lines]),
        ("baseline by the letter: body to fields", lambda: [wire.read_samples(b) for b in bodies]),
        ("legcurl.session.sensor_session: packets to events", whole_way),
    ):
        seconds = best(read)
        print(f"  {name:39}{len(angles) / seconds:10,.0f}   {seconds / len(bodies) * 1e6:8.1f}")
    broken = broken_packets(stream)
    seconds = best(lambda: FrameDecoder().push(b"\0".join(broken)))
    print(f"  {'garbage: packets a second':39}{len(broken) / seconds:10,.0f}\n")


def frame_latency(angles: list[int]) -> None:
    """From the last byte of a frame to its events."""
    sensor = FakeSensor(angles)
    decoder, session = FrameDecoder(), SensorSession()
    spent = []
    for packet in sensor.packets():
        begin = perf_counter()
        for frame in decoder.push(packet):
            session.push(frame)
        spent.append(perf_counter() - begin)
    p99 = quantiles(spent, n=100)[98]
    print(
        f"frame to events: median {median(spent) * 1e6:.0f} µs, 99th percentile "
        f"{p99 * 1e6:.0f} µs, most {max(spent) * 1e6:.0f} µs (goal: 10 ms at the 99th)"
    )


def cost(angles: list[int], rate_hz: int, first: int = 0) -> float:
    """Bytes a sample of the packets that carry these angles, from index `first` on."""
    per_frame = round(rate_hz * FRAME_S)
    period_us = 1_000_000 // rate_hz
    size = 0
    for at in range(0, len(angles), per_frame):
        index = first + at
        body = wire.samples_body(index, index * period_us, period_us, angles[at : at + per_frame])
        size += len(wire.packet(wire.SAMPLES, body))
    return size / len(angles)


def simulated_set(lifter: str, rate_hz: int) -> list[int]:
    """Wire angles of a whole simulated set, from seconds before it to half a minute after it."""
    world = World(parse_address(f"sim:?lifter={lifter}&seed={SEED}&pace=fast"))
    return list(wire_angles(degrees for _, degrees in world.sensor_trace(rate_hz)))


def wire_angles(trace: Iterable[float]) -> Iterator[int]:
    last = 0
    for degrees in islice(trace, 1_000_000):
        last = last if isnan(degrees) else wire_angle(degrees)  # as the sensor does
        yield last


def wire_angle(degrees: float) -> int:
    return round(degrees / 360 * 4096) % 4096 * 16


def broken_packets(stream: bytes) -> list[bytes]:
    source = random.Random(SEED)
    packets = stream.split(b"\0")[:-1] * 20
    broken = []
    for packet in packets:
        at = source.randrange(len(packet))
        broken.append(
            packet[:at] + bytes([packet[at] ^ 1 << source.randrange(8)]) + packet[at + 1 :]
        )
    return broken


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the quickest run: what else the machine did is not our figure."""
    times = []
    for _ in range(REPEATS):
        begin = process_time()
        work()
        times.append(process_time() - begin)
    return min(times)


if __name__ == "__main__":
    main()

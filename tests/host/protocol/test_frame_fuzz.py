"""Garbage in: nothing wrong comes out, nothing is raised, nothing piles up.

Seeds are fixed, so a failure repeats. A packet changed at random passes a CRC-32 once in 2^32
times: of the million packets here the odds of one are 1 in 4000, once, for these seeds; it has
not happened.
"""

from __future__ import annotations

import random

import pytest
import wire_reference as wire
from legcurl.protocol.frame import PACKET_LIMIT_BYTES, FrameDecoder, Gap, Samples
from selection import first_short

SEEDS = first_short(range(4))
PACKETS = 250_000  # a seed: a million in all
BODIES = 10_000  # a seed, with a CRC made right


def mutated(source: random.Random, whole: bytes, other: bytes) -> bytes:
    """What happens to bytes on their way: changed, lost, repeated, inserted, run together."""
    kind = source.randrange(8)
    at = source.randrange(len(whole))
    if kind == 0:
        return whole[:at] + bytes([whole[at] ^ 1 << source.randrange(8)]) + whole[at + 1 :]
    if kind == 1:
        return whole[:at] + whole[at + 1 :]
    if kind == 2:
        return whole[:at] + whole[at : at + 1] + whole[at:]
    if kind == 3:
        return whole[:at] + source.randbytes(source.randrange(1, 8)) + whole[at:]
    if kind == 4:
        return whole[:at] + other[source.randrange(len(other)) :]
    if kind == 5:
        return whole[:at]
    if kind == 6:
        changed = bytearray(whole)
        for _ in range(source.randrange(2, 6)):
            changed[source.randrange(len(changed))] ^= source.randrange(256)
        return bytes(changed)
    return source.randbytes(source.randrange(1, 60))


def frames_of_every_type(source: random.Random) -> list[bytes]:
    """Raw frames as a sensor sends them: type · body · CRC."""
    frames = []
    for _ in range(400):
        angle = source.randrange(4096)
        angles = []
        for _ in range(source.randrange(1, 30)):
            angles.append(angle % 4096 * 16)
            angle += source.randint(-9, 9)
        late = [source.randint(-500, 500) for _ in angles]
        samples = wire.samples_body(
            source.randrange(1 << source.randrange(1, 40)),
            source.randrange(1 << source.randrange(1, 45)),
            source.choice((2500, 5000, 10_000)),
            angles,
            status=source.choice((0, 0, 0, 1, 2, 8)),
            deviations_us=source.choice((None, None, late)),
        )
        kind, body = source.choice(
            (
                (wire.SAMPLES, samples),
                (wire.SAMPLES, samples),
                (wire.GAP, wire.gap_body(source.randrange(1 << 30), source.randrange(1, 999), 1)),
                (wire.BOOT, wire.boot_body(source.randrange(1 << 32))),
                (wire.ANSWER, wire.answer_body(1, 4, 0, source.randbytes(16))),
            )
        )
        covered = bytes([kind]) + body
        frames.append(covered + wire.crc(covered))
    return frames


@pytest.mark.parametrize("seed", SEEDS)
def test_a_million_broken_packets_give_no_false_frame(seed):
    """Half are broken on the wire, half before they are stuffed, so that the CRC must tell."""
    source = random.Random(seed)
    frames = frames_of_every_type(source)
    packets = [wire.stuffed(raw) for raw in frames]
    decoder = FrameDecoder()
    taken: set[bytes] = set()
    for _ in range(PACKETS // 500):
        batch = []
        for _ in range(250):
            batch.append(mutated(source, source.choice(packets), source.choice(packets)))
            broken = mutated(source, source.choice(frames), source.choice(frames))
            batch.append(wire_stuffed(broken))
        taken.update(frame.wire for frame in decoder.push(b"\0".join(batch) + b"\0"))
        assert decoder.pending <= PACKET_LIMIT_BYTES
    assert taken <= set(frames)
    counts = decoder.counts
    assert counts.malformed == counts.unknown_type == 0, "a wrong CRC got as far as the fields"
    assert counts.frames + counts.dropped >= PACKETS * 0.95, "packets went uncounted"
    assert counts.bad_crc > PACKETS * 0.4
    assert counts.bad_framing > PACKETS * 0.25
    assert counts.frames > 0, "some mutations change nothing: those packets are good"


@pytest.mark.parametrize("seed", SEEDS)
def test_broken_bodies_with_a_right_crc_are_read_as_the_reference_does(seed):
    """As a defective sensor would send them: whatever is accepted, the reference reads as well."""
    source = random.Random(1000 + seed)
    bodies = {kind: [] for kind in (wire.SAMPLES, wire.GAP)}
    for raw in frames_of_every_type(source):
        if raw[0] in bodies:
            bodies[raw[0]].append(raw[1:-4])
    accepted = 0
    for _ in range(BODIES):
        kind = wire.SAMPLES if source.random() < 0.9 else wire.GAP
        body = mutated(source, source.choice(bodies[kind]), source.choice(bodies[kind]))
        try:
            meant = (
                Samples(*wire.read_samples(body))
                if kind == wire.SAMPLES
                else Gap(*wire.read_gap(body))
            )
        except wire.Malformed:
            meant = None
        got = FrameDecoder().push(wire.packet(kind, body))
        if meant is None:
            assert got == [], body.hex()
        else:
            accepted += 1
            assert got == [meant], body.hex()
    assert BODIES * 0.1 < accepted < BODIES * 0.9


def wire_stuffed(raw: bytes) -> bytes:
    """COBS of one short frame, quickly: a million times the plain one would take minutes."""
    out = bytearray()
    for group in raw.split(b"\0"):
        out.append(len(group) + 1)
        out += group
    return bytes(out)

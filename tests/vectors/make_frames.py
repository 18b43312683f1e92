"""Write frames.json: what docs/protocol.md means, as bytes beside fields.

The bytes are made by the reference codec in tests/fakes/frames, which neither the sensor nor the
host uses. Run it after a change of the protocol, and read the difference before it is committed:

    make vectors
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import wire_reference as wire

HERE = Path(__file__).resolve().parent
TOP = 65536 - 16  # the last angle of a 12-bit encoder
U64 = 2**64 - 1


def samples(name: str, canonical: bool = True, **fields: Any) -> dict[str, Any]:
    """A SAMPLES frame. `canonical` is False for one that a host takes and no sensor sends."""
    told = {key: value for key, value in fields.items() if key != "tell_status"}
    fields.setdefault("status", 0)
    told.setdefault("status", 0)
    told.setdefault("deviations_us", None)
    body = wire.samples_body(**fields)
    return entry(name, "samples", told, wire.SAMPLES, body, canonical)


def entry(
    name: str,
    kind: str,
    fields: dict[str, Any],
    frame_type: int,
    body: bytes,
    canonical: bool = True,
) -> dict[str, Any]:
    raw = bytes([frame_type]) + body
    return {
        "name": name,
        "type": kind,
        "canonical": canonical,
        "fields": fields,
        "body": body.hex(),
        "frame": (raw + wire.crc(raw)).hex(),
        "packet": wire.packet(frame_type, body).hex(),
    }


def walk(seed: int, count: int, shift: int, step: int) -> list[int]:
    """A random walk on the circle: `count` angles, steps up to `step` units of 2^shift."""
    source = random.Random(seed)
    angle = source.randrange(0, 65536 >> shift)
    angles = []
    for _ in range(count):
        angles.append((angle << shift) % 65536)
        angle += source.randint(-step, step)
    return angles


def frames() -> list[dict[str, Any]]:
    at = {"index": 1234, "t_us": 12_345_678, "period_us": 10_000, "shift": 4}
    zero = {"index": 0, "t_us": 0, "period_us": 10_000, "shift": 4}
    listed = [
        samples("one sample", **zero, angles=[0]),
        samples("at rest: one nibble a sample", **at, angles=[16384] * 25),
        samples("two samples leave a spare nibble", **at, angles=[160, 176]),
        samples("three samples fill their byte", **at, angles=[160, 176, 160]),
        samples("a lever in brisk motion", **at, angles=[8000 + 192 * step for step in range(25)]),
        samples("wrap upwards", **at, angles=[TOP - 16, TOP, 0, 16, 32]),
        samples("wrap downwards", **at, angles=[32, 16, 0, TOP, TOP - 16]),
        samples("a half turn is negative", **at, angles=[0, 32768, 0, 32768]),
        samples("one step short of a half turn", **at, angles=[0, 32752, 65504, 32720]),
        samples(
            "deltas of one to four nibbles", **at, angles=[0, 48, 64, 560, 576, 4672, 4688, 32]
        ),
        samples("16 bits, any delta", **{**at, "shift": 0}, angles=walk(1, 40, 0, 32767)),
        samples("14 bits", **{**at, "shift": 2}, angles=walk(2, 40, 2, 300)),
        samples("10 bits", **{**at, "shift": 6}, angles=walk(3, 40, 6, 20)),
        samples("4 bits, the coarsest", **{**at, "shift": 12}, angles=walk(4, 40, 12, 8)),
        samples("100 samples at 400 Hz", **{**at, "period_us": 2500}, angles=walk(5, 100, 4, 3)),
        samples("shortest period", **{**at, "period_us": 1000}, angles=[16, 32]),
        samples("longest period", **{**at, "period_us": 1_000_000}, angles=[16, 32]),
        samples("255 samples", **at, angles=walk(6, 255, 4, 40)),
        samples("noise of a whole 12-bit turn", **at, angles=walk(7, 255, 4, 2047)),
        samples("largest index and time", **{**at, "index": U64, "t_us": U64}, angles=[16]),
        samples("zeros in the body", **{**at, "index": 0, "t_us": 0}, angles=[0] * 200),
        samples("late ticks", **at, angles=[16, 32, 48], deviations_us=[0, 250, -3]),
        samples(
            "late ticks after a spare nibble",
            **at,
            angles=[16, 32],
            deviations_us=[9_999, -9_999],
        ),
        samples("one late sample", **at, angles=[16], deviations_us=[120]),
        samples(
            "late and without a magnet", **at, angles=[16, 16], status=1, deviations_us=[-101, 1]
        ),
    ]
    listed += [
        samples(f"status 0x{bit:02x}", **at, angles=[4096, 4112], status=bit)
        for bit in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF)
    ]
    listed += [
        samples("a status of 0 written out", False, **at, angles=[16, 32], tell_status=True),
        entry(
            "a uvarint with a needless last byte",
            "samples",
            {**zero, "angles": [16], "status": 0, "deviations_us": None},
            wire.SAMPLES,
            bytes.fromhex("04 80 00 80 00 90 ce 00 01 10 00"),
            False,
        ),
        entry(
            "a delta with a needless last nibble",
            "samples",
            {**zero, "angles": [16, 32], "status": 0, "deviations_us": None},
            wire.SAMPLES,
            bytes.fromhex("04 00 00 90 4e 02 10 00 0a"),
            False,
        ),
    ]
    for name, fields in (
        ("one sample evicted", {"index": 0, "count": 1, "reason": 1}),
        ("an overrun", {"index": 300, "count": 12, "reason": 2}),
        ("a pause", {"index": 100_000, "count": 100, "reason": 3}),
        ("a reason of the future", {"index": 5, "count": 5, "reason": 200}),
        ("the largest gap", {"index": 0, "count": U64, "reason": 1}),
    ):
        listed.append(entry(name, "gap", fields, wire.GAP, wire.gap_body(**fields)))
    for name, fields in (
        ("boot", {"boot_id": 2881903541, "major": 1, "minor": 0}),
        ("boot of a newer sensor", {"boot_id": 1, "major": 2, "minor": 7}),
    ):
        listed.append(entry(name, "boot", fields, wire.BOOT, wire.boot_body(**fields)))
    for name, request_id, op, payload in (
        ("hello", 1, 0x01, b"\x01\x01"),
        ("start from the oldest", 2, 0x02, (0).to_bytes(4, "little") + (0).to_bytes(8, "little")),
        (
            "start where a stream broke off",
            3,
            0x02,
            (2881903541).to_bytes(4, "little") + (1234).to_bytes(8, "little"),
        ),
        ("start from now", 4, 0x02, (7).to_bytes(4, "little") + b"\xff" * 8),
        ("stop", 5, 0x03, b""),
        ("ping", 6, 0x04, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
        ("settings put", 7, 0x07, b'{"rate_hz": 200}'),
        ("identify", 255, 0x0A, b"\x05"),
    ):
        fields = {"id": request_id, "op": op, "payload": payload.hex()}
        body = bytes([request_id, op]) + payload
        listed.append(entry(f"request: {name}", "request", fields, 0x01, body))
    for name, request_id, op, result, payload in (
        ("start", 2, 0x02, 0, wire.start_payload(2881903541, 0, 1234)),
        ("stale boot id", 3, 0x02, 5, (2881903541).to_bytes(4, "little")),
        ("ping", 6, 0x04, 0, bytes(range(1, 9)) + (12_345_678).to_bytes(8, "little")),
        ("unknown op", 9, 0xEE, 1, b""),
        ("bad request", 7, 0x07, 2, b"rate_hz: 20 to 400"),
    ):
        fields = {"id": request_id, "op": op, "result": result, "payload": payload.hex()}
        body = wire.answer_body(request_id, op, result, payload)
        listed.append(entry(f"answer: {name}", "answer", fields, wire.ANSWER, body))
    return listed


def malformed() -> list[dict[str, Any]]:
    """Frames with a right CRC that a host MUST discard whole."""
    cases = [
        ("no body", wire.SAMPLES, ""),
        ("reserved flag 0x40", wire.SAMPLES, "44 00 00 90 4e 01 10 00"),
        ("reserved flag 0x80", wire.SAMPLES, "84 00 00 90 4e 01 10 00"),
        ("shift 13", wire.SAMPLES, "0d 00 00 90 4e 01 00 00"),
        ("period 999 µs", wire.SAMPLES, "04 00 00 e7 07 01 10 00"),
        ("period 1 000 001 µs", wire.SAMPLES, "04 00 00 c1 84 3d 01 10 00"),
        ("no samples", wire.SAMPLES, "04 00 00 90 4e 00 10 00"),
        ("angle cut off", wire.SAMPLES, "04 00 00 90 4e 01 10"),
        ("status cut off", wire.SAMPLES, "14 00 00 90 4e 01"),
        ("deltas missing", wire.SAMPLES, "04 00 00 90 4e 02 10 00"),
        ("one delta missing", wire.SAMPLES, "04 00 00 90 4e 04 10 00 22"),
        ("a byte left over", wire.SAMPLES, "04 00 00 90 4e 01 10 00 00"),
        ("a byte left over after the deltas", wire.SAMPLES, "04 00 00 90 4e 03 10 00 22 00"),
        ("spare nibble not zero", wire.SAMPLES, "04 00 00 90 4e 02 10 00 12"),
        ("spare nibble goes on", wire.SAMPLES, "04 00 00 90 4e 02 10 00 82"),
        (
            "spare nibble not zero before deviations",
            wire.SAMPLES,
            "24 00 00 90 4e 02 10 00 12 00 00",
        ),
        ("a delta of seven nibbles", wire.SAMPLES, "00 00 00 90 4e 02 10 00 88 88 88 00"),
        ("a delta that never ends", wire.SAMPLES, "04 00 00 90 4e 02 10 00 88 88"),
        ("a delta beyond half a turn", wire.SAMPLES, "04 00 00 90 4e 02 00 00 88 88 01"),
        ("a delta beyond minus half a turn", wire.SAMPLES, "04 00 00 90 4e 02 00 00 89 88 01"),
        ("deviations missing", wire.SAMPLES, "24 00 00 90 4e 02 10 00 02 00"),
        ("a deviation too many", wire.SAMPLES, "24 00 00 90 4e 01 10 00 00 00"),
        ("index of 2^64", wire.SAMPLES, "04 80 80 80 80 80 80 80 80 80 02 00 90 4e 01 10 00"),
        (
            "index of 11 bytes",
            wire.SAMPLES,
            "04 80 80 80 80 80 80 80 80 80 80 00 00 90 4e 01 10 00",
        ),
        ("empty gap", wire.GAP, "05 00 01"),
        ("gap without a reason", wire.GAP, "05 01"),
        ("gap with a byte too many", wire.GAP, "05 01 01 00"),
        ("boot cut off", wire.BOOT, "01 00 00 00 01"),
        ("boot with a byte too many", wire.BOOT, "01 00 00 00 01 00 00"),
        ("answer without a result", wire.ANSWER, "01 01"),
    ]
    listed = []
    for name, frame_type, digits in cases:
        body = bytes.fromhex(digits)
        listed.append(
            {
                "name": name,
                "frame_type": frame_type,
                "body": body.hex(),
                "packet": wire.packet(frame_type, body).hex(),
            }
        )
    return listed


def stuffing() -> list[dict[str, str]]:
    """COBS at its edges: groups of 253, 254 and 255, zeros first and last."""
    long = bytes(1 + at % 255 for at in range(600))
    raws = [b"", b"\0", b"\0\0", b"\1", b"\0\1", b"\1\0", long[:253], long[:254], long[:255]]
    raws += [long[:254] + b"\0", b"\0" + long[:254], long[:254] + b"\0" + long[:254], long[:508]]
    raws += [long[:509], bytes(300)]
    return [{"raw": raw.hex(), "stuffed": wire.stuffed(raw).hex()} for raw in raws]


def text() -> str:
    """The file: one case a line, so that a difference can be read."""
    parts = []
    for name, cases in (
        ("frames", frames()),
        ("malformed", malformed()),
        ("cobs", stuffing()),
    ):
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        parts.append(f'"{name}": [\n{lines}\n]')
    return '{"protocol": [1, 1],\n' + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    (HERE / "frames.json").write_text(text(), encoding="utf-8")

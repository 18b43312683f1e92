"""Write trust.json: what the codes of "Who may" in docs/protocol.md are, byte by byte.

HMAC is written out from its definition (RFC 2104), as neither the sensor nor the host has it. Run
it after a change of the protocol, and read the difference before it is committed:

    make vectors
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BLOCK = 64


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 for keys of at most a block."""
    padded = int.from_bytes(key.ljust(BLOCK, b"\0"), "big")
    inner = padded ^ int.from_bytes(b"\x36" * BLOCK, "big")
    outer = padded ^ int.from_bytes(b"\x5c" * BLOCK, "big")
    within = sha256(inner.to_bytes(BLOCK, "big") + message).digest()
    return sha256(outer.to_bytes(BLOCK, "big") + within).digest()


def key(number: int) -> bytes:
    return sha256(b"key %d" % number).digest()


def nonce(number: int) -> bytes:
    return sha256(b"nonce %d" % number).digest()[:16]


def requests() -> list[dict[str, Any]]:
    listed = []
    for number, (op, payload) in enumerate(
        (
            (0x07, b'{"rate_hz": 200}'),
            (0x07, b""),
            (0x09, b"null"),
            (0x09, b'{"extended_raw": 16384, "flexed_raw": 36864, "direction": 1}'),
            (0x0B, b""),
            (0x0C, b""),
            (0x07, '{"name": "Röhre 7"}'.encode()),
            (0xFF, bytes(256)),
        )
    ):
        mac = hmac_sha256(key(number), b"legcurl 1 request" + nonce(number) + bytes([op]) + payload)
        listed.append(
            {
                "key": key(number).hex(),
                "key_id": sha256(key(number)).hexdigest()[:8],
                "nonce": nonce(number).hex(),
                "op": op,
                "payload": payload.hex(),
                "mac": mac.hex(),
            }
        )
    return listed


def proofs() -> list[dict[str, Any]]:
    listed = []
    for number, (boot_id, sensor_id) in enumerate(
        ((1, "e66058388317812f"), (2881903541, "e66058388317812f"), (2**32 - 1, "a0b1c2d3e4f5"))
    ):
        told = nonce(number) + boot_id.to_bytes(4, "little") + sensor_id.encode()
        listed.append(
            {
                "key": key(number).hex(),
                "nonce": nonce(number).hex(),
                "boot_id": boot_id,
                "sensor_id": sensor_id,
                "proof": hmac_sha256(key(number), b"legcurl 1 sensor" + told).hex(),
            }
        )
    return listed


def text() -> str:
    """The file: one case a line."""
    parts = []
    for name, cases in (("requests", requests()), ("proofs", proofs())):
        lines = ",\n".join(json.dumps(case) for case in cases)
        parts.append(f'"{name}": [\n{lines}\n]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    (HERE / "trust.json").write_text(text(), encoding="utf-8")

"""Encodes what it is asked to, on this VM: a JSON object a line in, the wire frame in hex out."""

import sys

shims, firmware = sys.argv[1:3]
real_stdin, real_stdout = sys.stdin, sys.stdout
sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)

import json  # noqa: E402

from sensor.frame import (  # noqa: E402
    GAP,
    MAX_BODY,
    SAMPLES,
    FrameWriter,
    encode_gap,
    encode_samples,
)

writer = FrameWriter()
body = bytearray(MAX_BODY)


def encode(asked):
    if "reason" in asked:
        kind = GAP
        length = encode_gap(body, asked["index"], asked["count"], asked["reason"])
    else:
        kind = SAMPLES
        length = encode_samples(
            body,
            asked["index"],
            asked["t_us"],
            asked["period_us"],
            asked["status"],
            asked["shift"],
            asked["angles"],
            asked["late_us"],
            0,
            len(asked["angles"]),
        )
    writer.body[:length] = body[:length]
    return bytes(writer.wire[: writer.finish(kind, length)])


while True:
    line = real_stdin.readline()
    if not line:
        break
    real_stdout.write(encode(json.loads(line)).hex() + "\n")
    if hasattr(real_stdout, "flush"):
        real_stdout.flush()

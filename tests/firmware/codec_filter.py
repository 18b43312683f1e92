"""The firmware's codec as a filter, on whatever VM: `codec_filter.py SHIMS FIRMWARE`.

One line of JSON in, one out. {"samples": […]} are the arguments of encode_samples after the
buffer, {"gap": […]} those of encode_gap: out comes the packet as hex. {"bytes": hex} is what a
host sent: out come the requests found in it, and how much was counted as bad.
"""

import sys

shims, firmware = sys.argv[1:3]
requests_in, answers_out = sys.stdin, sys.stdout
sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)

import json  # noqa: E402
from binascii import hexlify, unhexlify  # noqa: E402

from sensor.frame import (  # noqa: E402
    GAP,
    SAMPLES,
    FrameReader,
    FrameWriter,
    encode_gap,
    encode_samples,
)
from sensor.health import Counters  # noqa: E402

writer = FrameWriter()


def packet(frame_type, length):
    return hexlify(writer.wire[: writer.finish(frame_type, length)]).decode()


def requests(stream):
    counters = Counters()
    reader = FrameReader(counters)
    found = []
    for byte in stream:
        length = reader.push(byte)
        if length:
            frame = bytes(reader.frame[:length])
            found.append([frame[1], frame[2], hexlify(frame[3:]).decode()])
    return {"requests": found, "bad": counters.bad_frames}


while True:
    line = requests_in.readline()
    if not line:
        break
    asked = json.loads(line)
    if "samples" in asked:
        told = packet(SAMPLES, encode_samples(writer.body, *asked["samples"]))
    elif "gap" in asked:
        told = packet(GAP, encode_gap(writer.body, *asked["gap"]))
    else:
        told = requests(unhexlify(asked["bytes"]))
    answers_out.write(json.dumps(told) + "\n")
    if hasattr(answers_out, "flush"):
        answers_out.flush()

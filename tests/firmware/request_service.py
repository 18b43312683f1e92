"""Finds the requests in what a host sent, on this VM: hex a line in, a JSON object a line out."""

import sys

shims, firmware = sys.argv[1:3]
real_stdin, real_stdout = sys.stdin, sys.stdout
sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)

import json  # noqa: E402
from binascii import hexlify, unhexlify  # noqa: E402

from sensor.frame import FrameReader  # noqa: E402
from sensor.health import Counters  # noqa: E402


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
    line = real_stdin.readline()
    if not line:
        break
    real_stdout.write(json.dumps(requests(unhexlify(line.strip()))) + "\n")
    if hasattr(real_stdout, "flush"):
        real_stdout.flush()

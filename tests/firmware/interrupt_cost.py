"""Counts what one sampling interrupt executes, on CPython with the simulated board: SHIMS FIRMWARE.

Prints JSON: for each encoder, for the main loop's work on FRAME samples, and for a yardstick, how
many bytecodes and how many calls. CPython's
bytecodes are not MicroPython's, but both are those of a stack machine, one or two apart for the
same statement; the yardstick is counted in the same way, so that most of the difference cancels.
"""

import sys

shims, firmware = sys.argv[1:3]
real_stdout = sys.stdout
sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)

import json  # noqa: E402

from sensor.anglelog import AngleLog  # noqa: E402
from sensor.clock import SensorClock  # noqa: E402
from sensor.encoders import open_encoder  # noqa: E402
from sensor.health import Counters  # noqa: E402
from sensor.sampler import Sampler  # noqa: E402
from simclock import clock  # noqa: E402
from still_world import ESP32, RP2, power_up  # noqa: E402

ENCODERS = (
    ("as5600", RP2),
    ("as5048a", RP2),
    ("quadrature_pio", RP2),
    ("quadrature_pcnt", ESP32),
)
PERIOD_US = 5_000
FRAME = 50  # samples: 250 ms


def counted(function, *arguments):
    """(bytecodes, calls) that `function` executes in the firmware's files and in this one."""
    codes = calls = 0

    def ours(frame):
        file = frame.f_code.co_filename if frame is not None else ""
        return file == __file__ or file.startswith(firmware + "/")

    def trace(frame, event, _argument):
        nonlocal codes, calls
        if event == "call":
            calls += ours(frame.f_back)
            if not ours(frame):
                return None
            frame.f_trace_opcodes = True
        codes += event == "opcode"
        return trace

    def profile(frame, event, _argument):
        nonlocal calls
        calls += event == "c_call" and ours(frame)

    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        function(*arguments)
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return codes, calls


def yardstick(message):
    """A CRC-16, bit by bit: how long it takes on a Pico was measured."""
    crc = 0xFFFF
    for byte in message:
        crc ^= byte << 8
        for _ in range(8):
            if crc & 0x8000:
                crc = (crc << 1 ^ 0x1021) & 0xFFFF
            else:
                crc <<= 1
    return crc


def sampling(kind, board):
    """The sampler's interrupt in the midst of a stream."""
    world, wired = power_up(board, kind)
    encoder = open_encoder(wired)
    counters = Counters()
    sampler = Sampler(encoder, SensorClock(), AngleLog(98_304, 0, counters), counters)
    sampler.start(1_000_000 // PERIOD_US)
    clock._timers.clear()
    most = (0, 0)
    for _ in range(5_100_000 // PERIOD_US):  # a quadrature encoder has found its reference
        clock.now += PERIOD_US
        sampler.tick(None)
        sampler.drain()
    for step in range(20):
        world.at += 100 * step
        clock.now += PERIOD_US
        most = max(most, counted(sampler.tick, None))
        sampler.drain()
    return most


def keeping():
    """The main loop's work on one frame of a moving lever: from the ring into the log, encoded."""
    world, wired = power_up(RP2, "as5600")
    encoder = open_encoder(wired)
    counters = Counters()
    log = AngleLog(98_304, encoder.shift, counters)
    log.set_run_length(FRAME)
    sampler = Sampler(encoder, SensorClock(), log, counters)
    sampler.start(1_000_000 // PERIOD_US)
    clock._timers.clear()
    for _ in range(2 * FRAME):
        if sampler._head == FRAME:
            sampler.drain()
        world.at += 90  # 100 degrees a second
        clock.now += PERIOD_US
        sampler.tick(None)
    return counted(sampler.drain)


costs = {kind: sampling(kind, board) for kind, board in ENCODERS}
costs["keeping"] = keeping()
costs["yardstick"] = counted(yardstick, bytes(range(16)))
real_stdout.write(json.dumps(costs) + "\n")

"""Counts what the firmware executes, on CPython with the simulated board: SHIMS FIRMWARE.

Prints JSON: for the sampling interrupt with each encoder, for the main loop's work on FRAME
samples, for each part of a turn of the main loop at its longest, and for a yardstick, how many
bytecodes and how many calls. CPython's
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

import sensor.links.usb as usb  # noqa: E402
from ble_stack import ALICE, Stack, link_on  # noqa: E402
from board_port import BoardPort  # noqa: E402
from flash_chip import Flash, use  # noqa: E402
from sensor.anglelog import LONGEST_RUN, AngleLog  # noqa: E402
from sensor.clock import SensorClock  # noqa: E402
from sensor.encoders import open_encoder  # noqa: E402
from sensor.frame import MAX_WIRE  # noqa: E402
from sensor.health import Counters  # noqa: E402
from sensor.sampler import Sampler  # noqa: E402
from sensor.session import HostSession  # noqa: E402
from sensor.settings import FlashRecord  # noqa: E402
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
RING = 511  # samples that fit the sampler's ring


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


class Still:
    """An encoder whose angle moves as fast as one can, so that its frames are the longest."""

    kind = "still"
    counts = 65_536
    shift = 0
    status = 0
    angle = 0

    def read(self):
        self.angle = (self.angle + 32_000) % 65_536


def filled(samples, run_length):
    """A sampler whose ring holds so many samples, and its log."""
    counters = Counters()
    log = AngleLog(98_304, 0, counters)
    log.set_run_length(run_length)
    sampler = Sampler(Still(), SensorClock(), log, counters)
    sampler.start(1_000_000 // PERIOD_US)
    clock._timers.clear()
    for number in range(samples):
        clock.now += PERIOD_US + (600 if number % 2 else -600)  # so that all tell when they came
        sampler.tick(None)
    return sampler, log


def draining():
    """The whole ring, into runs as long as they get."""
    sampler, _ = filled(RING, LONGEST_RUN)
    return counted(sampler.drain)


def encoding():
    """One run, the longest that there is, into its frame."""
    sampler, log = filled(LONGEST_RUN - 1, LONGEST_RUN)
    sampler.drain()
    assert log._count == LONGEST_RUN - 1
    return counted(log.close_run)


def sending():
    """One such frame: from the log, through CRC and COBS, into a port that takes every packet."""
    sampler, log = filled(LONGEST_RUN, LONGEST_RUN)
    sampler.drain()
    usb.sys = usb.select = BoardPort()
    session = HostSession(usb.UsbLink(), log, None, Counters(), 1)
    session.streaming = True

    def send():
        assert session._next_frame()
        assert session._flush()

    return counted(send)


def notifying():
    """One notification, without what the stack does with it."""
    stack = Stack()
    link = link_on(stack, queues_on_heap=True)
    stack.connect(ALICE)
    stack.exchange_mtu(ALICE, 517)
    clock.sleep(10_000)
    cost = counted(link.write, memoryview(bytes(MAX_WIRE)))
    assert len(stack.notified) == 1
    return cost


def storing():
    """The step of a store in which most is executed."""
    use(Flash(False))
    most = (0, 0)
    steps = FlashRecord("turns").store({"name": "x" * 32, "rate_hz": 400, "frame_ms": 1000})
    done = False

    def step():
        nonlocal done
        done = next(steps, steps) is steps

    while not done:
        most = max(most, counted(step))
    return most


costs = {
    "interrupt": {kind: sampling(kind, board) for kind, board in ENCODERS},
    "keeping": keeping(),
    "turn": {
        "drain": draining(),
        "encode": encoding(),
        "send": sending(),
        "notify": notifying(),
        "store": storing(),
    },
    "yardstick": counted(yardstick, bytes(range(16))),
}
real_stdout.write(json.dumps(costs) + "\n")

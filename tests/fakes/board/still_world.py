"""A world that the test holds still: what the simulated chips see until it is moved."""

import simboard
from simclock import clock

BUS_FAILS = 0x01
DETECTED, WEAK, STRONG = 0x20, 0x10, 0x08

RP2 = {
    "mcu": "rp2040",
    "encoders": {
        "as5600": {"i2c": 0, "sda": 4, "scl": 5, "freq": 400_000},
        "as5048a": {"spi": 0, "sck": 18, "mosi": 19, "miso": 16, "cs": 17},
        "quadrature_pio": {"a": 10, "b": 11, "index": None, "counts": 2400, "sm": 0},
    },
}
ESP32 = {
    "mcu": "esp32",
    "encoders": {"quadrature_pcnt": {"a": 32, "b": 33, "index": None, "counts": 2400, "unit": 0}},
}


class StillWorld:
    """As simworld.World, where time changes nothing."""

    ticks_held = False

    def __init__(self):
        self.at = 0  # 65536 to the turn; whole turns too
        self.magnet = DETECTED
        self.faults = 0

    def angle(self):
        return self.at % 65536

    def gain(self):
        return 255 if self.magnet & WEAK else 0 if self.magnet & STRONG else 110

    def seek(self, _now_us):
        pass


def power_up(board, kind, **wiring):
    """Begin a life of that board with that encoder, wired so; gives (world, board file)."""
    world = StillWorld()
    clock.set_pace("fast")
    clock.frozen = False
    clock.world = world
    clock._timers.clear()
    clock.boots += 1
    encoders = dict(board["encoders"])
    encoders[kind] = dict(encoders[kind])
    encoders[kind].update(wiring)
    wired = {"mcu": board["mcu"], "encoder": kind, "encoders": encoders}
    simboard.wire(wired)
    return world, wired

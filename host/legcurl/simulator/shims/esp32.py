"""`esp32` of the simulated board: a pulse counter that counts the edges of the shaft.

It counts as it has been told to: which edges of which pin, and how the other pin's level changes
that (ESP32 Technical Reference Manual, chapter PCNT). So a driver that sets up one channel, or one
edge, counts a half or a quarter.
"""

import simboard
from simshaft import shaft_of

if simboard.port != "esp32":
    raise ImportError("no module named 'esp32'")

_UNITS = 8


class PCNT:
    """One unit."""

    IGNORE = 0
    INCREMENT = 1
    DECREMENT = 2
    NORMAL = 0
    REVERSE = 1
    HOLD = 2

    def __init__(self, number, *, min=0, max=0):
        if not 0 <= number < _UNITS:
            raise ValueError("invalid id")
        wiring = simboard.encoders["quadrature_pcnt"]
        self._a = wiring["a"]
        self._b = wiring["b"]
        self._shaft = shaft_of(wiring)
        self._edges = 0  # of the shaft, up to which it has counted
        self._min = min
        self._max = max
        self._channels = {}
        self._value = 0
        self._running = False

    def init(
        self,
        *,
        channel=0,
        pin=None,
        rising=IGNORE,
        falling=IGNORE,
        mode_pin=None,
        mode_low=NORMAL,
        mode_high=NORMAL,
        filter=0,
        value=None,
    ):
        if not 0 <= filter <= 1023:
            raise ValueError("filter")
        if pin is not None:
            mode = mode_pin.name if mode_pin is not None else None
            self._channels[channel] = (pin.name, falling, rising, mode, mode_low, mode_high)
        if value is not None:
            self._edges = self._shaft.follow()
            self._value = 0

    def start(self):
        self._edges = self._shaft.follow()
        self._running = True

    def value(self):
        edges = self._shaft.follow()
        while self._running and self._edges != edges:
            step = 1 if edges > self._edges else -1
            self._count(self._edges, self._edges + step)
            self._edges += step
        return self._value

    def _count(self, before, after):
        """One edge of A or B, and what each channel makes of it."""
        levels = {self._a: _level_a(after), self._b: _level_b(after)}
        moved = self._a if _level_a(before) != levels[self._a] else self._b
        for pin, falling, rising, mode_pin, mode_low, mode_high in self._channels.values():
            if pin != moved:
                continue
            action = rising if levels[pin] else falling
            way = 1 if action == PCNT.INCREMENT else -1 if action == PCNT.DECREMENT else 0
            if mode_pin is not None:
                mode = mode_high if levels[mode_pin] else mode_low
                way = -way if mode == PCNT.REVERSE else 0 if mode == PCNT.HOLD else way
            self._value += way
        if self._value in (self._min, self._max):
            self._value = 0


def _level_a(edges):
    return 1 if edges & 3 in (1, 2) else 0


def _level_b(edges):
    return 1 if edges & 3 in (2, 3) else 0

"""Quadrature on ESP32: a pulse counter unit counts the edges, in hardware.

Both channels of the unit are used, so all four edges of a cycle count: channel 0 the edges of A,
with B telling their direction, channel 1 those of B, with A. `machine.Encoder` sets the unit up in
the same way, but on this port it is Python on top of PCNT, with an interrupt for each overflow
that `value()` may have to run first. No such interrupt is needed here: the unit goes back to 0 at
its limits, which are the same on both sides, so its value is the count modulo that limit, always.
"""

from esp32 import PCNT
from machine import Pin
from micropython import const

from sensor.encoders.quadrature import Quadrature, check_counts
from sensor.encoders.wiring import check_number

_LIMIT = const(32_000)
# Pulses shorter than 10 µs are noise: at two turns a second an encoder with 16 000 counts has an
# edge every 31 µs. In ticks of the 80 MHz clock.
_SHORTEST_PULSE = const(800)


class PulseCounter:
    """The count of a unit."""

    modulus = _LIMIT

    def __init__(self, number, pin_a, pin_b):
        self._a = Pin(pin_a, Pin.IN, Pin.PULL_UP)
        self._b = Pin(pin_b, Pin.IN, Pin.PULL_UP)
        self._unit = PCNT(number, min=-_LIMIT, max=_LIMIT)
        self.open()

    def take(self):
        """The count modulo _LIMIT. Interrupt-safe."""
        return self._unit.value() % _LIMIT

    def open(self):
        """Start the unit anew. Main loop only."""
        unit = self._unit
        # A leads B: up.
        unit.init(
            channel=0,
            pin=self._a,
            rising=PCNT.INCREMENT,
            falling=PCNT.DECREMENT,
            mode_pin=self._b,
            mode_high=PCNT.REVERSE,
        )
        unit.init(
            channel=1,
            pin=self._b,
            rising=PCNT.INCREMENT,
            falling=PCNT.DECREMENT,
            mode_pin=self._a,
            mode_low=PCNT.REVERSE,
        )
        unit.init(filter=_SHORTEST_PULSE, value=0)
        unit.start()


class QuadraturePcnt(Quadrature):
    """`wiring` is {"a": pin, "b": pin, "index": pin or null, "counts": n, "unit": 0 to 7}."""

    kind = "quadrature_pcnt"

    def __init__(self, wiring):
        check_counts(wiring)
        check_number("unit", wiring.get("unit", 0), 0, 7)
        super().__init__(
            PulseCounter(wiring.get("unit", 0), wiring["a"], wiring["b"]), wiring, False
        )

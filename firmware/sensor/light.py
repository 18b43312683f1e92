"""The status light: five states, told apart by rhythm alone.

| state | rhythm | colour of a light that has one |
|---|---|---|
| searching: no host | a short flash every two seconds | blue |
| connected: a host is there, and does not stream | two short flashes every two seconds | white |
| streaming | on | green |
| fault: the encoder, or a crash | half a second on, half a second off | red |
| identify: a person looks for this machine | dark at once, then five flashes a second | white |

A light is a pin, {"pin": 25}, or a WS2812 on a pin, {"neopixel": 48}.
"""

from machine import Pin
from micropython import const

SEARCHING = const(0)
CONNECTED = const(1)
STREAMING = const(2)
FAULT = const(3)
IDENTIFY = const(4)

_STEP_MS = const(100)
# By state: the number of steps in a rhythm, the lit ones (bit 0 is the first), and red, green and
# blue of 255: bright enough for a lit gym, and no glare beside the lifter's head.
_RHYTHMS = (
    (20, 0b1, (0, 0, 24)),
    (20, 0b1001, (12, 12, 12)),
    (1, 0b1, (0, 24, 0)),
    (10, 0b11111, (32, 0, 0)),
    (2, 0b10, (24, 24, 24)),
)
_DARK = (0, 0, 0)


class Light:
    """A light that is dark until it is opened. Without wiring it stays so."""

    def __init__(self):
        self._pin = None
        self._pixel = None
        self._lit = None  # the state that it is lit for; None: dark

    def open(self, wiring):
        """Open the light of a board file's `led`, if there is one."""
        if not wiring:
            return
        if "neopixel" in wiring:
            from neopixel import NeoPixel

            self._pixel = NeoPixel(Pin(wiring["neopixel"], Pin.OUT), 1)
        else:
            self._pin = Pin(wiring["pin"], Pin.OUT, value=0)

    def show(self, state, now_ms):
        """Light or darken it, as the rhythm of `state` says for `now_ms`."""
        steps, lit_steps, colour = _RHYTHMS[state]
        lit = state if lit_steps >> now_ms // _STEP_MS % steps & 1 else None
        if lit == self._lit:  # on a Pico W each write is a message to the radio chip
            return
        dark_before = self._lit is None
        self._lit = lit
        if self._pixel is not None:
            self._pixel[0] = _DARK if lit is None else colour
            self._pixel.write()
        elif self._pin is not None and (lit is None) != dark_before:
            self._pin(0 if lit is None else 1)

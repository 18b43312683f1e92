"""Pins of the simulated board: what one part drives, another sees.

`drives` lets a simulated chip follow a pin, as the AS5048A does its chip select; `pulse` raises an
interrupt at one: at once where it was asked to be hard, else when the port gets round to it.
"""

import simboard
import simsoft

_wires = {}


class _Wire:
    """What hangs on one pin of the board."""

    def __init__(self):
        self.level = 0
        self.follower = None
        self.handler = None
        self.hard = False


class Pin:
    """`machine.Pin`."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, name, mode=None, pull=None, value=None):
        self.name = name
        self.mode = mode
        self._wire = _wire(name)
        if value is not None:
            self.value(value)

    def __call__(self, level=None):
        return self.value(level)

    def value(self, level=None):
        wire = self._wire
        if level is None:
            return wire.level
        wire.level = level
        if wire.follower is not None:
            wire.follower.selected(level)
        return None

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, **options):
        if options and simboard.port != "rp2":
            raise TypeError("extra keyword arguments given")  # ESP32 knows no hard ones
        if trigger != Pin.IRQ_RISING:
            raise NotImplementedError("the simulated board raises interrupts at rising edges")
        self._wire.handler = handler
        self._wire.hard = options.get("hard", False)


def drives(name, follower):
    """Call `follower.selected(level)` whenever the firmware drives the pin."""
    _wire(name).follower = follower


def pulse(name):
    """The pin rises and falls."""
    wire = _wire(name)
    if wire.handler is None:
        return
    if wire.hard:
        wire.handler(None)
    else:
        simsoft.scheduler.schedule(wire.handler, None)


def power_off():
    """Forget what the firmware has set up."""
    _wires.clear()


def _wire(name):
    if name not in _wires:
        _wires[name] = _Wire()
    return _wires[name]

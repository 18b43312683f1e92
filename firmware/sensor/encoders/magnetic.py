"""The common part of drivers of magnetic encoder chips: when to ask the chip, and when not.

A broken bus would cost a timeout in every interrupt. So after a few failures in a row the driver
reports the error and tries the chip only now and then; the main loop frees a bus that a chip holds
down, and opens it again (`recover`).

A driver adds the three methods at the end.
"""

from micropython import const

from sensor.encoders import BUS_ERROR

_FAILURES_BEFORE_REST = const(3)
_TICKS_BETWEEN_TRIES = const(16)


class MagneticEncoder:
    """A chip that knows the angle of the magnet before it; see sensor/encoders/__init__.py."""

    referenced_by = None

    def __init__(self, wiring):
        self.angle = 0
        self.status = 0
        self.agc = None
        self.magnitude = None
        self.slips = 0
        self._wiring = wiring
        self._looking = False
        self._failures = 0
        self._rest = 0
        self._bus = None
        self._open_bus()

    def read(self):
        """Set `angle` and `status` from the chip. Interrupt-safe."""
        if self._bus is None or self._rest:
            if self._rest:
                self._rest -= 1
            self.status = BUS_ERROR
            return
        try:
            status = self._sample()
        except OSError:
            status = BUS_ERROR
        self.status = status
        if not status & BUS_ERROR:
            self._failures = 0
            return
        failures = self._failures + 1
        if failures < _FAILURES_BEFORE_REST:
            self._failures = failures
        else:
            self._rest = _TICKS_BETWEEN_TRIES

    def look(self):
        """Let the next read take the magnet's figures."""
        self._looking = True

    def reference(self, angle):
        """It knows its angle by itself."""

    def recover(self):
        """Free the bus and open it again. Main loop only."""
        self._bus = None  # from here on the interrupt leaves the pins alone
        self._free_bus()
        self._open_bus()
        self._rest = 0  # the next tick tries

    def _sample(self):
        """Ask the chip: set `angle` and return the status; BUS_ERROR or an OSError is a failure.

        With `_looking` set, take `agc` and `magnitude` too, and unset it.
        """
        raise NotImplementedError

    def _open_bus(self):
        """Set `_bus`. Main loop only."""
        raise NotImplementedError

    def _free_bus(self):
        """Free the pins from any state. Main loop only."""
        raise NotImplementedError

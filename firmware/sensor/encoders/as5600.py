"""AS5600: 12-bit magnetic encoder on I2C (ams datasheet v1-06).

One transaction reads STATUS and RAW ANGLE, which lie side by side, so every angle comes with the
magnet's state at that moment. RAW ANGLE is taken rather than ANGLE: it has no programmable
zero, range or hysteresis that another project may have burnt into the chip.

A bus that has stopped working would cost a timeout in every interrupt. So after a few failures
in a row the driver reports the error without trying, except now and then; and the main loop
frees a bus that a chip holds down (`recover`).
"""

from time import sleep_us

from machine import I2C, Pin
from micropython import const

from sensor.encoders import BUS_ERROR, MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET

_ADDRESS = const(0x36)
_STATUS = const(0x0B)  # followed by RAW ANGLE, high and low byte, at 0x0C and 0x0D
_MD = const(0x20)  # magnet detected
_ML = const(0x10)  # AGC at maximum gain: magnet too weak
_MH = const(0x08)  # AGC at minimum gain: magnet too strong

# The read takes 150 µs at 400 kHz. A write and a read that both time out must leave the main
# loop some of the 2500 µs between ticks at the highest rate.
_TIMEOUT_US = const(1000)
_FAILURES_BEFORE_REST = const(3)
_TICKS_BETWEEN_TRIES = const(16)
_RECOVERY_CLOCKS = const(9)  # a slave in mid-byte lets go of SDA within nine (NXP UM10204, 3.1.16)


class AS5600:
    """Driver of one chip; `wiring` is {"i2c": bus, "sda": pin, "scl": pin, "freq": Hz}."""

    kind = "as5600"
    counts = 4096
    shift = 4

    def __init__(self, wiring):
        self.angle = 0
        self.status = 0
        self.agc = None
        self.magnitude = None
        self._wiring = wiring
        self._registers = bytearray(3)
        self._failures = 0
        self._rest = 0
        self._bus = None
        self._open_bus()

    def read(self):
        """Set `angle` and `status` from the chip. Interrupt-safe."""
        bus = self._bus
        if bus is None or self._rest:
            if self._rest:
                self._rest -= 1
            self.status = BUS_ERROR
            return
        registers = self._registers
        try:
            bus.readfrom_mem_into(_ADDRESS, _STATUS, registers)
        except OSError:
            self.status = BUS_ERROR
            self._failures += 1
            if self._failures >= _FAILURES_BEFORE_REST:
                self._failures = _FAILURES_BEFORE_REST
                self._rest = _TICKS_BETWEEN_TRIES
            return
        self._failures = 0
        magnet = registers[0]
        if not magnet & _MD:
            self.status = NO_MAGNET
            return
        status = 0
        if magnet & _ML:
            status |= MAGNET_WEAK
        if magnet & _MH:
            status |= MAGNET_STRONG
        self.status = status
        self.angle = (registers[1] & 0x0F) << 12 | registers[2] << 4

    def look(self):
        """Take the magnet's figures with the next read."""

    def reference(self, angle):
        """An absolute encoder needs none."""

    def recover(self):
        """Clock out whatever holds the bus down and open it again. Main loop only."""
        self._bus = None  # from here on the interrupt leaves the pins alone
        wiring = self._wiring
        scl = Pin(wiring["scl"], Pin.OPEN_DRAIN, value=1)
        for _ in range(_RECOVERY_CLOCKS):
            scl(0)
            sleep_us(5)
            scl(1)
            sleep_us(5)
        self._open_bus()
        self._rest = 0  # the next tick tries

    def _open_bus(self):
        wiring = self._wiring
        self._bus = I2C(
            wiring["i2c"],
            scl=Pin(wiring["scl"]),
            sda=Pin(wiring["sda"]),
            freq=wiring.get("freq", 400_000),
            timeout=_TIMEOUT_US,
        )

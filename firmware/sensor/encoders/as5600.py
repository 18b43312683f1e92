"""AS5600: 12-bit magnetic encoder on I2C (ams datasheet v1-06).

One transaction reads STATUS and RAW ANGLE, which lie side by side, so every angle comes with the
magnet's state at that moment. The driver reads RAW ANGLE rather than ANGLE, because another project
may have burnt a zero, range or hysteresis of ANGLE into the chip. AGC and MAGNITUDE lie elsewhere
and cost a second transaction: once a second is enough for them.
"""

from time import sleep_us

from machine import I2C, Pin
from micropython import const

from sensor.encoders import MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET
from sensor.encoders.magnetic import MagneticEncoder
from sensor.encoders.wiring import check_number, check_pins
from sensor.port import i2c_timeout_us

_ADDRESS = const(0x36)
_STATUS = const(0x0B)  # followed by RAW ANGLE, high and low byte, at 0x0C and 0x0D
_AGC = const(0x1A)  # followed by MAGNITUDE, high and low byte; 0 to 128 in a chip at 3.3 V
_MD = const(0x20)  # magnet detected
_ML = const(0x10)  # AGC at maximum gain: magnet too weak
_MH = const(0x08)  # AGC at minimum gain: magnet too strong

_RECOVERY_CLOCKS = const(9)  # a slave in mid-byte lets go of SDA within nine (NXP UM10204, 3.1.16)


class AS5600(MagneticEncoder):
    """Driver of one chip; `wiring` is {"i2c": bus, "sda": pin, "scl": pin, "freq": Hz}."""

    kind = "as5600"
    counts = 4096
    shift = 4

    def __init__(self, wiring):
        check_pins(wiring, ("sda", "scl"))
        check_number("i2c", wiring.get("i2c"), 0, 1)
        check_number("freq", wiring.get("freq", 400_000), 10_000, 1_000_000)
        self._registers = bytearray(3)
        self._figures = bytearray(3)
        super().__init__(wiring)

    def _sample(self):
        bus = self._bus
        registers = self._registers
        bus.readfrom_mem_into(_ADDRESS, _STATUS, registers)
        if self._looking:
            self._looking = False
            figures = self._figures
            bus.readfrom_mem_into(_ADDRESS, _AGC, figures)
            self.agc = figures[0]
            self.magnitude = (figures[1] & 0x0F) << 8 | figures[2]
        magnet = registers[0]
        if not magnet & _MD:
            return NO_MAGNET
        self.angle = (registers[1] & 0x0F) << 12 | registers[2] << 4
        if magnet & _ML:
            return MAGNET_WEAK
        if magnet & _MH:
            return MAGNET_STRONG
        return 0

    def _free_bus(self):
        """Clock the bus until a chip that holds it down lets go."""
        scl = Pin(self._wiring["scl"], Pin.OPEN_DRAIN, value=1)
        for _ in range(_RECOVERY_CLOCKS):
            scl(0)
            sleep_us(5)
            scl(1)
            sleep_us(5)

    def _open_bus(self):
        wiring = self._wiring
        self._bus = I2C(
            wiring["i2c"],
            scl=Pin(wiring["scl"]),
            sda=Pin(wiring["sda"]),
            freq=wiring.get("freq", 400_000),
            timeout=i2c_timeout_us(),
        )

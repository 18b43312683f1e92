"""AS5048A: 14-bit magnetic encoder on SPI (ams datasheet v1-06).

A frame is 16 bits each way, in SPI mode 1, inside one low phase of CS. Both ways bit 15 makes
the parity even. What the chip sends is its answer to the frame before, with an error flag (bit 14)
that stands, once it has found a frame of ours bad, until it is asked to clear it. So a sample is

    we send      angle             diagnostics   magnitude
    it answers   (magnitude, old)  angle         diagnostics

and no sample needs the answer that the last one left: if that is an old magnitude, it is used; if
not, it is ignored.

The chip has no "magnet detected": without a magnet its gain is at the maximum and the angle is
noise. A fourth frame then takes the magnitude, by which that is told from a weak magnet.

A dead bus reads all ones, which has the error flag, or all zeros, which is no valid diagnosis: a
working chip reports that it has found its offsets (OCF).
"""

from machine import SPI, Pin
from micropython import const

from sensor.encoders import BUS_ERROR, MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET
from sensor.encoders.magnetic import MagneticEncoder
from sensor.encoders.wiring import check_number, check_pins

# Read commands: bit 14 and the register, with even parity.
_ANGLE = b"\xff\xff"  # 0x3FFF
_DIAGNOSTICS = b"\x7f\xfd"  # 0x3FFD: AGC in the low byte, flags above it
_MAGNITUDE = b"\x7f\xfe"  # 0x3FFE
_CLEAR_ERROR_FLAG = b"\x40\x01"  # 0x0001

_EF = const(0x40)  # in the high byte of an answer
_OCF = const(0x100)  # offset compensation finished
_COF = const(0x200)  # CORDIC overflow: angle and magnitude are invalid
_COMP_LOW = const(0x400)  # the field is too strong
_COMP_HIGH = const(0x800)  # the field is too weak
_AGC = const(0xFF)

# A magnet at the far end of the gain's range still gives about the magnitude of a good one, because
# the gain corrects it. An eighth of what 14 bits hold, with the gain at its end, is noise.
# This is a choice: the datasheet has no figure.
_FAINT = const(2048)

_ODD = const(0x6996)  # bit n: n has an odd number of ones

# A tenth of what the chip can do, for wires as long as a lever's: a frame takes 16 µs.
_BAUD = const(1_000_000)


class AS5048A(MagneticEncoder):
    """Driver of one chip; `wiring` is {"spi": bus, "sck", "mosi", "miso", "cs": pins}."""

    kind = "as5048a"
    counts = 16384
    shift = 2

    def __init__(self, wiring):
        check_pins(wiring, ("sck", "mosi", "miso", "cs"))
        check_number("spi", wiring.get("spi"), 0, 2)
        self._answer = bytearray(2)
        self._asked = False  # the next answer is a magnitude
        self._cs = Pin(wiring["cs"], Pin.OUT, value=1)
        super().__init__(wiring)

    def _sample(self):
        magnitude = self._exchange(_ANGLE)
        angle = self._exchange(_DIAGNOSTICS)
        diagnosis = self._exchange(_MAGNITUDE)
        if not self._asked:
            magnitude = -1  # it was something else
        self._asked = True
        if angle < 0 or diagnosis < 0 or not diagnosis & _OCF:
            self._asked = False
            self._exchange(_CLEAR_ERROR_FLAG)
            return BUS_ERROR
        if self._looking and magnitude >= 0:
            self._looking = False
            self.agc = diagnosis & _AGC
            self.magnitude = magnitude
        if diagnosis & _COF:
            return NO_MAGNET
        if diagnosis & _COMP_HIGH:
            magnitude = self._exchange(_MAGNITUDE)  # that of now
            if magnitude < 0:
                return BUS_ERROR
            if magnitude < _FAINT:
                return NO_MAGNET
            self.angle = angle << 2
            return MAGNET_WEAK
        self.angle = angle << 2
        if diagnosis & _COMP_LOW:
            return MAGNET_STRONG
        return 0

    def _exchange(self, command):
        """Send `command`; the 14 bits that answer the one before, or -1 if they are not good."""
        answer = self._answer
        cs = self._cs
        cs(0)
        self._bus.write_readinto(command, answer)
        cs(1)
        high = answer[0]
        low = answer[1]
        ones = high ^ low
        if _ODD >> ((ones ^ ones >> 4) & 0x0F) & 1 or high & _EF:
            return -1
        return (high & 0x3F) << 8 | low

    def _free_bus(self):
        """End an open frame: the chip begins again with the next."""
        self._cs(1)

    def _open_bus(self):
        wiring = self._wiring
        self._asked = False
        self._bus = SPI(
            wiring["spi"],
            baudrate=_BAUD,
            polarity=0,
            phase=1,
            sck=Pin(wiring["sck"]),
            mosi=Pin(wiring["mosi"]),
            miso=Pin(wiring["miso"]),
        )

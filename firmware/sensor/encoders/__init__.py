"""Encoders: whatever tells the lever's angle. One driver a module, one interface for all.

A driver has

    kind      name on the wire, such as "as5600"
    counts    distinct angles in a turn
    shift     every angle is a multiple of 2^shift (16 − bits; 0 if counts is no power of two)
    angle     the last good angle, 65536 to the turn
    status    status bits of docs/protocol.md, of the last read

    read()    take a sample: set `angle` and `status`. Called from the sampling interrupt: it
              MUST NOT allocate, raise, or take longer than about a millisecond. Under a fault
              that makes the angle meaningless it leaves `angle` as it was.
    recover() called by the main loop, a few times a second, while read() reports a bus error.

    look()    called by the main loop once a second: the next read() also takes the figures of
              the magnet.
    agc, magnitude  those figures, as last taken, or None where the encoder has none
    reference(angle)  called once, before the first read(), with the calibrated angle of legs
              straight: an encoder that counts from where it was switched on takes it as the
              angle of its zero.

Magnetic encoders on I2C or SPI read a register. A quadrature decoder reads its counter, and
reports NOT_REFERENCED until its index pulse came by.
"""

from micropython import const

NO_MAGNET = const(0x01)
MAGNET_WEAK = const(0x02)
MAGNET_STRONG = const(0x04)
BUS_ERROR = const(0x08)
NOT_REFERENCED = const(0x10)


def open_encoder(board):
    """The driver of the encoder that a board file has chosen; imports no other driver."""
    kind = board["encoder"]
    wiring = board["encoders"][kind]
    if kind == "as5600":
        from sensor.encoders.as5600 import AS5600

        return AS5600(wiring)
    raise ValueError("board file: no driver for encoder " + repr(kind))

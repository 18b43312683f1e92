"""Encoders measure the lever's angle. Each module has one driver; all have one interface.

A driver has

    kind      name on the wire, such as "as5600"
    counts    distinct angles in a turn
    shift     every angle is a multiple of 2^shift (16 − bits; 0 if counts is no power of two)
    angle     the last good angle, 65536 to the turn
    status    status bits of docs/protocol.md, of the last read

    read()    take a sample: set `angle` and `status`. Called from the sampling interrupt: it
              MUST NOT allocate, raise, make an integer of 2^30 or more (which a 32-bit board
              allocates), or take longer than about a millisecond. Under a fault that makes the
              angle meaningless it leaves `angle` as it was.
    recover() called by the main loop, a few times a second, while read() reports a bus error.

    look()    called by the main loop once a second: the next read() also takes the figures of
              the magnet. Only the interrupt may use the bus.
    agc, magnitude  those figures in the chip's own units, as last taken; None before that, and
              for an encoder without them. The gain is low at a strong magnet.
    referenced_by  what ends NOT_REFERENCED: "rest" of the lever at the bottom, or the "index"
              pulse; None if the angle is known from the first read on
    slips     how often an index pulse showed that counts had been lost; 0 without a counter
    reference(angle)  called once, before the first read(), with the calibrated angle of legs
              straight: an encoder that counts from where it was switched on takes it as the
              angle of its zero.

A magnetic encoder (magnetic.py: what its drivers share) knows its angle from the first read on. A
quadrature encoder (quadrature.py) counts, and reports NOT_REFERENCED until it knows its zero.

tests/firmware/test_interrupt_path.py proves for every driver what read() must not do. Its time has
not been measured on a board. Estimated for a Pico (`make bench` says how), the whole
interrupt takes 0.3 ms with PIO, 0.4 ms with an AS5600 and 0.6 ms with an AS5048A: with the main
loop's part 10 to 15 % of its time at 200 Hz.
"""

from micropython import const

NO_MAGNET = const(0x01)
MAGNET_WEAK = const(0x02)
MAGNET_STRONG = const(0x04)
BUS_ERROR = const(0x08)
NOT_REFERENCED = const(0x10)


def open_encoder(board):
    """The driver of the encoder that a board file chooses; imports no other driver.

    Raises ValueError, which names the wrong field of the board file.
    """
    kind = board.get("encoder")
    wiring = board.get("encoders", {}).get(kind)
    if wiring is None:
        raise ValueError("board file: it has no wiring for encoder " + repr(kind))
    try:
        return _driver(kind, wiring)
    except ImportError as error:  # rp2 has no PCNT, ESP32 no PIO
        raise ValueError("board file: not on this chip: encoder " + repr(kind)) from error


def _driver(kind, wiring):
    if kind == "as5600":
        from sensor.encoders.as5600 import AS5600

        return AS5600(wiring)
    if kind == "as5048a":
        from sensor.encoders.as5048a import AS5048A

        return AS5048A(wiring)
    if kind == "quadrature_pio":
        from sensor.encoders.quadrature_pio import QuadraturePio

        return QuadraturePio(wiring)
    if kind == "quadrature_pcnt":
        from sensor.encoders.quadrature_pcnt import QuadraturePcnt

        return QuadraturePcnt(wiring)
    raise ValueError("board file: no driver for encoder " + repr(kind))

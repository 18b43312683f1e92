"""Checks of the numbers in a board file: an error names the wrong field.

Without them a wrong pin would show as an encoder that does not answer, or as another broken part
of the board.
"""

from micropython import const

_LAST_PIN = const(48)  # ESP32-S3; the chip itself refuses those that it has not


def check_pins(wiring, required, optional=()):
    """Every required pin is there, every pin is one, and no two are the same."""
    taken = {}
    for name in required + optional:
        pin = wiring.get(name)
        if pin is None and name in optional:
            continue
        if pin is None:
            raise ValueError("board file: encoder pin %s is missing" % name)
        check_number(name, pin, 0, _LAST_PIN)
        if pin in taken:
            raise ValueError(
                "board file: encoder pins %s and %s are both %d" % (taken[pin], name, pin)
            )
        taken[pin] = name


def check_number(name, value, lowest, highest):
    """`value` is a whole number from `lowest` to `highest`."""
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(
            "board file: encoder %s is %r: it must be a whole number from %d to %d"
            % (name, value, lowest, highest)
        )

"""The way to the MicroPython prompt, which is closed while the sensor runs.

On a sensor's port Ctrl-C is no interrupt, because a request may hold the byte 0x03; and a started
watchdog cannot be stopped and would end every session at the prompt. So maintenance is a start of
its own: a request leaves a marker file and restarts the board; that start removes the marker and
leaves the board at its prompt, without a watchdog. The next start is a normal one.

`interrupted` is for a sensor that answers no request (it hangs, or fails at once). For a moment
after every start, and between the starts of a sensor that keeps crashing, it listens for a Ctrl-C.
That must be the first byte, but for returns, which mpremote sends. Our host sends a zero before
anything else, so a 0x03 in its hello does not stop the sensor.
"""

import os
import select
import sys
from time import sleep_ms

from micropython import const

_MARKER = "maintenance"
_CTRL_C = const(0x03)
_RETURNS = b"\r\n"
_LOOK_MS = const(10)


def ask():
    """Make the next start one for maintenance. Raises OSError if the flash refuses it."""
    with open(_MARKER, "wb") as file:
        file.write(b"The next start ends at the MicroPython prompt.\n")
    if hasattr(os, "sync"):
        os.sync()


def asked():
    """Whether this start is one for maintenance; true for one start only."""
    try:
        os.remove(_MARKER)
    except OSError:
        return False
    return True


def interrupted(ms, meanwhile=None):
    """Wait `ms` for a Ctrl-C; True as soon as it comes, False when it cannot come any more.

    A byte that is already there counts, even if `ms` is 0. `meanwhile` is called again and again;
    with it, the function waits to the end.
    """
    port = select.poll()
    port.register(sys.stdin, select.POLLIN)
    listening = True
    while True:
        while listening:
            byte = _next_byte(port)
            if byte == _CTRL_C:
                return True
            if byte is None:
                break
            listening = byte in _RETURNS
        if ms <= 0 or not (listening or meanwhile):
            return False
        if meanwhile:
            meanwhile()
        sleep_ms(min(ms, _LOOK_MS))
        ms -= _LOOK_MS


def _next_byte(port):
    """The next byte on stdin, or None."""
    byte = bytearray(1)
    for ready in port.ipoll(0):
        if ready[1] & select.POLLIN:
            try:
                return byte[0] if sys.stdin.buffer.readinto(byte) else None
            except OSError:  # the host has gone
                return None
    return None

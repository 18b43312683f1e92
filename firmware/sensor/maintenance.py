"""The way to the MicroPython prompt, which a running sensor closes.

A request may hold the byte 0x03, so Ctrl-C cannot mean on a sensor's port what it means at the
prompt; and a watchdog, once started, cannot be stopped and would end every visit. So maintenance
is a start of its own: a marker file is left, the board restarts, and that start removes the
marker and leaves the board at its prompt, without a watchdog. The start after it is as always.

For a sensor that cannot be asked any more (it hangs, or dies at once) there is `interrupted`: for
a moment after every start, and between the starts of one that keeps crashing, a Ctrl-C is
listened for. It must be the first thing that comes, but for returns, which is what mpremote sends.
A host of ours sends a zero before anything else, so a 0x03 in its hello does not stop the sensor.
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
    """Let the next start be one for maintenance. Raises OSError if the flash cannot take it."""
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
    """Wait for so long for a Ctrl-C; True as soon as it comes, False when it cannot come any more.

    What lies there already counts, even if `ms` is 0. With `meanwhile`, which is then called again
    and again, it waits to the end.
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

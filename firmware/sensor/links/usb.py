"""USB serial: the board's own stdin and stdout, as bytes.

A host may stop reading at any moment, with the port open. Then a board's `write` blocks for half
a second and silently drops the rest (`shared/tinyusb/mp_usbd_cdc.c`: "writable" promises a single
byte). So a write is a packet at most, and a single byte after one that had to wait. A write that
took so long that it may have been cut reports a stall: it is unknown what arrived, so the frame is
sent again.

A host that sleeps suspends the bus with the port open: then the port always claims to be writable,
and every write blocks. So after a stall the link is left alone for a second, and for longer after
each further one; then a single byte tries it. New input says sooner that the host is awake.
"""

import select
import sys
from time import sleep_ms, ticks_diff, ticks_ms

from micropython import const

from sensor.links import STALLED
from sensor.port import console_piece

_SLOW_MS = const(5)  # the host was not there to take the packet
_STALL_MS = const(400)  # the USB stack gives up after 500
_BACK_OFF_MS = const(1000)  # after a stall
_LONGEST_BACK_OFF_MS = const(8000)


class UsbLink:
    """Bytes over stdin and stdout; `wait` is where the main loop sleeps."""

    kind = "usb"
    wired = True

    def __init__(self):
        self.hung_up = False
        self.connection = 0  # a port tells when its host has gone, if anything
        self._readable = False
        self._writable = False
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._byte = bytearray(1)
        self._packet = console_piece()
        self._chunk = self._packet
        self._back_off_ms = 0  # how long to leave it alone after a stall; 0: writes pass
        self._stalled_at = 0
        self._unread = False  # there was input already when it stalled
        self._wanted = False
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._poll.register(sys.stdout, 0)

    def wait(self, timeout_ms):
        """Sleep until the link is readable, or writable if output is wanted, or time is up."""
        if self.hung_up or self._backs_off():  # poll would return at once, again and again
            sleep_ms(timeout_ms)
            timeout_ms = 0
        self._look(timeout_ms)

    def hear(self):
        """Do nothing: a cable needs no time limit."""

    def want_output(self, wanted):
        """Set whether a writable link ends a wait."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._poll.modify(sys.stdout, select.POLLOUT if wanted else 0)

    def tend(self):
        """Do nothing: a port needs nothing but bytes."""

    def close(self):
        """Do nothing: the port goes with the restart."""

    def begin(self, _frame_type):
        """Do nothing: all frames go the same way."""

    def describe(self, _name, _key_id):
        """Do nothing: a host asks by hello."""

    def figures(self):
        """None: all is counted elsewhere."""

    def read_byte(self):
        """The next byte, or -1."""
        if not self._readable:
            return -1
        try:
            taken = self._in.readinto(self._byte)
        except OSError:  # the host went away
            self._hang_up()
            taken = 0
        if not taken:
            self._readable = False
            return -1
        self._look(0)
        return self._byte[0]

    def write(self, view):
        """Send the beginning of `view`; returns how many bytes were sent, or STALLED."""
        if self._backs_off():
            return 0
        if not self._wanted:
            self.want_output(True)
        self._look(0)
        if not self._writable:
            return 0
        begun = ticks_ms()
        try:
            sent = self._out.write(view[: self._chunk])
        except OSError:
            self._hang_up()
            return 0
        took_ms = ticks_diff(ticks_ms(), begun)
        if took_ms >= _SLOW_MS:
            self._chunk = 1
            if took_ms >= _STALL_MS:
                self._stalled_at = ticks_ms()
                self._unread = self._readable
                self._back_off_ms = min(
                    max(_BACK_OFF_MS, 2 * self._back_off_ms), _LONGEST_BACK_OFF_MS
                )
                return STALLED
        else:
            self._back_off_ms = 0
            if self._chunk < self._packet:
                self._chunk *= 2
        return sent or 0

    def _backs_off(self):
        """Whether a stall is too recent to try again."""
        if not self._back_off_ms:
            return False
        if self._readable and not self._unread:
            self._back_off_ms = 0
            return False
        return ticks_diff(ticks_ms(), self._stalled_at) < self._back_off_ms

    def _look(self, timeout_ms):
        self._readable = False
        self._writable = False
        hung_up = False
        for ready in self._poll.ipoll(timeout_ms):
            events = ready[1]
            if events & select.POLLIN:
                self._readable = True
            if events & select.POLLOUT:
                self._writable = True
            if events & (select.POLLHUP | select.POLLERR):
                hung_up = True
        if hung_up:
            self._hang_up()
        else:
            self.hung_up = False

    def _hang_up(self):
        if not self.hung_up:
            self.hung_up = True
            self.connection += 1

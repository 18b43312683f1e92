"""The sensor's radio: messages to and from the process that owns the virtual air.

LEGCURL_RADIO_FD is a socket. Each way, a message is JSON behind its length (2 bytes,
little-endian), with bytes as hexadecimal text: `[method, argument…]` goes out, and
`["r", errno, result]` comes back. In between come events, `["e", number, [value…]]`, which are
kept until the firmware waits: a stack's interrupts come when the firmware's code lets them, and
never inside of a timer's.

Time stands still during a call. So at pace=fast a call that the other end answers late, because
the radio has no room yet, costs the firmware no samples.
"""

import json

import uos
import uselect
from simclock import WorldEnded, clock

_HEAD = 2


class Radio:
    """One end of the socket. `listener(event, values)` gets the events."""

    def __init__(self, fd):
        self.fd = fd
        self.listener = None
        self._stream = open(fd, "r+b", 0)  # noqa: SIM115 - until the end
        self.refused = False  # the last notification: the firmware will try again
        self.stirred = False  # events were delivered, and the firmware has not had its turn since
        self._events = []
        self._delivering = False
        self._poll = uselect.poll()
        self._poll.register(fd, uselect.POLLIN)
        self._down = False  # what the other end was told of the link

    def call(self, method, *arguments):
        """What `method` gives. Raises OSError with the errno that it gives instead."""
        if not clock.powered:
            return None
        return self._call(method, *arguments)

    def receive(self):
        """Take one message that has come by itself."""
        self._events.append(self._next())

    def attend(self):
        """Deliver the events; says whether the firmware has something to do about the radio.

        Not from a timer's callback.
        """
        if self._down != clock.link_down:
            self._down = clock.link_down
            self._call("out_of_range", self._down)
        self.stirred = self.stirred or len(self._events) > 0
        busy = self.refused or self.stirred
        if self._delivering:  # an interrupt does not interrupt itself
            return busy
        self._delivering = True
        try:
            while self._events:
                _, event, values = self._events.pop(0)
                self.refused = False
                if self.listener is not None:
                    self.listener(event, values)
        finally:
            self._delivering = False
        return busy

    def wait(self, real_ms):
        """Let so many milliseconds pass here, or less if something comes, and deliver it."""
        while self._poll.poll(real_ms):
            self.receive()
            real_ms = 0
        self.attend()

    def power_off(self):
        """The sensor has lost its power, in whatever it was doing."""
        self.listener = None
        self._call("power_off")
        self._events.clear()

    def _call(self, *request):
        text = json.dumps(request).encode()
        self._send(len(text).to_bytes(_HEAD, "little") + text)
        while True:
            message = self._next()
            if message[0] == "r":
                break
            self._events.append(message)
        if message[1]:
            raise OSError(message[1], "radio")
        return message[2]

    def _next(self):
        size = int.from_bytes(self._read(_HEAD), "little")
        return json.loads(self._read(size))

    def _read(self, size):
        got = b""
        while len(got) < size:
            part = self._stream.read(size - len(got))
            if not part:
                raise WorldEnded  # the runner has gone
            got += part
        return got

    def _send(self, message):
        at = 0
        while at < len(message):
            try:
                at += self._stream.write(message[at:]) or 0
            except OSError:
                raise WorldEnded from None


def open_radio():
    """The radio of this board. Raises OSError where it has none."""
    if clock.radio is None:
        fd = uos.getenv("LEGCURL_RADIO_FD")
        if not fd:
            raise OSError(19, "radio")  # ENODEV
        clock.radio = Radio(int(fd))
    return clock.radio

"""A board's USB serial port with a host that reads, or does not: MicroPython's mp_usbd_cdc.c.

"Writable" promises one byte. A write of more than there is room for waits for the host, gives
up half a second later, throws the rest away, and says that all was written.
"""

from simclock import clock

FIFO = 256
GIVES_UP_US = 500_000
POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16


class BoardPort:
    """Stands for both `sys` and `select` of the board's link."""

    POLLIN, POLLOUT, POLLERR, POLLHUP = POLLIN, POLLOUT, POLLERR, POLLHUP

    def __init__(self):
        self.reading = True
        self.suspended = False  # the host sleeps: always "writable", and every write waits in vain
        self.rate = None  # bytes a millisecond that the host takes; None: at once
        self.heard = bytearray()  # by the host
        self.incoming = bytearray()  # from the host
        self._taken = 0  # of incoming
        self.fifo = bytearray()
        self.gone = False  # the cable is out
        self.blocked_us = 0
        self.thrown_away = 0
        self.longest_write = 0
        self.stdin = self.stdout = self.buffer = self

    def poll(self):
        return Poll(self)

    def drain(self, ms=1):
        """The host takes what stands in the fifo, if it reads."""
        if self.reading:
            count = len(self.fifo) if self.rate is None else self.rate * ms
            self.heard.extend(self.fifo[:count])
            self.fifo = self.fifo[count:]

    def readinto(self, buffer):
        if self.gone:
            raise OSError(5)
        assert self.has_input(), "a board would wait here for ever"
        assert len(buffer) == 1
        buffer[0] = self.incoming[self._taken]
        self._taken += 1
        return 1

    def has_input(self):
        return self._taken < len(self.incoming)

    def write(self, chunk):
        if self.gone:
            raise OSError(5)
        self.longest_write = max(self.longest_write, len(chunk))
        rest = bytes(chunk)
        waited_us = 0
        while rest:
            room = 0 if self.suspended else FIFO - len(self.fifo)
            self.fifo.extend(rest[:room])
            rest = rest[room:]
            self.drain()
            if rest:
                if waited_us >= GIVES_UP_US:
                    self.thrown_away += len(rest)
                    break
                clock.sleep(1000)
                waited_us += 1000
        self.blocked_us += waited_us
        return len(chunk)


class Poll:
    def __init__(self, port):
        self._port = port
        self._masks = []  # of stdin, and of stdout if it was registered

    def register(self, stream, mask):
        self._masks.append(mask)

    def modify(self, stream, mask):
        self._masks[1] = mask

    def ipoll(self, timeout_ms):
        port = self._port
        for _ in range(timeout_ms + 1):
            events = 0
            if port.gone:
                events = POLLHUP
            else:
                if port.has_input() and self._masks[0] & POLLIN:
                    events |= POLLIN
                writable = port.suspended or len(port.fifo) < FIFO
                if writable and self._masks[1:] and self._masks[1] & POLLOUT:
                    events |= POLLOUT
            if events:
                return [(port, events)]
            if timeout_ms:
                clock.sleep(1000)
                port.drain()
        return []

"""`select` of the simulated board: polls the simulated port, and drives virtual time."""

import uselect
import utime
from simclock import WorldEnded, clock
from simport import PortIn
from simworld import HOST_STALLS

POLLIN = uselect.POLLIN
POLLOUT = uselect.POLLOUT
POLLERR = uselect.POLLERR
POLLHUP = uselect.POLLHUP

_HANGUP_MS = 20  # a look at a port that nobody has open
_ABANDONED_LOOKS = 500  # 10 s of these: nobody will


class poll:  # noqa: N801 - MicroPython's name
    """As `select.poll`, for the streams of `simport`."""

    def __init__(self):
        self._real = uselect.poll()
        self._streams = {}  # fd → (stream, mask)
        self._hangups = 0

    def register(self, stream, mask=POLLIN | POLLOUT):
        self._streams[_fd(stream)] = (stream, mask)
        self._real.register(_fd(stream), mask)

    def modify(self, stream, mask):
        self.register(stream, mask)

    def unregister(self, stream):
        del self._streams[_fd(stream)]
        self._real.unregister(_fd(stream))

    def poll(self, timeout_ms=-1):
        return list(self.ipoll(timeout_ms))

    def ipoll(self, timeout_ms=-1, _flags=0):
        return clock.wait(self._look, self._blocked, 1000 * timeout_ms)

    def _look(self, real_ms):
        stalled = clock.world is not None and clock.world.faults & HOST_STALLS
        found = []
        hung_up = False
        for event in self._real.poll(real_ms):
            fd, events = event[0], event[1]
            stream, _ = self._streams[fd]
            if stalled:
                events &= ~POLLOUT
            if events:
                found.append((stream, events))
            if events & (POLLHUP | POLLERR):
                hung_up = True
        self._hangups = self._hangups + 1 if hung_up else 0
        if hung_up:
            if self._hangups > _ABANDONED_LOOKS:
                raise WorldEnded
            utime.sleep_ms(_HANGUP_MS)
        return found

    def _blocked(self):
        """Whether the firmware waits to write and the real host does not take it."""
        if clock.world is not None and clock.world.faults & HOST_STALLS:
            return False
        for stream, mask in self._streams.values():
            if mask & POLLOUT and not isinstance(stream, PortIn):
                return True
        return False


def _fd(stream):
    return 0 if isinstance(stream, PortIn) else 1

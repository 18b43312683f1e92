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

# While nobody has the terminal open there is nothing to wait for; and when nobody had it open for
# ten seconds, whoever ran the simulation has gone.
_HANGUP_MS = 20
_ABANDONED_LOOKS = 500


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
        """The events now, or within `real_ms` of real time (-1: for ever)."""
        while True:
            found, hung_up = self._look_once(real_ms)
            if not hung_up:
                self._hangups = 0
                return found
            self._hangups += 1
            if self._hangups > _ABANDONED_LOOKS:
                raise WorldEnded
            utime.sleep_ms(_HANGUP_MS)  # poll would return at once, again and again
            if not clock.fast:
                return found

    def _look_once(self, real_ms):
        stalled = clock.world is not None and clock.world.faults & HOST_STALLS
        found = []
        hung_up = False
        for event in self._real.poll(real_ms):
            stream, _ = self._streams[event[0]]
            events = event[1] & ~POLLOUT if stalled else event[1]
            if events:
                found.append((stream, events))
            if events & (POLLHUP | POLLERR):
                hung_up = True
        return found, hung_up

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

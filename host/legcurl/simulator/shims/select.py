"""`select` of the simulated board: polls the simulated port, and drives virtual time."""

import uselect
import utime
from simclock import WorldEnded, clock
from simport import PortIn, stdin, stdout
from simworld import HOST_STALLS

POLLIN = uselect.POLLIN
POLLOUT = uselect.POLLOUT
POLLERR = uselect.POLLERR
POLLHUP = uselect.POLLHUP

# While no program has the terminal open there is nothing to wait for; and when none had it open for
# ten seconds, the runner has gone.
_HANGUP_MS = 20
_ABANDONED_LOOKS = 500


class poll:  # noqa: N801 - MicroPython's name
    """As `select.poll`, for the streams of `simport`."""

    def __init__(self):
        self._real = uselect.poll()
        self._room = uselect.poll()  # whether the real port takes bytes, asked for or not
        self._room.register(1, POLLOUT)
        self._streams = {}  # fd → (stream, mask)
        self._radio = None  # of those fds, that of the radio, which wakes and gives no event
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
        if clock.radio is not None:
            clock.radio.stirred = False
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
        radio = clock.radio
        if radio is None:
            if stdout.cut:
                return self._look_cut(), False
        else:
            if self._radio is None:
                self._radio = radio.fd
                self._real.register(radio.fd, POLLIN)
            if radio.attend():
                real_ms = 0
        if _stalled():
            if real_ms > 0:
                utime.sleep_ms(real_ms)
            return [], False
        found = []
        hung_up = False
        for event in self._real.poll(real_ms):
            if event[0] == self._radio:
                radio.receive()
                radio.attend()
                continue
            stream, _ = self._streams[event[0]]
            found.append((stream, event[1]))
            if event[1] & (POLLHUP | POLLERR):
                hung_up = True
        return found, hung_up

    def _look_cut(self):
        """A link that is down: what comes in is lost, and every stream has hung up.

        At pace=fast, time stands until the other end has been told.
        """
        if clock.fast or any(event[1] & POLLOUT for event in self._room.poll(0)):
            stdout.tell_cut()
        while any(event[0] == 0 and event[1] & POLLIN for event in self._real.poll(0)):
            stdin.throw_away()
        return [(stream, POLLHUP) for stream, _ in self._streams.values()]

    def _blocked(self):
        """Whether the firmware waits to write and the real host does not take it."""
        if _stalled():
            return False
        for stream, mask in self._streams.values():
            if mask & POLLOUT and not isinstance(stream, PortIn):
                return True
        return False


def _stalled():
    """Whether the host hangs: it takes nothing and gives nothing, and time goes on.

    Giving nothing is part of it. A request that the firmware may see, and does not take because
    its output is full, would end every wait at once, and at pace=fast time would stand still.
    """
    return clock.world is not None and clock.world.faults & HOST_STALLS and not clock.frozen


def _fd(stream):
    return 0 if isinstance(stream, PortIn) else 1

"""Virtual time, which the firmware and every shim share.

Time is that of the sensor's crystal: microseconds since the simulation began, some millionths more
or less than the world's (`world_us`). It moves only while the firmware waits (in a poll or a
sleep), and on its way it fires each timer at the very moment at which that is due: inside the
callback `time.ticks_us()` is the due time, as if the timer were a perfect hard interrupt. The
firmware's own work takes no time.

Paces:

- fast: a wait is over at once. Time stands still whenever the link is up and no host has asked
  for the stream: from each start of the sensor, and from the end of each outage of the link, until
  the host's start request; and whenever the firmware has something to send and the host does not
  take it. While the link is down it runs on to the end of that. So the samples, and what the log
  still holds of them when the host is back, depend on the seed alone, not on how fast anybody is.
  At the end of a world whose link has lost bytes, the host is given time to ask for them.
- a factor: world time follows the monotonic clock times the factor. A wait never moves time
  beyond its own end, so after a hiccup of the computer the firmware catches up turn by turn.
"""

import utime

TICKS_WRAP = 1 << 30  # ticks_us wraps here on the boards; so it does here
TICKS_HALF = 1 << 29
_FOR_EVER_MS = TICKS_HALF - 1  # six days
_STEP_US = 10_000  # of a fast wait without end
_LINGER_MS = 500  # of real time without a word from the host
_HELD_STEP_US = 2_000  # interrupts come on again at one of the world's records


class WorldEnded(BaseException):
    """The world stream is at its end: so is the simulation."""


class Restart(BaseException):
    """The sensor restarts after `dark_us`; machine.reset_cause() will then say `cause`."""

    def __init__(self, cause, dark_us):
        super().__init__(cause)
        self.cause = cause
        self.dark_us = dark_us


class SimClock:
    """The one clock of a simulation."""

    def __init__(self):
        self.now = 0  # µs of the crystal
        self.link_down = False
        self.cuts = 0  # how often the link went down
        self.greeted = True  # the host of this connection has said hello
        self.fast = False
        self.booted = 0  # world time at which the sensor last started
        self.frozen = False
        self.powered = True
        self._restart = None
        self.boots = 0
        self.world = None
        self.radio = None
        self._lingering = False
        self._factor = 1.0
        self._drift_ppm = 0
        self._wall_origin = 0
        self._timers = []
        self._in_timer = False

    def set_pace(self, pace):
        """`pace` is "fast" or a positive number as text."""
        self.fast = self.frozen = pace == "fast"
        if self.fast:
            return
        factor = float(pace)
        if not factor > 0:
            raise ValueError("LEGCURL_PACE must be 'fast' or a positive number, not " + pace)
        self._factor = factor
        self._wall_origin = _wall_us()

    def patience_ms(self, ms):
        """How long a wait of `ms` of real time takes here."""
        return _FOR_EVER_MS if self.fast else min(int(ms * max(self._factor, 1.0)), _FOR_EVER_MS)

    def set_drift(self, ppm):
        """Let the crystal run so many millionths fast."""
        self._drift_ppm = ppm

    def link_changed(self, down):
        """The link has gone down or come back; a simulated link looks here what it is.

        Behind a link that is back, a request of the connection before may still be on its way in.
        So only a start after a hello lets time go on: `start_asked`.
        """
        self.link_down = down
        if down:
            self.cuts += 1
            self.greeted = False
        self.frozen = self.fast and not down

    def start_asked(self):
        """The host has asked for the stream."""
        if self.greeted:
            self.frozen = False

    def ticks_us(self):
        """Microseconds since the sensor started, wrapping as on a board."""
        return (self.now - self.booted) % TICKS_WRAP

    def add_timer(self, timer):
        """Fire `timer.fire()` when `timer.due` is reached; fire() sets the next due, or None."""
        if timer not in self._timers:
            self._timers.append(timer)

    def remove_timer(self, timer):
        """Forget a timer, if it is known."""
        if timer in self._timers:
            self._timers.remove(timer)

    def power_off(self, cause, dark_us):
        """The sensor stops where it stands: nothing that it still does comes out or takes time."""
        self.powered = False
        if self.radio is not None:
            self.radio.power_off()
        self._restart = Restart(cause, dark_us)
        raise self._restart

    def power_on(self, dark_us):
        """The sensor comes back `dark_us` later, with no timers and its ticks at 0."""
        self._timers.clear()
        self.powered = True
        self.sleep(dark_us)
        self.booted = self.now
        self.boots += 1
        self.frozen = self.fast and not self.link_down

    def sleep(self, us):
        """Let `us` pass."""
        deadline = self.now + us
        while self.now < deadline:
            self._advance(deadline if self.fast else min(deadline, max(self.now, self._wall_now())))
            left_ms = self._real_ms(deadline) if self.now < deadline else 0
            if self.radio is not None:
                self.radio.wait(left_ms)  # its interrupts come in a sleep, too
            elif left_ms:
                utime.sleep_ms(left_ms)

    def wait(self, look, blocked, timeout_us):
        """Wait as a poll does; returns the events that `look(real_ms)` found, if any.

        `look(real_ms)` polls the real streams for that long (-1: for ever); `blocked()` tells
        whether the firmware wants to send and the host does not take it; timeout_us < 0 means
        no end.
        """
        deadline = self.now + timeout_us
        if timeout_us > 0 and not self.fast:
            # Even a wait that is over at once takes the time that the firmware took before it.
            self._advance(min(max(self.now, self._wall_now()), deadline))
        events = look(0)
        if events or timeout_us == 0:
            return events
        if self.fast:
            while True:
                if blocked() or (self.frozen and not self._lingering):
                    return look(-1)
                if self._lingering:
                    return self._linger(look)
                try:
                    self._advance(deadline if timeout_us > 0 else self.now + _STEP_US)
                except WorldEnded:
                    if self.radio is not None or not self.world.lossy:
                        raise
                    return self._linger(look)
                events = look(0)
                if events or timeout_us > 0:
                    return events
        while True:
            target = max(self.now, self._wall_now())
            self._advance(min(target, deadline) if timeout_us > 0 else target)
            if timeout_us > 0 and self.now >= deadline:
                return look(0)
            events = look(self._real_ms(deadline if timeout_us > 0 else self.now + _STEP_US))
            if events:  # at the time at which they came, not at that of the last turn
                target = max(self.now, self._wall_now())
                self._advance(min(target, deadline) if timeout_us > 0 else target)
                return events

    def _linger(self, look):
        """The world is over, and the host may be about to find out what the link has lost of it."""
        if not self._lingering:
            self.world.mend_link()  # what it does now is of no world, and must come to an end
        self._lingering = self.frozen = True
        events = look(_LINGER_MS)
        if not events:
            self._lingering = self.frozen = False
            raise WorldEnded
        return events

    def _advance(self, until):
        """Move time to `until`, firing what falls due on the way."""
        if not self.powered:
            raise self._restart
        if self._in_timer:
            raise RuntimeError("a timer callback must not wait")
        while True:
            timer = None
            for candidate in self._timers:
                if timer is None or candidate.due < timer.due:
                    timer = candidate
            if timer is None or timer.due > until:
                break
            self.now = max(self.now, timer.due)
            self._seek()
            if self._held(until):
                break
            self._in_timer = True
            try:
                timer.fire()
            finally:
                self._in_timer = False
        self.now = max(self.now, until)
        self._seek()

    def _held(self, until):
        """Let time pass while interrupts are off; True if they still are at `until`."""
        while self.world is not None and self.world.ticks_held:
            if self.now >= until:
                return True
            self.now = min(until, self.now + _HELD_STEP_US)
            self._seek()
        return False

    def world_us(self):
        """World time now, µs since the simulation began."""
        return self.now * 1_000_000 // (1_000_000 + self._drift_ppm)

    def _seek(self):
        if self.world is not None:
            self.world.seek(self.world_us())

    def _wall_now(self):
        world_us = int((_wall_us() - self._wall_origin) * self._factor)
        return world_us * (1_000_000 + self._drift_ppm) // 1_000_000

    def _real_ms(self, deadline):
        return max(1, int((deadline - self._wall_now()) / self._factor + 999) // 1000)


def _wall_us():
    return utime.ticks_us()


clock = SimClock()

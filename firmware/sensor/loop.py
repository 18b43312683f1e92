"""The main loop: samples to the log, the log to the host, and sleep.

It never blocks for long and allocates little; the sampling interrupt runs beside it.
"""

from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from micropython import const

# How long a sample may wait for the loop. A frame leaves at most this late; the ring holds 256
# times as much at 400 Hz.
_TURN_MS = const(5)
_FAREWELL_MS = const(300)  # for the last frames, before a restart


class Loop:
    """Runs until a request asks for a restart."""

    def __init__(self, sampler, log, session, link, commands, health, counters):
        self._sampler = sampler
        self._log = log
        self._session = session
        self._link = link
        self._commands = commands
        self._health = health
        self._counters = counters

    def run(self):
        """Serve the host until it asks for a restart."""
        counters = self._counters
        while not self._commands.restart:
            begun = ticks_us()
            self._sampler.drain()
            self._session.serve()
            self._health.streaming = self._session.streaming
            self._health.tick()
            took = ticks_diff(ticks_us(), begun)
            if took > counters.loop_max_us:
                counters.loop_max_us = took
            self._link.wait(_TURN_MS)

    def close(self):
        """Stop sampling and send what there is to send, if the host takes it soon."""
        self._sampler.stop()
        self._log.close_run()
        until = ticks_add(ticks_ms(), _FAREWELL_MS)
        while not self._session.finish() and ticks_diff(until, ticks_ms()) > 0:
            self._link.wait(_TURN_MS)

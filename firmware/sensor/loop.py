"""The main loop: samples to the log, the log to the hosts, and sleep.

It never blocks for long and allocates little; the sampling interrupt runs beside it.
"""

from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from micropython import const

# The longest time that a sample waits for the loop, and a frame for sending; the ring holds 256
# times as much at 400 Hz.
_TURN_MS = const(5)
_FAREWELL_MS = const(300)  # for the last frames, before a restart


class Loop:
    """Runs until a request asks for a restart. `console` is the link in which it sleeps."""

    def __init__(self, sampler, log, sessions, links, console, commands, health, counters):
        self._sampler = sampler
        self._log = log
        self._sessions = sessions
        self._links = links
        self._console = console
        self._commands = commands
        self._health = health
        self._counters = counters

    def run(self):
        """Serve the hosts until one asks for a restart."""
        commands = self._commands
        counters = self._counters
        while not commands.restart:
            begun = ticks_us()
            self._sampler.drain()
            commands.work()
            for link in self._links:
                link.tend()
            streaming = False
            for session in self._sessions:
                session.serve()
                if session.streaming:
                    streaming = True
            self._health.streaming = streaming
            self._health.tick()
            took = ticks_diff(ticks_us(), begun)
            if took > counters.loop_max_us:
                counters.loop_max_us = took
            self._console.wait(0 if commands.busy else _TURN_MS)

    def close(self):
        """Stop sampling and send what is left, as far as the hosts take it soon."""
        self._sampler.stop()
        self._log.close_run()
        until = ticks_add(ticks_ms(), _FAREWELL_MS)
        left = list(self._sessions)
        while True:
            left = [session for session in left if not session.finish()]
            if not left or ticks_diff(until, ticks_ms()) <= 0:
                break
            self._console.wait(_TURN_MS)
        for link in self._links:
            link.close()

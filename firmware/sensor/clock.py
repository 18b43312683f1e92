"""Sensor time: microseconds since this boot, 64 bits wide.

`time.ticks_us()` wraps after 2^30 µs (18 minutes) on the boards. This clock sums up the
differences. It must be read at least once in half a wrap (9 minutes); the main loop reads it many
times a second. Its values exceed a board's small integers, so reading it allocates: call it from
the main loop, never from an interrupt.
"""

from time import ticks_diff, ticks_us


class SensorClock:
    """Microseconds since construction."""

    def __init__(self):
        self._ticks = ticks_us()
        self._us = 0

    def now_us(self):
        """The time now; call at least every 9 minutes."""
        ticks = ticks_us()
        self._us += ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._us

    def at(self, ticks):
        """The sensor time of a `ticks_us()` value less than 9 minutes away from now."""
        return self._us + ticks_diff(ticks, self._ticks)

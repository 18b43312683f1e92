"""Soft interrupts, as on ESP32: callbacks wait until the VM gets round to them.

The port's timers and pins put their callbacks into a queue of eight; what finds it full is lost.
The VM empties it between two bytecodes, some microseconds later, but not while it collects the heap
or writes flash: then it takes up to 10 ms, and what has queued up runs back to back. When that
happens comes from the seed.
"""

import simboard
from simclock import clock

_DEPTH = 8  # MICROPY_SCHEDULER_DEPTH
_USUAL_US = (20, 120)  # how late a callback is
_COLLECTION_US = (1_000, 10_000)
_BETWEEN_COLLECTIONS_US = (200_000, 2_000_000)


class Scheduler:
    """The queue. It is itself a timer of the clock, due when the VM gets round to it."""

    def __init__(self):
        self.lost = 0
        self.due = 0
        self._queue = []
        self._boot = -1
        self._chance = 0
        self._collection = 0  # when the next one begins
        self._collected = 0  # and ends

    def schedule(self, callback, argument):
        """Call `callback(argument)` soon."""
        if self._boot != clock.boots:
            self._power_up()
        if len(self._queue) >= _DEPTH:
            self.lost += 1
            return
        self._queue.append((callback, argument))
        if len(self._queue) == 1:
            self.due = self._free_at(clock.now + self._draw(_USUAL_US))
            clock.add_timer(self)

    def fire(self):
        """Run what is there."""
        clock.remove_timer(self)
        waiting = self._queue
        self._queue = []
        for callback, argument in waiting:
            callback(argument)

    def _free_at(self, moment):
        """The first time from `moment` on at which no collection is going on."""
        while self._collected <= moment:
            self._collection = self._collected + self._draw(_BETWEEN_COLLECTIONS_US)
            self._collected = self._collection + self._draw(_COLLECTION_US)
        return moment if moment < self._collection else self._collected

    def _power_up(self):
        self._boot = clock.boots
        self._queue = []
        self._chance = simboard.seed * 2 + 1
        self._collected = clock.now

    def _draw(self, bounds):
        # A linear congruential generator (Numerical Recipes' constants), its upper bits.
        self._chance = (self._chance * 1_664_525 + 1_013_904_223) % (1 << 32)
        low, high = bounds
        return low + (self._chance >> 8) % (high - low + 1)


scheduler = Scheduler()

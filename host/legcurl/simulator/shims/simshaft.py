"""A quadrature encoder on the lever's axle: edges of A and B as it turns, and an index pulse.

It shows the angle of the world, in steps. While the world's bus fails the cable is out: edges
go by uncounted, which nothing but the index can tell. The index is where the world's angle is 0.
"""

import simpins
from simclock import clock
from simworld import BUS_FAILS

_TURN = 65536
_LOOK_US = 1_000  # between looks for the index, while an interrupt handler is set
_shafts = []  # that of this life of the sensor


def shaft_of(wiring):
    """The encoder that is wired as in the board file: there is one, whatever counts its edges."""
    if not _shafts or _shafts[0].boot != clock.boots or _shafts[0].wiring != wiring:
        _shafts[:] = [Shaft(wiring)]
    return _shafts[0]


class Shaft:
    """See the module."""

    def __init__(self, wiring):
        self.boot = clock.boots
        self.wiring = wiring
        self.edges = 0  # seen by what counts them
        self._counts = wiring["counts"]
        self._index = wiring.get("index")
        self._angle = self._world_angle()  # of whole turns too
        self.due = clock.now + _LOOK_US
        if self._index is not None:
            clock.add_timer(self)

    def follow(self):
        """Turn with the world; the edges seen so far."""
        before = self._angle
        way = (self._world_angle() - before + _TURN // 2) % _TURN - _TURN // 2
        if way == 0:
            return self.edges
        after = before + way
        self._angle = after
        if clock.world.faults & BUS_FAILS:
            return self.edges
        started = self.edges
        turned = before // _TURN != after // _TURN
        if turned and self._index is not None:
            at_index = max(before, after) // _TURN * _TURN
            self.edges = started + self._edges_between(before, at_index)
            simpins.pulse(self._index)
        self.edges = started + self._edges_between(before, after)
        return self.edges

    def fire(self):
        """A look at the index."""
        self.due += _LOOK_US
        self.follow()

    def _edges_between(self, before, after):
        return (after * self._counts >> 16) - (before * self._counts >> 16)

    def _world_angle(self):
        return clock.world.angle() if clock.world is not None else 0

"""Quadrature encoders: from a count of edges to the angle, and how the zero is found.

A counter (PIO on rp2, PCNT on ESP32) counts all four edges of a cycle, and `take` gives that count
modulo `modulus`, or -1 if the counter does not run. Between two reads the lever moves by less
than half of the modulus, so their difference is its movement. This module sums these to the
position, in counts of a turn.

The angle at which the count began is unknown. Until it is known, the status is NOT_REFERENCED.

Without an index pulse the zero is the place where the lever rests at the bottom. The lever rests
when it moves by no more than two counts for five seconds, and that place is `reference(angle)`, the
calibrated angle of legs straight. Two counts, because an edge right under the sensor flickers by
one. Five seconds, because no lifter holds a squeeze for so long; a leg under load also trembles by
more than two counts, while a stack that was set down stands still. So a calibration of such an
encoder is as exact as the lever's stop. A lever that is pinned elsewhere when the sensor is
switched on is taken for one at the bottom; such a machine needs the index.

With an index pulse the angle is always 0 at the index, and a calibration stays valid after each
restart. The sensor is referenced when the lever passes the index for the first time. The index must
lie within the range of motion. The pulse counts only while the count rises, because from the other
side it begins at its other edge. A later pulse away from 0, by more than a tolerance, shows that
counts were lost: it is counted in `slips`, the next sample is NOT_REFERENCED, so that the samples
themselves show the jump, and the index is 0 from there on.

The pulse's interrupt is hard on rp2, and takes the count at most some 100 µs late. On ESP32 it is
soft and may be milliseconds late, as may the samples before it: there it counts only if the lever
has hardly moved since the last sample but one; after a pulse that passed too fast, the next one
decides.
"""

from time import ticks_diff, ticks_us

from machine import Pin
from micropython import const

from sensor.encoders import BUS_ERROR, NOT_REFERENCED
from sensor.encoders.wiring import check_number, check_pins

_TURN = const(65536)
# position * _TURN stays below 2^30, where a 32-bit board begins to allocate integers.
_MOST_COUNTS = const(16384)
_FEWEST_COUNTS = const(64)

_REST_COUNTS = const(2)
_REST_US = const(5_000_000)

# One cycle is how long the pulses of common encoders are; and 1/512 of a turn is how far a lever
# gets at 350 °/s, which is faster than any repetition, while the interrupt waits for 2 ms.
_CYCLE = const(4)
_LATENCY_SHARE = const(512)


class Quadrature:
    """An encoder on `counter`; `wiring` has pins "a", "b" and maybe "index", and "counts" a turn.

    "counts" is edges: four times the number of cycles or lines that is printed on an encoder.
    """

    def __init__(self, counter, wiring, hard_index):
        self._counter = counter
        self._half = counter.modulus // 2
        self.counts = wiring["counts"]
        self.shift = 0
        while _TURN % (self.counts << self.shift) == 0 and self.counts << self.shift < _TURN:
            self.shift += 1
        self.angle = 0
        self.status = NOT_REFERENCED
        self.agc = None
        self.magnitude = None
        self.slips = 0
        self._zero = 0  # the angle of position 0
        self._position = 0  # 0 to counts - 1
        self._count = 0  # the counter's, at that position
        self._moved = 0  # counts to the last read from the one before
        self._rising = False
        self._referenced = False
        self._slipped = False  # since the last read
        self._strayed = 0  # counts from where the lever has begun to rest
        self._rest_since = 0
        self._index_slack = _CYCLE + self.counts // _LATENCY_SHARE
        self._hard_index = hard_index
        self._index = None
        self.referenced_by = "rest"
        self._begin()
        if wiring.get("index") is not None:
            self._index = Pin(wiring["index"], Pin.IN, Pin.PULL_UP)
            self.referenced_by = "index"
            if hard_index:
                self._index.irq(self._index_seen, Pin.IRQ_RISING, hard=True)
            else:
                self._index.irq(self._index_seen, Pin.IRQ_RISING)

    def read(self):
        """Set `angle` and `status` from the count. Interrupt-safe."""
        count = self._counter.take()
        if count < 0:
            self.status = BUS_ERROR
            return
        moved = self._way_to(count)
        self._moved = moved
        self._count = count
        self._position = (self._position + moved) % self.counts
        if moved:
            self._rising = moved > 0
        if self._slipped:
            self._slipped = False
            self.status = NOT_REFERENCED
            return
        if not self._referenced and not self._rested(moved):
            self.status = NOT_REFERENCED
            return
        self.status = 0
        self.angle = (self._zero + self._position * _TURN // self.counts) & 0xFFFF

    def look(self):
        """There is no magnet."""

    def reference(self, angle):
        """Use `angle` for the place where the lever rests, unless there is an index."""
        if self._index is None:
            self._zero = angle >> self.shift << self.shift

    def recover(self):
        """Start the counter again; the lever's movement meanwhile is unknown. Main loop only."""
        self._counter.open()
        self._begin()

    def _begin(self):
        self._referenced = False
        self._slipped = False
        self._rising = False
        self._moved = 0
        self._position = 0
        self._strayed = 0
        self._rest_since = ticks_us()
        self._count = 0  # as in a counter that was just opened

    def _way_to(self, count):
        """Counts from the last read to this one, the short way round the counter's modulus."""
        half = self._half
        return (count - self._count + half) % self._counter.modulus - half

    def _rested(self, moved):
        """Whether the lever lies at the bottom: then the position counts from there."""
        if self._index is not None:
            return False
        strayed = self._strayed + moved
        now = ticks_us()
        if not -_REST_COUNTS <= strayed <= _REST_COUNTS:
            self._strayed = 0
            self._rest_since = now
            return False
        self._strayed = strayed
        if ticks_diff(now, self._rest_since) < _REST_US:
            return False
        self._position = 0
        self._referenced = True
        return True

    def _index_seen(self, _pin):
        """The interrupt of the index pulse: here is 0."""
        count = self._counter.take()
        if count < 0:
            return
        moved = self._way_to(count)
        if moved < 0 or (not moved and not self._rising):
            return
        slack = self._index_slack
        if not self._hard_index and (self._moved < 0 or moved + self._moved > slack):
            return
        if self._referenced:
            place = (self._position + moved) % self.counts
            if place <= slack or self.counts - place <= slack:
                return
            self.slips += 1
            self._slipped = True
        self._referenced = True
        self._position = 0
        self._count = count


def check_counts(wiring):
    """Check the fields of a board file that every quadrature encoder has."""
    check_pins(wiring, ("a", "b"), ("index",))
    check_number("counts", wiring.get("counts"), _FEWEST_COUNTS, _MOST_COUNTS)

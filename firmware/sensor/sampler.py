"""The sampler: a hardware timer's interrupt reads the encoder into a preallocated ring.

The interrupt allocates nothing (tests/firmware proves it with the heap locked) and creates no
integer of 2^30 or more, which a 32-bit board would have to allocate. So it counts no index and
keeps no 64-bit time: it stores, with each sample, how many due ticks before it went unsampled
and how late it was; the main loop (`drain`) turns these into index and time.

Ticks are due at base + n · period, where base is the first tick's `ticks_us()`: timer and
ticks_us run on the same crystal. The time between starting the timer and reading the clock cannot
be measured better. Three things can happen to a tick:

- late, by less than a period: sampled, and its lateness is kept.
- so late that later ticks fell due (interrupts were off while flash was erased, a soft timer
  waited for a collection): the latest due tick is sampled, those before it count as missed.
  The timer may then fire for each missed tick at once (rp2 does); such calls come before the next
  tick is due and are ignored.
- the ring is full, because the main loop hangs: it counts as overrun.

The ring is single-producer, single-consumer: the interrupt alone moves `_head`, the main loop
alone moves `_tail`, each after it is done with the slot.
"""

from array import array
from time import ticks_add, ticks_diff, ticks_us

from machine import Timer
from micropython import const

# At 400 Hz this bridges 1.28 s of a main loop that hangs: a USB write to a host that has stopped
# reading blocks for 0.5 s, erasing a flash sector for 0.4 s.
_SLOTS = const(512)
_MASK = const(_SLOTS - 1)

# A call that comes earlier than this does not belong to the next due tick; a first tick that comes
# later than this was delayed and cannot be the base. It is less than half of the shortest period
# (2500 µs), and more than other interrupts ever delay this one.
_TOLERANCE_US = const(1000)

# A tick that is so late will not come any more: longer than flash, a slow host and a collection
# ever hold back a soft timer together. An exception in a hard timer's callback ends it for good.
_DEAD_US = const(3_000_000)


class SamplingStoppedError(Exception):
    """The timer fires no more; only a restart brings it back."""


class Sampler:
    """Samples `encoder` into the ring; `drain` hands the samples to `log` in order."""

    def __init__(self, encoder, clock, log, counters, timer_number=-1):
        self._timer_number = timer_number
        self._encoder = encoder
        self._clock = clock
        self._log = log
        self._counters = counters
        self._angles = array("H", bytes(2 * _SLOTS))
        self._status = bytearray(_SLOTS)
        self._late = array("i", bytes(4 * _SLOTS))  # µs after due
        self._missed = array("i", bytes(4 * _SLOTS))  # due ticks without a sample before this one
        self._overrun = array("i", bytes(4 * _SLOTS))  # samples that found the ring full
        self._head = 0
        self._tail = 0
        self._running = False
        self._fresh = False  # no tick since start()
        self._due = ticks_us()  # when the next tick is due
        self._base = self._due  # when the first tick was
        self._period = 0
        self._missed_now = 0
        self._overrun_now = 0
        self._begun = False  # the log knows the base
        self._timer = None
        self._callback = self.tick  # bound once: binding allocates
        self.hard = False  # the timer interrupts even a garbage collection
        self.period_us = 0

    def start(self, rate_hz):
        """Sample at `rate_hz` from the next tick on."""
        period = 1_000_000 // rate_hz
        self.period_us = period
        self._period = period
        self._missed_now = 0
        self._overrun_now = 0
        self._begun = False
        self._fresh = True
        self._due = ticks_add(ticks_us(), period)
        self._running = True
        self._timer = self._start_timer(period)

    def stop(self):
        """Stop sampling and move the last samples into the log."""
        if self._timer is not None:
            self._timer.deinit()
            self._timer = None
        self._running = False
        self.drain()

    def tick(self, _timer):
        """The interrupt. Everything it touches was allocated before."""
        now = ticks_us()
        late = ticks_diff(now, self._due)
        period = self._period
        if late < -_TOLERANCE_US or not self._running:
            return
        if self._fresh:
            self._fresh = False
            if late < _TOLERANCE_US:
                self._due = now
                late = 0
            self._base = self._due
        if late >= period:
            behind = late - late % period  # whole periods
            late = late % period
            self._missed_now += behind // period
            self._due = ticks_add(self._due, behind)
        self._due = ticks_add(self._due, period)

        encoder = self._encoder
        encoder.read()
        head = self._head
        after = (head + 1) & _MASK
        if after == self._tail:
            self._overrun_now += 1
            return
        self._angles[head] = encoder.angle
        self._status[head] = encoder.status
        self._late[head] = late
        self._missed[head] = self._missed_now
        self._overrun[head] = self._overrun_now
        self._missed_now = 0
        self._overrun_now = 0
        self._head = after

    def drain(self):
        """Move the interrupt's samples into the log. Main loop only.

        Raises SamplingStoppedError if the timer has died.
        """
        if self._running and ticks_diff(ticks_us(), self._due) > _DEAD_US:
            raise SamplingStoppedError("no tick for 3 s")
        log = self._log
        counters = self._counters
        tail = self._tail
        while tail != self._head:
            if not self._begun:
                self._begun = True
                log.begin(self._clock.at(self._base), self.period_us)
            missed = self._missed[tail]
            overrun = self._overrun[tail]
            if missed or overrun:
                counters.missed_ticks += missed
                counters.ring_overruns += overrun
                log.skip(missed + overrun)
            status = self._status[tail]
            counters.count_status(status)
            log.append(self._angles[tail], status, self._late[tail])
            tail = (tail + 1) & _MASK
            self._tail = tail

    def _start_timer(self, period_us):
        timer = Timer(self._timer_number)
        options = {
            "mode": Timer.PERIODIC,
            "period": period_us,
            "tick_hz": 1_000_000,
            "callback": self._callback,
        }
        try:
            timer.init(hard=True, **options)
            self.hard = True
        except (TypeError, ValueError):
            # ESP32, and rp2 before MicroPython 1.26: the callback is scheduled, may come late,
            # and each sample says by how much.
            timer.init(**options)
            self.hard = False
        return timer

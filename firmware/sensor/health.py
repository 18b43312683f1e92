"""Keeping the sensor alive and telling how it is: counters, watchdog, status light."""

import gc
from time import ticks_add, ticks_diff, ticks_ms

from machine import WDT, Pin
from micropython import const

from sensor.encoders import BUS_ERROR, MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET

_MAGNET_FAULT = NO_MAGNET | MAGNET_WEAK | MAGNET_STRONG

# Collecting at a chosen moment keeps each collection short: the main loop makes little garbage.
# Often enough for the clock, too, which must be read twice in a wrap of ticks_us (18 minutes).
_COLLECT_MS = const(5000)
_RECOVER_MS = const(250)  # between attempts to free a bus

_BLINK_IDENTIFY_MS = const(100)
_BLINK_FAULT_MS = const(500)


class Counters:
    """What has happened since boot, for the statistics request."""

    def __init__(self):
        self.samples = 0
        self.missed_ticks = 0
        self.ring_overruns = 0
        self.evicted = 0
        self.bus_errors = 0
        self.magnet_faults = 0
        self.frames_sent = 0
        self.frames_deferred = 0
        self.bytes_received = 0
        self.bad_frames = 0
        self.requests = 0
        self.loop_max_us = 0
        self.status = 0  # of the last sample

    def count_status(self, status):
        """Count one sample."""
        self.samples += 1
        self.status = status
        if status:
            if status & BUS_ERROR:
                self.bus_errors += 1
            if status & _MAGNET_FAULT:
                self.magnet_faults += 1


class Health:
    """Call `tick` in every turn of the main loop."""

    def __init__(self, board, encoder, clock, counters):
        self._clock = clock
        self._encoder = encoder
        self._counters = counters
        led = board.get("led")
        self._light = Pin(led["pin"], Pin.OUT, value=0) if led and "pin" in led else None
        self._lit = 0
        self._watchdog = None
        self._watchdog_ms = board.get("watchdog_ms", 0)
        self._identify_until = None
        self._collect_at = ticks_add(ticks_ms(), _COLLECT_MS)
        self._recover_at = ticks_ms()
        self.streaming = False

    def start_watchdog(self):
        """From here on a main loop that hangs restarts the board."""
        if self._watchdog_ms:
            self._watchdog = WDT(timeout=self._watchdog_ms)

    def identify(self, seconds):
        """Blink for so long, so that somebody finds the machine."""
        self._identify_until = ticks_add(ticks_ms(), 1000 * seconds)

    def tick(self):
        """Feed the watchdog and do what is due."""
        if self._watchdog is not None:
            self._watchdog.feed()
        now = ticks_ms()
        if ticks_diff(now, self._collect_at) >= 0:
            self._collect_at = ticks_add(now, _COLLECT_MS)
            self._clock.now_us()
            gc.collect()
        if self._counters.status & BUS_ERROR and ticks_diff(now, self._recover_at) >= 0:
            self._recover_at = ticks_add(now, _RECOVER_MS)
            self._encoder.recover()
        self._show(now)

    def _show(self, now):
        """Quick blinking: identify. Slow: the encoder has a fault. Steady: streaming."""
        if self._light is None:
            return
        if self._identify_until is not None:
            if ticks_diff(now, self._identify_until) >= 0:
                self._identify_until = None
            lit = now // _BLINK_IDENTIFY_MS & 1
        elif self._counters.status:
            lit = now // _BLINK_FAULT_MS & 1
        else:
            lit = 1 if self.streaming else 0
        if lit != self._lit:  # on a Pico W each write is a message to the radio chip
            self._lit = lit
            self._light(lit)

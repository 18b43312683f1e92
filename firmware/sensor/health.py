"""Counters, watchdog and status light."""

import gc
from collections import OrderedDict
from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from machine import WDT
from micropython import const

from sensor.encoders import BUS_ERROR, MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET
from sensor.light import CONNECTED, FAULT, IDENTIFY, SEARCHING, STREAMING

_MAGNET_FAULT = NO_MAGNET | MAGNET_WEAK | MAGNET_STRONG

# Regular collections stay short, because the main loop makes little garbage. The interval is short
# enough for the clock too, which must be read twice in a wrap of ticks_us (18 minutes).
_COLLECT_MS = const(5000)
_RECOVER_MS = const(250)  # between attempts to free a bus
_LOOK_MS = const(1000)  # between looks at the magnet's figures, which cost a longer read
_HOST_MS = const(10_000)  # a host without a request for so long counts as gone


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
        self.wrong_keys = 0
        self.loop_max_us = 0
        self.collect_max_us = 0
        self.free_heap = 0  # bytes, after the last collection
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


class Watchdog:
    """The hardware watchdog. Once started, it cannot be stopped."""

    def __init__(self):
        self._watchdog = None

    def start(self, timeout_ms):
        """Restart the board from now on if the main loop hangs. 0: no watchdog."""
        if timeout_ms:
            self._watchdog = WDT(timeout=timeout_ms)

    def feed(self):
        """Restart the timeout."""
        if self._watchdog is not None:
            self._watchdog.feed()


class Health:
    """Call `tick` in every turn of the main loop."""

    def __init__(self, light, watchdog, encoder, clock, counters):
        self._light = light
        self._watchdog = watchdog
        self._encoder = encoder
        self._clock = clock
        self._counters = counters
        now = ticks_ms()
        self._identify_from = now
        self._identify_until = None
        self._host_until = None
        self._collect_at = now
        self._recover_at = now
        self._look_at = now
        self.streaming = False

    def identify(self, seconds):
        """Blink for so long, from now on."""
        self._identify_from = ticks_ms()
        self._identify_until = ticks_add(self._identify_from, 1000 * seconds)

    def hear_host(self):
        """Note that a host has sent a request."""
        self._host_until = ticks_add(ticks_ms(), _HOST_MS)

    def tick(self):
        """Feed the watchdog and do what is due."""
        self._watchdog.feed()
        now = ticks_ms()
        if ticks_diff(now, self._collect_at) >= 0:
            self._collect_at = ticks_add(now, _COLLECT_MS)
            self._clock.now_us()
            self._collect()
        if self._counters.status & BUS_ERROR and ticks_diff(now, self._recover_at) >= 0:
            self._recover_at = ticks_add(now, _RECOVER_MS)
            self._encoder.recover()
        if ticks_diff(now, self._look_at) >= 0:
            self._look_at = ticks_add(now, _LOOK_MS)
            self._encoder.look()
        state = self._state(now)
        self._light.show(state, ticks_diff(now, self._identify_from) if state == IDENTIFY else now)

    def figures(self):
        """The fields of the statistics request, in the order of the protocol."""
        counters = self._counters
        encoder = self._encoder
        return OrderedDict(
            (
                ("uptime_ms", self._clock.now_us() // 1000),
                ("samples", counters.samples),
                ("missed_ticks", counters.missed_ticks),
                ("ring_overruns", counters.ring_overruns),
                ("evicted", counters.evicted),
                ("bus_errors", counters.bus_errors),
                ("magnet_faults", counters.magnet_faults),
                ("frames_sent", counters.frames_sent),
                ("frames_deferred", counters.frames_deferred),
                ("bytes_received", counters.bytes_received),
                ("bad_frames", counters.bad_frames),
                ("requests", counters.requests),
                ("wrong_keys", counters.wrong_keys),
                ("free_heap", counters.free_heap),
                ("loop_max_us", counters.loop_max_us),
                ("collect_max_us", counters.collect_max_us),
                ("agc", encoder.agc),
                ("magnitude", encoder.magnitude),
                ("slips", encoder.slips),
            )
        )

    def _collect(self):
        begun = ticks_us()
        gc.collect()
        took = ticks_diff(ticks_us(), begun)
        if took > self._counters.collect_max_us:
            self._counters.collect_max_us = took
        self._counters.free_heap = gc.mem_free()  # before the next garbage

    def _state(self, now):
        """The state that the light shows, the most urgent first."""
        if self._identify_until is not None:
            if ticks_diff(now, self._identify_until) < 0:
                return IDENTIFY
            self._identify_until = None
        if self._counters.status:
            return FAULT
        if self.streaming:
            return STREAMING
        if self._host_until is not None:
            if ticks_diff(now, self._host_until) < 0:
                return CONNECTED
            self._host_until = None
        return SEARCHING

"""How often the sensor has started, and why this time, as far as it knows itself.

A board's reset register tells too little: on RP2 a restart that was asked for reads "watchdog", on
ESP32 a brown-out reads power-on and a panic reads hard reset. So the sensor notes in flash why it
restarts itself, and the register speaks only where there is no note.

The count makes boot ids differ: before its radio is on, an ESP32 has only pseudo-random numbers,
and two boots could draw the same. A start costs one write of flash, of some 100,000.
"""

import os

import machine
from micropython import const

REQUESTED = "requested"  # a host asked for it
CRASHED = "crash"

_REASONS = (
    ("PWRON_RESET", "power_on"),  # on ESP32 a brown-out too
    ("WDT_RESET", "watchdog"),
    ("HARD_RESET", "hard_reset"),  # on ESP32 a panic too
    ("DEEPSLEEP_RESET", "deep_sleep"),
    ("SOFT_RESET", "soft_reset"),
)

_COUNT_BITS = const(16)


class Starts:
    """The starts, in the flash record `record`. Making one counts a start."""

    def __init__(self, record):
        self._record = record
        before = record.load()
        if not isinstance(before, dict):
            before = {}
        count = before.get("count")
        self.count = (count if isinstance(count, int) else 0) + 1
        self.reason = before.get("next") or _reset_reason()
        self._store(None)

    def expect(self, reason):
        """Note why the next start will be; call it right before a restart."""
        self._store(reason)

    def boot_id(self):
        """A number that no two boots share; never 0, which means "any" on the wire."""
        random = int.from_bytes(os.urandom(2), "little")
        return (self.count & ((1 << _COUNT_BITS) - 1)) << 16 | random or 1

    def _store(self, reason):
        try:
            for _ in self._record.store({"count": self.count, "next": reason}):
                pass
        except OSError:
            pass  # a full flash costs the note, not the sensor


def _reset_reason():
    cause = machine.reset_cause()
    for name, word in _REASONS:
        if getattr(machine, name, None) == cause:
            return word
    return "unknown"

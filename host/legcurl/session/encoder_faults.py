"""The encoder's faults, from the status in each frame: an event when one begins, one when it ends.

A fault has ended when it has not shown for FAULT_QUIET_US: with a magnet at the edge of its
distance the status flickers with every sample, and that is one fault, not a hundred.
"""

from __future__ import annotations

from legcurl.events import Event, SensorTrouble
from legcurl.protocol.frame import STATUS_BLIND, STATUS_RESERVED, Status

FAULT_QUIET_US = 500_000
FAULTS: tuple[tuple[int, str], ...] = (
    (Status.NO_MAGNET.value, "no_magnet"),
    (Status.WEAK_MAGNET.value, "weak_magnet"),
    (Status.STRONG_MAGNET.value, "strong_magnet"),
    (Status.BUS_ERROR.value, "bus_error"),
    (Status.NOT_REFERENCED.value, "not_referenced"),
    (STATUS_RESERVED, "unknown"),
)
BLINDING_FAULTS = frozenset(fault for bits, fault in FAULTS if bits & STATUS_BLIND)


class FaultWatch:
    """The faults that are active now."""

    def __init__(self) -> None:
        self._active: dict[str, int] = {}  # session time in µs after the last sight

    def look(
        self, status: int, due_us: int, after_us: int, referenced_by: str | None = None
    ) -> list[Event]:
        """Say which faults began or ended at the start of a run that lasts until `after_us`."""
        events: list[Event] = []
        if not status and not self._active:
            return events
        for bits, fault in FAULTS:
            seen_us = self._active.get(fault)
            if status & bits:
                if seen_us is None:
                    by = referenced_by if fault == "not_referenced" else None
                    events.append(SensorTrouble(due_us / 1e6, fault, True, by))
                self._active[fault] = after_us
            elif seen_us is not None and due_us >= seen_us + FAULT_QUIET_US:
                events.append(SensorTrouble(due_us / 1e6, fault, active=False))
                del self._active[fault]
        return events

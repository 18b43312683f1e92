"""The sensor's Bluetooth service: its identifiers, and what a sensor advertises.

"Bluetooth Low Energy" in docs/protocol.md is normative. Nothing here needs bleak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COMPANY = 0xFFFF  # a company id for internal use, of no company
STATE_IN_USE = 0x01
ADVERTISED_BYTES = 5  # state, and the end of the sensor id
NAME_ROOM_BYTES = 29  # what a scan response holds of a name; a longer one is cut there or before
NAME_CUT_BYTES = NAME_ROOM_BYTES - 3  # at the earliest, so that no UTF-8 character is cut
NO_RSSI = -127  # what bleak says where the system does not know


def uuid_of(short: int) -> str:
    """The UUID of our service or of one of its characteristics."""
    return f"4c65{short:04x}-6763-4572-8c00-a7d3c5e91b42"


SERVICE = uuid_of(0x0001)
SAMPLES = uuid_of(0x0002)  # notify: SAMPLES, GAP and BOOT frames
REQUESTS = uuid_of(0x0003)  # write: REQUEST frames
ANSWERS = uuid_of(0x0004)  # notify: ANSWER frames


@dataclass(frozen=True, slots=True)
class Sighting:
    """A sensor as it was last heard to advertise."""

    device: Any  # bleak's BLEDevice: what to connect to, good for this one scan only
    address: str  # on macOS a UUID that stands for it
    name: str  # empty until a scan response was heard
    rssi: int  # dBm
    in_use: bool  # it has a host
    id_tail: str  # the last eight digits of its sensor id; empty if it does not say
    seen_s: float  # the loop's time

    def __str__(self) -> str:
        strength = "" if self.rssi <= NO_RSSI else f", {self.rssi} dBm"
        busy = ", in use" if self.in_use else ""
        return f"{self.name or 'no name'} ({self.address}{strength}{busy})"

    def is_meant_by(self, target: str) -> bool:
        """Whether `target` stands for this sensor: see BleAddress."""
        wanted = target.casefold()
        return (
            not wanted
            or wanted == self.address.casefold()
            or self._is_called(wanted)
            or self._has_id(wanted)
        )

    def _is_called(self, wanted: str) -> bool:
        name = self.name.casefold()
        if name == wanted:
            return True
        cut = len(self.name.encode()) >= NAME_CUT_BYTES
        return cut and wanted.startswith(name)

    def _has_id(self, wanted: str) -> bool:
        """Whether `wanted` is the sensor id or its end, as far as the sensor says it."""
        if len(wanted) < 4 or not self.id_tail:
            return False
        return wanted.endswith(self.id_tail) or self.id_tail.endswith(wanted)


def read_advertised(payload: bytes | None) -> tuple[bool, str]:
    """Read our manufacturer data: whether in use, and the end of the sensor id."""
    if payload is None or len(payload) < ADVERTISED_BYTES:
        return False, ""
    return bool(payload[0] & STATE_IN_USE), payload[1:ADVERTISED_BYTES].hex()


def is_address(target: str) -> bool:
    """Whether a target is a Bluetooth address, or the UUID that stands for it on macOS."""
    digits = target.replace(":", "").replace("-", "")
    if not digits or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        return False
    groups = tuple(len(group) for group in target.replace("-", ":").split(":"))
    return groups in ((2,) * 6, (8, 4, 4, 4, 12))

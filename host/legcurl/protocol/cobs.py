"""Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without a zero among them.

A zero then ends a packet, so a receiver that joins late or lost a byte recovers at the next zero.
It costs one byte, and one more for every 254.
"""

from __future__ import annotations

FULL_GROUP = 254  # bytes a group can hold; its code 255 stands for no zero after them


def cobs_encode(raw: bytes) -> bytes:
    """Stuff bytes so that none of them is zero."""
    stuffed = bytearray()
    groups = raw.split(b"\0")
    for group in groups[:-1]:
        _append_group(stuffed, group)
    last = groups[-1]
    if last and len(last) % FULL_GROUP == 0:  # a full group at the very end stands for no zero
        for at in range(0, len(last), FULL_GROUP):
            stuffed.append(255)
            stuffed += last[at : at + FULL_GROUP]
    else:
        _append_group(stuffed, last)
    return bytes(stuffed)


def cobs_decode(packet: bytes) -> bytes | None:
    """Undo COBS; None if a group points beyond the end, as after a lost or changed byte."""
    raw = bytearray()
    at = 0
    end = len(packet)
    while at < end:
        code = packet[at]
        group_end = at + code
        if code == 0 or group_end > end:
            return None
        raw += packet[at + 1 : group_end]
        at = group_end
        if code != 255 and at != end:
            raw.append(0)
    return bytes(raw)


def _append_group(stuffed: bytearray, group: bytes) -> None:
    at = 0
    while len(group) - at >= FULL_GROUP:
        stuffed.append(255)
        stuffed += group[at : at + FULL_GROUP]
        at += FULL_GROUP
    stuffed.append(len(group) - at + 1)
    stuffed += group[at:]

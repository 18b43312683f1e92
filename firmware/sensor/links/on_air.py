"""The sensor's GATT services, advertisement and scan response.

The bytes are those of "Bluetooth Low Energy" in docs/protocol.md; ble.py gives them to the stack.
"""

import bluetooth
from micropython import const

STATE_AT = const(25)  # in the advertisement

_COMPANY = const(0xFFFF)  # none: for use without a number of one's own
_SCAN_RESPONSE_NAME = const(29)  # bytes of 31
_COMPLETE_NAME = const(0x09)
_SHORTENED_NAME = const(0x08)


def services():
    """Device Information, and ours: characteristics in the order of their handles."""
    read = bluetooth.FLAG_READ
    notify = bluetooth.FLAG_NOTIFY
    write = bluetooth.FLAG_WRITE | bluetooth.FLAG_WRITE_NO_RESPONSE
    uuid = bluetooth.UUID
    # Manufacturer, model, serial number, firmware revision (Assigned Numbers, 3.8).
    device = tuple([(uuid(number), read) for number in (0x2A29, 0x2A24, 0x2A25, 0x2A26)])
    sensor = ((_uuid(2), notify), (_uuid(3), write), (_uuid(4), notify), (_uuid(5), read))
    return ((uuid(0x180A), device), (_uuid(1), sensor))


def advertisement(sensor_id):
    """Flags, the service, and manufacturer data; the state is at STATE_AT."""
    record = bytearray(30)
    record[:3] = b"\x02\x01\x06"  # general discovery, no BR/EDR
    record[3:5] = b"\x11\x07"  # complete list of 128-bit services
    record[5:21] = bytes(_uuid(1))  # pyright: ignore[reportArgumentType]
    record[21:23] = b"\x08\xff"  # manufacturer data
    record[23] = _COMPANY & 0xFF
    record[24] = _COMPANY >> 8
    record[26:30] = bytes.fromhex(sensor_id)[-4:]
    return record


def name_record(name):
    """The scan response: as much of `name` as fits, cut between characters."""
    kind = _COMPLETE_NAME
    if len(name) > _SCAN_RESPONSE_NAME:
        kind = _SHORTENED_NAME
        end = _SCAN_RESPONSE_NAME
        while name[end] & 0xC0 == 0x80:
            end -= 1
        name = name[:end]
    return bytes((1 + len(name), kind)) + name


def _uuid(number):
    return bluetooth.UUID("4c65%04x-6763-4572-8c00-a7d3c5e91b42" % number)

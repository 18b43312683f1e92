"""`bluetooth` of the simulated board: MicroPython's API for a peripheral, on a virtual radio.

What it does with values, buffers and connections is done at the other end of simradio.py, by
legcurl.simulator.radio.peripheral. Only the peripheral's role is there.
"""

import struct
from binascii import hexlify, unhexlify

from simclock import clock
from simport import PortIn
from simradio import open_radio
from simworld import HOST_STALLS

FLAG_READ = 0x0002
FLAG_WRITE_NO_RESPONSE = 0x0004
FLAG_WRITE = 0x0008
FLAG_NOTIFY = 0x0010
FLAG_INDICATE = 0x0020

_CENTRAL_CONNECT = 1
_CENTRAL_DISCONNECT = 2

_ENOMEM = 12
_ENODEV = 19
_EINVAL = 22
_EOPNOTSUPP = 95
_LONGEST_ADVERTISEMENT = 31


class UUID:
    """16, 32 or 128 bits; `bytes(uuid)` is little-endian, as on a board."""

    def __init__(self, value):
        if isinstance(value, UUID):
            self._bytes = value._bytes
        elif isinstance(value, int):
            if not 0 <= value <= 0xFFFF:
                raise ValueError("invalid UUID")
            self._bytes = struct.pack("<H", value)
        elif isinstance(value, str):
            digits = value.replace("-", "")
            if len(digits) != 32:
                raise ValueError("invalid UUID")
            self._bytes = bytes(reversed(unhexlify(digits)))
        else:
            if len(value) not in (2, 4, 16):
                raise ValueError("invalid UUID")
            self._bytes = bytes(value)

    # A board's has the buffer protocol. A VM without it takes an iterable for bytes().
    def __iter__(self):
        return iter(self._bytes)

    def __len__(self):
        return len(self._bytes)

    def __eq__(self, other):
        return isinstance(other, UUID) and self._bytes == other._bytes

    def __hash__(self):
        return hash(self._bytes)

    def __repr__(self):
        digits = hexlify(bytes(reversed(self._bytes))).decode()
        if len(digits) < 32:
            return "UUID(0x%s)" % digits
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "UUID('%s')" % "-".join(parts)


class BLE:
    """The one radio of the board: every call gives the same object, until a restart."""

    _only = None

    def __new__(cls):
        if cls._only is None or cls._only._boot != clock.boots:
            cls._only = object.__new__(cls)
            cls._only._set_up()
        return cls._only

    def _set_up(self):
        self._boot = clock.boots
        self._radio = open_radio()
        self._radio.listener = self._listen
        self._handler = None
        self._active = False
        self._centrals = set()
        self._appending = set()  # characteristics whose reads the clock watches
        self._watch = PortIn(None).watch

    def active(self, on=None):
        if on is not None and bool(on) != self._active:
            self._radio.call("active", bool(on))
            self._active = bool(on)
            self._centrals.clear()
        return self._active

    def config(self, *name, **values):
        if (name and values) or len(name) > 1:
            raise TypeError("can't specify pos and kw args")
        for key in values:
            value = values[key]
            self._call("config_set", key, value if isinstance(value, int) else _hex(value))
        if not name:
            return None
        got = self._call("config_get", name[0])
        if name[0] == "mac":
            return (0, unhexlify(got))  # a public address
        return unhexlify(got) if name[0] == "gap_name" else got

    def irq(self, handler):
        self._handler = handler

    def gap_advertise(self, interval_us, adv_data=None, *, resp_data=None, connectable=True):
        for part in (adv_data, resp_data):
            if part is not None and len(part) > _LONGEST_ADVERTISEMENT:
                raise OSError(_EINVAL, "radio")
        self._call(
            "advertise", interval_us, _hex(adv_data or b""), _hex(resp_data or b""), connectable
        )

    def gap_disconnect(self, connection):
        return self._call("disconnect", connection)

    def gatts_register_services(self, services):
        listed = [
            [
                _hex(service[0]),
                [
                    [
                        _hex(item[0]),
                        item[1],
                        [[_hex(each[0]), each[1]] for each in (item[2] if len(item) > 2 else ())],
                    ]
                    for item in service[1]
                ],
            ]
            for service in services
        ]
        return tuple([tuple(handles) for handles in self._call("register", listed)])

    def gatts_read(self, handle):
        value = unhexlify(self._call("read", handle))
        if handle in self._appending:
            for byte in value:
                self._watch(byte)
        return value

    def gatts_write(self, handle, value, send_update=False):
        self._call("write", handle, _hex(value), send_update)

    def gatts_notify(self, connection, handle, value=None):
        stalled = clock.world is not None and clock.world.faults & HOST_STALLS
        if stalled and not clock.frozen:
            raise OSError(_ENOMEM, "radio")  # the buffers are full of unacknowledged packets
        self._radio.refused = False
        try:
            self._call("notify", connection, handle, None if value is None else _hex(value))
        except OSError:
            self._radio.refused = True
            raise

    def gatts_indicate(self, connection, handle, value=None):
        self._call("indicate", connection, handle, None if value is None else _hex(value))

    def gatts_set_buffer(self, handle, size, append=False):
        self._call("set_buffer", handle, size, append)
        if append:
            self._appending.add(handle)

    def gap_scan(self, *_arguments):
        raise OSError(_EOPNOTSUPP, "radio")

    gap_connect = gattc_exchange_mtu = gap_pair = gap_scan

    def _call(self, method, *arguments):
        if not self._active:
            raise OSError(_ENODEV, "radio")
        return self._radio.call(method, *arguments)

    def _listen(self, event, values):
        values = tuple([unhexlify(v) if isinstance(v, str) else v for v in values])
        if event == _CENTRAL_CONNECT:
            self._centrals.add(values[0])
        elif event == _CENTRAL_DISCONNECT:
            self._centrals.discard(values[0])
            if not self._centrals:  # no central listens: as if the cable had been pulled
                clock.frozen = clock.fast and not clock.link_down
        if self._handler is not None:
            self._handler(event, values)


def _hex(value):
    if isinstance(value, str):
        value = value.encode()
    return hexlify(bytes(value)).decode()

"""A Bluetooth stack that can be told to misbehave, and a sensor's link on it."""

import bluetooth
from simclock import clock

ENOMEM = 12
CONNECT, DISCONNECT, WRITE, MTU = 1, 2, 3, 21
ALICE, BOB, CAROL = 64, 65, 66
PEER = b"\x01\x02\x03\x04\x05\x06"


class Stack:
    """`bluetooth.BLE()`: keeps what it is told, and fails on demand."""

    def __init__(self):
        self.on = False
        self.handler = None
        self.starts = 0
        self.failing = ()  # names of methods that raise
        self.slow_ms = 0  # how long that takes them
        self.full = False  # no buffer for a notification
        self.advertisements = []  # (state, name, connectable), the newest last
        self.values = {}
        self.notified = []  # (connection, handle, bytes)
        self.disconnected = []
        self.largest_mtu = None
        self.written = b""
        self.buffer = (20, False)

    def active(self, on):
        if on:
            self._may("active")
        self.on = on
        self.starts += on

    def irq(self, handler):
        self.handler = handler

    def config(self, **values):
        self._may("config")
        for name in values:
            if name == "mtu":
                self.largest_mtu = values[name]

    def gatts_register_services(self, services):
        self._may("gatts_register_services")
        handles = []
        number = 20
        for _, items in services:
            handles.append(tuple(range(number, number + len(items))))
            number += len(items)
        return tuple(handles)

    def gatts_set_buffer(self, handle, size, append):
        self.requests = handle
        self.buffer = (size, append)

    def gatts_write(self, handle, value):
        self._may("gatts_write")
        self.values[handle] = value

    def gatts_read(self, handle):
        assert handle == self.requests
        value = self.written
        self.written = b""
        return value

    def gap_advertise(self, interval_us, adv_data, *, resp_data, connectable):
        self._may("gap_advertise")
        assert len(adv_data) <= 31
        assert len(resp_data) <= 31
        self.interval_us = interval_us
        self.advertisement = bytes(adv_data)
        self.response = bytes(resp_data)
        self.advertisements.append((adv_data[25], bytes(resp_data[2:]), connectable))

    def gap_disconnect(self, connection):
        self._may("gap_disconnect")
        self.disconnected.append(connection)

    def gatts_notify(self, connection, handle, value):
        if self.full:
            raise OSError(ENOMEM, "ENOMEM")
        self._may("gatts_notify")
        self.notified.append((connection, handle, bytes(value)))

    def _may(self, what):
        if what in self.failing:
            clock.sleep(1000 * self.slow_ms)
            raise OSError(5, what)

    # What the other end does.

    def connect(self, connection):
        self.handler(CONNECT, (connection, 0, PEER))

    def disconnect(self, connection):
        self.handler(DISCONNECT, (connection, 0, PEER))

    def exchange_mtu(self, connection, mtu):
        self.handler(MTU, (connection, mtu))

    def write(self, connection, value):
        size, append = self.buffer
        self.written = ((self.written if append else b"") + value)[:size]
        self.handler(WRITE, (connection, self.requests))


class Identity:
    board = "pico_w"
    sensor_id = "e66058388317812f"


def link_on(stack, name="Leg curl 1", **how):
    """A link on that stack, started if the stack lets it."""
    from sensor.links.ble import BleLink

    clock.set_pace("fast")
    real = bluetooth.BLE
    bluetooth.BLE = lambda: stack
    try:
        link = BleLink(Identity, **how)
    finally:
        bluetooth.BLE = real
    link.describe(name, None)
    link.tend()
    return link


def connected():
    """A stack, and the link on it that ALICE is connected to."""
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    return stack, link


def later(link, ms, turns=1):
    for _ in range(turns):
        clock.sleep(1000 * ms)
        link.tend()


def read_all(link):
    got = bytearray()
    while True:
        byte = link.read_byte()
        if byte < 0:
            return bytes(got)
        got.append(byte)

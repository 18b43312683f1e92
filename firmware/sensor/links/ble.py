"""Bluetooth Low Energy: a peripheral on the built-in `bluetooth` module, for one central at a time.

"Bluetooth Low Energy" in docs/protocol.md is normative. The stack calls `_on_event` at any moment,
on ESP32 even from another thread, so that handler stores and counts and allocates nothing;
everything else happens in `tend`, `read_byte` and `write`, in the main loop.
This link keeps no samples. While the radio takes nothing, because its buffers are full or it is
silent, `write` takes nothing, the session keeps its place in the log, and all is sent later. After
a lost connection, the next central says where to continue.

One central excludes all others, so the sensor disconnects one that sends no request within half a
minute, or stops sending them. Our host sends pings.

The two stacks under MicroPython differ when the controller has no room for a notification. NimBLE
(ESP32) raises ENOMEM. BTstack (rp2) copies every one to MicroPython's heap and reports nothing
(extmod/btstack/modbluetooth_btstack.c, mp_bluetooth_gatts_notify_indicate): sending minutes of log
again at full speed through a slow connection would fill the heap. There, notifications keep a
distance in time, and stop when the heap is nearly full. BTstack never frees what still waits when
a connection breaks, some hundred bytes each time. When the heap has become too small for another
connection, and no central has come for a minute, the sensor restarts.
"""

import errno
import gc
import json
import sys
from array import array
from collections import OrderedDict
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

import bluetooth
from micropython import const

from sensor import FIRMWARE_VERSION, PROTOCOL_MAJOR, PROTOCOL_MINOR
from sensor.frame import ANSWER, MAX_WIRE
from sensor.links.on_air import STATE_AT, advertisement, name_record, services

# Events, and what the stack gives with them (docs.micropython.org, library/bluetooth).
_CENTRAL_CONNECT = const(1)  # connection, address type, address
_CENTRAL_DISCONNECT = const(2)  # connection, address type, address
_GATTS_WRITE = const(3)  # connection, characteristic
_MTU_EXCHANGED = const(21)  # connection, mtu

_NOBODY = const(-1)
_SMALLEST_MTU = const(23)  # until the central asks for more
_LARGEST_MTU = const(517)  # what the most generous centrals ask for
_NOTIFICATION_HEAD = const(3)  # of the MTU: opcode and handle
_LONGEST_VALUE = const(512)  # of an attribute, whatever the MTU (Core 5.4, vol. 3, part F, 3.2.9)
# A frame, a zero before it, and one byte more: a buffer that is full has lost something.
_REQUEST_BUFFER = MAX_WIRE + 2

# While free, often enough for a scan of a few seconds to find it; in use, so that a second host
# can say so. µs.
_INTERVAL_FREE_US = const(152_500)
_INTERVAL_IN_USE_US = const(1_022_500)

# Limits for a central without a whole request: since it came, and since the last one. Our host
# pings every few seconds. No const(): a simulator in which the sensor's time runs faster than its
# host's sets them to the host's.
FIRST_REQUEST_MS = 30_000
SILENCE_MS = 60_000

_ADVERTISE_AGAIN_MS = const(1000)
_ADVERTISE_TRIES = const(5)  # then the stack is started anew
_START_AGAIN_MS = const(10_000)  # starting a stack may hold the main loop for a second
# One that fails more slowly (BTstack waits 15 s for a controller that is silent) would set off the
# watchdog in the main loop. It is tried once, before sampling, and again at the next restart.
_SLOW_START_MS = const(3000)
_FAREWELL_MS = const(200)  # for the last answer to leave: several connection intervals
_UNWANTED = const(4)  # second centrals that wait to be disconnected: a power of two

# For a stack that queues on the heap. A connection of 30 ms takes several notifications in an
# interval, so this distance holds it up little; and between two looks at the heap (1 ms each)
# at most 4 kB go into the queue.
_DISTANCE_MS = const(5)
_LOOK_AFTER = const(16)
_HEAP_KEPT = const(8_192)  # a request and its answer take half of it
_HEAP_LOW_MS = const(100)
_ALONE_MS = const(60_000)

_IN_USE = const(0x01)


class BleLink:
    """Serves one central; call `tend` in every turn of the main loop, first before sampling."""

    kind = "ble"
    wired = False

    def __init__(self, identity, queues_on_heap=sys.platform == "rp2"):
        self.hung_up = True
        self.connection = 0  # how many centrals have come
        self._identity = identity
        self._ble = bluetooth.BLE()
        self._handler = self._on_event  # bound once: binding allocates
        self._running = False
        self._given_up = False
        self._name = ""
        self._key_id = None
        self._described = False  # the stack knows name and key id as they are now
        self._advertised = False  # and advertises them, and whether there is a central
        self._advertise_tries = 0
        self._retry_at = ticks_ms()
        self._failures = 0
        self._error = None  # the last failure, if it lasts

        self._central = _NOBODY
        self._mtu = _SMALLEST_MTU
        self._served = 0  # the connection that `_incoming` belongs to
        self._refused = 0
        self._unwanted = array("H", bytes(2 * _UNWANTED))
        self._turned_away = 0  # of the refused, those that were disconnected
        self._heard_at = 0  # when the central came, or its last request
        self._may_be_silent_ms = FIRST_REQUEST_MS
        self._dismissed = 0  # centrals that were silent for too long

        self._samples = 0  # handles of characteristics
        self._requests = 0
        self._answers = 0
        self._info = 0
        self._outlet = 0  # the characteristic that the current frame goes to
        self._written = False  # requests has something to read
        self._incoming = b""
        self._at = 0
        self._truncated = 0

        self._waits = False  # this notification was counted in _no_memory
        self._no_memory = 0
        self._queues_on_heap = queues_on_heap
        self._free_at = ticks_ms()  # when the next notification may go to such a stack
        self._unlooked = 0  # notifications since the last look at the heap
        self._left_at = None  # when the last central did, until the heap was looked at
        self._free_at_first = 0  # what was free after the first had left

        self._advertisement = advertisement(identity.sensor_id)
        self._scan_response = b""

    def describe(self, name, key_id):
        """Take the sensor's name and the id of its key or None; both are advertised."""
        if name != self._name or key_id != self._key_id:
            self._name = name
            self._key_id = key_id
            self._described = False

    def tend(self):
        """Do what is due besides bytes: start, advertise, turn second centrals away."""
        due = ticks_diff(ticks_ms(), self._retry_at) >= 0
        if not self._running and (self._given_up or not due or not self._start()):
            return
        if self._served != self.connection or (self.hung_up and self._incoming):
            self._served = self.connection
            self._forget_incoming()
            self._left_at = self._heard_at = ticks_ms()
            self._may_be_silent_ms = FIRST_REQUEST_MS
        while self._turned_away != self._refused:
            self._disconnect(self._unwanted[self._turned_away & (_UNWANTED - 1)])
            self._turned_away += 1
        if not self.hung_up:
            self._check_silence()
        if self._left_at is not None and self._queues_on_heap:
            self._check_heap()
        if due and not self._described:
            self._tell()
        if due and not self._advertised:
            self._advertise()

    def hear(self):
        """The central has sent a whole request."""
        self._heard_at = ticks_ms()
        self._may_be_silent_ms = SILENCE_MS

    def begin(self, frame_type):
        """Choose the characteristic for a frame of this type."""
        self._outlet = self._answers if frame_type == ANSWER else self._samples

    def want_output(self, _wanted):
        """Do nothing: a stack does not tell when it can send; the main loop tries every few ms."""

    def read_byte(self):
        """The next byte, or -1."""
        if self._at == len(self._incoming) and not self._read():
            return -1
        byte = self._incoming[self._at]
        self._at += 1
        return byte

    def write(self, view):
        """Notify the central of the beginning of `view`; returns how many bytes were sent."""
        central = self._central
        if central == _NOBODY:
            return 0
        if self._queues_on_heap and not self._may_queue():
            return 0
        room = min(self._mtu - _NOTIFICATION_HEAD, _LONGEST_VALUE)
        size = len(view)
        if size > room:
            size = room
            view = view[:room]
        try:
            self._ble.gatts_notify(central, self._outlet, view)  # pyright: ignore[reportCallIssue]
        except OSError as error:
            # Otherwise the central has gone, and the stack is about to say so.
            if error.errno == errno.ENOMEM:
                self._wait()
            return 0
        self._waits = False
        return size

    def figures(self):
        """Counters for the statistics request."""
        return OrderedDict(
            (
                ("connected", self._central != _NOBODY),
                ("mtu", self._mtu),
                ("connections", self.connection),
                ("refused", self._refused),
                ("dismissed", self._dismissed),
                ("no_memory", self._no_memory),
                ("truncated", self._truncated),
                ("failures", self._failures),
                ("error", self._error),
            )
        )

    def close(self):
        """Let the last answer leave and switch the radio off, which tells the central."""
        if not self._running:
            return
        if self._central != _NOBODY:
            sleep_ms(_FAREWELL_MS)
        self._stop()

    def _on_event(self, event, detail):
        """The stack's interrupt: no allocation, no call into the stack."""
        connection = detail[0]
        if event == _GATTS_WRITE:
            if connection == self._central:
                self._written = True
        elif event == _MTU_EXCHANGED:
            if connection == self._central:
                self._mtu = detail[1]
        elif event == _CENTRAL_CONNECT:
            if self._central == _NOBODY:
                self._central = connection
                self._mtu = _SMALLEST_MTU
                self.connection += 1
                self.hung_up = False
            else:
                self._unwanted[self._refused & (_UNWANTED - 1)] = connection
                self._refused += 1
            self._advertised = False  # a controller stops when it is connected to
        elif event == _CENTRAL_DISCONNECT:
            if connection == self._central:
                self._central = _NOBODY
                self.hung_up = True
            self._advertised = False

    def _start(self):
        """Start the stack; False if it fails."""
        ble = self._ble
        begun = ticks_ms()
        try:
            ble.active(True)
            ble.irq(self._handler)
            _ask_for_mtu(ble)
            device, service = ble.gatts_register_services(services())
            identity = self._identity
            about = ("legcurl", identity.board, identity.sensor_id, FIRMWARE_VERSION)
            for handle, text in zip(device, about):  # noqa: B905 - MicroPython has no strict
                ble.gatts_write(handle, text.encode())
            self._samples, self._requests, self._answers, self._info = service
            ble.gatts_set_buffer(self._requests, _REQUEST_BUFFER, True)
        except OSError as error:
            self._given_up = ticks_diff(ticks_ms(), begun) >= _SLOW_START_MS
            self._stop()
            self._fail(error, _START_AGAIN_MS)
            return False
        self._running = True
        self._described = False
        self._advertised = False
        self._advertise_tries = 0
        return True

    def _stop(self):
        self._running = False
        self._central = _NOBODY
        self.hung_up = True
        self._ble.irq(None)  # pyright: ignore[reportArgumentType]
        try:
            self._ble.active(False)
        except OSError as error:
            self._fail(error, _START_AGAIN_MS)

    def _tell(self):
        """Publish the name and the key id: info characteristic, GAP name, scan response."""
        self._described = True
        info = json.dumps(
            OrderedDict(
                (
                    ("protocol", (PROTOCOL_MAJOR, PROTOCOL_MINOR)),
                    ("firmware", FIRMWARE_VERSION),
                    ("sensor_id", self._identity.sensor_id),
                    ("name", self._name),
                    ("key_id", self._key_id),
                )
            )
        )
        try:
            self._ble.gatts_write(self._info, info.encode())  # pyright: ignore[reportArgumentType]
            self._ble.config(gap_name=self._name)
        except OSError as error:
            self._described = False
            self._fail(error, _ADVERTISE_AGAIN_MS)
        self._scan_response = name_record(self._name.encode())
        self._advertised = False

    def _advertise(self):
        # Before the rest: if a central comes or goes meanwhile, it is done again.
        self._advertised = True
        in_use = self._central != _NOBODY
        self._advertisement[STATE_AT] = _IN_USE if in_use else 0
        try:
            self._ble.gap_advertise(
                _INTERVAL_IN_USE_US if in_use else _INTERVAL_FREE_US,
                self._advertisement,
                resp_data=self._scan_response,
                connectable=not in_use,
            )
        except OSError as error:
            self._advertised = False
            self._fail(error, _ADVERTISE_AGAIN_MS)
            self._advertise_tries += 1
            if self._advertise_tries >= _ADVERTISE_TRIES and not in_use:
                self._stop()
                self._retry_at = ticks_add(ticks_ms(), _START_AGAIN_MS)
            return
        self._advertise_tries = 0
        self._error = None

    def _fail(self, error, again_ms):
        self._failures += 1
        self._error = str(error)
        self._retry_at = ticks_add(ticks_ms(), again_ms)

    def _disconnect(self, connection):
        try:
            self._ble.gap_disconnect(connection)
        except OSError:
            return False  # it has gone by itself
        return True

    def _check_silence(self):
        """Disconnect a central that sends no requests: another may be waiting."""
        now = ticks_ms()
        if ticks_diff(now, self._heard_at) < self._may_be_silent_ms:
            return
        # Should it still be there after this time once more, it is tried again.
        self._heard_at = now
        if self._written or self._at < len(self._incoming):
            return  # its requests wait: nothing is read while nothing can be sent
        central = self._central
        if central != _NOBODY and self._disconnect(central):
            self._dismissed += 1

    def _read(self):
        """Fetch what the central wrote; False if that is nothing."""
        self._incoming = b""
        self._at = 0
        if not self._written:
            return False
        self._written = False  # first: a write that comes meanwhile shall be seen
        try:
            self._incoming = self._ble.gatts_read(self._requests)  # pyright: ignore[reportArgumentType]
        except OSError as error:
            self._fail(error, _ADVERTISE_AGAIN_MS)
        if len(self._incoming) >= _REQUEST_BUFFER:
            self._truncated += 1
        return len(self._incoming) > 0

    def _forget_incoming(self):
        """Forget the bytes of the central before."""
        self._written = True
        self._read()
        self._incoming = b""

    def _may_queue(self):
        """Whether a stack that queues on the heap may be given a notification now."""
        now = ticks_ms()
        if ticks_diff(now, self._free_at) < 0:
            return False
        self._free_at = ticks_add(now, _DISTANCE_MS)
        self._unlooked += 1
        if self._unlooked >= _LOOK_AFTER:
            if gc.mem_free() < _HEAP_KEPT:
                gc.collect()
                if gc.mem_free() < _HEAP_KEPT:
                    self._free_at = ticks_add(now, _HEAP_LOW_MS)
                    self._wait()
                    return False
            self._unlooked = 0
        return True

    def _check_heap(self):
        """Raise MemoryError if the stack has kept too much of what it never sent."""
        if not self.hung_up:
            self._left_at = ticks_ms()
        elif self._left_at is not None and ticks_diff(ticks_ms(), self._left_at) >= _ALONE_MS:
            self._left_at = None
            gc.collect()
            free = gc.mem_free()
            self._free_at_first = self._free_at_first or free
            if free < _HEAP_KEPT and free < self._free_at_first // 2:
                raise MemoryError("Bluetooth has kept what it could not send")

    def _wait(self):
        if not self._waits:
            self._waits = True
            self._no_memory += 1


def _ask_for_mtu(ble):
    try:
        ble.config(mtu=_LARGEST_MTU)
    except (OSError, ValueError):
        return  # this stack has a limit of its own: any MTU will do

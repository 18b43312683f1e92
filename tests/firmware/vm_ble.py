"""The Bluetooth link against a stack that misbehaves: sensor/links/ble.py on its own.

What goes over the air is tested on a whole sensor: test_ble_sensor.py.
"""

import json

import bluetooth
from sensor.frame import ANSWER, GAP, MAX_WIRE, SAMPLES
from simclock import clock

ENOMEM = 12
CONNECT, DISCONNECT, WRITE, MTU = 1, 2, 3, 21
ALICE, BOB, CAROL = 64, 65, 66
FREE, IN_USE = 0, 1
PEER = b"\x01\x02\x03\x04\x05\x06"
HEADS = {0x02: ANSWER, 0x10: SAMPLES, 0x11: GAP}


class Stack:
    """`bluetooth.BLE()`: keeps what it is told, and fails on demand."""

    def __init__(self):
        self.on = False
        self.handler = None
        self.starts = 0
        self.failing = ()  # names of methods that raise
        self.full = False  # no buffer for a notification
        self.advertisements = []  # (state, name, connectable), the newest last
        self.values = {}
        self.notified = []  # (connection, handle, bytes)
        self.disconnected = []
        self.largest_mtu = None
        self.written = b""
        self.buffer = (20, False)

    def active(self, on):
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


def test_it_advertises_its_service_its_state_and_its_name():
    stack = Stack()
    link_on(stack)
    assert stack.advertisement[:3] == b"\x02\x01\x06"
    assert stack.advertisement[3:5] == b"\x11\x07"
    uuid = bytes(reversed(stack.advertisement[5:21]))
    assert uuid == bytes.fromhex("4c65000167634572" + "8c00a7d3c5e91b42")
    assert stack.advertisement[21:] == b"\x08\xff\xff\xff\x00" + bytes.fromhex("8317812f")
    assert stack.response == b"\x0b\x09Leg curl 1"
    assert stack.advertisements == [(FREE, b"Leg curl 1", True)]


def test_a_long_name_is_shortened_between_two_characters():
    stack = Stack()
    link = link_on(stack, "x" * 28 + "é")  # 30 bytes, cut in the middle of the last
    assert stack.response == b"\x1d\x08" + b"x" * 28
    link.describe("y" * 29, None)
    link.tend()
    assert stack.response == b"\x1e\x09" + b"y" * 29


def test_name_and_key_are_in_info_as_soon_as_they_change():
    stack = Stack()
    link = link_on(stack)
    info = next(handle for handle in stack.values if stack.values[handle][:1] == b"{")
    assert json.loads(stack.values[info])["key_id"] is None
    advertised = len(stack.advertisements)
    link.tend()
    assert len(stack.advertisements) == advertised, "nothing changed"
    link.describe("Leg curl 2", "9f86d081")
    link.tend()
    told = json.loads(stack.values[info])
    assert (told["name"], told["key_id"]) == ("Leg curl 2", "9f86d081")
    assert stack.advertisements[-1][1] == b"Leg curl 2"


def test_a_central_makes_it_in_use_and_its_leaving_free_again():
    stack = Stack()
    link = link_on(stack)
    assert link.hung_up
    stack.connect(ALICE)
    link.tend()
    assert not link.hung_up
    assert link.connection == 1
    assert stack.advertisements[-1] == (IN_USE, b"Leg curl 1", False)
    stack.disconnect(ALICE)
    link.tend()
    assert link.hung_up
    assert stack.advertisements[-1] == (FREE, b"Leg curl 1", True)


def test_who_comes_and_goes_between_two_turns_leaves_it_advertising():
    """A controller stops advertising when it is connected to, whatever comes of that."""
    stack = Stack()
    link = link_on(stack)
    before = len(stack.advertisements)
    stack.connect(ALICE)
    stack.disconnect(ALICE)
    link.tend()
    assert len(stack.advertisements) == before + 1
    assert stack.advertisements[-1] == (FREE, b"Leg curl 1", True)


def test_each_further_central_is_disconnected_and_counted():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    stack.connect(BOB)
    stack.connect(CAROL)
    link.tend()
    assert stack.disconnected == [BOB, CAROL]
    stack.disconnect(BOB)
    stack.disconnect(CAROL)
    link.tend()
    assert link.figures()["refused"] == 2
    assert link.figures()["connected"] is True
    assert link.connection == 1


def test_what_a_refused_central_writes_is_nobodys_request():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    stack.connect(BOB)
    stack.exchange_mtu(BOB, 517)
    stack.written = b"not read"
    stack.handler(WRITE, (BOB, stack.requests))
    assert link.read_byte() == -1
    assert link.figures()["mtu"] == 23


def test_a_piece_fits_the_mtu_from_23_on():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    frame = memoryview(bytes(range(256)) * 4)
    for mtu, room in ((None, 20), (23, 20), (185, 182), (247, 244), (517, 512)):
        if mtu is not None:
            stack.exchange_mtu(ALICE, mtu)
        assert link.write(frame) == room
        assert stack.notified[-1][2] == bytes(frame[:room])
    assert link.write(frame[:7]) == 7
    assert stack.notified[-1][2] == bytes(frame[:7])


def test_answers_and_samples_go_to_characteristics_of_their_own():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    for kind in (SAMPLES, ANSWER, GAP, SAMPLES):
        link.begin(kind)
        link.write(b"x")
    handles = [handle for _, handle, _ in stack.notified]
    assert handles[0] == handles[2] == handles[3] != handles[1]
    assert stack.requests == handles[0] + 1
    assert handles[1] == handles[0] + 2


def test_a_request_in_pieces_is_read_byte_by_byte():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    stack.write(ALICE, b"abc")
    stack.write(ALICE, b"def")
    assert read_all(link) == b"abcdef"
    stack.write(ALICE, b"ghi")
    assert read_all(link) == b"ghi"
    assert link.read_byte() == -1


def test_the_buffer_holds_the_longest_request_and_tells_when_one_was_longer():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    longest = b"\0" + b"x" * (MAX_WIRE - 1) + b"\0"
    stack.write(ALICE, longest)
    assert read_all(link) == longest
    assert link.figures()["truncated"] == 0
    stack.write(ALICE, longest + b"lost")
    read_all(link)
    assert link.figures()["truncated"] == 1


def test_what_one_central_left_half_written_is_not_the_next_ones():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    stack.write(ALICE, b"half a requ")
    link.read_byte()
    stack.write(ALICE, b"est")
    stack.disconnect(ALICE)
    stack.connect(BOB)
    link.tend()
    assert link.connection == 2
    assert link.read_byte() == -1
    stack.write(BOB, b"whole")
    assert read_all(link) == b"whole"


def test_a_stack_without_a_buffer_takes_nothing_and_each_wait_counts_once():
    stack = Stack()
    link = link_on(stack)
    assert link.write(b"x") == 0, "nobody is there"
    stack.connect(ALICE)
    link.tend()
    stack.full = True
    for _ in range(5):
        assert link.write(b"x") == 0
    assert link.figures()["no_memory"] == 1
    stack.full = False
    assert link.write(b"x") == 1
    stack.full = True
    link.write(b"y")
    assert link.figures()["no_memory"] == 2


def test_a_central_that_has_gone_is_no_failure():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    stack.failing = ("gatts_notify", "gap_disconnect")
    assert link.write(b"x") == 0
    stack.connect(BOB)
    link.tend()
    assert link.figures()["no_memory"] == 0
    assert link.figures()["failures"] == 0


def test_a_stack_that_does_not_start_is_tried_again_and_shown():
    for step in ("active", "gatts_register_services", "gatts_write"):
        stack = Stack()
        stack.failing = (step,)
        link = link_on(stack)
        later(link, 1000, turns=5)
        figures = link.figures()
        assert figures["failures"] >= 1
        assert figures["error"]
        assert link.write(b"x") == 0
        assert link.read_byte() == -1
        stack.failing = ()
        later(link, 1000, turns=15)
        assert stack.advertisements, step
        assert link.figures()["error"] is None


def test_advertising_that_fails_is_tried_again_and_in_the_end_the_stack_is_started_anew():
    stack = Stack()
    stack.failing = ("gap_advertise",)
    link = link_on(stack)
    later(link, 1000, turns=2)
    assert stack.starts == 1
    assert link.figures()["failures"] == 3
    later(link, 1000, turns=30)
    assert stack.starts > 1
    stack.failing = ()
    later(link, 1000, turns=15)
    assert stack.advertisements[-1] == (FREE, b"Leg curl 1", True)
    assert link.figures()["error"] is None


def test_a_central_is_kept_however_often_advertising_fails():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    stack.failing = ("gap_advertise",)
    later(link, 1000, turns=20)
    assert stack.starts == 1
    assert not link.hung_up
    assert link.write(b"x") == 1


def test_closing_waits_for_the_last_answer_and_switches_the_stack_off():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    link.tend()
    link.write(b"the last")
    before = clock.now
    link.close()
    assert clock.now - before >= 100_000
    assert not stack.on
    assert link.hung_up
    assert link.write(b"x") == 0


def test_the_interrupt_allocates_nothing():
    try:
        from micropython import heap_lock, heap_unlock
    except ImportError:
        return  # CPython has no heap to lock; the VM runs this too
    stack = Stack()
    link = link_on(stack)
    handler = stack.handler
    details = (
        (CONNECT, (ALICE, 0, PEER)),
        (MTU, (ALICE, 247)),
        (WRITE, (ALICE, stack.requests)),
        (CONNECT, (BOB, 0, PEER)),
        (DISCONNECT, (BOB, 0, PEER)),
        (DISCONNECT, (ALICE, 0, PEER)),
        (99, (ALICE, 0, PEER)),
    )
    heap_lock()
    try:
        for event, detail in details:
            handler(event, detail)
    finally:
        heap_unlock()
    link.tend()
    assert link.figures()["connections"] == 1
    assert link.figures()["refused"] == 1
    # The lock does hold: what allocates fails.
    locked = False
    heap_lock()
    try:
        bytearray(100)
    except MemoryError:
        locked = True
    finally:
        heap_unlock()
    assert locked


class Heap:
    """As much of `gc` as the link uses."""

    def __init__(self, free):
        self.free = free
        self.collections = 0

    def mem_free(self):
        return self.free

    def collect(self):
        self.collections += 1


def queueing_link(stack, heap):
    """A connected link on a stack that queues on that heap."""
    import sensor.links.ble

    sensor.links.ble.gc = heap
    link = link_on(stack, queues_on_heap=True)
    stack.connect(ALICE)
    link.tend()
    return link


def test_a_stack_that_queues_on_the_heap_is_fed_slowly():
    """BTstack takes all that it is given."""
    link = queueing_link(Stack(), Heap(100_000))
    began = clock.now
    sent = 0
    while sent < 40:
        if link.write(b"x" * 40):
            sent += 1
        else:
            clock.sleep(1000)
    took_ms = (clock.now - began) // 1000
    assert took_ms >= 39 * 5
    assert took_ms < 39 * 8
    assert link.figures()["no_memory"] == 0


def test_a_stack_that_queues_on_the_heap_ends_where_the_heap_does():
    heap = Heap(10_000)
    link = queueing_link(Stack(), heap)
    taken = 0
    for _ in range(200):
        clock.sleep(5_000)
        taken += link.write(b"x") == 1
    assert taken < 16, "it looks now and then, and waits when there is little left"
    assert heap.collections > 1, "not before the garbage is gone"
    assert link.figures()["no_memory"] == 1
    heap.free = 50_000
    clock.sleep(200_000)
    assert link.write(b"x") == 1

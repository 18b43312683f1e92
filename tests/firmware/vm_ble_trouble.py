"""The Bluetooth link on a stack that fails, is full, or calls at a bad moment."""

from ble_stack import (
    ALICE,
    BOB,
    CONNECT,
    DISCONNECT,
    MTU,
    PEER,
    WRITE,
    Stack,
    connected,
    later,
    link_on,
)
from simclock import clock

FREE = 0


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
    stack, link = connected()
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


def test_a_stack_that_fails_slower_than_the_watchdog_is_tried_once():
    stack = Stack()
    stack.failing = ("active",)
    stack.slow_ms = 15_000
    link = link_on(stack)
    before = clock.now
    later(link, 1000, turns=60)
    assert clock.now - before == 60_000_000, "no turn was held up"
    assert link.figures()["error"]
    assert link.figures()["failures"] == 1


def test_failed_advertising_is_retried_then_the_stack_is_restarted():
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
    stack, link = connected()
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
    heap = Heap(5_000)
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


def come_and_go(link, stack, heap, left):
    """A central comes, and after it the heap has so much left; then nobody comes for minutes."""
    stack.connect(BOB)
    later(link, 1000, turns=90)
    heap.free = left
    later(link, 1000, turns=90)
    stack.disconnect(BOB)
    later(link, 1000, turns=59)


def test_a_heap_eaten_by_the_stack_restarts_an_idle_sensor():
    heap = Heap(30_000)
    stack = Stack()
    link = queueing_link(stack, heap)
    stack.disconnect(ALICE)
    later(link, 1000, turns=200)
    come_and_go(link, stack, heap, 20_000)
    later(link, 1000, turns=200)
    come_and_go(link, stack, heap, 7_000)
    try:
        later(link, 1000, turns=2)
    except MemoryError:
        return
    raise AssertionError("it went on")


def test_a_small_heap_is_no_reason_to_restart():
    heap = Heap(6_000)
    stack = Stack()
    link = queueing_link(stack, heap)
    stack.disconnect(ALICE)
    for left in (6_000, 5_500, 4_000):
        later(link, 1000, turns=200)
        come_and_go(link, stack, heap, left)
    later(link, 1000, turns=200)

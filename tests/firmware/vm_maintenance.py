"""The way to the prompt: a marker for one start, and a Ctrl-C that no host's request can be."""

import sensor.maintenance as maintenance
from board_port import POLLHUP, BoardPort
from flash_chip import Flash, use
from simclock import clock
from vm_random import Random
from wire_reference import request

WINDOW_MS = 1000


class Started:
    """A board that has just started, with bytes that come in after so many ms."""

    def __init__(self, *arrivals):
        clock.set_pace("fast")
        clock.frozen = False
        clock._timers.clear()
        clock.now = clock.booted = 0
        self.flash = use(Flash(False))
        self.port = BoardPort()
        maintenance.sys = maintenance.select = self.port
        for at_ms, content in arrivals:
            clock.add_timer(Arrival(1000 * at_ms, content, self.port))

    def interrupted(self, ms=WINDOW_MS, meanwhile=None):
        found = maintenance.interrupted(ms, meanwhile)
        self.took_ms = clock.now // 1000
        return found


class Arrival:
    def __init__(self, due, content, port):
        self.due = due
        self._content = content
        self._port = port

    def fire(self):
        clock.remove_timer(self)
        self._port.incoming.extend(self._content)


def test_the_marker_holds_for_one_start():
    use(Flash(False))
    assert not maintenance.asked()
    maintenance.ask()
    assert maintenance.asked()
    assert not maintenance.asked()


def test_asking_twice_is_asking_once():
    use(Flash(False))
    maintenance.ask()
    maintenance.ask()
    assert maintenance.asked()
    assert not maintenance.asked()


def test_a_ctrl_c_within_the_window_stops_at_the_prompt():
    for at_ms in (0, 1, 500, 980):
        for told in (b"\x03", b"\r\x03", b"\r\n\x03", b"\x03\x03\x03"):
            board = Started((at_ms, told))
            assert board.interrupted()
            assert board.took_ms <= at_ms + 20


def test_bytes_that_wait_count_even_without_a_window():
    board = Started()
    board.port.incoming.extend(b"\r\x03")
    assert board.interrupted(-5)
    assert board.took_ms == 0


def test_the_bytes_after_a_ctrl_c_are_left_for_the_prompt():
    board = Started()
    board.port.incoming.extend(b"\r\x03\r\x01")
    assert board.interrupted()
    assert bytes(board.port.incoming[board.port._taken :]) == b"\r\x01"


def test_without_a_ctrl_c_the_sensor_starts_when_the_window_is_over():
    board = Started()
    assert not board.interrupted()
    assert board.took_ms == WINDOW_MS
    late = Started((WINDOW_MS + 10, b"\x03"))
    assert not late.interrupted()


def test_a_host_ends_the_window_at_once_and_its_request_is_never_a_ctrl_c():
    random = Random(2)
    for _ in range(300):
        packet = request(random.below(256), random.below(20), random.bytes(random.below(40)))
        board = Started((100, packet))
        assert not board.interrupted()
        assert board.took_ms <= 120


def test_the_end_of_a_request_that_was_cut_off_is_hardly_a_ctrl_c():
    packet = request(3, 3, b"\3\3\3\3")
    for cut in range(1, len(packet)):
        board = Started((0, packet[cut:]))
        assert board.interrupted() == (packet[cut] == 3)


def test_a_resting_crashed_sensor_heeds_ctrl_c_and_no_host():
    turns = []
    board = Started((1000, b"\x03"))
    assert board.interrupted(60_000, lambda: turns.append(clock.now))
    assert 90 <= len(turns) <= 110
    turns.clear()
    board = Started((1000, request(1, 1, b"\1\1")), (2000, b"\x03"))
    assert not board.interrupted(60_000, lambda: turns.append(clock.now))
    assert board.took_ms == 60_000
    assert len(turns) == 6000  # the watchdog is fed


def test_a_host_that_has_gone_is_no_ctrl_c():
    board = Started()
    board.port.gone = True
    assert not board.interrupted(100)

    class Torn(BoardPort):
        def poll(self):
            return self

        def register(self, stream, mask):
            pass

        def ipoll(self, timeout_ms):
            return ((self, self.POLLIN | POLLHUP),)

    board = Started()
    torn = Torn()
    torn.gone = True
    maintenance.sys = maintenance.select = torn
    assert not board.interrupted(100)

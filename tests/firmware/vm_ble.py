"""The Bluetooth link on its own: what it advertises, takes and gives. sensor/links/ble.py.

What goes over the air is tested on a whole sensor: test_ble_sensor.py.
"""

import json

from ble_stack import ALICE, BOB, CAROL, WRITE, Stack, connected, later, link_on, read_all
from sensor.frame import ANSWER, GAP, MAX_WIRE, SAMPLES

FREE, IN_USE = 0, 1


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


def test_a_central_gone_between_two_turns_leaves_it_advertising():
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


def test_a_central_without_requests_is_disconnected_after_30_s():
    stack, link = connected()
    later(link, 1000, 29)
    assert stack.disconnected == []
    later(link, 1000)
    assert stack.disconnected == [ALICE]
    assert link.figures()["dismissed"] == 1
    stack.disconnect(ALICE)
    link.tend()
    assert stack.advertisements[-1] == (FREE, b"Leg curl 1", True)
    assert link.figures()["refused"] == 0
    stack.connect(BOB)
    link.tend()
    later(link, 1000, 29)
    assert stack.disconnected == [ALICE], "the next one has its own half minute"


def test_a_central_that_stops_asking_is_dismissed_after_a_minute():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    for _ in range(5):
        later(link, 1000, 25)
        link.hear()
    later(link, 1000, 59)
    assert stack.disconnected == []
    later(link, 1000)
    assert stack.disconnected == [ALICE]


def test_written_bytes_are_no_request_until_read_and_complete():
    stack, link = connected()
    for _ in range(40):
        stack.write(ALICE, b"noise")
        read_all(link)
        later(link, 1000)
    assert stack.disconnected == [ALICE]


def test_a_central_with_unread_requests_is_not_idle():
    stack, link = connected()
    stack.write(ALICE, b"a request, maybe")
    later(link, 1000, 200)
    assert stack.disconnected == []
    read_all(link)
    later(link, 1000, 31)
    assert stack.disconnected == [ALICE]


def test_a_failed_disconnect_is_retried():
    stack = Stack()
    link = link_on(stack)
    stack.connect(ALICE)
    stack.failing = ("gap_disconnect",)
    later(link, 1000, 45)
    assert link.figures()["dismissed"] == 0
    stack.failing = ()
    later(link, 1000, 30)
    assert stack.disconnected == [ALICE]
    assert link.figures()["dismissed"] == 1


def test_writes_of_a_refused_central_are_no_requests():
    stack, link = connected()
    stack.connect(BOB)
    stack.exchange_mtu(BOB, 517)
    stack.written = b"not read"
    stack.handler(WRITE, (BOB, stack.requests))
    assert link.read_byte() == -1
    assert link.figures()["mtu"] == 23


def test_a_piece_fits_the_mtu_from_23_on():
    stack, link = connected()
    frame = memoryview(bytes(range(256)) * 4)
    for mtu, room in ((None, 20), (23, 20), (185, 182), (247, 244), (517, 512)):
        if mtu is not None:
            stack.exchange_mtu(ALICE, mtu)
        assert link.write(frame) == room
        assert stack.notified[-1][2] == bytes(frame[:room])
    assert link.write(frame[:7]) == 7
    assert stack.notified[-1][2] == bytes(frame[:7])


def test_answers_and_samples_go_to_characteristics_of_their_own():
    stack, link = connected()
    for kind in (SAMPLES, ANSWER, GAP, SAMPLES):
        link.begin(kind)
        link.write(b"x")
    handles = [handle for _, handle, _ in stack.notified]
    assert handles[0] == handles[2] == handles[3] != handles[1]
    assert stack.requests == handles[0] + 1
    assert handles[1] == handles[0] + 2


def test_a_request_in_pieces_is_read_byte_by_byte():
    stack, link = connected()
    stack.write(ALICE, b"abc")
    stack.write(ALICE, b"def")
    assert read_all(link) == b"abcdef"
    stack.write(ALICE, b"ghi")
    assert read_all(link) == b"ghi"
    assert link.read_byte() == -1


def test_the_buffer_holds_the_longest_request_and_reports_a_longer_one():
    stack, link = connected()
    longest = b"\0" + b"x" * (MAX_WIRE - 1) + b"\0"
    stack.write(ALICE, longest)
    assert read_all(link) == longest
    assert link.figures()["truncated"] == 0
    stack.write(ALICE, longest + b"lost")
    read_all(link)
    assert link.figures()["truncated"] == 1


def test_a_half_written_request_is_not_given_to_the_next_central():
    stack, link = connected()
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

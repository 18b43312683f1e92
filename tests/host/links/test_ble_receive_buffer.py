"""Answers and samples come as two streams, cut anywhere, and leave as one, cut at frames."""

from __future__ import annotations

from random import Random

import pytest
from fake_sensor import FakeSensor, leg_curls
from legcurl.links.ble.receive_buffer import ReceiveBuffer
from legcurl.links.route import READ_BYTES
from legcurl.protocol.frame import Answer, FrameDecoder
from selection import first_short

ANGLES = leg_curls(count=2)


def everything(buffer: ReceiveBuffer) -> bytes:
    taken = bytearray()
    while chunk := buffer.take(READ_BYTES):
        taken += chunk
    return bytes(taken)


@pytest.mark.parametrize("seed", first_short(range(10), 2))
def test_pieces_of_two_streams_come_out_as_the_frames_that_were_sent(seed: int) -> None:
    """Whatever the MTU, and however the pieces of one stream stand between those of the other."""
    random = Random(seed)
    sensor = FakeSensor(ANGLES)
    samples = sensor.packets()[2:]
    answers = [sensor.hello(number) for number in range(20)]
    buffer = ReceiveBuffer()
    streams = {
        buffer.push_samples: bytearray(b"".join(samples)),
        buffer.push_answers: bytearray(b"".join(answers)),
    }
    decoder = FrameDecoder()
    frames = []
    while any(streams.values()):
        push = random.choice([push for push, left in streams.items() if left])
        size = random.randint(1, random.choice((3, 20, 244)))
        push(bytes(streams[push][:size]))
        del streams[push][:size]
        if random.random() < 0.3:
            frames += decoder.push(buffer.take(READ_BYTES))
    frames += decoder.push(everything(buffer))
    assert decoder.counts.dropped == 0
    expected = FrameDecoder()
    assert [frame for frame in frames if isinstance(frame, Answer)] == expected.push(
        b"".join(answers)
    )
    assert [frame for frame in frames if not isinstance(frame, Answer)] == expected.push(
        b"".join(samples)
    )


def test_packets_received_in_parts_are_whole() -> None:
    buffer = ReceiveBuffer()
    packets = b"".join(FakeSensor(ANGLES).packets()[2:])
    buffer.push_samples(packets)
    taken = bytearray()
    while chunk := buffer.take(7):
        assert len(chunk) <= 7
        taken += chunk
    assert bytes(taken) == packets


def test_a_packet_that_is_not_complete_is_kept_back() -> None:
    buffer = ReceiveBuffer()
    buffer.push_samples(b"\x05sam")
    buffer.push_answers(b"\x04ans\x00")
    assert everything(buffer) == b"\x04ans\x00"
    buffer.push_samples(b"p\x00")
    assert everything(buffer) == b"\x05samp\x00"


def test_whole_packets_of_samples_are_left_out_of_a_full_inbox_and_counted() -> None:
    packets = FakeSensor(ANGLES).packets()[2:]
    buffer = ReceiveBuffer(limit=sum(map(len, packets[:10])))
    for packet in packets[:15]:
        buffer.push_samples(packet)
    assert buffer.full
    assert buffer.left_out == 5
    assert everything(buffer) == b"".join(packets[:10])


def test_a_full_inbox_takes_samples_again_once_it_was_emptied() -> None:
    """Not before: every hole costs the host a question, so one stall makes one hole."""
    packets = FakeSensor(ANGLES).packets()[2:]
    buffer = ReceiveBuffer(limit=sum(map(len, packets[:10])))
    for packet in packets[:11]:
        buffer.push_samples(packet)
    buffer.take(100)
    buffer.push_samples(packets[11])
    assert buffer.left_out == 2
    everything(buffer)
    buffer.push_samples(packets[12])
    assert everything(buffer) == packets[12]
    assert buffer.left_out == 2


def test_an_answer_finds_room_where_samples_do_not() -> None:
    sensor = FakeSensor(ANGLES)
    samples = b"".join(sensor.packets()[2:])
    buffer = ReceiveBuffer(limit=100)
    buffer.push_samples(samples)
    assert everything(buffer) == b""
    buffer.push_samples(samples[:90])
    buffer.push_answers(sensor.hello())
    assert everything(buffer).endswith(sensor.hello())


def test_a_stream_of_endless_answers_is_bounded() -> None:
    buffer = ReceiveBuffer()
    hello = FakeSensor(ANGLES).hello()
    for _ in range(2000):
        buffer.push_answers(hello)
    held = everything(buffer)
    assert len(held) < 200_000
    assert held.count(0) + buffer.left_out == 2000


def test_a_stream_without_an_end_takes_no_more_than_a_packet() -> None:
    """The decoder says of it what it says of any oversized packet, once; the next one is whole."""
    buffer = ReceiveBuffer()
    for _ in range(1000):
        buffer.push_samples(b"\x55" * 244)
    hello = FakeSensor(ANGLES).hello()
    buffer.push_samples(b"\x00" + hello)
    held = everything(buffer)
    assert len(held) < 3000
    decoder = FrameDecoder()
    assert len(decoder.push(held)) == 1
    assert decoder.counts.oversized == 1

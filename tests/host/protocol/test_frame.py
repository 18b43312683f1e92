"""From bytes to frames: what is sent is what is read, however the bytes come in."""

from __future__ import annotations

import tracemalloc

import pytest
import wire_reference as wire
from hypothesis import given
from hypothesis import strategies as st
from legcurl.errors import FrameError
from legcurl.protocol.cobs import cobs_decode, cobs_encode
from legcurl.protocol.frame import (
    BODY_MAX_BYTES,
    FRAME_MAX_BYTES,
    PACKET_LIMIT_BYTES,
    Answer,
    Boot,
    FrameDecoder,
    Gap,
    PacketSplitter,
    Samples,
    encode_frame,
)

U64 = 2**64 - 1


@st.composite
def sample_runs(draw):
    """Any run that a SAMPLES frame can hold: every status, period, resolution, delta and wrap."""
    shift = draw(st.integers(0, 12))
    units = 65536 >> shift
    first = draw(st.integers(0, units - 1))
    steps = draw(st.lists(st.integers(-(units // 2), units // 2 - 1), max_size=120))
    angles = [first]
    for step in steps:
        angles.append((angles[-1] + step) % units)
    deviation = st.integers(-2_000_000, 2_000_000)
    count = len(angles)
    return {
        "index": draw(st.integers(0, U64)),
        "t_us": draw(st.integers(0, U64)),
        "period_us": draw(st.integers(1_000, 1_000_000)),
        "angles": [angle << shift for angle in angles],
        "status": draw(st.integers(0, 255)),
        "shift": shift,
        "deviations_us": draw(st.none() | st.lists(deviation, min_size=count, max_size=count)),
    }


def samples_of(run) -> Samples:
    late = run["deviations_us"]
    return Samples(
        index=run["index"],
        t_us=run["t_us"],
        period_us=run["period_us"],
        status=run["status"],
        angles=tuple(run["angles"]),
        deviations_us=None if late is None else tuple(late),
    )


frames = st.one_of(
    sample_runs().map(lambda run: (wire.SAMPLES, wire.samples_body(**run), samples_of(run))),
    st.builds(
        lambda index, count, reason: (
            wire.GAP,
            wire.gap_body(index, count, reason),
            Gap(index, count, reason),
        ),
        st.integers(0, U64),
        st.integers(1, U64),
        st.integers(0, 255),
    ),
    st.builds(
        lambda boot_id, major, minor: (
            wire.BOOT,
            wire.boot_body(boot_id, major, minor),
            Boot(boot_id, major, minor),
        ),
        st.integers(0, 2**32 - 1),
        st.integers(0, 255),
        st.integers(0, 255),
    ),
    st.builds(
        lambda request_id, op, result, payload: (
            wire.ANSWER,
            wire.answer_body(request_id, op, result, payload),
            Answer(request_id, op, result, payload),
        ),
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=600),
    ),
)


@given(sample_runs())
def test_a_samples_frame_is_read_with_its_fields(run):
    body = wire.samples_body(**run)
    decoder = FrameDecoder()
    got = decoder.push(wire.packet(wire.SAMPLES, body))
    if len(body) > BODY_MAX_BYTES:
        assert (got, decoder.counts.dropped) == ([], 1)
    else:
        assert got == [samples_of(run)]


@given(st.lists(frames, max_size=6), st.data())
def test_frames_come_out_the_same_however_the_bytes_are_cut(sent, data):
    stream = b"".join(wire.packet(kind, body) for kind, body, _ in sent)
    meant = [frame for _, body, frame in sent if len(body) <= BODY_MAX_BYTES]
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20).map(sorted))
    whole, bytewise, cut = FrameDecoder(), FrameDecoder(), FrameDecoder()
    assert whole.push(stream) == meant
    assert [frame for at in stream for frame in bytewise.push(bytes([at]))] == meant
    ends = [*cuts, len(stream)]
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], ends, strict=True)]
    assert [frame for piece in pieces for frame in cut.push(piece)] == meant
    assert whole.counts == bytewise.counts == cut.counts


@given(st.binary(max_size=4000), st.data())
def test_noise_is_counted_the_same_however_it_is_cut(noise, data):
    cuts = data.draw(st.lists(st.integers(0, len(noise)), max_size=20).map(sorted))
    whole, cut = FrameDecoder(), FrameDecoder()
    whole.push(noise)
    for begin, end in zip([0, *cuts], [*cuts, len(noise)], strict=True):
        cut.push(noise[begin:end])
    assert whole.counts == cut.counts
    assert whole.pending == cut.pending


@given(frames, st.data())
def test_one_changed_byte_costs_its_frame_and_no_other(framed, data):
    kind, body, _ = framed
    packet = wire.packet(kind, body[:BODY_MAX_BYTES])
    at = data.draw(st.integers(0, len(packet) - 2))
    other = data.draw(st.integers(1, 255).filter(lambda byte: byte != packet[at]))
    decoder = FrameDecoder()
    assert decoder.push(packet[:at] + bytes([other]) + packet[at + 1 :]) == []
    assert decoder.counts.dropped == 1
    after = wire.packet(wire.GAP, wire.gap_body(1, 2, 3))
    assert decoder.push(after) == [Gap(1, 2, 3)]


@given(frames, st.data())
def test_a_frame_cut_in_two_by_a_zero_is_lost_and_the_next_is_not(framed, data):
    kind, body, _ = framed
    packet = wire.packet(kind, body[:BODY_MAX_BYTES])
    at = data.draw(st.integers(1, len(packet) - 2))
    decoder = FrameDecoder()
    assert decoder.push(packet[:at] + b"\0" + packet[at + 1 :]) == []
    assert decoder.push(wire.packet(wire.GAP, wire.gap_body(1, 2, 3))) == [Gap(1, 2, 3)]


@given(st.binary(max_size=1100))
def test_stuffing_leaves_no_zero_and_can_be_undone(raw):
    stuffed = cobs_encode(raw)
    assert 0 not in stuffed
    assert len(stuffed) <= len(raw) + len(raw) // 254 + 1
    assert stuffed == wire.stuffed(raw)
    assert cobs_decode(stuffed) == raw


def test_zeros_in_a_row_mean_nothing():
    decoder = FrameDecoder()
    packet = wire.packet(wire.GAP, wire.gap_body(1, 2, 3))
    assert decoder.push(b"\0\0\0" + packet + b"\0\0") == [Gap(1, 2, 3)]
    assert decoder.counts.dropped == 0


def test_a_zero_ends_any_noise_before_it():
    decoder = FrameDecoder()
    packet = wire.packet(wire.GAP, wire.gap_body(1, 2, 3))
    assert decoder.push(b"MicroPython v1.29\r\n>>> \0" + packet) == [Gap(1, 2, 3)]
    assert decoder.counts.dropped == 1


@pytest.mark.parametrize("frame_type", [0x00, 0x01, 0x03, 0x13, 0x70, 0x71, 0x7F, 0xFF])
def test_frames_of_unknown_type_are_ignored_and_counted(frame_type):
    decoder = FrameDecoder()
    assert decoder.push(wire.packet(frame_type, b"\x01\x01")) == []
    assert decoder.counts.unknown_type == decoder.counts.dropped == 1


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_less_than_a_type_and_a_crc_is_no_frame(length):
    decoder = FrameDecoder()
    assert decoder.push(cobs_encode(bytes(length)) + b"\0") == []
    assert decoder.counts.bad_framing == decoder.counts.dropped == 1


def test_a_frame_may_have_1024_bytes_and_no_more():
    longest = bytes(range(1, 251)) * 5
    decoder = FrameDecoder()
    fits = wire.answer_body(1, 2, 0, longest[: BODY_MAX_BYTES - 3])
    (frame,) = decoder.push(wire.packet(wire.ANSWER, fits))
    assert len(frame.wire) == FRAME_MAX_BYTES
    assert decoder.push(wire.packet(wire.ANSWER, fits + b"x")) == []
    assert decoder.counts.dropped == 1


def test_encoding_more_than_a_frame_holds_is_refused():
    assert len(encode_frame(1, bytes(BODY_MAX_BYTES))) > FRAME_MAX_BYTES
    with pytest.raises(FrameError, match="1019 bytes, and this one has 1020"):
        encode_frame(1, bytes(BODY_MAX_BYTES + 1))


def test_1031_bytes_are_awaited_and_1032_without_a_zero_are_given_up():
    splitter = PacketSplitter()
    assert splitter.push(b"x" * (PACKET_LIMIT_BYTES - 1)) == []
    assert splitter.push(b"\0") == [b"x" * (PACKET_LIMIT_BYTES - 1)]
    assert splitter.push(b"x" * PACKET_LIMIT_BYTES) == [b"x" * PACKET_LIMIT_BYTES]
    assert splitter.push(b"x" * 5000) == []
    assert splitter.pending == 0


def test_a_stream_without_zeros_is_counted_once_in_bounded_memory():
    decoder = FrameDecoder()
    chatter = b"temperature 21.5\r\n" * 1000
    decoder.push(chatter)
    tracemalloc.start()
    for _ in range(200):
        decoder.push(chatter)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoder.counts.oversized == decoder.counts.dropped == 1
    assert decoder.pending <= PACKET_LIMIT_BYTES
    assert peak < 100_000
    assert decoder.push(b"\0" + wire.packet(wire.GAP, wire.gap_body(1, 2, 3))) == [Gap(1, 2, 3)]

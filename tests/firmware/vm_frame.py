"""Frames: the golden vectors, and what comes in."""

import json
import os

from sensor.frame import (
    ANSWER,
    BOOT,
    GAP,
    REQUEST,
    SAMPLES,
    FrameReader,
    FrameWriter,
    encode_gap,
    encode_samples,
)
from sensor.health import Counters
from vm_random import Random
from wire_reference import request, unstuffed

with open(os.getenv("LEGCURL_VECTORS") + "/frames.json") as vector_file:
    VECTORS = json.load(vector_file)


def canonical(kind):
    chosen = [v for v in VECTORS["frames"] if v["type"] == kind and v["canonical"]]
    assert chosen
    return chosen


def samples_body(fields):
    body = bytearray(1019)
    angles = fields["angles"]
    late = fields["deviations_us"] or [0] * len(angles)
    length = encode_samples(
        body,
        fields["index"],
        fields["t_us"],
        fields["period_us"],
        fields["status"],
        fields["shift"],
        angles,
        late,
        0,
        len(angles),
    )
    return bytes(body[:length])


def packet(frame_type, body):
    writer = FrameWriter()
    writer.body[: len(body)] = body
    return bytes(writer.wire[: writer.finish(frame_type, len(body))])


def take(stream, counters=None):
    """The requests that a reader finds in `stream`, each as type, id, op and payload."""
    reader = FrameReader(counters or Counters())
    found = []
    for byte in stream:
        length = reader.push(byte)
        if length:
            found.append(bytes(reader.frame[:length]))
    return found


def test_samples_are_encoded_as_in_the_golden_vectors():
    for vector in canonical("samples"):
        body = samples_body(vector["fields"])
        assert body.hex() == vector["body"], vector["name"]
        assert packet(SAMPLES, body).hex() == vector["packet"], vector["name"]


def test_gaps_are_encoded_as_in_the_golden_vectors():
    for vector in canonical("gap"):
        fields = vector["fields"]
        body = bytearray(40)
        length = encode_gap(body, fields["index"], fields["count"], fields["reason"])
        assert bytes(body[:length]).hex() == vector["body"], vector["name"]
        assert packet(GAP, body[:length]).hex() == vector["packet"], vector["name"]


def test_boot_and_answers_are_framed_as_in_the_golden_vectors():
    for kind, frame_type in (("boot", BOOT), ("answer", ANSWER)):
        for vector in canonical(kind):
            body = bytes.fromhex(vector["body"])
            assert packet(frame_type, body).hex() == vector["packet"], vector["name"]


def test_requests_are_read_as_in_the_golden_vectors():
    for vector in canonical("request"):
        fields = vector["fields"]
        expected = bytes((REQUEST, fields["id"], fields["op"])) + bytes.fromhex(fields["payload"])
        assert take(bytes.fromhex(vector["packet"])) == [expected], vector["name"]


def test_cobs_is_that_of_the_golden_vectors():
    # The CRC is part of what is stuffed, so these go in as they stand.
    from sensor import frame

    wire = bytearray(1100)
    for vector in VECTORS["cobs"]:
        raw = bytes.fromhex(vector["raw"])
        length = frame._cobs(raw, len(raw), wire)
        assert bytes(wire[:length]).hex() == vector["stuffed"] + "00", vector["raw"]


def test_frames_that_are_no_requests_are_counted_and_ignored():
    for kind in ("samples", "gap", "boot", "answer"):
        for vector in canonical(kind):
            counters = Counters()
            assert take(bytes.fromhex(vector["packet"]), counters) == []
            assert counters.bad_frames == 1, vector["name"]


def test_zeros_in_a_row_mean_nothing():
    counters = Counters()
    assert len(take(b"\0\0\0" + request(1, 3) + b"\0\0" + request(2, 3), counters)) == 2
    assert counters.bad_frames == 0


def test_noise_before_a_request_costs_only_itself():
    counters = Counters()
    assert take(b"AT+GCAP\r\n" + request(1, 3), counters) == [b"\1\1\3"]
    assert counters.bad_frames == 1


def test_a_flood_without_a_zero_is_one_bad_frame_and_bounded():
    counters = Counters()
    reader = FrameReader(counters)
    for _ in range(100_000):
        assert not reader.push(0xFF)
    assert len(reader.frame) == 1024
    reader.push(0)
    assert counters.bad_frames == 1
    assert any(reader.push(byte) for byte in request(5, 3))


def test_the_longest_request_is_read():
    payload = bytes(i % 256 for i in range(1024 - 7))
    assert take(request(9, 7, payload)) == [bytes((1, 9, 7)) + payload]


def test_a_request_one_byte_too_long_is_bad():
    counters = Counters()
    assert take(request(9, 7, bytes(1024 - 6)), counters) == []
    assert counters.bad_frames == 1


def test_every_truncation_and_every_flipped_bit_of_a_request_is_refused():
    whole = request(7, 2, b"\1\0\0\2" + bytes(8))[1:]
    for cut in range(1, len(whole) - 1):
        counters = Counters()
        assert take(whole[:cut] + b"\0", counters) == []
        assert counters.bad_frames == 1
    for at in range(len(whole) - 1):
        for bit in range(8):
            mutated = bytearray(whole)
            mutated[at] ^= 1 << bit
            assert take(mutated) == []


def test_random_bytes_yield_no_request_whose_crc_is_wrong():
    random = Random(20)
    counters = Counters()
    good = 0
    for _ in range(3000):
        if random.below(4):
            junk = random.bytes(random.below(60))
        else:
            junk = bytearray(request(random.below(256), random.below(256), random.bytes(12)))
            junk[random.below(len(junk))] ^= random.below(256)
        for found in take(bytes(junk) + b"\0", counters):
            good += 1
            assert found == unstuffed(bytes(junk).strip(b"\0"))[:-4]
    assert good < 20  # those whose mutation changed nothing
    assert counters.bad_frames > 2500

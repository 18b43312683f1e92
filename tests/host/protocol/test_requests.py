"""What a host asks, and how it reads the answers."""

from __future__ import annotations

import json

import pytest
from fake_sensor import FakeSensor, decoded
from hypothesis import given
from hypothesis import strategies as st
from legcurl.errors import FrameError, RequestRefusedError
from legcurl.protocol.frame import Answer, encode_request
from legcurl.protocol.requests import (
    FROM_NOW,
    TIME_MAX_US,
    Hello,
    Op,
    Pong,
    StreamStart,
    hello_request,
    ping_request,
    read_hello,
    read_json,
    read_ping,
    read_start,
    refusal,
    start_request,
)

FIELDS = (
    *("protocol", "firmware", "sensor_id", "boot_id", "boot_reason", "name", "board", "encoder"),
    *("rate_hz", "frame_ms", "log", "time_us", "calibration"),
)


def answer(op: int, payload: bytes | dict, result: int = 0) -> Answer:
    if isinstance(payload, dict):
        payload = json.dumps(payload).encode()
    return Answer(1, op, result, payload)


def test_requests_are_written_by_the_letter():
    assert hello_request(1) == encode_request(1, 0x01, b"\x01\x01")
    assert start_request(2, 0x01020304, 5) == encode_request(
        2, 0x02, b"\x04\x03\x02\x01" + b"\x05" + bytes(7)
    )
    assert start_request(3, 0, FROM_NOW) == encode_request(3, 0x02, bytes(4) + b"\xff" * 8)
    assert ping_request(4, 0x0102) == encode_request(4, 0x04, b"\x02\x01" + bytes(6))


def test_a_hello_is_read_as_the_protocol_lists_it():
    (frame,) = decoded([FakeSensor([0] * 1234, boot_id=2881903541).hello()])
    assert isinstance(frame, Answer)
    assert read_hello(frame) == Hello(
        protocol=(1, 0),
        firmware="0.1.0",
        sensor_id="e66058388317812f",
        boot_id=2881903541,
        boot_reason="power_on",
        name="Leg curl 1",
        board="pico_w",
        encoder="as5600",
        counts=4096,
        rate_hz=100.0,
        frame_ms=250,
        first=0,
        next=1234,
        time_us=5_000_000,
        calibration=None,
    )


def test_a_hello_says_what_lets_the_encoder_find_its_zero():
    for told, read in (({"referenced_by": "index"}, "index"), ({"referenced_by": None}, None)):
        kind = {"kind": "quadrature_pio", "counts": 2400, **told}
        (frame,) = decoded([FakeSensor([0]).hello(encoder=kind)])
        assert isinstance(frame, Answer)
        assert read_hello(frame).referenced_by == read


def test_a_hello_of_1_1_names_its_key_its_timer_and_its_micropython():
    told = {"protocol": [1, 1], "key_id": "9f86d081", "timer": "soft", "micropython": "1.27.0"}
    (frame,) = decoded([FakeSensor([0]).hello(**told)])
    assert isinstance(frame, Answer)
    hello = read_hello(frame)
    assert (hello.key_id, hello.timer, hello.micropython) == ("9f86d081", "soft", "1.27.0")
    for none in (None, "", 5):
        (frame,) = decoded([FakeSensor([0]).hello(key_id=none)])
        assert isinstance(frame, Answer)
        assert read_hello(frame).key_id is None


def test_new_fields_are_ignored_and_optional_ones_have_defaults():
    hello = read_hello(
        answer(1, {"protocol": [1, 9], "firmware": "9", "sensor_id": "x", "boot_id": 4, "new": []})
    )
    assert hello == Hello(protocol=(1, 9), firmware="9", sensor_id="x", boot_id=4)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), ANY_JSON), st.booleans())
def test_any_hello_is_read_in_bounds_or_refused(fields, ours):
    if ours:
        fields.update(protocol=[1, 0], firmware="1", sensor_id="x", boot_id=1)
    try:
        hello = read_hello(answer(1, fields))
    except FrameError:
        assert not ours
        return
    assert 0 <= hello.boot_id < 2**32
    assert 0 <= hello.time_us <= TIME_MAX_US
    assert 0.0 <= hello.rate_hz <= 1000.0
    assert all(0 <= angle < 65536 for angle in hello.calibration or ())


def test_a_stream_that_starts_beyond_its_end_is_an_error_of_the_frame():
    for first, upcoming in ((5, 4), (2**63, 2**63)):
        payload = bytes(4) + first.to_bytes(8, "little") + upcoming.to_bytes(8, "little")
        with pytest.raises(FrameError, match="cannot start"):
            read_start(answer(2, payload))


def test_a_rate_that_is_no_number_is_unknown():
    payload = b'{"protocol": [1, 0], "firmware": "1", "sensor_id": "x", "boot_id": 1, "rate_hz": '
    for rate in (b"NaN}", b"1e999}", b'"100"}', b"-Infinity}"):
        assert read_hello(answer(1, payload + rate)).rate_hz == 0.0


def test_of_a_newer_sensor_the_three_lasting_fields_are_read():
    hello = read_hello(
        answer(1, {"protocol": [2, 0], "firmware": "7.1", "sensor_id": "x", "boot_id": "changed"})
    )
    assert (hello.protocol, hello.firmware, hello.sensor_id) == ((2, 0), "7.1", "x")
    assert not hello.speaks_ours


def test_a_calibration_is_two_wire_angles():
    fields = {"protocol": [1, 0], "firmware": "1", "sensor_id": "x", "boot_id": 1}
    known = {"extended_raw": 16384, "flexed_raw": 36864}
    assert read_hello(answer(1, {**fields, "calibration": known})).calibration == (16384, 36864)
    assert read_hello(answer(1, {**fields, "calibration": {"extended_raw": 1}})).calibration is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"[" * 900,
        b"[1]",
        b"null",
        b"{}",
        b'{"protocol": 1, "firmware": "1", "sensor_id": "x", "boot_id": 1}',
        b'{"protocol": ["1", 0], "firmware": "1", "sensor_id": "x", "boot_id": 1}',
        b'{"protocol": [1, 0], "sensor_id": "x", "boot_id": 1}',
        b'{"protocol": [1, 0], "firmware": "1", "sensor_id": 5, "boot_id": 1}',
        b'{"protocol": [1, 0], "firmware": "1", "sensor_id": "x"}',
        b'{"protocol": [1, 0], "firmware": "1", "sensor_id": "x", "boot_id": true}',
        b'{"protocol": [1, 0], "firmware": "1", "sensor_id": "x", "boot_id": 4294967296}',
    ],
)
def test_an_invalid_hello_is_a_frame_error(payload):
    with pytest.raises(FrameError):
        read_hello(answer(1, payload))


def test_start_and_ping_answers_have_their_lengths():
    assert read_start(answer(2, b"\x01\0\0\0" + b"\x02" + bytes(7) + b"\x03" + bytes(7))) == (
        StreamStart(1, 2, 3)
    )
    assert read_ping(answer(4, b"\x01" + bytes(7) + b"\x02" + bytes(7))) == Pong(1, 2)
    for length in (0, 19, 21):
        with pytest.raises(FrameError, match=f"20 bytes, not {length}"):
            read_start(answer(2, bytes(length)))
    with pytest.raises(FrameError, match="16 bytes, not 15"):
        read_ping(answer(4, bytes(15)))


def test_an_answer_of_json_is_read_or_refused():
    assert read_json(answer(5, b'{"samples": 3}')) == {"samples": 3}
    with pytest.raises(FrameError, match="no JSON"):
        read_json(answer(5, b"{"))


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        (b"9" * 400, None),
        (b"-" + b"9" * 5000, None),
        (b"[NaN, -Infinity, 1e999, 1.5]", [None, None, None, 1.5]),
        (b'{"name": "x\\ud800"}', {"name": "x?"}),
    ],
)
def test_values_that_later_code_cannot_use_are_cleaned(payload: bytes, read: object):
    assert read_json(answer(Op.STATISTICS, payload)) == read


@pytest.mark.parametrize("payload", [b"[" * 10_000 + b"]" * 10_000, b"\xff", b""])
def test_an_answer_that_is_no_json_is_refused(payload: bytes):
    with pytest.raises(FrameError, match="no JSON"):
        read_json(answer(Op.STATISTICS, payload))


def test_json_keeps_64_bits_and_pairs_of_surrogates():
    read = read_json(answer(Op.STATISTICS, b'[18446744073709551615, "\\ud83d\\ude00"]'))
    assert read == [2**64 - 1, "\U0001f600"]


def test_a_refusal_names_the_request_and_the_reason():
    assert refusal(answer(Op.SETTINGS_PUT, b"", 0)) is None
    error = refusal(answer(Op.SETTINGS_PUT, b"rate_hz: 20 to 400", 2))
    assert isinstance(error, RequestRefusedError)
    assert str(error) == "The sensor refused settings put (bad request): rate_hz: 20 to 400."
    assert str(refusal(answer(0x02, b"\x01\x02\x03\x04", 5))) == (
        "The sensor refused start (stale boot id)."
    )
    assert str(refusal(answer(0xEE, b"\xff", 99))) == "The sensor refused 0xee (0x63): \ufffd."

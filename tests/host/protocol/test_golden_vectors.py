"""The host reads the bytes in tests/vectors/frames.json as the fields beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import make_frames
import pytest
from legcurl.errors import FrameError
from legcurl.protocol.cobs import cobs_decode, cobs_encode
from legcurl.protocol.frame import (
    Answer,
    Boot,
    Frame,
    FrameDecoder,
    Gap,
    Samples,
    encode_frame,
    encode_request,
    parse_frame,
)

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
GOLDEN = json.loads((VECTORS / "frames.json").read_text(encoding="utf-8"))


def cases(group: str, *types: str) -> list[Any]:
    return [
        pytest.param(case, id=case["name"].replace(" ", "_"))
        for case in GOLDEN[group]
        if not types or case["type"] in types
    ]


def frame_of(case: dict[str, Any]) -> Frame:
    fields = dict(case["fields"])
    if case["type"] == "samples":
        del fields["shift"]
        fields["angles"] = tuple(fields["angles"])
        if fields["deviations_us"] is not None:
            fields["deviations_us"] = tuple(fields["deviations_us"])
        return Samples(**fields)
    if case["type"] == "gap":
        return Gap(**fields)
    if case["type"] == "boot":
        return Boot(**fields)
    return Answer(**{**fields, "payload": bytes.fromhex(fields["payload"])})


@pytest.mark.parametrize("case", cases("frames", "samples", "gap", "boot", "answer"))
def test_a_packet_is_read_as_its_fields(case):
    decoder = FrameDecoder()
    assert decoder.push(bytes.fromhex(case["packet"])) == [frame_of(case)]
    assert decoder.counts.dropped == 0


@pytest.mark.parametrize("case", cases("frames", "samples", "gap", "boot", "answer"))
def test_a_frame_keeps_the_bytes_that_it_came_from(case):
    (frame,) = FrameDecoder().push(bytes.fromhex(case["packet"]))
    assert frame.wire.hex() == case["frame"]


@pytest.mark.parametrize("case", cases("frames", "request"))
def test_a_request_is_written_as_its_packet_after_a_zero(case):
    fields = case["fields"]
    written = encode_request(fields["id"], fields["op"], bytes.fromhex(fields["payload"]))
    assert written == b"\0" + bytes.fromhex(case["packet"])


@pytest.mark.parametrize("case", cases("frames"))
def test_every_frame_is_packed_as_its_packet(case):
    raw = bytes.fromhex(case["frame"])
    assert encode_frame(raw[0], bytes.fromhex(case["body"])).hex() == case["packet"]


@pytest.mark.parametrize("case", cases("malformed"))
def test_a_malformed_frame_is_discarded_whole_and_counted(case):
    decoder = FrameDecoder()
    assert decoder.push(bytes.fromhex(case["packet"])) == []
    assert decoder.counts.malformed == decoder.counts.dropped == 1


@pytest.mark.parametrize("case", cases("malformed"))
def test_a_malformed_frame_is_told_from_one_of_unknown_type(case):
    raw = bytes([case["frame_type"]]) + bytes.fromhex(case["body"]) + bytes(4)
    with pytest.raises(FrameError):
        parse_frame(raw)


@pytest.mark.parametrize("case", GOLDEN["cobs"])
def test_stuffing_and_unstuffing(case):
    raw, stuffed = bytes.fromhex(case["raw"]), bytes.fromhex(case["stuffed"])
    assert cobs_encode(raw) == stuffed
    assert cobs_decode(stuffed) == raw


def test_the_vectors_are_those_that_the_reference_codec_writes():
    assert make_frames.text() == (VECTORS / "frames.json").read_text(encoding="utf-8")

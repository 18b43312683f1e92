"""What a note says is whole, or cut between words; and said again, it is the same."""

from __future__ import annotations

import pytest
from legcurl.session.annotations import REASON_MAX_BYTES, LinkNote

ADVICE = (
    "/dev/serial/by-id/usb-Raspberry_Pi_Pico-if00: no such port. Is the sensor plugged in? No "
    "serial port with a device behind it is here now. (legcurl sensors says which are ours.)"
)


def test_the_remedy_for_a_lost_link_is_never_cut():
    assert LinkNote("lost", ADVICE).reason == ADVICE


@pytest.mark.parametrize("word", ["plug ", "é\n", "😀 ", "x", "\x01"])
def test_a_long_reason_is_cut_once_between_words(word: str):
    reason = LinkNote("lost", word * 999).reason
    assert reason.endswith("…")
    assert len(reason.encode()) <= REASON_MAX_BYTES
    assert LinkNote("lost", reason).reason == reason
    if word.endswith(" "):
        assert set(reason.removesuffix("…").split(" ")) == {word.strip()}


def test_a_reason_of_the_maximum_length_stays():
    assert LinkNote("lost", "x" * REASON_MAX_BYTES).reason == "x" * REASON_MAX_BYTES

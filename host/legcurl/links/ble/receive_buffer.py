"""Two streams of packets become one, at the borders of frames, in a buffer with a limit.

A sensor's answers and samples come as two characteristics, each a stream of `COBS(frame) · 0x00`
cut anywhere (docs/protocol.md). `push` takes a piece of either; `take` gives whole packets in the
order in which they were completed, as on one serial line.

Bluetooth has no flow control towards a program. When nothing is read for so long that the buffer is
full, it drops packets of samples, and counts them, until it is empty. No sample is lost: the
sensor has them in its log, and the host asks again from the first index that it lacks when the
next packets come. Answers have room of their own.
"""

from __future__ import annotations

from legcurl.protocol.frame import PACKET_LIMIT_BYTES

SAMPLES_BYTES = 65_536  # six minutes at 100 Hz: as much as a Pico's log, so more is no use
ANSWERS_BYTES = 32_768  # a host has one open request: only a faulty sensor sends so much


class ReceiveBuffer:
    """What came and has not been read."""

    def __init__(self, limit: int = SAMPLES_BYTES) -> None:
        self.left_out = 0  # packets; see above
        self._limit = limit
        self._full = False
        self._whole = bytearray()
        self._open_samples = bytearray()
        self._open_answer = bytearray()

    @property
    def full(self) -> bool:
        """Whether samples are being left out."""
        return self._full

    def push_samples(self, piece: bytes | bytearray) -> None:
        """Take a piece of the samples' stream."""
        packets = _completed(self._open_samples, piece)
        self._full = self._full or len(self._whole) + len(packets) > self._limit
        if self._full:
            self.left_out += packets.count(0)
        else:
            self._whole += packets

    def push_answers(self, piece: bytes | bytearray) -> None:
        """Take a piece of the answers' stream."""
        packets = _completed(self._open_answer, piece)
        if len(self._whole) + len(packets) > self._limit + ANSWERS_BYTES:
            self.left_out += packets.count(0)
        else:
            self._whole += packets

    def take(self, most: int) -> bytes:
        """Give up to `most` bytes, in order; b"" if there are none."""
        taken = bytes(self._whole[:most])
        del self._whole[:most]
        if not self._whole:
            self._full = False
        return taken


def _completed(unfinished: bytearray, piece: bytes | bytearray) -> bytes:
    """Add a piece; give the packets that it completes, and keep the beginning of the next."""
    unfinished += piece
    end = unfinished.rfind(0) + 1
    packets = bytes(unfinished[:end])
    del unfinished[:end]
    # Longer than any packet: what is kept is enough for the decoder to count it.
    del unfinished[PACKET_LIMIT_BYTES:]
    return packets

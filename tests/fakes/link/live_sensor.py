"""A sensor that answers: the wire's FakeSensor behind links that a test can break.

`LiveSensor` reads requests and keeps a stream going, as the firmware does. `LoopbackRoute` leads
to it through memory; each connection behaves as the next entry of the route's plan says, the last
entry for ever. Chunks have seeded random sizes, because no link keeps packets apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import monotonic

import wire_reference as wire
from fake_sensor import FakeSensor
from legcurl.errors import LinkError, LinkLostError
from legcurl.protocol.cobs import cobs_decode
from legcurl.protocol.frame import PacketSplitter
from timings import LIMIT_S

HELLO, START, STOP, PING, STATISTICS, IDENTIFY = 1, 2, 3, 4, 5, 10
# A sensor that has said all waits so long for one more request, and for so many turns of the loop:
# on a busy computer, a host may be halfway to its request when the time is over.
FAREWELL_S = 0.1
FAREWELL_TURNS = 50
SAFE_SAMPLES = 100  # at the very end arrive: nothing after them would show their loss
UNKNOWN_OP, BAD_REQUEST, BUSY, STALE, INTERNAL_ERROR = 1, 2, 4, 5, 7


def running_from(now_us: int) -> Callable[[], int]:
    """A sensor's clock. It has to run: one that stands still looks like restart after restart."""
    began_s = monotonic() - now_us / 1e6
    return lambda: round((monotonic() - began_s) * 1e6)


class LiveSensor:
    """Serves one host at a time, whatever link its bytes come over."""

    def __init__(self, log: FakeSensor, **hello: object) -> None:
        self.log = log
        self.hello = hello  # fields that its answer to hello has instead of the usual ones
        self.requests: list[tuple[int, bytes]] = []  # op and payload, in order
        self.deaf_to: dict[int, int] = {}  # op: how many more requests of it go unanswered
        self.stalls_at: int | None = None  # index where its stream halts until it is asked again
        self.unknown: set[int] = set()  # ops that it has never heard of
        self.loses: set[int] = set()  # indices of frames that get lost when they are first sent
        self.swallows_starts = False  # answers to start get lost, but for the first
        self.busy_for = 0  # requests that are answered "busy"
        self.refuses: dict[int, list[int]] = {}  # op: results of its next requests, none of them ok
        self.clock_us = running_from(log.time_us)
        self.output = bytearray()
        self._input = PacketSplitter()

    def connected(self) -> None:
        """A link was made. It starts without a stream."""
        self.log.cursor = None
        self.output.clear()
        self._input = PacketSplitter()

    def restart(self, log: FakeSensor) -> None:
        """Lose power and come back with another log; says so."""
        self.log = log
        self.clock_us = running_from(log.time_us)
        self.output += log.boot()

    def hear(self, chunk: bytes) -> None:
        """Take bytes from the host."""
        for packet in self._input.push(chunk):
            raw = cobs_decode(packet)
            assert raw is not None, "the host sends whole packets"
            assert raw[-4:] == wire.crc(raw[:-4]), "with a CRC that is right"
            assert raw[0] == 1, "and nothing but requests"
            number, op, payload = raw[1], raw[2], raw[3:-4]
            self.requests.append((op, payload))
            if self.deaf_to.get(op, 0) > 0:
                self.deaf_to[op] -= 1
            else:
                self.output += self._answer(number, op, payload)

    def speak(self) -> bytes:
        """What comes next: an answer, else the next packet of the stream, else nothing."""
        cursor = self.log.cursor
        stalled = self.stalls_at is not None and cursor is not None and cursor >= self.stalls_at
        if not self.output and cursor is not None and not stalled:
            self.output += self.log.next_packet() or b""
            if cursor in self.loses:
                self.loses.discard(cursor)
                self.output[:] = self.log.next_packet() or b""
        said = bytes(self.output)
        self.output.clear()
        return said

    def _answer(self, number: int, op: int, payload: bytes) -> bytes:
        if self.busy_for:
            self.busy_for -= 1
            return self._result(number, op, BUSY)
        if self.refuses.get(op):
            return self._result(number, op, self.refuses[op].pop(0), b"not now")
        if op in self.unknown:
            return self._result(number, op, UNKNOWN_OP, b"no such request")
        if op == HELLO:
            return self.log.hello(number, time_us=self.clock_us(), **self.hello)
        if op == START:
            again = self.log.cursor is not None
            if again:
                self.stalls_at = None
            boot_id, index = int.from_bytes(payload[:4], "little"), payload[4:12]
            if boot_id not in (0, self.log.boot_id):
                return self._result(number, op, STALE, self.log.boot_id.to_bytes(4, "little"))
            first = int.from_bytes(index, "little")
            upcoming = len(self.log.angles)
            if first == 2**64 - 1:
                first = upcoming
            if first > upcoming:
                return self._result(number, op, BAD_REQUEST, b"beyond the log")
            answer = self.log.start(first, number)
            return b"" if again and self.swallows_starts else answer
        if op == PING:
            return self._result(number, op, 0, payload + self.clock_us().to_bytes(8, "little"))
        if op == STATISTICS:
            return self._result(number, op, 0, b'{"samples": %d}' % len(self.log.angles))
        if op == IDENTIFY:
            return self._result(number, op, 0)
        return self._result(number, op, UNKNOWN_OP, b"no such request")

    def _result(self, number: int, op: int, result: int, payload: bytes = b"") -> bytes:
        return wire.packet(wire.ANSWER, wire.answer_body(number, op, result, payload))


@dataclass
class Connection:
    """How one connection of a route behaves."""

    refused: LinkError | None = None  # connecting fails with it
    cut_after: int | None = None  # bytes, then the link breaks
    mute_after: int | None = None  # bytes, then nothing comes, and nobody says why
    damage: float = 0.0  # share of packets that lose or change a byte
    noise: bytes = b""  # comes before anything else
    ends: bool = True  # after the last sample the sensor is over for good


class LoopbackRoute:
    """A route to a LiveSensor in the same process."""

    name = "loop:"

    def __init__(
        self,
        sensor: LiveSensor,
        *plan: Connection,
        seed: int = 1,
        silence_s: float = LIMIT_S,
        patience_s: float = LIMIT_S,
        pace: float | None = None,
        wired: bool = True,
    ) -> None:
        self.wired = wired
        self.sensor = sensor
        self.silence_s = silence_s
        self.patience_s = patience_s
        self.pace = pace
        self.random = Random(seed)
        self.connections = 0
        self.open_links = 0
        self.closed = False
        self._plan = list(plan) or [Connection()]

    async def connect(self) -> LoopbackLink:
        manner = self._plan.pop(0) if len(self._plan) > 1 else self._plan[0]
        self.connections += 1
        if manner.refused is not None:
            raise manner.refused
        self.sensor.connected()
        self.open_links += 1
        return LoopbackLink(self, manner)

    async def close(self) -> None:
        self.closed = True


class LoopbackLink:
    """One connection."""

    def __init__(self, route: LoopbackRoute, manner: Connection) -> None:
        self.bytes_read = 0
        self._route = route
        self._manner = manner
        self._pending = bytearray(manner.noise)
        self._spoken = asyncio.Event()
        self._open = True

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        while True:
            self._check()
            if self._mute():
                await asyncio.Event().wait()
            if not self._pending:
                self._pending += self._damaged(self._route.sensor.speak())
            if self._pending:
                size = self._route.random.randint(1, min(len(self._pending), 300))
                chunk = bytes(self._pending[:size])
                del self._pending[:size]
                self.bytes_read += size
                return chunk
            self._spoken.clear()
            try:
                async with asyncio.timeout(FAREWELL_S if self._over() else None):
                    await self._spoken.wait()
            except TimeoutError:
                for _ in range(FAREWELL_TURNS):
                    await asyncio.sleep(0)
                if not self._spoken.is_set():
                    return b""

    async def write(self, packet: bytes) -> None:
        self._check()
        self._route.sensor.hear(packet)
        self._spoken.set()

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._route.open_links -= 1

    def _check(self) -> None:
        cut = self._manner.cut_after
        if cut is not None and self.bytes_read >= cut:
            raise LinkLostError("loop: went away.")

    def _mute(self) -> bool:
        mute = self._manner.mute_after
        return mute is not None and self.bytes_read >= mute

    def _over(self) -> bool:
        log = self._route.sensor.log
        return self._manner.ends and log.cursor is not None and log.cursor >= len(log.angles)

    def _damaged(self, packet: bytes) -> bytes:
        random, log = self._route.random, self._route.sensor.log
        if log.cursor is not None and log.cursor > len(log.angles) - SAFE_SAMPLES:
            return packet
        if not packet or random.random() >= self._manner.damage:
            return packet
        at = random.randrange(len(packet))
        if random.random() < 0.5:
            return packet[:at] + packet[at + 1 :]
        return packet[:at] + bytes((packet[at] ^ random.randint(1, 255),)) + packet[at + 1 :]

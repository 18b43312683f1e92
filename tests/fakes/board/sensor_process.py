"""A sensor process, as the simulator's runner starts one, with a world drawn by the test.

`run_to_the_end` plays a whole world at full speed over pipes and gives every byte that came out.
`LiveSensor` is one behind a pseudo-terminal, for tests that talk to it; its world goes on until the
test is over, however slow the computer is.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import tempfile
import threading
import time
import tty
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.protocol.frame import Answer, Boot, Frame, FrameDecoder, Gap, Samples, encode_request
from legcurl.simulator.runner import Engine
from timings import LIMIT_S, wait_until

WORLD_RATE_HZ = 500
MAGNET_FOUND = 0x20
BUS_FAILS, POWER_CYCLE, HOST_STALLS, CORRUPT_BYTE, DROP_BYTE = 0x01, 0x02, 0x04, 0x08, 0x10

HELLO, START, STATISTICS, SETTINGS_PUT, REBOOT = 0x01, 0x02, 0x05, 0x07, 0x0B
RECORD_BYTES = 4
PIPE_BYTES = 65_536  # that the world may be ahead of the sensor


@dataclass(frozen=True)
class Moment:
    """One record of the world stream."""

    angle: int = 0
    magnet: int = MAGNET_FOUND
    faults: int = 0


def world(seconds: float, at: Callable[[float], Moment]) -> bytes:
    """A world stream of so many seconds."""
    header = struct.pack("<4sHHII", b"LCW1", WORLD_RATE_HZ, 1, 0, 0)
    records = (at(i / WORLD_RATE_HZ) for i in range(round(seconds * WORLD_RATE_HZ) + 1))
    return header + b"".join(
        struct.pack("<HBB", moment.angle, moment.magnet, moment.faults) for moment in records
    )


def start_request(index: int = 0, boot_id: int = 0, request_id: int = 2) -> bytes:
    return encode_request(request_id, START, struct.pack("<IQ", boot_id, index))


def run_to_the_end(
    engine: Engine,
    stream: bytes,
    *,
    seed: int = 7,
    requests: bytes = b"",
    read: Callable[[int], bytes] | None = None,
    heap: str | None = None,
    board: str = "pico_w",
    encoder: str | None = None,
) -> bytes:
    """Everything that the sensor sends in a world at full speed.

    Its host sends `requests` and a start whenever the sensor has started.
    """
    with tempfile.TemporaryDirectory() as flash:
        inward, outward = os.pipe(), os.pipe()
        process, world_end = _spawn(
            engine, flash, inward[0], outward[1], "fast", seed, heap, board, encoder
        )
        feed(world_end, stream)
        received = bytearray()
        decoder = FrameDecoder()
        try:
            while chunk := (read or (lambda fd: os.read(fd, 65536)))(outward[0]):
                received += chunk
                for frame in decoder.push(chunk):
                    if isinstance(frame, Boot):
                        os.write(inward[1], requests + start_request())
            code = process.wait(LIMIT_S)
        finally:
            process.kill()
            process.wait()
            os.close(inward[1])
            os.close(outward[0])
        stderr = process.stderr.read().decode() if process.stderr else ""
        if process.stderr:
            process.stderr.close()
        assert code == 0, stderr
        return bytes(received)


def decode(received: bytes) -> list[Frame]:
    decoder = FrameDecoder()
    frames = decoder.push(received)
    assert decoder.counts.dropped == 0
    return frames


def samples_of(frames: Iterable[Frame]) -> list[tuple[int, int, int, int]]:
    """(index, time µs, angle, status) of every sample, in order of arrival."""
    return [
        (frame.index + i, frame.t_us + i * frame.period_us, angle, frame.status)
        for frame in frames
        if isinstance(frame, Samples)
        for i, angle in enumerate(frame.angles)
    ]


class LiveSensor:
    """A sensor on a pseudo-terminal, and its host. `typed` waits there when the sensor starts.

    After its last record the world stands still; with `ends`, it ends there, and the sensor too.
    """

    def __init__(
        self,
        engine: Engine,
        stream: bytes,
        flash: Path,
        *,
        pace: str = "1",
        seed: int = 7,
        typed: bytes = b"",
        ends: bool = False,
    ) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.write(self.slave, typed)
        self.process, world_end = _spawn(
            engine,
            str(flash),
            os.dup(self.master),
            os.dup(self.master),
            pace,
            seed,
            None,
            "pico_w",
            None,
        )
        self._feed = feed(world_end, stream, for_ever=not ends)
        self.decoder = FrameDecoder()
        self.frames: list[Frame] = []
        self._next_id = 10

    def __enter__(self) -> LiveSensor:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)

    def write(self, content: bytes) -> None:
        """Write as a host does that must not be kept waiting for long."""
        deadline_s = time.monotonic() + LIMIT_S
        while content:
            assert time.monotonic() < deadline_s, "the sensor reads nothing"
            if select.select([], [self.slave], [], 0.1)[1]:
                content = content[os.write(self.slave, content[:256]) :]

    def wait_until_full(self) -> None:
        """Until the terminal takes no more from the sensor."""
        wait_until(lambda: not select.select([], [self.master], [], 0)[1])

    def let_pass(self, world_s: float) -> None:
        """Wait until the sensor has lived through so much more of its world, at least."""
        at_least = self._feed.written + PIPE_BYTES + round(world_s * WORLD_RATE_HZ * RECORD_BYTES)
        wait_until(lambda: self._feed.written >= at_least)

    def read(self, seconds: float) -> list[Frame]:
        """Read for so long; the frames that came."""
        return self._read_until(lambda _: False, seconds)

    def ask(self, op: int, payload: bytes = b"") -> Answer:
        """The answer to a request."""
        self._next_id += 1
        number = self._next_id
        self.write(encode_request(number, op, payload))
        came = self._read_until(
            lambda frame: isinstance(frame, Answer) and frame.id == number, LIMIT_S
        )
        assert came, "no answer came"
        answer = came[-1]
        assert isinstance(answer, Answer)
        assert (answer.id, answer.op) == (number, op)
        return answer

    def start(self, index: int = 0) -> Answer:
        return self.ask(START, struct.pack("<IQ", 0, index))

    def read_until(self, wanted: Callable[[Frame], bool]) -> list[Frame]:
        """Read until such a frame has come."""
        came = self._read_until(wanted, LIMIT_S)
        assert came, "nothing came"
        assert wanted(came[-1]), "what was waited for did not come"
        return came

    def read_until_boot(self, number: int) -> Boot:
        """Read until the sensor has started so many times since `frames` was empty; the last."""

        def boots() -> list[Boot]:
            return [frame for frame in self.frames if isinstance(frame, Boot)]

        self.read_until(lambda _: len(boots()) >= number)
        return boots()[number - 1]

    def _read_until(self, wanted: Callable[[Frame], bool], seconds: float) -> list[Frame]:
        came: list[Frame] = []
        deadline_s = time.monotonic() + seconds
        while (left := deadline_s - time.monotonic()) > 0:
            if not select.select([self.slave], [], [], left)[0]:
                break
            new = self.decoder.push(os.read(self.slave, 4096))
            came += new
            self.frames += new
            if any(wanted(frame) for frame in new):
                while not wanted(came[-1]):
                    came.pop()
                break
        return came

    def indices(self) -> list[int]:
        """Every index heard of, samples and gaps alike, in order of arrival."""
        heard: list[int] = []
        for frame in self.frames:
            if isinstance(frame, Samples):
                heard.extend(range(frame.index, frame.index + len(frame.angles)))
            elif isinstance(frame, Gap):
                heard.extend(range(frame.index, frame.index + frame.count))
        return heard


class WorldFeed(threading.Thread):
    """The world process: writes records as fast as they are read, the last one again and again."""

    def __init__(self, world_end: int, stream: bytes, for_ever: bool) -> None:
        super().__init__(daemon=True)
        self.written = 0  # bytes
        self._world_end = world_end
        self._stream = stream
        self._for_ever = for_ever

    def run(self) -> None:
        try:
            with os.fdopen(self._world_end, "wb", buffering=0) as pipe:
                for at in range(0, len(self._stream), PIPE_BYTES):
                    self._write(pipe, self._stream[at : at + PIPE_BYTES])
                while self._for_ever:
                    self._write(pipe, self._stream[-RECORD_BYTES:] * WORLD_RATE_HZ)
        except BrokenPipeError:
            pass  # the sensor was killed by its test

    def _write(self, pipe: RawIOBase, content: bytes) -> None:
        while content:
            count = pipe.write(content) or 0
            self.written += count
            content = content[count:]


def feed(world_end: int, stream: bytes, *, for_ever: bool = False) -> WorldFeed:
    """Let a sensor have its world, as fast as it takes it."""
    started = WorldFeed(world_end, stream, for_ever)
    started.start()
    return started


def _spawn(
    engine: Engine,
    flash: str,
    stdin: int,
    stdout: int,
    pace: str,
    seed: int,
    heap: str | None,
    board: str,
    encoder: str | None,
) -> tuple[subprocess.Popen[bytes], int]:
    """The sensor's process, and the end of a pipe for its world."""
    world_end, encoder_end = os.pipe()[::-1]
    try:
        process = subprocess.Popen(
            [
                *engine.command,
                *(("-X", f"heapsize={heap}") if heap else ()),
                str(shims_directory() / "boot.py"),
                str(firmware_directory()),
            ],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            pass_fds=(encoder_end,),
            env={
                **os.environ,
                "LEGCURL_WORLD_FD": str(encoder_end),
                "LEGCURL_PACE": pace,
                "LEGCURL_SEED": str(seed),
                "LEGCURL_FLASH": flash,
                "LEGCURL_BOARD": board,
                "LEGCURL_ENCODER": encoder or "",
            },
        )
    finally:
        for fd in (stdin, stdout, encoder_end):
            os.close(fd)
    return process, world_end

"""What the firmware needs of a board's memory, measured on the MicroPython VM.

The firmware is compiled beforehand, as `flash` does it, so no source is compiled on the heap; as
plain bytecode, because machine code of the VM's processor would lie outside of the heap, where a
board's lies in it.

The VM has pointers of 64 bits, a board of 32. Bytes are bytes on both: the log, and what the
compiled files hold (bytecode, names, texts: their size is about what they take). All else, objects
and dictionaries and tables, takes twice as much here; and so, to be on the safe side, do the
smaller buffers, which do not. `Memory.on_board` and `heap_on_vm` are this rule, forth and back.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from legcurl.firmware_files import ENTRY, firmware_directory, shims_directory
from legcurl.install.boards.board_file import BoardFile
from legcurl.install.flash.firmware_build import PACKAGE, compile_module
from legcurl.protocol.frame import Boot, FrameDecoder, Samples, encode_request
from legcurl.simulator.runner import START_VM
from sensor_process import SETTINGS_PUT, Moment, feed, start_request, world
from timings import LIMIT_S

HERE = Path(__file__).parent
FAKES = HERE.parent / "fakes" / "board"
SIMULATION_KB = 256  # what the shims and their garbage may take beside the firmware
RATE_HZ = 400
LAST_WORDS = 1500
NOT_LOGGED = 1 + 4 - 3  # a frame's type and CRC; but a record has a head: sensor/anglelog.py
FILLS_BYTES = 2.2  # of log, each sample of a lever shaken as `shaken_world` shakes it


@dataclass(frozen=True)
class Memory:
    """Bytes of heap that the firmware has in use."""

    at_start: int  # on the VM, the log allocated and empty
    log_full: int  # on the VM, at the end
    plain: int  # of both: bytes that are bytes on a board, too
    logged: int  # bytes that went into the log, and came out

    @property
    def on_board_at_start(self) -> int:
        """The same on a board."""
        return self.plain + (self.at_start - self.plain) // 2

    @property
    def on_board_log_full(self) -> int:
        """The same on a board."""
        return self.plain + (self.log_full - self.plain) // 2


def heap_on_vm(heap_bytes: int, plain: int) -> int:
    """The heap of a board, as large as it has to be here to be as narrow."""
    return plain + 2 * (heap_bytes - plain)


def plain_firmware(place: Path) -> Path:
    """The firmware as plain bytecode, in a directory like that of a board's flash."""
    home, stripped, compiled = firmware_directory(), place / "stripped", place / "compiled"
    for path in sorted((home / PACKAGE).rglob("*.py")):
        source = path.relative_to(home)
        (stripped / source).parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text().replace("@micropython.native\n", "\n")
        (stripped / source).write_text(text)
        module = compile_module(stripped, source.as_posix(), "x64")
        assert module.arch == 0, f"{source} has native code in it"
        (compiled / module.path).parent.mkdir(parents=True, exist_ok=True)
        (compiled / module.path).write_bytes(module.content)
    (compiled / ENTRY).write_bytes((home / ENTRY).read_bytes())
    return compiled


def shaken_world(seconds: float) -> bytes:
    """A lever that shakes: nothing fills a log faster."""
    dice = random.Random(4)
    return world(seconds, lambda _: Moment(dice.randrange(65_536)))


def seconds_to_fill(log_bytes: int) -> float:
    """How long a shaken lever takes to fill a log and to write over some of it."""
    return 1.1 * log_bytes / FILLS_BYTES / RATE_HZ


def measure(
    board: BoardFile, firmware: Path, place: Path, vm_heap_bytes: int, seconds: float
) -> Memory:
    """Run a board for so long in a heap of that size on the VM."""
    flash = place / f"flash-{board.board}"
    flash.mkdir()
    (flash / "board.json").write_bytes(board.on_sensor())
    report = place / f"{board.board}.json"
    heap = vm_heap_bytes + 1024 * SIMULATION_KB
    shims = shims_directory()
    world_end, encoder_end = os.pipe()[::-1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-c", START_VM, "-X", f"heapsize={heap}"),
            *(str(HERE / "memory_probe.py"), str(report), str(shims), str(firmware)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(encoder_end,),
        env={
            **os.environ,
            "MICROPYPATH": f"{FAKES}:.frozen",
            "LEGCURL_WORLD_FD": str(encoder_end),
            "LEGCURL_PACE": "fast",
            "LEGCURL_SEED": "7",
            "LEGCURL_FLASH": str(flash),
            "LEGCURL_BOARD": "installed",
        },
    )
    os.close(encoder_end)
    feed(world_end, shaken_world(seconds))
    logged, last_words = _listen(process)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    code = process.wait(LIMIT_S)
    crash = flash / "crash.log"
    assert not crash.exists(), crash.read_text()
    assert code == 0, last_words
    weighed = json.loads(report.read_text())
    running = [look for look in weighed["looks"] if look > board.log_bytes]
    plain = board.log_bytes + sum(_size(firmware, name) for name in weighed["modules"])
    return Memory(running[0], max(running), plain, logged)


def _size(firmware: Path, module: str) -> int:
    """What a compiled module takes."""
    path = firmware / module.replace(".", "/")
    return next(
        place.stat().st_size
        for place in (path.with_suffix(".mpy"), path / "__init__.mpy")
        if place.exists()
    )


def _listen(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Be a host that reads everything; how much it had logged, and what was said at the end."""
    assert process.stdin is not None
    assert process.stdout is not None
    put = encode_request(1, SETTINGS_PUT, json.dumps({"rate_hz": RATE_HZ}).encode())
    decoder = FrameDecoder()
    logged = 0
    heard = b""
    while chunk := os.read(process.stdout.fileno(), 65_536):
        heard = (heard + chunk)[-LAST_WORDS:]
        for frame in decoder.push(chunk):
            if isinstance(frame, Boot):
                process.stdin.write(put + start_request())
                process.stdin.flush()
            elif isinstance(frame, Samples):
                logged += len(frame.wire) - NOT_LOGGED
    return logged, heard.decode(errors="replace")

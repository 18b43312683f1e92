"""A board on a serial port, without the board: a flash, MicroPython, a cable to pull.

    installer ── PTY (`port`) ── this relay ── PTY ── MicroPython VM (board_rom.py) ── flash file

The real MicroPython VM answers, with its own raw REPL, on littlefs. What a start runs is what a
board would run: main.py if it is there. Ctrl-C, soft reset, machine.reset() and the cable do what
they do on a board: a reset takes the port away for a moment, because the USB port is the chip's.

While MicroPython runs a program, a byte 0x03 interrupts it, and other bytes wait until somebody
reads, as all of them do while it starts; at the prompt and under our firmware (which disarms it)
0x03 is a byte like any other.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.install.boards.board_file import BoardFile
from legcurl.install.flash.firmware_build import (
    ARCH_NUMBERS,
    MPY_VERSION,
    build_files,
    compile_module,
)
from legcurl.simulator.runner import START_VM
from timings import LIMIT_S

ROM = Path(__file__).with_name("board_rom.py")
BLOCK = 4096
RESET = 64
CTRL_A, CTRL_B, CTRL_C = 0x01, 0x02, 0x03
VM_ARCH = "x64"
DARK_S = 0.3  # how long a restart takes the port away
FAREWELL_S = 0.05  # for what was sent before a restart to be read
LOOK_S = 0.02
READ_BYTES = 4096


@dataclass(frozen=True)
class Micropython:
    """What the board's MicroPython says of itself."""

    machine: str
    platform: str
    version: tuple[int, int, int] = (1, 27, 0)
    mpy_version: tuple[int, int] = MPY_VERSION
    arch: int = 0
    bluetooth: bool = True

    @classmethod
    def of(cls, board: BoardFile, **differing) -> Micropython:
        """The right one for a board."""
        chip = {"esp32s3": "ESP32S3", "esp32c3": "ESP32C3", "esp32c6": "ESP32C6"}.get(
            board.mcu.name, board.mcu.name.upper()
        )
        fields = {
            "machine": f"{board.title if board.port == 'rp2' else chip + ' module'} with {chip}",
            "platform": board.port,
            "arch": ARCH_NUMBERS[board.arch],
            "bluetooth": "ble" in board.links,
        }
        return cls(**{**fields, **differing})

    def as_json(self) -> str:
        mpy = self.mpy_version[0] | self.mpy_version[1] << 8 | self.arch << 10
        return json.dumps(
            {
                "machine": self.machine,
                "platform": self.platform,
                "version": self.version,
                "mpy": mpy,
                "bluetooth": self.bluetooth,
            }
        )


class SimulatedBoard:
    """One board; `port` is where it appears while it is plugged in. A context manager."""

    def __init__(
        self,
        directory: Path,
        board: BoardFile,
        micropython: Micropython | None = None,
        *,
        flash_kb: int = 848,  # a Pico W's file system
        mute: bool = False,  # nobody is there: no MicroPython on it
    ) -> None:
        self.port = str(directory / "ttyACM0")
        self.received = 0  # bytes that the board got from its host, ever
        self._state = directory / "board"
        self._state.mkdir()
        (self._state / "flash").write_bytes(b"\xff" * flash_kb * 1024)
        about = micropython or Micropython.of(board)
        (self._state / "about.json").write_text(about.as_json())
        self._interruptible = self._state / "interruptible"  # see board_rom.py
        self._board = board
        self._mute = mute
        self._cut_at: int | None = None
        self._next_port: tuple[str, Callable[[], None]] | None = None
        self._master = self._vm_master = self._vm_slave = -1
        self._vm: subprocess.Popen[bytes] | None = None
        self._mode = "prompt"
        self._raw = False
        self._waiting = bytearray()  # from the host, until somebody reads
        self._relay: threading.Thread | None = None
        self._ending = threading.Event()
        self._rom("format")

    def __enter__(self) -> SimulatedBoard:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def put(self, files: dict[str, bytes]) -> None:
        """Have files in flash, while unplugged."""
        source = self._state / "put"
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        self._rom("put", str(source))

    def stored(self) -> dict[str, bytes]:
        """What is in flash, while unplugged."""
        assert self._relay is None, "one process at a time has the flash"
        listed = json.loads(self._rom("list"))
        return {path: bytes.fromhex(content) for path, content in listed.items()}

    def unplug_after(self, received: int) -> None:
        """Pull the cable when the board has got so many more bytes."""
        self._cut_at = self.received + received

    def moves_to(self, port: Path, then: Callable[[], None]) -> None:
        """Appear there after the next restart, and let that be known."""
        self._next_port = (str(port), then)

    def plug_in(self) -> None:
        """Power, and a port."""
        self._ending.clear()
        self._connect()
        self._start()
        self._relay = threading.Thread(target=self._run, daemon=True)
        self._relay.start()

    def unplug(self) -> None:
        """No power, no port. Safe to repeat."""
        if self._relay is None:
            return
        self._ending.set()
        self._relay.join()
        self._relay = None
        self._disconnect()
        self._stop()

    def _run(self) -> None:
        while not self._ending.is_set():
            vm = self._vm_master
            readable = select.select([self._master, vm], [], [], LOOK_S)[0]
            if self._master in readable:
                self._take_from_host()
            if self._ending.is_set():
                break
            self._pass_on()
            if vm in readable:
                self._take_from_vm()
            if self._vm is not None and self._vm.poll() is not None:
                self._next_life(self._vm.returncode)

    def _take_from_host(self) -> None:
        try:
            chunk = os.read(self._master, READ_BYTES)
        except OSError:  # no host has it open
            self._ending.wait(LOOK_S)
            return
        self.received += len(chunk)
        if self._mute:
            return
        if self._cut_at is not None and self.received >= self._cut_at:
            self._cut_at = None
            self._disconnect()
            self._ending.set()
            return
        self._waiting += chunk

    def _pass_on(self) -> None:
        """Give the VM what it reads now, as a board's USB stack would."""
        while self._waiting:
            busy = self._mode != "firmware" and self._program_runs()
            if busy:
                if CTRL_C not in self._waiting or not self._interruptible.exists():
                    return
                del self._waiting[: self._waiting.index(CTRL_C) + 1]
                self._interruptible.unlink()  # what comes after it is the prompt
                assert self._vm is not None
                self._vm.send_signal(signal.SIGINT)
                return
            for byte in self._waiting:
                if byte in (CTRL_A, CTRL_B):
                    self._raw = byte == CTRL_A
            os.write(self._vm_master, self._waiting)
            self._waiting.clear()

    def _program_runs(self) -> bool:
        """MicroPython's REPL puts its terminal into raw mode while it reads."""
        return bool(termios.tcgetattr(self._vm_slave)[3] & termios.ISIG)

    def _take_from_vm(self) -> None:
        try:
            chunk = os.read(self._vm_master, READ_BYTES)
        except OSError:
            return
        self._say(chunk)

    def _say(self, chunk: bytes) -> None:
        while chunk:
            if not select.select([], [self._master], [], 0.5)[1]:
                return  # nobody reads: a board's USB stack throws it away, too
            chunk = chunk[os.write(self._master, chunk) :]

    def _next_life(self, code: int) -> None:
        """What comes after a process of the VM has ended."""
        while select.select([self._vm_master], [], [], 0)[0]:
            try:
                self._say(os.read(self._vm_master, READ_BYTES))
            except OSError:
                break
        mode = self._mode
        self._stop()
        if code == RESET:
            time.sleep(FAREWELL_S)
            self._waiting.clear()
            self._disconnect()
            if self._ending.wait(DARK_S):
                return
            if self._next_port is not None:
                self.port, then = self._next_port
                self._next_port = None
                then()
            self._connect()
            self._raw = False
            self._start()
        elif mode == "firmware":
            self._raw = False
            self._spawn("prompt")
        else:
            self._say(b"MPY: soft reboot\r\n")
            if self._raw:
                self._spawn("prompt")
                self._waiting[:0] = bytes([CTRL_A])
            else:
                self._start()

    def _connect(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._slave = slave  # kept open, or the master would report a hang-up
        Path(self.port).symlink_to(os.ttyname(slave))

    def _disconnect(self) -> None:
        Path(self.port).unlink(missing_ok=True)
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    def _start(self) -> None:
        """Run what a board runs that gets power."""
        self._spawn(self._rom("look").strip())

    def _spawn(self, mode: str) -> None:
        self._mode = mode
        self._interruptible.unlink(missing_ok=True)
        self._vm_master, self._vm_slave = os.openpty()
        tty.setraw(self._vm_slave)
        if mode != "firmware":
            attributes = termios.tcgetattr(self._vm_slave)
            attributes[3] |= termios.ISIG  # while a program runs: see _program_runs
            attributes[6][termios.VINTR] = b"\xff"
            termios.tcsetattr(self._vm_slave, termios.TCSANOW, attributes)
        self._vm = subprocess.Popen(
            self._command(mode),
            stdin=self._vm_slave,
            stdout=self._vm_slave,
            stderr=self._vm_slave,
            env={
                **os.environ,
                "MICROPYPATH": f"{ROM.parent}:.frozen",
                "LEGCURL_BOARD": "installed",
                "LEGCURL_SEED": "7",
            },
            start_new_session=True,
        )

    def _stop(self) -> None:
        if self._vm is not None:
            self._vm.kill()
            self._vm.wait()
            self._vm = None
            os.close(self._vm_master)
            os.close(self._vm_slave)

    def _command(self, what: str, *more: str) -> list[str]:
        if what == "firmware":
            more = (str(self._translations()), str(shims_directory() / "boot.py"))
        interactive = ["-i"] if what in ("prompt", "foreign") else []
        return [
            *(sys.executable, "-P", "-c", START_VM, "-X", "heapsize=1M", *interactive),
            *(str(ROM), what, str(self._state), *more),
        ]

    def _rom(self, what: str, *more: str) -> str:
        done = subprocess.run(
            self._command(what, *more),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env={**os.environ, "MICROPYPATH": f"{ROM.parent}:.frozen"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _translations(self) -> Path:
        """Native code for this VM, by the digest of that for the board: see board_rom.py."""
        place = self._state / "translations"
        (self._state / "memory").mkdir(exist_ok=True)
        if not place.exists():
            place.mkdir()
            for file in build_files(self._board):
                if file.arch:
                    source = file.path.removesuffix(".mpy") + ".py"
                    mine = compile_module(firmware_directory(), source, VM_ARCH)
                    (place / file.digest).write_bytes(mine.content)
        return place

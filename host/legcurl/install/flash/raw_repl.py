"""The MicroPython prompt of a board on a serial port, for looking at its files and changing them.

mpremote's transport does the talking (raw REPL with its flow control), and every way in which it
can fail comes out here as one of our errors: a cable that was pulled, a flash that is full, a
board that says nothing. What the transport prints when it is at a loss goes to the debug log.

Paths are relative: a board's working directory is the root of its flash.
"""

from __future__ import annotations

import errno
import io
import logging
import struct
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from legcurl.errors import ConfigError, LinkLostError, NotASensorError, SensorError
from legcurl.links.address import SerialAddress
from legcurl.links.serial import check_port

if TYPE_CHECKING:
    from mpremote.transport_serial import SerialTransport

log = logging.getLogger(__name__)

READ_S = 5.0  # for a byte that the transport is sure of
WRITE_S = 5.0  # a board that takes nothing for so long has hung
ENTER_S = 6  # from Ctrl-C to the prompt, a soft reset and boot.py in between
ENTER_AGAIN_S = 2  # the same while a board restarts: what was sent before it did is lost
CHUNK_BYTES = 512  # of a file at a time, as text in a line of Python: what a small heap can take
_GONE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF, errno.EPIPE)

# Runs on the board. Its names begin with an underscore, so as not to be in the way of anything.
_ON_BOARD = """
import os,hashlib
def _files(d):
 for e in os.ilistdir(d or '.'):
  p=d+e[0]
  if e[1]&0x4000: yield p+'/',None; yield from _files(p+'/')
  else:
   h=hashlib.sha256();b=bytearray(512);n=0
   with open(p,'rb') as f:
    while True:
     k=f.readinto(b)
     if not k: break
     n+=k;h.update(memoryview(b)[:k])
   yield p,(n,h.digest().hex() if hasattr(bytes,'hex') else '')
def _remove(p):
 try: os.remove(p)
 except OSError: os.rmdir(p)
def _sync():
 if hasattr(os,'sync'): os.sync()
"""
_ABOUT = (
    "(sys.platform,getattr(sys.implementation,'_machine',''),tuple(sys.implementation[1])[:3],"
    "getattr(sys.implementation,'_mpy',0),_ble,os.statvfs(os.getcwd())[0]*os.statvfs(os.getcwd())[3])"
)


@dataclass(frozen=True, slots=True)
class About:
    """What runs on the board, in its own words."""

    platform: str  # sys.platform: "rp2", "esp32"
    machine: str  # "Raspberry Pi Pico W with RP2040"
    version: tuple[int, int, int]
    mpy: int  # sys.implementation._mpy: which compiled files it loads
    bluetooth: bool
    free_bytes: int  # of its flash

    @property
    def mpy_version(self) -> tuple[int, int]:
        """Version and sub-version of the .mpy files that it loads."""
        return self.mpy & 0xFF, self.mpy >> 8 & 3

    @property
    def mpy_arch(self) -> int:
        """The processor whose native code it loads, or 0: see build.ARCH_NUMBERS."""
        return self.mpy >> 10 & 0x0F


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on the board."""

    size: int
    digest: str  # SHA-256, hexadecimal


class RawRepl:
    """An open prompt; also a context manager that closes it."""

    def __init__(self, port: str) -> None:
        """Open the port; LinkError says what is wrong with it."""
        try:
            from mpremote.transport import TransportError, TransportExecError
            from mpremote.transport_serial import SerialTransport
        except ImportError:
            raise ConfigError(
                "Talking to a board's prompt needs mpremote: pip install 'legcurl[install]'."
            ) from None
        self.port = port
        self._failures = (TransportError, struct.error, UnicodeDecodeError)
        self._exec_failure = TransportExecError
        self._prepared = False
        check_port(SerialAddress(port))  # the transport's own error would not say what is wrong
        with self._explained():
            self._transport: SerialTransport = SerialTransport(port, timeout=READ_S)
            wire: Any = self._transport.serial  # a pyserial port
            wire.write_timeout = WRITE_S

    def __enter__(self) -> RawRepl:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def enter(self, patience_s: int = ENTER_S) -> None:
        """Stop whatever runs and reset the interpreter; NotASensorError if nothing answers."""
        said = io.StringIO()
        try:
            with self._explained(), redirect_stdout(said):
                self._transport.enter_raw_repl(timeout_overall=patience_s)
        except _NoPromptError as error:
            log.debug("%s: no prompt: %s", self.port, said.getvalue())
            raise NotASensorError(f"{self.port}: no MicroPython prompt answers there.") from error

    def about(self) -> About:
        """What runs on the board."""
        self._run(
            "import os,sys\ntry:\n import bluetooth;_ble=True\nexcept ImportError: _ble=False"
        )
        platform, machine, version, mpy, ble, free = self._value(_ABOUT)
        return About(platform, machine, (*version,), mpy, ble, free)

    def files(self) -> Mapping[str, StoredFile | None]:
        """Every file of the board's flash by path; directories end in / and map to None."""
        self._prepare()
        found: dict[str, StoredFile | None] = {}
        for path, stored in self._value("list(_files(''))"):
            found[path] = None if stored is None else StoredFile(*stored)
        return found

    def read(self, path: str) -> bytes:
        """The content of a file."""
        with self._explained():
            return bytes(self._transport.fs_readfile(path, CHUNK_BYTES))

    def write(self, path: str, content: bytes, progress: Callable[[int], None]) -> None:
        """Write a file, telling how many of its bytes are there."""
        with self._explained():
            self._transport.fs_writefile(
                path, content, CHUNK_BYTES, lambda written, _total: progress(written)
            )

    def make_directory(self, path: str) -> None:
        """Make a directory."""
        self._run(f"os.mkdir({path!r})")

    def remove(self, path: str) -> None:
        """Remove a file or an empty directory."""
        self._prepare()
        self._run(f"_remove({path.rstrip('/')!r})")

    def rename(self, path: str, new: str) -> None:
        """Rename a file; nothing of the new name is there."""
        self._run(f"os.rename({path!r},{new!r})")

    def sync(self) -> None:
        """Make sure that what was written is on the flash."""
        self._prepare()
        self._run("_sync()")

    def restart(self) -> None:
        """Reset the board as power does. The port goes away for a moment where it is its own."""
        with suppress(LinkLostError), self._explained():
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self.close()

    def close(self) -> None:
        """Close the port. Safe to repeat."""
        with suppress(OSError, termios.error):  # the device may have gone
            self._transport.close()

    def _prepare(self) -> None:
        if not self._prepared:
            self._run(_ON_BOARD)
            self._prepared = True

    def _run(self, code: str) -> None:
        with self._explained():
            self._transport.exec(code)

    def _value(self, expression: str) -> Any:
        with self._explained():
            return self._transport.eval(expression)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever goes wrong into an error that says what to do."""
        import serial

        try:
            yield
        except self._exec_failure as error:
            raise self._refused(error.error_output) from error
        except serial.SerialTimeoutException as error:
            raise LinkLostError(self._silent()) from error
        except serial.SerialException as error:
            raise LinkLostError(self._lost()) from error
        except (OSError, termios.error) as error:
            number = error.errno if isinstance(error, OSError) else errno.EIO
            if number in _GONE:
                raise LinkLostError(self._lost()) from error
            raise self._refused(f"OSError: {number}") from error
        except self._failures as error:
            raise _NoPromptError(self._silent()) from error

    def _refused(self, said: str) -> SensorError:
        last = said.strip().splitlines()[-1] if said.strip() else "no reason given"
        if "ENOSPC" in last or last.endswith((f"OSError: {errno.ENOSPC}", f"] {errno.ENOSPC}")):
            return BoardFullError(
                f"{self.port}: the board's flash is full. Remove files of other programs from it "
                f"(mpremote connect {self.port} fs ls shows them) and run this again."
            )
        if "EROFS" in last or "EIO" in last or last.endswith(f"OSError: {errno.EIO}"):
            return SensorError(
                f"{self.port}: the board cannot write its flash ({last}). Put MicroPython on it "
                "anew, erasing the whole flash, and run this again."
            )
        return SensorError(
            f"{self.port}: the board refused ({last}). Unplug it, plug it in again and run this "
            "again; if it stays so, put MicroPython on it anew."
        )

    def _lost(self) -> str:
        return (
            f"{self.port} went away: unplugged, or the cable is bad? Plug the board in and run "
            "this again; it begins where it is needed."
        )

    def _silent(self) -> str:
        return (
            f"{self.port}: the board stopped answering. Unplug it, plug it in again and run this "
            "again; it begins where it is needed."
        )


class BoardFullError(SensorError):
    """The board's flash has no room for the firmware."""


class _NoPromptError(LinkLostError):
    """The transport did not get the answer that a prompt gives."""

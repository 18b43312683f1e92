"""Addresses: one line of text for a link and the sensor at its other end.

    serial:/dev/ttyACM0            a sensor on a serial port; `?baud=` for a real UART
    ble:NAME-OR-ADDRESS            a sensor by Bluetooth; `ble:` alone is the only one in range
    tcp:HOST:PORT                  a sensor behind a serial server, or `legcurl simulate --tcp`
    replay:FILE                    a recording; `?pace=fast` or a factor, else in recorded time
    sim:?lifter=steady&seed=7      the real firmware in front of a simulated machine

`parse` turns the text into a frozen value with all that a route needs; `str` turns it back. The
bare path of an existing device or recording is an address too. Anything else is a ConfigError
that shows how an address is written, before any device is opened.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote

from legcurl.errors import ConfigError

if TYPE_CHECKING:
    from legcurl.links.sim_address import SimOptions

Pace = float | Literal["fast"]  # seconds of the recording in a second here

DEFAULT_BAUD = 115_200  # USB ignores it; a UART moves 8 times what 400 Hz needs
FORMS = "serial:/dev/ttyACM0, ble:NAME, tcp:HOST:PORT, replay:FILE or sim:"

_SPECIAL = re.compile(r"[%?#\x00-\x1f]")  # in a sensor's name: written as %25 and so on


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A serial port of this computer."""

    port: str
    baud: int = DEFAULT_BAUD

    def __str__(self) -> str:
        return f"serial:{self.port}" + ("" if self.baud == DEFAULT_BAUD else f"?baud={self.baud}")


@dataclass(frozen=True, slots=True)
class BleAddress:
    """A sensor within range of this computer's Bluetooth.

    `target` is its name, its Bluetooth address (on macOS the UUID that stands for it), or at
    least the last four digits of its sensor id; empty: any sensor in range.
    """

    target: str = ""
    adapter: str = ""  # such as hci1, where there are several; empty: the system's first

    def __str__(self) -> str:
        target = _SPECIAL.sub(lambda special: f"%{ord(special[0]):02X}", self.target)
        return f"ble:{target}" + (f"?adapter={self.adapter}" if self.adapter else "")


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A byte stream over the network."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp:{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ReplayAddress:
    """A recording, read as if it came in now."""

    path: Path
    pace: Pace = 1.0

    def __str__(self) -> str:
        if self.pace == 1.0:
            return f"replay:{self.path}"
        pace = self.pace if isinstance(self.pace, str) else f"{self.pace:g}"
        return f"replay:{self.path}?pace={pace}"


@dataclass(frozen=True, slots=True)
class SimAddress:
    """A simulated sensor that is started for this one use."""

    options: SimOptions

    def __str__(self) -> str:
        return self.options.address()


LiveAddress = SerialAddress | BleAddress | TcpAddress | SimAddress
Address = LiveAddress | ReplayAddress


def parse(text: str) -> Address:
    """Read an address. Raises ConfigError, which shows the right form."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme in _READERS:
        return _READERS[scheme](text, rest)
    return _bare(text)


def parse_pace(text: str) -> Pace:
    """Read `fast`, `realtime` or a factor."""
    if text == "fast":
        return "fast"
    if text == "realtime":
        return 1.0
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not (isfinite(pace) and pace > 0):
        raise ConfigError(f"pace={text}: must be realtime, fast or a factor such as 8.")
    return pace


def _serial(text: str, rest: str) -> SerialAddress:
    port, options = _with_options(text, rest, ("baud",))
    if not port:
        raise ConfigError(f"{text}: name the port too, as in serial:/dev/ttyACM0.")
    baud = options.get("baud", str(DEFAULT_BAUD))
    if not (baud.isascii() and baud.isdigit() and int(baud) > 0):
        raise ConfigError(f"{text}: baud must be a whole number such as {DEFAULT_BAUD}.")
    return SerialAddress(port, int(baud))


def _ble(text: str, rest: str) -> BleAddress:
    target, options = _with_options(text, rest, ("adapter",))
    adapter = options.get("adapter", "")
    if "adapter" in options and not (adapter.isascii() and adapter.isalnum()):
        raise ConfigError(
            f"{text}: adapter must be a name such as hci0 (see /sys/class/bluetooth)."
        )
    try:
        return BleAddress(unquote(target, errors="strict").strip(), adapter)
    except UnicodeDecodeError:
        raise ConfigError(f"{text}: what follows % must be UTF-8; write %25 for a %.") from None


def _tcp(text: str, rest: str) -> TcpAddress:
    host, colon, port = rest.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{text}: write an IPv6 host in brackets, as in tcp:[::1]:{port}.")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ConfigError(f"{text}: must be tcp:HOST:PORT with a port from 1 to 65535.")
    return TcpAddress(host, int(port))


def _replay(text: str, rest: str) -> ReplayAddress:
    if Path(rest).is_file():  # a name may have a question mark of its own
        return ReplayAddress(Path(rest))
    name, options = _with_options(text, rest, ("pace",))
    if not name:
        raise ConfigError(f"{text}: name the recording too, as in replay:set.legcurl.")
    return ReplayAddress(Path(name), parse_pace(options.get("pace", "realtime")))


def _sim(text: str, _rest: str) -> SimAddress:
    from legcurl.links.sim_address import parse_address

    return SimAddress(parse_address(text))


_READERS = {"serial": _serial, "ble": _ble, "tcp": _tcp, "replay": _replay, "sim": _sim}


def _with_options(text: str, rest: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Split NAME?OPTION=VALUE&…; ConfigError for an option that is not `known`."""
    name, _, query = rest.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise ConfigError(f"{text}: every option after ? is NAME=VALUE, joined by &.") from error
    for option, _ in pairs:
        if option not in known:
            raise ConfigError(f"{text}: has no option {option!r}; it has {', '.join(known)}.")
    return name, dict(pairs)


def _bare(text: str) -> Address:
    """A device or recording by its path alone."""
    try:
        mode = os.stat(text).st_mode
    except (OSError, ValueError):
        raise ConfigError(
            f"{text!r} is neither an address nor an existing device or recording. "
            f"Write {FORMS}; legcurl sensors lists the ports that are here."
        ) from None
    if stat.S_ISCHR(mode):
        return SerialAddress(text)
    if stat.S_ISREG(mode):
        return ReplayAddress(Path(text))
    raise ConfigError(f"{text!r} is neither a serial port nor a recording. Write {FORMS}.")

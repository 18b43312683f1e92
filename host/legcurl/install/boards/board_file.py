"""Board files: firmware/boards/NAME.json, one for each supported board.

A board file is copied to the sensor as board.json, where the firmware finds its pins, memory and
links in it; the installer reads in the same file which USB devices the board may be, which build
of MicroPython it needs and for which processor to compile. So adding a board is adding one file.

`load_board` takes a name or the path of a file of one's own. Every field is checked before
anything is done with it, and an error names file, field and what is allowed: the alternative is a
sensor that does not start, beside a machine, without a screen to say why.

A board whose `title` is what MicroPython's sys.implementation calls the board is known by that;
any other by its microcontroller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from legcurl.errors import ConfigError
from legcurl.firmware_files import firmware_directory
from legcurl.install.boards.mcus import MCUS, RP2_RADIO_PINS, RP2_RADIO_STATE_MACHINES, Mcu, Port

ON_SENSOR = "board.json"

_FIELDS = (
    "board", "title", "mcu", "arch", "micropython", "usb", "heap_kb", "log_bytes", "links", "led",
    "timer", "watchdog_ms", "encoder", "encoders",
)  # fmt: skip
_LINKS = ("usb", "ble")
_LOG_MIN_BYTES = 8192  # a minute at 100 Hz
# Beside the log the firmware's own code and buffers need room: tests/firmware/test_memory.py
_FIRMWARE_KB = 80
_WATCHDOG_MS = (1000, 8388)  # the RP2040's counter of 24 bits ends there
# Of a turn, all four phases: fewer are no measurement; more make the firmware's integers too
# large for an interrupt (firmware/sensor/encoders/quadrature.py).
_COUNTS = (64, 16_384)
_I2C_HZ = (10_000, 1_000_000)
_MAIN_PINS: Mapping[str, tuple[str, ...]] = {  # encoder kind -> its pins
    "as5600": ("sda", "scl"),
    "as5048a": ("sck", "mosi", "miso", "cs"),
    "quadrature_pio": ("a", "b", "index"),
    "quadrature_pcnt": ("a", "b", "index"),
}
_NUMBERS: Mapping[str, tuple[str, ...]] = {  # encoder kind -> what else it has
    "as5600": ("i2c", "freq"),
    "as5048a": ("spi",),
    "quadrature_pio": ("counts", "sm"),
    "quadrature_pcnt": ("counts", "unit"),
}


@dataclass(frozen=True, slots=True)
class Led:
    """The board's light: a pin that is switched, or the data pin of one WS2812."""

    pin: int | str
    neopixel: bool


@dataclass(frozen=True, slots=True)
class EncoderWiring:
    """How one kind of encoder is connected: its pins by role, and its bus, unit or counts."""

    kind: str
    pins: Mapping[str, int]
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BoardFile:
    """A board file that has been checked."""

    board: str
    title: str
    mcu: Mcu
    micropython: str  # its build: micropython.org/download/NAME
    usb: tuple[str, ...]  # "vid:pid", four hexadecimal digits each
    heap_kb: int
    log_bytes: int
    links: tuple[str, ...]
    led: Led | None
    timer: int
    watchdog_ms: int
    encoder: str  # the chosen one
    encoders: Mapping[str, EncoderWiring]
    source: Path
    fields: Mapping[str, Any]  # as read

    @property
    def arch(self) -> str:
        """What mpy-cross compiles for."""
        return self.mcu.arch

    @property
    def port(self) -> Port:
        """MicroPython's sys.platform there."""
        return self.mcu.port

    def with_encoder(self, kind: str) -> BoardFile:
        """The same board with another encoder chosen."""
        _require(
            kind in self.encoders,
            f"{self.source.name}: {self.title} has no pins for the encoder {kind!r}; it has "
            f"{_listed(self.encoders)}.",
        )
        return replace(self, encoder=kind, fields={**self.fields, "encoder": kind})

    def on_sensor(self) -> bytes:
        """What board.json on the sensor holds."""
        return (json.dumps(self.fields, indent=1) + "\n").encode()


def boards_directory() -> Path:
    """Where the board files are."""
    return firmware_directory() / "boards"


def board_names() -> list[str]:
    """The names of the supported boards."""
    return sorted(path.stem for path in boards_directory().glob("*.json"))


def all_boards() -> list[BoardFile]:
    """Every supported board."""
    return [load_board(name) for name in board_names()]


def load_board(name: str) -> BoardFile:
    """The board of that name, or of the file at that path (ending in .json)."""
    path = Path(name) if name.endswith(".json") else boards_directory() / f"{name}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if name.endswith(".json"):
            raise ConfigError(f"{name}: cannot be read as a board file ({error}).") from error
        raise ConfigError(
            f"There is no board {name!r}. Supported: {', '.join(board_names())}; or name a board "
            "file of your own (ending in .json, see docs/firmware.md)."
        ) from None
    return read_board(text, path)


def read_board(text: str, source: Path) -> BoardFile:
    """Check the text of a board file; ConfigError names the field that is wrong."""
    try:
        fields = json.loads(text, object_pairs_hook=_without_repetition)
    except ValueError as error:
        raise ConfigError(f"{source.name}: no JSON ({error}).") from error
    _require(isinstance(fields, dict), f"{source.name}: must hold one JSON object.")
    return _Reader(source, fields).board()


def boards_with_usb(identity: str) -> list[BoardFile]:
    """The boards that a USB device "vid:pid" may be."""
    return [board for board in all_boards() if identity in board.usb]


def boards_for_machine(machine: str) -> list[BoardFile]:
    """The boards that MicroPython's sys.implementation._machine may be: "NAME with CHIP"."""
    title, _, chip = machine.rpartition(" with ")
    named = [board for board in all_boards() if board.title == title]
    return named or [board for board in all_boards() if board.mcu is mcu_of(chip)]


def mcu_of(chip: str) -> Mcu | None:
    """The microcontroller of a chip such as "ESP32-C3FH4", if it is a supported one."""
    plain = chip.lower().replace("-", "")
    # The longest name: an ESP32-S3 is no ESP32. What may follow is a package, not another family.
    fitting = [mcu for mcu in MCUS.values() if plain.startswith(mcu.name)]
    best = max(fitting, key=lambda mcu: len(mcu.name), default=None)
    if best is not None and re.match(r"[sch]\d", plain[len(best.name) :]):
        return None  # an ESP32-S2, say
    return best


class _Reader:
    """Checks the fields of one file, one after the other."""

    def __init__(self, source: Path, fields: dict[str, Any]) -> None:
        self._source = source
        self._fields = fields

    def board(self) -> BoardFile:
        fields = self._fields
        self._exactly("", fields, _FIELDS)
        mcu = MCUS[self._one_of("mcu", fields["mcu"], MCUS)]
        self._one_of("arch", fields["arch"], (mcu.arch,))
        board = self._text("board", r"[a-z][a-z0-9_]*", "small letters, digits and _")
        self._need(
            self._source.stem == board,
            "board",
            f"must be the file's name, {self._source.stem!r}, not {board!r}",
        )
        micropython = self._text("micropython", r"[A-Z][A-Z0-9_-]*", "a build such as RPI_PICO_W")
        heap_kb = self._whole("heap_kb", fields["heap_kb"], (64, 16_384))
        log_bytes = self._whole(
            "log_bytes", fields["log_bytes"], (_LOG_MIN_BYTES, 1024 * (heap_kb - _FIRMWARE_KB))
        )
        radio = mcu.port == "esp32" or micropython.endswith("_W")  # on the board, used or not
        links = self._links(micropython, radio)
        led = self._led(mcu, radio)
        encoders = self._encoders(mcu, radio, led)
        return BoardFile(
            board=board,
            title=self._text("title", r"[ -~]{1,40}", "up to 40 plain characters"),
            mcu=mcu,
            micropython=micropython,
            usb=self._usb(),
            heap_kb=heap_kb,
            log_bytes=log_bytes,
            links=links,
            led=led,
            timer=self._timer(mcu),
            watchdog_ms=self._whole("watchdog_ms", fields["watchdog_ms"], _WATCHDOG_MS),
            encoder=self._one_of("encoder", fields["encoder"], encoders),
            encoders=encoders,
            source=self._source,
            fields=fields,
        )

    def _usb(self) -> tuple[str, ...]:
        given = self._fields["usb"]
        shape = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
        self._need(
            isinstance(given, list)
            and len(given) > 0
            and all(isinstance(one, str) and shape.fullmatch(one) for one in given),
            "usb",
            'must be a list of USB ids such as ["2e8a:0005"]',
        )
        return tuple(given)

    def _links(self, micropython: str, radio: bool) -> tuple[str, ...]:
        given = self._fields["links"]
        self._need(
            isinstance(given, list)
            and all(link in _LINKS for link in given)
            and len(set(given)) == len(given)
            and "usb" in given,
            "links",
            'must be ["usb"] or ["usb", "ble"]',
        )
        self._need(
            radio or "ble" not in given,
            "links",
            f'must be ["usb"]: MicroPython\'s build {micropython} has no Bluetooth (builds of '
            "RP2 boards with a radio end in _W)",
        )
        return tuple(given)

    def _led(self, mcu: Mcu, radio: bool) -> Led | None:
        given = self._fields["led"]
        if given is None:
            return None
        self._need(
            isinstance(given, dict) and len(given) == 1 and set(given) <= {"pin", "neopixel"},
            "led",
            'must be {"pin": PIN}, {"neopixel": PIN} or null',
        )
        kind, pin = next(iter(given.items()))
        if kind == "pin" and pin == "LED" and mcu.port == "rp2":
            return Led(pin, neopixel=False)
        self._need(
            type(pin) is int and mcu.has_pin(pin) and pin not in mcu.input_only,
            f"led.{kind}",
            f"{pin!r} is no output pin of the {mcu.name}"
            + (', nor "LED", which a Pico\'s light is called' if mcu.port == "rp2" else ""),
        )
        self._need(
            not (mcu.port == "rp2" and radio and pin in RP2_RADIO_PINS),
            f"led.{kind}",
            f"pin {pin} cannot be used: it leads to the radio chip",
        )
        return Led(pin, neopixel=kind == "neopixel")

    def _timer(self, mcu: Mcu) -> int:
        if mcu.port == "rp2":
            return self._whole("timer", self._fields["timer"], (-1, -1))
        return self._whole("timer", self._fields["timer"], (0, 1 if mcu.arch == "rv32imc" else 3))

    def _encoders(self, mcu: Mcu, radio: bool, led: Led | None) -> dict[str, EncoderWiring]:
        given = self._fields["encoders"]
        self._need(
            isinstance(given, dict) and len(given) > 0,
            "encoders",
            f"must give the pins of one or more of {', '.join(_MAIN_PINS)}",
        )
        return {kind: self._encoder(mcu, radio, led, kind, given[kind]) for kind in given}

    def _encoder(
        self, mcu: Mcu, radio: bool, led: Led | None, kind: str, wiring: Any
    ) -> EncoderWiring:
        where = f"encoders.{kind}"
        self._need(kind in _MAIN_PINS, where, f"is no encoder; there are {', '.join(_MAIN_PINS)}")
        self._need(
            (kind != "quadrature_pio" or mcu.state_machines > 0)
            and (kind != "quadrature_pcnt" or mcu.pulse_counters > 0),
            where,
            f"cannot be used: the {mcu.name} has no "
            + ("PIO" if kind == "quadrature_pio" else "pulse counter (PCNT)"),
        )
        self._need(isinstance(wiring, dict), where, "must be an object")
        self._exactly(f"{where}.", wiring, _MAIN_PINS[kind] + _NUMBERS[kind])
        numbers = {
            name: self._number(mcu, radio, f"{where}.{name}", name, wiring[name])
            for name in _NUMBERS[kind]
        }
        pins: dict[str, int] = {}
        for role in _MAIN_PINS[kind]:
            if role == "index" and wiring[role] is None:
                continue
            pin = self._pin(mcu, radio, f"{where}.{role}", wiring[role])
            self._need(led is None or pin != led.pin, f"{where}.{role}", f"pin {pin} is the LED's")
            self._need(pin not in pins.values(), f"{where}.{role}", f"pin {pin} is used twice")
            pins[role] = pin
        self._pins_belong_together(mcu, where, pins, numbers)
        return EncoderWiring(kind, pins, numbers)

    def _pin(self, mcu: Mcu, radio: bool, where: str, pin: Any) -> int:
        self._need(
            type(pin) is int and mcu.has_pin(pin), where, f"{pin!r} is no pin of the {mcu.name}"
        )
        reserved = {**mcu.reserved, **(RP2_RADIO_PINS if mcu.port == "rp2" and radio else {})}
        self._need(pin not in reserved, where, f"pin {pin} cannot be used: {reserved.get(pin)}")
        if pin in mcu.input_only:
            self._need(
                where.rpartition(".")[2] in ("miso", "a", "b", "index"),
                where,
                f"pin {pin} is an input only",
            )
        return pin

    def _number(self, mcu: Mcu, radio: bool, where: str, name: str, value: Any) -> int:
        if name == "i2c":
            return self._one_of(where, value, mcu.i2c)
        if name == "spi":
            return self._one_of(where, value, mcu.spi)
        if name == "freq":
            return self._whole(where, value, _I2C_HZ)
        if name == "counts":
            return self._whole(where, value, _COUNTS)
        if name == "unit":
            return self._whole(where, value, (0, mcu.pulse_counters - 1))
        reserved = mcu.port == "rp2" and radio
        machines = RP2_RADIO_STATE_MACHINES if reserved else range(mcu.state_machines)
        return self._whole(where, value, (machines[0], machines[-1]))

    def _pins_belong_together(
        self, mcu: Mcu, where: str, pins: dict[str, int], numbers: dict[str, int]
    ) -> None:
        if "i2c" in numbers:
            for role in ("sda", "scl"):
                self._need(
                    mcu.i2c_pin_fits(role, numbers["i2c"], pins[role]),
                    f"{where}.{role}",
                    f"pin {pins[role]} cannot be {role} of I2C {numbers['i2c']}; these can: "
                    + _listed(p for p in mcu.pins if mcu.i2c_pin_fits(role, numbers["i2c"], p)),
                )
        if "spi" in numbers:
            for role in ("sck", "mosi", "miso"):
                self._need(
                    mcu.spi_pin_fits(role, numbers["spi"], pins[role]),
                    f"{where}.{role}",
                    f"pin {pins[role]} cannot be {role} of SPI {numbers['spi']}; these can: "
                    + _listed(p for p in mcu.pins if mcu.spi_pin_fits(role, numbers["spi"], p)),
                )
        if "sm" in numbers:
            self._need(
                pins["b"] == pins["a"] + 1,
                f"{where}.b",
                f"must be the pin after a, {pins['a'] + 1}: PIO reads neighbours",
            )

    def _exactly(self, prefix: str, fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in fields:
            self._need(
                name in known, f"{prefix}{name}", f"no such field; there are {_listed(known)}"
            )
        for name in known:
            self._need(name in fields, f"{prefix}{name}", "is missing")

    def _text(self, name: str, shape: str, allowed: str) -> str:
        value = self._fields[name]
        self._need(
            isinstance(value, str) and re.fullmatch(shape, value) is not None,
            name,
            f"must be {allowed}, not {value!r}",
        )
        return value

    def _whole(self, name: str, value: Any, bounds: tuple[int, int]) -> int:
        low, high = bounds
        allowed = f"{low}" if low == high else f"a whole number from {low} to {high}"
        self._need(
            type(value) is int and low <= value <= high, name, f"must be {allowed}, not {value!r}"
        )
        return value

    def _one_of(self, name: str, value: Any, allowed: Any) -> Any:
        self._need(
            type(value) in (int, str) and value in allowed,
            name,
            f"must be one of {_listed(allowed)}, not {value!r}",
        )
        return value

    def _need(self, fine: bool, name: str, why: str) -> None:
        _require(fine, f"{self._source.name}: {name}: {why}.")


def _require(fine: bool, message: str) -> None:
    if not fine:
        raise ConfigError(message)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{repeated!r} is there twice")
    return fields

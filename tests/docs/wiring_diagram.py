"""Wiring diagrams, drawn from the board files: `python -m wiring_diagram FOLDER`.

One SVG a board: its two pin headers, an AS5600 beside them with a wire for each connection, and
below it the pins of the other encoders. Pins come from the board file that goes to the sensor, so
a diagram cannot say anything else than the firmware does; docs/pictures holds the result, and a
test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from legcurl.install.boards.board_file import BoardFile, EncoderWiring, all_boards
from pin_headers import GROUND, HEADERS, POWER, Headers, gpio_of

DRAWN = "as5600"
NAMES = {
    "as5600": "AS5600",
    "as5048a": "AS5048A",
    "quadrature_pio": "Quadrature encoder",
    "quadrature_pcnt": "Quadrature encoder",
}
# What the pin of a role is called on breakout boards and cables.
AT_ENCODER = {
    "sda": "SDA",
    "scl": "SCL",
    "sck": "CLK",
    "mosi": "MOSI",
    "miso": "MISO",
    "cs": "CSn",
    "a": "A",
    "b": "B",
    "index": "Z (index)",
}

_PITCH = 22  # between pins, px; all lengths are px
_TOP = 96
_BOARD_WIDTH = 150
_HEADER_INSET = 14
_LABEL_ROOM = 64
_LANES_FROM = 76  # from the header to the first vertical piece of wire
_LANE = 13
_ENCODER_WIDTH = 190
_ENCODER_PITCH = 30
_MARGIN = 28
_WIRES_ROOM = 170
_NOTE_LINE = 20

_RED, _BLACK, _BLUE, _YELLOW = "#d0312d", "#26292e", "#1565c0", "#c98a00"
_COLOURS = {POWER: _RED, GROUND: _BLACK, "sda": _BLUE, "scl": _YELLOW}
_INK, _FAINT, _PAPER, _PCB, _CHIP = "#1f2328", "#6b7178", "#ffffff", "#e9f2ec", "#34393f"


@dataclass(frozen=True, slots=True)
class _Pin:
    """A place on a header."""

    row: str
    index: int

    @property
    def y(self) -> int:
        return _TOP + self.index * _PITCH


@dataclass(frozen=True, slots=True)
class _Wire:
    """From a header pin to a pin of the encoder."""

    role: str
    name: str  # at the encoder
    pin: _Pin


def draw(board: BoardFile) -> str:
    """The diagram as SVG."""
    return _Diagram(board, HEADERS[board.board]).svg()


def connections(board: BoardFile, wiring: EncoderWiring) -> list[tuple[str, str]]:
    """(pin of the encoder, pin of the board) for power, ground and every signal."""
    headers = HEADERS[board.board]
    signals = [(AT_ENCODER[role], headers.label_of(pin)) for role, pin in wiring.pins.items()]
    return [("VCC", POWER), (GROUND, GROUND), *signals]


class _Diagram:
    def __init__(self, board: BoardFile, headers: Headers) -> None:
        self._board = board
        self._headers = headers
        wiring = board.encoders[DRAWN]
        signals = [
            _Wire(role, AT_ENCODER[role], self._find(headers.label_of(pin)))
            for role, pin in wiring.pins.items()
        ]
        left = sum(wire.pin.row == "left" for wire in signals)
        self._side = "left" if 2 * left >= len(signals) else "right"
        middle = sum(wire.pin.index for wire in signals) / len(signals)
        self._wires = sorted(
            [
                *signals,
                _Wire(GROUND, GROUND, self._nearest(GROUND, middle)),
                _Wire(POWER, "VCC", self._nearest(POWER, middle)),
            ],
            key=lambda wire: wire.pin.y,
        )
        outside = _LABEL_ROOM + _MARGIN
        self._board_x = outside + (
            _ENCODER_WIDTH + _WIRES_ROOM - _LABEL_ROOM if self._side == "left" else 0
        )
        self._width = 2 * outside + _BOARD_WIDTH + _ENCODER_WIDTH + _WIRES_ROOM - _LABEL_ROOM
        rows = max(len(headers.left), len(headers.right))
        self._board_bottom = _TOP + (rows - 1) * _PITCH + 30
        self._notes = list(self._other_encoders())
        self._height = self._board_bottom + 40 + (len(self._notes) + 1) * _NOTE_LINE + _MARGIN

    def svg(self) -> str:
        """Everything, back to front."""
        pieces = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {self._height}" '
            f'width="{self._width}" height="{self._height}" '
            'font-family="Helvetica, Arial, sans-serif" font-size="13">',
            f"<title>{escape(self._board.title)} with an AS5600</title>",
            f'<rect width="{self._width}" height="{self._height}" fill="{_PAPER}"/>',
            _text(_MARGIN, 36, self._board.title, size=20, bold=True),
            _text(_MARGIN, 58, "with an AS5600 magnetic encoder, powered by 3.3 V", fill=_FAINT),
            *self._draw_board(),
            *self._draw_encoder(),
            *self._draw_wires(),
            *self._draw_pins(),
            *self._draw_notes(),
            "</svg>",
        ]
        return "\n".join(pieces) + "\n"

    def _find(self, label: str) -> _Pin:
        for row, labels in (("left", self._headers.left), ("right", self._headers.right)):
            if label in labels:
                return _Pin(row, labels.index(label))
        raise KeyError(label)

    def _nearest(self, label: str, index: float) -> _Pin:
        """The pin of that label which is closest to the signals, on their side if there is one."""
        rows = {"left": self._headers.left, "right": self._headers.right}
        pins = [
            _Pin(row, place)
            for row, labels in rows.items()
            for place, found in enumerate(labels)
            if found == label
        ]
        return min(pins, key=lambda pin: (pin.row != self._side, abs(pin.index - index)))

    def _x(self, row: str) -> int:
        inset = _HEADER_INSET if row == "left" else _BOARD_WIDTH - _HEADER_INSET
        return self._board_x + inset

    @property
    def _outward(self) -> int:
        return -1 if self._side == "left" else 1

    @property
    def _encoder_x(self) -> int:
        """The encoder's left edge."""
        if self._side == "left":
            return _MARGIN
        return self._width - _MARGIN - _ENCODER_WIDTH

    def _encoder_y(self, place: int) -> int:
        middle = sum(wire.pin.y for wire in self._wires) / len(self._wires)
        span = (len(self._wires) - 1) * _ENCODER_PITCH
        top = min(max(middle - span / 2, _TOP + 36), self._board_bottom - span - 76)
        return round(top) + place * _ENCODER_PITCH

    def _draw_board(self) -> Iterator[str]:
        top, x = _TOP - 24, self._board_x
        height = self._board_bottom - top
        yield (
            f'<rect x="{x}" y="{top}" width="{_BOARD_WIDTH}" height="{height}" rx="8" '
            f'fill="{_PCB}" stroke="{_FAINT}"/>'
        )
        at_top = self._headers.usb == "top"
        usb_y = top - 10 if at_top else self._board_bottom - 18
        middle = x + _BOARD_WIDTH // 2
        yield (
            f'<rect x="{middle - 22}" y="{usb_y}" width="44" height="28" rx="4" '
            f'fill="#c9ced4" stroke="{_FAINT}"/>'
        )
        yield _text(middle, usb_y + 18, "USB", anchor="middle", size=11)

    def _draw_pins(self) -> Iterator[str]:
        used = {wire.pin: _COLOURS[wire.role] for wire in self._wires}
        for row, labels in (("left", self._headers.left), ("right", self._headers.right)):
            x = self._x(row)
            outward = -1 if row == "left" else 1
            for index, label in enumerate(labels):
                pin = _Pin(row, index)
                colour = used.get(pin)
                yield (
                    f'<circle cx="{x}" cy="{pin.y}" r="5" fill="{colour or _PAPER}" '
                    f'stroke="{colour or _FAINT}"/>'
                )
                yield self._pin_label(row, index, label, x + outward * 22, outward, colour)

    def _pin_label(
        self, row: str, index: int, label: str, x: int, outward: int, colour: str | None
    ) -> str:
        shown = label if gpio_of(label) is None or not label.isdigit() else f"IO{label}"
        number = self._headers.number_of(row, index)
        if number is not None:
            shown = f"{shown}\u2002{number}" if row == "left" else f"{number}\u2002{shown}"
        y = _Pin(row, index).y
        anchor = "end" if outward < 0 else "start"
        text = _text(
            x, y + 4, shown, anchor=anchor, size=12, fill=colour or _FAINT, bold=bool(colour)
        )
        if colour is None:
            return text
        # A wire runs through here: keep the letters readable on it.
        width = 8.4 * len(shown) + 6
        left = x - width + 3 if outward < 0 else x - 3
        return (
            f'<rect x="{left:.1f}" y="{y - 9}" width="{width:.1f}" height="18" rx="3" '
            f'fill="{_PAPER}"/>\n{text}'
        )

    def _draw_encoder(self) -> Iterator[str]:
        x = self._encoder_x
        top = self._encoder_y(0) - 28
        bottom = self._encoder_y(len(self._wires) - 1) + 62
        yield (
            f'<rect x="{x}" y="{top}" width="{_ENCODER_WIDTH}" height="{bottom - top}" rx="8" '
            f'fill="#eef1fb" stroke="{_FAINT}"/>'
        )
        edge = x + _ENCODER_WIDTH if self._side == "left" else x
        away = self._outward
        chip_x = edge + away * 118
        chip_y = (top + bottom) / 2 - 12
        yield (
            f'<rect x="{chip_x - 24}" y="{chip_y - 24:.0f}" width="48" height="48" rx="3" '
            f'fill="{_CHIP}"/>'
        )
        yield from _magnet(chip_x, round(chip_y))
        yield _text(chip_x, round(chip_y) + 46, "AS5600", anchor="middle", bold=True)
        yield _text(chip_x, round(chip_y) + 63, "magnet above", anchor="middle", size=11)
        for place, wire in enumerate(self._wires):
            y = self._encoder_y(place)
            yield f'<circle cx="{edge + away * 12}" cy="{y}" r="5" fill="{_COLOURS[wire.role]}"/>'
            anchor = "end" if away < 0 else "start"
            yield _text(edge + away * 24, y + 4, wire.name, anchor=anchor, size=12, bold=True)
        yield from self._direction_strap(edge + away * 12, edge + away * 24)

    def _direction_strap(self, x: int, label_x: int) -> Iterator[str]:
        """DIR must not float: a bridge from it to the encoder's ground."""
        ground = next(i for i, wire in enumerate(self._wires) if wire.role == GROUND)
        from_y, to_y = self._encoder_y(ground), self._encoder_y(len(self._wires) - 1) + 36
        bulge = x - self._outward * 34
        yield (
            f'<path d="M{x} {from_y} C{bulge} {from_y + 8} {bulge} {to_y - 8} {x} {to_y}" '
            f'fill="none" stroke="{_BLACK}" stroke-width="2.5" stroke-dasharray="5 3"/>'
        )
        yield f'<circle cx="{x}" cy="{to_y}" r="5" fill="{_BLACK}"/>'
        anchor = "end" if self._outward < 0 else "start"
        yield _text(label_x, to_y + 4, "DIR", anchor=anchor, size=12, bold=True)

    def _draw_wires(self) -> Iterator[str]:
        edge = self._encoder_x + (_ENCODER_WIDTH if self._side == "left" else 0)
        header = self._x(self._side)
        for place, wire in enumerate(self._wires):
            # So that none crosses another: of wires that go down the upper one turns farther out,
            # of those that go up the lower one.
            down = self._encoder_y(place) > wire.pin.y
            lane = len(self._wires) - 1 - place if down else place
            turn = header + self._outward * (_LANES_FROM + lane * _LANE)
            end = edge + self._outward * 12
            way = f"M{self._x(wire.pin.row)} {wire.pin.y} "
            if wire.pin.row != self._side:  # across the board, and out between two pins
                way += f"H{self._board_x + _BOARD_WIDTH // 2} V{wire.pin.y - _PITCH // 2} "
            yield (
                f'<path d="{way}H{turn} V{self._encoder_y(place)} H{end}" fill="none" '
                f'stroke="{_COLOURS[wire.role]}" stroke-width="3" stroke-linejoin="round"/>'
            )

    def _other_encoders(self) -> Iterator[tuple[str, str]]:
        for kind, wiring in self._board.encoders.items():
            if kind != DRAWN:
                pins = connections(self._board, wiring)
                told = ", ".join(f"{at} to {_printed(label)}" for at, label in pins)
                yield NAMES[kind], told

    def _draw_notes(self) -> Iterator[str]:
        y = self._board_bottom + 44
        yield _text(_MARGIN, y, "Other encoders, in its place:", fill=_FAINT, size=12)
        for line, (name, told) in enumerate(self._notes, 1):
            yield (
                f'<text x="{_MARGIN}" y="{y + line * _NOTE_LINE}" font-size="12" fill="{_INK}">'
                f'<tspan font-weight="bold">{escape(name)}</tspan>: {escape(told)}</text>'
            )


def _magnet(x: int, y: int) -> Iterator[str]:
    """Magnetized across its diameter: one half each pole."""
    yield f'<path d="M{x} {y - 15} A15 15 0 0 1 {x} {y + 15} Z" fill="#e0645c"/>'
    yield f'<path d="M{x} {y - 15} A15 15 0 0 0 {x} {y + 15} Z" fill="#7ea4dd"/>'
    yield _text(x + 7, y + 4, "N", anchor="middle", size=10, fill=_PAPER, bold=True)
    yield _text(x - 7, y + 4, "S", anchor="middle", size=10, fill=_PAPER, bold=True)


def _printed(label: str) -> str:
    return f"IO{label}" if label.isdigit() else label


def _text(
    x: int,
    y: int,
    words: str,
    *,
    anchor: str = "start",
    size: int = 13,
    fill: str = _INK,
    bold: bool = False,
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"{weight}>'
        f"{escape(words)}</text>"
    )


def main() -> None:
    """Draw every board into the folder that is named."""
    folder = Path(sys.argv[1])
    for board in all_boards():
        (folder / f"wiring-{board.board}.svg").write_text(draw(board), encoding="utf-8")


if __name__ == "__main__":
    main()

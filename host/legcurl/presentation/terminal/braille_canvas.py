"""A small canvas of braille dots: curves in a terminal, two by four dots in each cell."""

from __future__ import annotations

from rich.text import Text

DOTS_WIDE, DOTS_HIGH = 2, 4  # of a cell
_BRAILLE = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row, then column


class DotCanvas:
    """Dots and words; (0, 0) is the lower left dot, y grows upwards."""

    def __init__(self, columns: int, rows: int) -> None:
        self.width = columns * DOTS_WIDE
        self.height = rows * DOTS_HIGH
        self._columns = columns
        self._bits = [[0] * columns for _ in range(rows)]
        self._styles = [[""] * columns for _ in range(rows)]
        self._words: list[tuple[int, int, str, str]] = []

    def dot(self, x: float, y: float, style: str = "") -> None:
        """Set a dot; outside of the canvas nothing happens."""
        column, row = round(x), self.height - 1 - round(y)
        if 0 <= column < self.width and 0 <= row < self.height:
            cell_row, cell = row // DOTS_HIGH, column // DOTS_WIDE
            self._bits[cell_row][cell] |= _BITS[row % DOTS_HIGH][column % DOTS_WIDE]
            self._styles[cell_row][cell] = style or self._styles[cell_row][cell]

    def line(self, start: tuple[float, float], end: tuple[float, float], style: str = "") -> None:
        """Dots from one place to the other."""
        steps = max(round(abs(end[0] - start[0])), round(abs(end[1] - start[1])), 1)
        for step in range(steps + 1):
            share = step / steps
            self.dot(
                start[0] + (end[0] - start[0]) * share,
                start[1] + (end[1] - start[1]) * share,
                style,
            )

    def word(self, x: float, y: float, text: str, style: str = "", *, ends: bool = False) -> None:
        """Write a word that begins in the cell of a dot, or ends there; kept inside the canvas."""
        row = min(max((self.height - 1 - round(y)) // DOTS_HIGH, 0), len(self._bits) - 1)
        column = round(x) // DOTS_WIDE - (len(text) - 1 if ends else 0)
        column = min(max(column, 0), max(self._columns - len(text), 0))
        self._words.append((row, column, text[: self._columns], style))

    def rows(self) -> list[Text]:
        """The canvas as lines of text."""
        drawn: list[Text] = []
        for bits, styles in zip(self._bits, self._styles, strict=True):
            row = Text(no_wrap=True)
            for cell, style in zip(bits, styles, strict=True):
                row.append(chr(_BRAILLE + cell) if cell else " ", style)
            drawn.append(row)
        for at, column, text, style in self._words:
            row = drawn[at]
            drawn[at] = Text.assemble(row[:column], (text, style), row[column + len(text) :])
        return drawn

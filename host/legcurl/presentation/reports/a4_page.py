"""An A4 page, in inches from its top left corner, and text that fits its room.

Names come from users: a long one is cut to its room, a character that the font lacks becomes a
box, and control characters for the text's direction are removed. No meaning rests on colour alone.
"""

from __future__ import annotations

from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from legcurl._version import __version__
from legcurl.presentation.charts.style import GRID, INK, SOFT

WIDTH_IN, HEIGHT_IN = 8.27, 11.69
DPI = 150
LEFT_IN, RIGHT_IN = 0.85, 0.85
INNER_IN = WIDTH_IN - LEFT_IN - RIGHT_IN
TITLE_PT, FIGURE_PT, TEXT_PT, SMALL_PT = 22.0, 20.0, 10.0, 8.0
PT_IN = 1 / 72
TILE_SHARES = (0.22, 0.29, 0.23, 0.26)  # of the width: the second has the longest words below it
NO_GLYPH = "□"


class A4Page:
    """One page. All places are inches from the left and from the top."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor="white")

    def text(
        self,
        x_in: float,
        y_in: float,
        words: str,
        *,
        size: float = TEXT_PT,
        bold: bool = False,
        colour: str = INK,
        align: str = "left",
        room_in: float | None = None,
    ) -> None:
        """Write a line, its base at `y_in`; with `room_in` it is cut to fit."""
        words = written(words)
        if room_in is not None:
            words = fitted(words, size, room_in, bold=bold)
        self.figure.text(
            x_in / WIDTH_IN,
            1 - y_in / HEIGHT_IN,
            words,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            color=colour,
            ha=align,
            va="baseline",
            parse_math=False,
        )

    def rule(self, y_in: float, *, heavy: bool = False) -> None:
        """Draw a line across the page."""
        y = 1 - y_in / HEIGHT_IN
        self.figure.add_artist(
            Line2D(
                [LEFT_IN / WIDTH_IN, 1 - RIGHT_IN / WIDTH_IN],
                [y, y],
                color=INK if heavy else GRID,
                linewidth=1.4 if heavy else 0.7,
            )
        )

    def shade(self, y_in: float, height_in: float) -> None:
        """Lay a light band across the page."""
        self.figure.add_artist(
            Rectangle(
                (LEFT_IN / WIDTH_IN, 1 - (y_in + height_in) / HEIGHT_IN),
                INNER_IN / WIDTH_IN,
                height_in / HEIGHT_IN,
                facecolor="#f4f4f6",
                edgecolor="none",
                zorder=-1,
            )
        )

    def head(self, title: str, right: str, below: str) -> None:
        """Write the title, the date on the right, and the line below."""
        room_in = INNER_IN - width_in(written(right), TEXT_PT) - 0.3
        self.text(LEFT_IN, 0.98, title, size=TITLE_PT, bold=True, room_in=room_in)
        self.text(WIDTH_IN - RIGHT_IN, 0.98, right, align="right")
        self.text(LEFT_IN, 1.26, below, colour=SOFT, room_in=INNER_IN)
        self.rule(1.42, heavy=True)

    def tiles(self, y_in: float, tiles: list[tuple[str, str]]) -> None:
        """Write figures side by side, each above its label."""
        x_in = LEFT_IN
        for share, (figure, what) in zip(TILE_SHARES, tiles, strict=True):
            each_in = share * INNER_IN
            size = FIGURE_PT
            while size > TEXT_PT and width_in(figure, size, bold=True) > each_in - 0.15:
                size -= 1
            self.text(x_in, y_in, figure, size=size, bold=True, room_in=each_in - 0.1)
            self.text(
                x_in, y_in + 0.24, what, size=SMALL_PT + 1, colour=SOFT, room_in=each_in - 0.1
            )
            x_in += each_in

    def foot(self, words: str) -> None:
        """Write the small print at the bottom."""
        self.rule(HEIGHT_IN - 0.72)
        self.text(LEFT_IN, HEIGHT_IN - 0.52, words, size=SMALL_PT, colour=SOFT, room_in=5.2)
        self.text(
            *(WIDTH_IN - RIGHT_IN, HEIGHT_IN - 0.52, f"legcurl {__version__}"),
            size=SMALL_PT,
            colour=SOFT,
            align="right",
        )


def written(text: str) -> str:
    """The text on one line, in one direction, in characters of our font."""
    told = " ".join(text.split())
    known = _glyphs()
    return "".join(
        sign if ord(sign) in known else NO_GLYPH
        for sign in told
        if sign == " " or (sign.isprintable() and ord(sign) not in _UNSEEN)
    )


def fitted(text: str, size: float, room_in: float, *, bold: bool = False) -> str:
    """The text, cut to its room."""
    text = text[:300]
    if width_in(text, size, bold=bold) <= room_in:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_in(f"{text[:middle].rstrip()}…", size, bold=bold) <= room_in:
            low = middle
        else:
            high = middle - 1
    return f"{text[:low].rstrip()}…"


def width_in(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a text on paper."""
    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    path = TextPath((0, 0), text, size=size, prop=font, usetex=False)
    return float(path.get_extents().xmax) * PT_IN


# Joiners and variation selectors, which have no sign of their own.
_UNSEEN = frozenset({0x200C, 0x200D, *range(0xFE00, 0xFE10)})


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())

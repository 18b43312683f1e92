"""A bar with marks: how much, against what is asked, in one row and an axis below it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class BarCharacters:
    """The characters that a bar is drawn with; `partials` from empty to full."""

    partials: str
    empty: str
    mark: str
    ghost: str


BLOCKS = BarCharacters(partials=_EIGHTHS, empty="░", mark="┃", ghost="▏")
ASCII = BarCharacters(partials=" #", empty=".", mark="|", ghost="'")


@dataclass(frozen=True, slots=True)
class Scale:
    """What a bar's whole width stands for, and the values on it that are marked and named."""

    maximum: float
    marks: tuple[tuple[float, str], ...]

    def cell(self, value: float, width: int) -> int:
        """Column of a value, the last column for all beyond the maximum."""
        return min(width - 1, max(0, int(value / self.maximum * width)))


def bar(
    value: float,
    scale: Scale,
    width: int,
    style: str,
    *,
    beyond: str | None = None,
    ghost: float | None = None,
    characters: BarCharacters = BLOCKS,
) -> Text:
    """Draw the bar; beyond its first mark the fill takes the style `beyond`, where given.

    `ghost` is a second value that is only hinted at, such as the highest so far.
    """
    steps = len(characters.partials) - 1
    filled = round(max(0.0, min(1.0, value / scale.maximum)) * width * steps)
    whole, part = divmod(filled, steps)
    cells = [characters.partials[-1]] * whole
    if part:
        cells.append(characters.partials[part])
    marks = {scale.cell(at, width) for at, _ in scale.marks}
    first_mark = min(marks, default=width)
    ghost_cell = scale.cell(ghost, width) if ghost is not None else -1
    drawn = Text(no_wrap=True)
    for column in range(width):
        reached = column < len(cells)
        fill_style = beyond if beyond is not None and column > first_mark else style
        if column in marks:
            drawn.append(characters.mark, f"{fill_style} reverse" if column < whole else "bold")
        elif reached:
            drawn.append(cells[column], fill_style)
        elif column == ghost_cell:
            drawn.append(characters.ghost, style)
        else:
            drawn.append(characters.empty, "dim")
    return drawn


def axis(scale: Scale, width: int) -> Text:
    """Name the marks below the bar, each centred under its own."""
    row = [" "] * width
    for at, name in scale.marks:
        left = min(max(0, scale.cell(at, width) - len(name) // 2), max(0, width - len(name)))
        row[left : left + len(name)] = name[:width]
    return Text("".join(row), style="dim", no_wrap=True)

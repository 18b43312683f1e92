"""What all panels share: colours, sizes, titles, axes over time, and gaps.

No meaning rests on colour alone. The colours are of the Okabe-Ito palette or lighter tints of it,
and differ in lightness too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from legcurl.presentation.charts.set_chart import Span

INK = "#1b1b1f"
SOFT = "#5c5c66"  # contrast of 6.6 on white
GRID = "#d9d9de"
LIFT = "#bcdcf3"  # sky blue, light
HOLD = "#eeb23a"  # orange, light
STALL = "#f3c3ab"  # vermillion, light
LOWER = "#dedee4"
FAILED = "#b34700"  # vermillion, dark enough to be read on white: contrast of 5.9

LEFT_IN, RIGHT_IN = 0.85, 0.85
AXES_IN = 3.1
TITLE_IN = 0.62
TIME_IN = 0.5
ROUND_STEPS = [1, 2, 5, 10]  # between ticks, times a power of ten
GAP_TOLD_S = 0.5  # longer gaps show their length: those that mark a rep as incomplete

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """The place of a panel: its top edge on the figure, and the figure's size, in inches."""

    top_in: float
    width_in: float
    figure_in: float


def write_title(figure: Figure, frame: Frame, title: str, below: str) -> None:
    """Write a panel's title and the line below it."""
    for words, down_in, size, weight in ((title, 0.2, 13, "bold"), (below, 0.46, 10, "normal")):
        figure.text(
            LEFT_IN / frame.width_in,
            1 - (frame.top_in + down_in) / frame.figure_in,
            words,
            fontsize=size,
            fontweight=weight,
            color=INK,
            va="center",
        )


def place_axes(figure: Figure, frame: Frame, head_in: float, measure: str) -> Axes:
    """Put axes over time below a head of that height; `measure` names the quantity."""
    bottom_in = frame.figure_in - frame.top_in - head_in - AXES_IN
    axes = figure.add_axes(
        (
            LEFT_IN / frame.width_in,
            bottom_in / frame.figure_in,
            1 - (LEFT_IN + RIGHT_IN) / frame.width_in,
            AXES_IN / frame.figure_in,
        )
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT)
    axes.tick_params(colors=SOFT, labelsize=9)
    axes.set_ylabel(measure, color=INK, fontsize=10)
    axes.set_xlabel("sensor time (s)", color=INK, fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=ROUND_STEPS))
    plain = ScalarFormatter(useOffset=False)
    plain.set_scientific(False)
    axes.xaxis.set_major_formatter(plain)
    return axes


def draw_gaps(axes: Axes, gaps: Sequence[Span]) -> None:
    """Hatch missing samples, with the length of long gaps."""
    axes.broken_barh(
        [(start_s, end_s - start_s) for start_s, end_s in gaps],
        (0, 1),
        transform=axes.get_xaxis_transform(),
        facecolor="white",
        edgecolor=SOFT,
        hatch="////",
        linewidth=0.0,
        zorder=2,
    )
    for start_s, end_s in gaps:
        if end_s - start_s >= GAP_TOLD_S:
            axes.text(
                (start_s + end_s) / 2,
                0.03,  # down where nothing else is written
                f"{end_s - start_s:.1f} s missing",
                transform=axes.get_xaxis_transform(),
                rotation=90,
                ha="center",
                va="bottom",
                fontsize=7.5,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
                clip_on=True,
                zorder=6,
            )


def without_gaps(times: Floats, curve: Floats, gaps: Sequence[Span]) -> Floats:
    """The curve with nan in the gaps, so that the line breaks there."""
    seen = curve.copy()
    for start_s, end_s in gaps:
        seen[(times > start_s) & (times < end_s)] = nan
    return seen

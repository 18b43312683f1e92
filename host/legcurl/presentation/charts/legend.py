"""The foot of a page: the legend, and the name of the recording."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from legcurl._version import __version__
from legcurl.presentation.charts.set_chart import ChartKeeper, SetChart
from legcurl.presentation.charts.style import (
    FAILED,
    HOLD,
    INK,
    LEFT_IN,
    LIFT,
    LOWER,
    SOFT,
    STALL,
    Frame,
)
from legcurl.presentation.wording import percent, printable

NAME_SIGNS = 90


def draw_foot(
    figure: Figure, frame: Frame, charts: Sequence[SetChart], kept: ChartKeeper, name: str
) -> None:
    """Draw the legend of these charts, and the recording's name."""
    marks = _marks(charts) if charts else []
    gaps = kept.gaps if not charts else [gap for chart in charts for gap in chart.gaps]
    if gaps:
        marks.append(
            Patch(facecolor="white", edgecolor=SOFT, hatch="/////", label="samples missing")
        )
    if marks:
        figure.legend(
            handles=marks,
            loc="center left",
            bbox_to_anchor=(
                (LEFT_IN - 0.06) / frame.width_in,
                1 - (frame.top_in + 0.2) / frame.figure_in,
            ),
            ncols=len(marks),
            frameon=False,
            fontsize=8.5,
            labelcolor=INK,
            handlelength=1.6,
            columnspacing=1.5,
            borderaxespad=0.0,
        )
    shown = printable(name)
    shown = shown if len(shown) <= NAME_SIGNS else "…" + shown[-NAME_SIGNS:]
    figure.text(
        LEFT_IN / frame.width_in,
        1 - (frame.top_in + 0.46) / frame.figure_in,
        f"{shown} · legcurl {__version__}",
        fontsize=8,
        color=SOFT,
        va="center",
        parse_math=False,
    )


def _marks(charts: Sequence[SetChart]) -> list[Artist]:
    reps = [rep for chart in charts for rep in chart.result.reps]
    method = charts[0].result.judged_by  # one machine's sets
    marks: list[Artist] = [
        Patch(facecolor=LIFT, label="lifting (concentric)"),
        Patch(facecolor=HOLD, label=f"hold; met: {method.hold_target_s:g} s or longer"),
        Patch(facecolor=LOWER, label="lowering (eccentric)"),
    ]
    if any(rep.failure == "mid_lift" for rep in reps):
        marks.append(Patch(facecolor=STALL, label="stalled"))
    if any(rep.failure for rep in reps):
        marks.append(
            Line2D([], [], marker="X", color=FAILED, linestyle="none", label="failure begins")
        )
    marks.append(
        Line2D(
            *([], []),
            color=INK,
            linestyle=(0, (6, 3)),
            lw=1.1,
            label=f"full: {percent(method.full_rom_fraction)}",
        )
    )
    return marks

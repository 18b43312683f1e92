"""Where detection and labels differ, as pictures: the samples, what is listed, what was noted.

A panel is a recording. Reps that are listed are shaded by phase; labelled tops are triangles; what
is missed or invented is written above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from legcurl.errors import StoreError
from legcurl.presentation.charts.downsampled_trace import DownsampledTrace
from legcurl.presentation.charts.page import (
    BETWEEN_IN,
    DPI,
    ENDINGS,
    SETS_A_PAGE,
    SETS_A_PICTURE,
    WIDTH_IN,
    check_picture,
    own_style,
    write_figure,
    write_pages,
)
from legcurl.presentation.charts.style import (
    AXES_IN,
    FAILED,
    HOLD,
    INK,
    LEFT_IN,
    LIFT,
    LOWER,
    TIME_IN,
    TITLE_IN,
    Frame,
    place_axes,
)
from legcurl.validation.comparison import Comparison
from legcurl.validation.table import disagreement_line

WORDS_IN = 0.75  # room above the curve for what is written on it
PANEL_IN = TITLE_IN + AXES_IN + TIME_IN

Drawn = tuple[Comparison, DownsampledTrace]


def check_pictures(target: Path) -> None:
    """Find out, before any work is done, whether pictures can be made and put there.

    Raises ConfigError where matplotlib is missing, StoreError for a place that cannot be written.
    """
    if target.suffix.lower() in ENDINGS:
        check_picture(target)
        return
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{target} cannot be made: {error.strerror}.") from error
    check_picture(target / "disagreement.png")


def write_disagreements(target: Path, drawn: Sequence[Drawn]) -> list[str]:
    """Draw each recording that disagrees; give warnings, one sentence each. Raises StoreError.

    A folder gets a PNG for each, a PDF two panels a page, another picture the first ones.
    """
    ending = target.suffix.lower()
    if not drawn:
        return [f"nothing disagrees, so there is no picture in {target}"]
    with own_style():
        if ending == ".pdf":
            write_pages(target, _figures(drawn), "Disagreements")
        elif ending in ENDINGS:
            write_figure(target, _figure(drawn[:SETS_A_PICTURE]))
        else:
            for one in drawn:
                name = one[0].name.replace("/", "-").replace("\\", "-")
                write_figure(target / f"{name}.png", _figure([one]))
    if ending in ENDINGS and ending != ".pdf" and len(drawn) > SETS_A_PICTURE:
        return [f"{target} shows the first {SETS_A_PICTURE} of {len(drawn)}: a folder has all"]
    return []


def _figures(drawn: Sequence[Drawn]) -> Iterator[Figure]:
    for at in range(0, len(drawn), SETS_A_PAGE):
        yield _figure(drawn[at : at + SETS_A_PAGE])


def _figure(drawn: Sequence[Drawn]) -> Figure:
    height_in = (PANEL_IN + BETWEEN_IN) * len(drawn)
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    for at, (comparison, trace) in enumerate(drawn):
        frame = Frame(at * (PANEL_IN + BETWEEN_IN), WIDTH_IN, height_in)
        _draw(figure, frame, comparison, trace)
    return figure


def _draw(figure: Figure, frame: Frame, comparison: Comparison, trace: DownsampledTrace) -> None:
    axes = place_axes(figure, frame, TITLE_IN, "sensor angle (°)")
    times, angles = np.array(trace.times_s), np.array(trace.angles_deg)
    for rep in comparison.reps:
        for start_s, end_s, colour in (
            (rep.start_s, rep.hold_start_s, LIFT),
            (rep.hold_start_s, rep.hold_end_s, HOLD),
            (rep.hold_end_s, rep.end_s, LOWER),
        ):
            axes.axvspan(start_s, end_s, color=colour, linewidth=0, zorder=1)
    axes.plot(times, angles, color=INK, linewidth=1.2, zorder=4)
    if len(times):
        low, high = float(angles.min()), float(angles.max())
        room = (high - low + 1.0) * WORDS_IN / (AXES_IN - WORDS_IN)
        axes.set_ylim(low - 0.1 * room, high + room)
        axes.set_xlim(times[0], times[-1])
    _mark(axes, trace, comparison.labels.tops_s, "v", INK)
    _mark(axes, trace, comparison.missed_s, "v", FAILED)
    _mark(axes, trace, comparison.labels.failures_s or (), "X", FAILED)
    for t_s in comparison.missed_s:
        _write(axes, t_s, "missed")
    for rep in comparison.invented:
        _write(axes, (rep.start_s + rep.end_s) / 2, "invented")
    for t_s in comparison.failures_missed_s:
        _write(axes, t_s, "failure missed")
    for rep in comparison.failures_invented:
        _write(axes, rep.hold_end_s, "called failed")
    title = disagreement_line(comparison)
    if len(title) > 150:
        title = f"{comparison.name}: {len(comparison.missed_s)} missed, "
        title += f"{len(comparison.invented)} invented"
    figure.text(
        LEFT_IN / frame.width_in,
        1 - (frame.top_in + 0.35) / frame.figure_in,
        title,
        fontsize=9.5,
        fontweight="bold",
        color=INK,
    )


def _mark(
    axes: Axes, trace: DownsampledTrace, moments_s: Iterable[float], marker: str, colour: str
) -> None:
    at = list(moments_s)
    if at and len(trace):
        axes.plot(
            at,
            np.interp(at, trace.times_s, trace.angles_deg),
            linestyle="none",
            marker=marker,
            markersize=8,
            markerfacecolor=colour,
            markeredgecolor="white",
            zorder=6,
        )


def _write(axes: Axes, t_s: float, words: str) -> None:
    axes.annotate(
        words,
        (t_s, 0.99),
        xycoords=axes.get_xaxis_transform(),
        rotation=90,
        ha="center",
        va="top",
        fontsize=8,
        color=FAILED,
        zorder=7,
    )

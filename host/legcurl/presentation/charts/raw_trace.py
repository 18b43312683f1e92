"""The picture of a file without a set: the raw samples."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from legcurl.presentation.charts.set_chart import ChartKeeper
from legcurl.presentation.charts.style import (
    AXES_IN,
    INK,
    TIME_IN,
    TITLE_IN,
    Frame,
    draw_gaps,
    place_axes,
    without_gaps,
    write_title,
)

MIN_SPAN_DEG = 10.0
"""Least span shown, in degrees: the noise of a lever at rest must not look like motion."""

AIR = 0.08  # of the span, left free above and below


def raw_height() -> float:
    """The height of the panel, in inches."""
    return TITLE_IN + AXES_IN + TIME_IN


def draw_raw(figure: Figure, frame: Frame, kept: ChartKeeper) -> None:
    """Draw the raw samples, with a note that they held no set."""
    times = np.array(kept.whole.times_s)
    angles = np.array(kept.whole.angles_deg)
    axes = place_axes(figure, frame, TITLE_IN, "sensor angle, unwrapped (°)")
    write_title(figure, frame, "No set was found", _note(kept))
    if not len(times):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 360)
        return
    middle = (angles.min() + angles.max()) / 2
    half = max(angles.max() - angles.min(), MIN_SPAN_DEG) * (0.5 + AIR)
    axes.set_xlim(times[0], max(times[-1], times[0] + 1.0))
    axes.set_ylim(middle - half, middle + half)
    draw_gaps(axes, kept.gaps)
    axes.plot(times, without_gaps(times, angles, kept.gaps), color=INK, linewidth=1.0, zorder=4)


def _note(kept: ChartKeeper) -> str:
    if not kept.usable:
        return "The sensor gave no usable angle."
    moved = max(kept.whole.angles_deg) - min(kept.whole.angles_deg)
    return (
        f"{kept.usable} samples, raw as the sensor gave them: the angle spans {moved:.0f}°, "
        "and no motion in it is a rep over a lifter's full range."
    )

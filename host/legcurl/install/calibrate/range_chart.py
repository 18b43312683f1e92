"""A calibrated range as a picture file: the arc, its rests, the magnet along it.

As in the terminal (terminal_range.py) straight legs point to the right and flexion goes up. A bar
outside the arc shows the chip's gain; it is hatched where the magnet is too weak or too strong.
"""

from __future__ import annotations

from math import radians
from pathlib import Path
from typing import TYPE_CHECKING

from legcurl.install.calibrate.calibration_record import CalibrationResult
from legcurl.install.calibrate.range_survey import rests_of
from legcurl.presentation.charts.page import own_style, write_figure
from legcurl.presentation.charts.style import FAILED, GRID, INK, LIFT, SOFT
from legcurl.protocol.frame import Status

if TYPE_CHECKING:
    from matplotlib.projections.polar import PolarAxes

WIDTH_IN, HEIGHT_IN = 8.0, 5.2
DPI = 150
ARC = 1.0  # radius
BARS_FROM, BARS_LENGTH = 1.06, 0.3  # of the gain
RESTS_FROM, RESTS_APART = 0.93, 0.05
HALF_TURN_DEG = 180.0
BESIDE_DEG = 8.0  # shown of what lies beyond the ends
WORDS_DEG = 2.5  # from the lever that they name


def write_range(file: Path, calibrated: CalibrationResult, name: str) -> None:
    """Draw the range of the sensor `name` into a file. Raises StoreError."""
    from matplotlib.figure import Figure

    way = abs(calibrated.range_deg or 0.0)
    with own_style():
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor="white")
        axes: PolarAxes = figure.add_subplot(projection="polar")  # type: ignore[assignment]
        axes.set_position((0.04, 0.06, 0.92, 0.86))
        if way <= HALF_TURN_DEG:
            axes.set_thetamin(-BESIDE_DEG)
            axes.set_thetamax(max(way + BESIDE_DEG, 90.0))
        axes.set_ylim(0.0, BARS_FROM + BARS_LENGTH)
        axes.set_yticks([])
        axes.set_xticks([radians(at) for at in range(0, int(way) + 1, 15)])
        axes.tick_params(colors=SOFT, labelsize=9)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_color("none")  # drawing shows a spine that is only hidden
        _draw_range(axes, way)
        _draw_magnet(axes, calibrated, way)
        _draw_rests(axes, calibrated)
        figure.suptitle(f"{name}: {way:.1f}° from legs straight to full flexion", color=INK)
        figure.text(0.02, 0.02, _foot(calibrated), color=SOFT, fontsize=8.5)
        write_figure(file, figure)


def _draw_range(axes: PolarAxes, way: float) -> None:
    arc = [radians(way * step / 200) for step in range(201)]
    axes.fill_between(arc, 0.0, ARC, color=LIFT, alpha=0.45, linewidth=0.0)
    axes.plot(arc, [ARC] * len(arc), color=INK, linewidth=2.0)
    for at, word in ((0.0, "legs straight"), (way, "full flexion")):
        axes.plot([radians(at)] * 2, [0.0, ARC], color=INK, linewidth=2.0)
        axes.text(
            radians(WORDS_DEG if at == 0.0 else at - WORDS_DEG),
            0.5,
            word,
            color=INK,
            fontsize=9,
            ha="center",
            va="bottom" if at == 0.0 or at > 90.0 else "top",
            rotation=at if at <= 90.0 else at - 180.0,
            rotation_mode="anchor",
        )


def _draw_magnet(axes: PolarAxes, calibrated: CalibrationResult, way: float) -> None:
    count = len(calibrated.bins)
    for piece in calibrated.bins:
        if piece.gain is None and not piece.verdict:
            continue
        ill = bool(piece.verdict)
        axes.bar(
            radians(piece.at * way),
            BARS_LENGTH * (1.0 if piece.gain is None else max(piece.gain, 0.02)),
            width=radians(way / count) * 0.92,
            bottom=BARS_FROM,
            color="white" if ill else SOFT,
            edgecolor=FAILED if ill else SOFT,
            hatch="////" if ill else None,
            linewidth=0.8,
            zorder=3,
        )


def _draw_rests(axes: PolarAxes, calibrated: CalibrationResult) -> None:
    """Draw a dot for each rest, later rounds further in."""
    extended = calibrated.extended_deg or 0.0
    sign = 1.0 if (calibrated.range_deg or 0.0) > 0 else -1.0
    rests = list(calibrated.rests)
    for rest in rests_of(rests, "extended") + rests_of(rests, "flexed"):
        flexion = radians((rest.travel_deg - extended) * sign)
        radius = RESTS_FROM - RESTS_APART * (rest.number - 1)
        axes.plot([flexion], [radius], "o", color=FAILED, markersize=4, zorder=4)


def _foot(calibrated: CalibrationResult) -> str:
    words = [
        f"encoder {(calibrated.extended_deg or 0.0) % 360.0:.1f}° to "
        f"{(calibrated.flexed_deg or 0.0) % 360.0:.1f}°",
        "dots: rests, by round",
        "bars: gain that the chip needs to see the magnet",
    ]
    verdicts = {piece.verdict for piece in calibrated.bins}
    for verdict, word in (
        (Status.WEAK_MAGNET, "too weak"),
        (Status.STRONG_MAGNET, "too strong"),
    ):
        if verdict in verdicts:
            words.append(f"hatched: {word}")
    return "   ·   ".join(words)

"""One set as a panel: the curve, its phases, and the reps, holds and rests that were found in it.

A panel is measured in inches, so that its lettering has room whatever the set's length. From top
to bottom: title and measures, the flag of Muscle Success, number and verdict of each rep; the
axes, with the holds above the curve and the rests below it; the time; and the reason of each
failed rep.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from legcurl.events import RepResult, SetResult, verdict
from legcurl.presentation.charts.set_chart import SetChart, Span
from legcurl.presentation.charts.style import (
    AXES_IN,
    FAILED,
    GRID,
    HOLD,
    INK,
    LEFT_IN,
    LIFT,
    LOWER,
    RIGHT_IN,
    ROUND_STEPS,
    SOFT,
    STALL,
    TIME_IN,
    TITLE_IN,
    Floats,
    Frame,
    draw_gaps,
    place_axes,
    without_gaps,
    write_title,
)
from legcurl.presentation.wording import FAILURE_WORDS, held, set_line, summary
from legcurl.training_method import TrainingMethod, is_rest

FLAG_IN = 0.27
REPS_IN = 0.42
CAPTION_IN = 0.2
HOLDS_IN, NARROW_HOLDS_IN = 0.48, 0.82  # room above the curve for the seconds of the holds
RESTS_IN = 0.42  # room below it

WORD_IN = 0.55  # a rep that has this much room is told in words, else by a sign
HOLD_TEXT_IN = 0.42
NUMBER_IN = 0.22  # with less than this only some reps are numbered
NUMBERED = 5
NO_HOLD_S = 0.05  # shown as 0.0
BESIDE_PT = 5  # points between the flag's line and labels beside it
CAPTION_SIGNS = 150  # in a line of a caption

SIGNS = {"done": "✓", "partial": "◐", "failed": "✗"}


@dataclass(frozen=True, slots=True)
class Rep:
    """An attempt, where its labels go, and how much room they have."""

    result: RepResult
    at_s: float
    room_in: float
    beside: bool  # the flag's line is at at_s: its labels stand left of it, not around it


@dataclass(frozen=True, slots=True)
class Panel:
    """A set while it is drawn: its chart, its place on the figure, and its axes."""

    figure: Figure
    frame: Frame
    axes: Axes
    chart: SetChart
    times_s: Floats
    curve_deg: Floats
    reps: Sequence[Rep]
    low_deg: float  # that the axes show
    high_deg: float

    @property
    def result(self) -> SetResult:
        """The set's figures."""
        return self.chart.result

    @property
    def degrees_per_in(self) -> float:
        """Scale of the axes."""
        return (self.high_deg - self.low_deg) / AXES_IN


def panel_height(chart: SetChart) -> float:
    """The height of a set's panel, in inches."""
    return _head_in(chart.result) + AXES_IN + TIME_IN + CAPTION_IN * len(_captions(chart.result))


def draw_set(figure: Figure, frame: Frame, chart: SetChart, name: str | None) -> None:
    """Draw a set on its part of the figure, under the title `name` if there is one."""
    result = chart.result
    times = np.array(chart.times_s)
    curve = np.array(chart.flexion_deg)
    axes = place_axes(figure, frame, _head_in(result), "knee flexion (°)")
    axes.xaxis.label.set_text(chart.clock)
    from_s = min(times[0], result.start_s) if len(times) else result.start_s
    to_s = max(times[-1], result.end_s) if len(times) else result.end_s
    axes.set_xlim(from_s, to_s)
    reps = _reps(result, (frame.width_in - LEFT_IN - RIGHT_IN) / (to_s - from_s))
    heights_deg = _set_heights(axes, result, curve, reps)
    panel = Panel(figure, frame, axes, chart, times, curve, reps, *heights_deg)
    _draw_range(panel)
    draw_gaps(axes, chart.gaps)
    for rep in result.reps:
        _draw_phases(panel, rep)
    axes.plot(
        *(times, without_gaps(times, curve, chart.gaps)),
        color=INK,
        linewidth=1.4,
        solid_joinstyle="round",
        zorder=4,
    )
    for rep in reps:
        _draw_hold(panel, rep)
    _draw_rests(panel)
    _draw_failures(panel)
    _draw_head(panel, name)
    _draw_captions(panel)


def _reps(result: SetResult, inches_per_s: float) -> list[Rep]:
    """Give each attempt its place, over its top, and the distance to its neighbours."""
    places = [
        rep.fail_s
        if rep.fail_s is not None and rep.fail_s == result.outcome_s
        else (rep.hold_start_s + rep.hold_end_s) / 2
        for rep in result.reps
    ]
    beside = [at == result.outcome_s for at in places]
    middles = [
        inches_per_s * at - (WORD_IN / 2 if aside else 0.0)
        for at, aside in zip(places, beside, strict=True)
    ]
    rooms = [
        min(here - before, after - here)
        for before, here, after in zip(
            [-inf, *middles[:-1]], middles, [*middles[1:], inf], strict=True
        )
    ]
    return [Rep(*one) for one in zip(result.reps, places, rooms, beside, strict=True)]


def _set_heights(
    axes: Axes, result: SetResult, curve: Floats, reps: Sequence[Rep]
) -> tuple[float, float]:
    """Choose what degrees the axes show: all of the curve, and room for words."""
    lowest = min([0.0, *curve])
    highest = max([result.rom_deg, *curve])
    method = result.judged_by
    above_in = NARROW_HOLDS_IN if any(_narrow(rep, method) for rep in reps) else HOLDS_IN
    below_in = RESTS_IN if any(_rests(result)) else 0.12
    scale = (highest - lowest) / (AXES_IN - above_in - below_in)
    low, high = lowest - below_in * scale, highest + above_in * scale
    ticks = MaxNLocator(6, steps=ROUND_STEPS).tick_values(lowest, highest)
    axes.set_yticks([tick for tick in ticks if tick < high])
    axes.set_ylim(low, high)
    axes.grid(axis="y", color=GRID, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    return low, high


def _draw_range(panel: Panel) -> None:
    """Draw the lifter's range, and where a rep begins to be a full one."""
    axes = panel.axes
    full_rom = panel.result.judged_by.full_rom_fraction
    for fraction in (0.0, full_rom, 1.0):
        full = fraction == full_rom
        level = fraction * panel.result.rom_deg
        axes.axhline(
            level,
            color=INK if full else SOFT,
            linewidth=1.1 if full else 0.8,
            linestyle=(0, (6, 3)) if full else (0, (1, 2)),
            zorder=3,
        )
        axes.annotate(
            f"{100 * fraction:.0f} %" + (" full" if full else ""),
            (1.0, level),
            xycoords=axes.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            fontweight="bold" if full else "normal",
            color=INK if full else SOFT,
        )
    axes.annotate(
        "of range",
        (1.0, 0.0),
        xycoords=axes.get_yaxis_transform(),
        xytext=(5, -11),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=SOFT,
    )


def _draw_phases(panel: Panel, rep: RepResult) -> None:
    """Shade the area under the curve by phase."""
    times = panel.times_s
    stood = STALL if rep.failure == "mid_lift" else HOLD
    for start_s, end_s, colour in (
        (rep.start_s, rep.hold_start_s, LIFT),
        (rep.hold_start_s, rep.hold_end_s, stood),
        (rep.hold_end_s, rep.end_s, LOWER),
    ):
        if end_s <= start_s or not len(times):
            continue
        inside = times[(times > start_s) & (times < end_s)]
        moments = np.concatenate(([start_s], inside, [end_s]))
        levels = without_gaps(moments, np.interp(moments, times, panel.curve_deg), panel.chart.gaps)
        panel.axes.fill_between(moments, levels, panel.low_deg, color=colour, linewidth=0, zorder=1)


def _narrow(rep: Rep, method: TrainingMethod) -> bool:
    return rep.room_in < HOLD_TEXT_IN and bool(_hold_words(rep.result, method))


def _hold_words(rep: RepResult, method: TrainingMethod) -> list[str]:
    if rep.failure == "mid_lift":
        return ["stalled", f"{rep.hold_s:.1f} s"]
    if rep.hold_s < NO_HOLD_S:
        return ["no", "hold"] if rep.completed else []
    if not rep.completed:
        return [f"{rep.hold_s:.1f} s"]
    length = f"{held(rep.hold_s, method)} s"
    return [length, "met" if rep.hold_met else "short"]


def _draw_hold(panel: Panel, rep: Rep) -> None:
    """Draw a rule over the hold, a tick where it reached its target, and its length in words."""
    axes, one, method = panel.axes, rep.result, panel.result.judged_by
    level = one.peak_deg + 0.07 * panel.degrees_per_in
    colour = FAILED if one.failure else INK
    if one.failure != "mid_lift":
        axes.plot(
            (one.hold_start_s, one.hold_end_s),
            (level, level),
            color=colour,
            linewidth=2.2,
            solid_capstyle="butt",
            zorder=5,
        )
        if one.hold_met:
            met_s = one.hold_start_s + method.hold_target_s
            tick = 0.05 * panel.degrees_per_in
            axes.plot((met_s, met_s), (level - tick, level + tick), color=colour, lw=1.2, zorder=5)
    narrow = _narrow(rep, method)
    short = one.completed and not one.hold_met
    # Over the range, not on its lines: a partial's label must not lie on the 90 % line.
    over = max(level, panel.result.rom_deg + 0.05 * panel.degrees_per_in)
    axes.annotate(
        (" " if narrow else "\n").join(_hold_words(one, method)),
        (rep.at_s, over if one.full_rom else level),
        xytext=(-BESIDE_PT if rep.beside else 0, 5),
        textcoords="offset points",
        rotation=90 if narrow else 0,
        ha="right" if rep.beside else "center",
        va="bottom",
        fontsize=7.5 if narrow else 8.5,
        fontweight="bold" if short else "normal",
        linespacing=1.05,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        zorder=6,
    )


def _rests(result: SetResult) -> list[Span]:
    return [
        (rep.start_s - rep.rest_before_s, rep.start_s)
        for rep in result.reps[1:]
        if is_rest(rep.rest_before_s)
    ]


def _draw_rests(panel: Panel) -> None:
    axes, level = panel.axes, panel.low_deg + 0.33 * panel.degrees_per_in
    for start_s, end_s in _rests(panel.result):
        axes.annotate(
            "",
            (start_s, level),
            (end_s, level),
            arrowprops={
                "arrowstyle": "|-|,widthA=0.25,widthB=0.25",
                "color": INK,
                "linewidth": 1.2,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=5,
        )
        axes.annotate(
            f"rest\n{end_s - start_s:.1f} s",
            ((start_s + end_s) / 2, level),
            xytext=(0, -3),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7.5,
            linespacing=1.0,
            color=INK,
            zorder=6,
        )


def _draw_failures(panel: Panel) -> None:
    """Mark on the curve where a failed rep began to come down."""
    for rep in panel.result.reps:
        if rep.fail_s is not None and len(panel.times_s):
            panel.axes.plot(
                [rep.fail_s],
                [np.interp(rep.fail_s, panel.times_s, panel.curve_deg)],
                marker="X",
                markersize=10,
                markerfacecolor=FAILED,
                markeredgecolor="white",
                linestyle="none",
                zorder=7,
            )


def _draw_head(panel: Panel, name: str | None) -> None:
    """Write the set's title, number and verdict above each rep, and the flag of Muscle Success."""
    axes, result = panel.axes, panel.result
    if name is not None:
        told = " · ".join(summary(replace(result, incomplete=False))[2:])
        write_title(panel.figure, panel.frame, f"{name}: {set_line(result)}", told)
    for rep in panel.reps:
        _draw_rep(axes, rep)
    if result.outcome_s is not None:
        axes.axvline(
            result.outcome_s,
            ymax=1 + REPS_IN / AXES_IN,
            color=FAILED,
            lw=1.4,
            zorder=3,
            clip_on=False,
        )
        left, right = axes.get_xlim()
        where = (result.outcome_s - left) / (right - left)
        axes.annotate(
            f"Muscle Success at {result.outcome_s:.1f} s",
            (result.outcome_s, 1 + REPS_IN / AXES_IN),
            xycoords=axes.get_xaxis_transform(),
            xytext=(6 if where < 0.5 else -6, 4),
            textcoords="offset points",
            ha="left" if where < 0.5 else "right",
            va="bottom",
            fontsize=9.5,
            fontweight="bold",
            color="white",
            bbox={"boxstyle": "round,pad=0.25", "facecolor": FAILED, "edgecolor": "none"},
            annotation_clip=False,
        )


def _draw_rep(axes: Axes, rep: Rep) -> None:
    one = rep.result
    said = verdict(one)
    wide = rep.room_in >= WORD_IN
    plain = said == "done" and one.failure is None
    number = str(one.number)
    if rep.room_in < NUMBER_IN and one.failure is None and one.number % NUMBERED:
        number = ""
    for words, up, size, weight in (
        (number, 17, 11 if wide else 9, "bold"),
        (said if wide else SIGNS[said], 5, 8.5, "normal" if plain else "bold"),
    ):
        axes.annotate(
            words,
            (rep.at_s, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-BESIDE_PT if rep.beside else 0, up),
            textcoords="offset points",
            ha="right" if rep.beside else "center",
            va="bottom",
            fontsize=size,
            fontweight=weight,
            color=FAILED if one.failure else INK if plain else SOFT,
            annotation_clip=False,
        )


def _head_in(result: SetResult) -> float:
    return TITLE_IN + (FLAG_IN if result.outcome_s is not None else 0.0) + REPS_IN


def _captions(result: SetResult) -> list[str]:
    """Say why each failed rep counts as failed."""
    told = []
    for rep in result.reps:
        if rep.failure is None:
            continue
        counts = ", and counts" if rep.completed else ""
        why = f": {rep.evidence}" if rep.evidence else ""
        told += textwrap.wrap(
            f"✗ rep {rep.number} {FAILURE_WORDS[rep.failure]}{counts}{why}", CAPTION_SIGNS
        )
    return told


def _draw_captions(panel: Panel) -> None:
    frame = panel.frame
    down_in = frame.top_in + _head_in(panel.result) + AXES_IN + TIME_IN
    for caption in _captions(panel.result):
        panel.figure.text(
            LEFT_IN / frame.width_in,
            1 - (down_in + CAPTION_IN / 2) / frame.figure_in,
            caption,
            fontsize=10,
            color=FAILED,
            va="center",
        )
        down_in += CAPTION_IN

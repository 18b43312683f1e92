"""The report of a client: load, reps, time under load and holds over time, and the last set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from legcurl.presentation.charts.style import FAILED, GRID, INK, SOFT
from legcurl.presentation.reports.a4_page import (
    HEIGHT_IN,
    INNER_IN,
    LEFT_IN,
    SMALL_PT,
    TEXT_PT,
    WIDTH_IN,
    A4Page,
)
from legcurl.presentation.reports.set_report import draw_chart, figures, name_of
from legcurl.store.records import Client, StoredSet, Trace

CHART_IN = 0.95
CHART_LEFT_IN = 0.45  # for the axis' figures
BETWEEN_IN = 0.48
LONG_DAYS = 300  # beyond it a tick is a month of a year
MANY = 120  # sets: beyond it the marks are small

Value = Callable[[StoredSet], float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One chart over time: its title, the form of its axis, and its points."""

    title: str
    form: Literal["number", "time"]
    points: list[tuple[float, float, bool]]  # matplotlib's days, value, ended in Muscle Success
    window_s: tuple[float, float]  # that the newest set's method asks for


def draw_client_report(
    client: Client, sets: Sequence[StoredSet], last_trace: Trace | None
) -> Figure:
    """Draw the report of a client.

    `sets` are those that count, oldest first; `last_trace` is of the last.
    """
    page = A4Page()
    if not sets:
        page.head(name_of(client), "", "No sets yet.")
        page.foot(f"Client {client.id}")
        return page.figure
    first, newest = (one.started.astimezone() for one in (sets[0], sets[-1]))
    period = f"{first:%-d %B %Y}" + (
        f" – {newest:%-d %B %Y}" if newest.date() != first.date() else ""
    )
    machines = sorted({one.machine.name for one in sets})
    count = f"{len(sets)} set" + ("" if len(sets) == 1 else "s")
    page.head(name_of(client), period, f"{count} on {', '.join(machines)}")
    page.tiles(1.92, _tiles(sets))
    y_in = _draw_charts(page, sets, 2.6)
    page.text(LEFT_IN, y_in, "The last set", size=TEXT_PT + 2, bold=True)
    stored = sets[-1]
    load = f", {stored.load_kg:g} kg" if stored.load_kg is not None else ""
    words = f"{newest:%-d %B %Y, %H:%M}, {stored.machine.name}{load}"
    page.text(LEFT_IN + 1.2, y_in, words, colour=SOFT, room_in=INNER_IN - 1.2)
    page.tiles(y_in + 0.42, figures(stored.result))
    draw_chart(page, stored, last_trace, y_in + 0.66)
    page.foot(f"Client {client.id} · filled: ended in Muscle Success; open: ended otherwise")
    return page.figure


def _tiles(sets: Sequence[StoredSet]) -> list[tuple[str, str]]:
    loads = [one.load_kg for one in sets if one.load_kg is not None]
    to_failure = sum(one.result.outcome == "muscle_success" for one in sets)
    completed = [rep for one in sets for rep in one.result.reps if rep.completed]
    met = sum(rep.hold_met for rep in completed)
    target_s = sets[-1].result.judged_by.hold_target_s
    return [
        (f"{to_failure} of {len(sets)}", "to Muscle Success"),
        (f"{loads[-1]:g} kg" if loads else "–", "last load"),
        (f"{max(loads):g} kg" if loads else "–", "highest load"),
        (
            f"{round(100 * met / len(completed))} %" if completed else "–",
            f"squeezes held for {target_s:g} s",
        ),
    ]


def _held(stored: StoredSet) -> float | None:
    full = [rep for rep in stored.result.reps if rep.completed]
    return 100 * sum(rep.hold_met for rep in full) / len(full) if full else None


def _draw_charts(page: A4Page, sets: Sequence[StoredSet], y_in: float) -> float:
    """Draw four charts over time, two by two, and return where they end."""
    target_s = sets[-1].result.judged_by.hold_target_s
    charts = (
        _series(sets, "Load (kg)", lambda one: one.load_kg),
        _series(sets, "Reps", lambda one: one.result.count),
        _series(sets, "Time under load", lambda one: one.result.time_under_load_s, "time"),
        _series(sets, f"Squeezes held for {target_s:g} s (%)", _held),
    )
    span = (_day(sets[0]), _day(sets[-1]))
    zone = sets[0].started.astimezone().tzinfo
    half_in = INNER_IN / 2
    for place, series in enumerate(charts):
        left_in = LEFT_IN + (place % 2) * (half_in + 0.1)
        top_in = y_in + (place // 2) * (CHART_IN + BETWEEN_IN)
        page.text(left_in, top_in, series.title, size=TEXT_PT, bold=True)
        axes = page.figure.add_axes(
            (
                (left_in + CHART_LEFT_IN) / WIDTH_IN,
                1 - (top_in + 0.12 + CHART_IN) / HEIGHT_IN,
                (half_in - 0.1 - CHART_LEFT_IN) / WIDTH_IN,
                CHART_IN / HEIGHT_IN,
            )
        )
        _draw_over_time(axes, series, span, zone)
    return y_in + 2 * (CHART_IN + BETWEEN_IN) + 0.12


def _series(
    sets: Sequence[StoredSet], title: str, value: Value, form: Literal["number", "time"] = "number"
) -> Series:
    points = [
        (_day(one), number, one.result.outcome == "muscle_success")
        for one in sets
        if (number := value(one)) is not None
    ]
    return Series(title, form, points, sets[-1].result.judged_by.set_window_s)


def _day(stored: StoredSet) -> float:
    return float(date2num(stored.started))


def _draw_over_time(
    axes: Axes, series: Series, span: tuple[float, float], zone: tzinfo | None
) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT)
    axes.tick_params(colors=SOFT, labelsize=SMALL_PT - 0.5)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    if not series.points:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "nothing entered", ha="center", va="center", color=SOFT, fontsize=9)
        return
    days, numbers, _ = zip(*series.points, strict=True)
    top = max(numbers) * 1.15 or 1.0
    if series.form == "time":
        axes.axhspan(*series.window_s, color="#ececf0", zorder=0)
        top = max(top, series.window_s[1] * 1.1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s // 60:.0f}:{s % 60:02.0f}"))
        axes.set_yticks(
            [step * 60 for step in range(int(top // 60) + 1)][:: max(1, int(top // 300))]
        )
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
    axes.set_ylim(0, top)
    first, last = span
    margin = max((last - first) * 0.04, 0.5)
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=4, tz=zone))
    form_of_day = "%b %Y" if last - first > LONG_DAYS else "%-d %b"
    axes.xaxis.set_major_formatter(DateFormatter(form_of_day, tz=zone))
    axes.plot(days, numbers, color=SOFT, linewidth=0.9, zorder=2)
    few = len(numbers) <= MANY
    for success in (False, True):
        chosen = [(day, number) for day, number, ended in series.points if ended is success]
        if chosen:
            axes.plot(
                *zip(*chosen, strict=True),
                linestyle="none",
                marker="o",
                markersize=5.0 if few else 2.2,
                markerfacecolor=FAILED if success else "white",
                markeredgecolor=FAILED if success else INK,
                markeredgewidth=1.0 if few else 0.6,
                zorder=3,
                clip_on=False,
            )

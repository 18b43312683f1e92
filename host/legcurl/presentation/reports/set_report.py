"""The report of one set: figures, chart, feedback, and a row for each rep."""

from __future__ import annotations

from matplotlib.figure import Figure

from legcurl.events import Outcome, SetResult
from legcurl.presentation.charts.set_panel import draw_set, panel_height
from legcurl.presentation.charts.stored_set import charted
from legcurl.presentation.charts.style import FAILED, INK, SOFT, TITLE_IN, Frame
from legcurl.presentation.coach_feedback import praise
from legcurl.presentation.reports.a4_page import (
    HEIGHT_IN,
    INNER_IN,
    LEFT_IN,
    RIGHT_IN,
    SMALL_PT,
    TEXT_PT,
    WIDTH_IN,
    A4Page,
)
from legcurl.presentation.wording import REP_HEAD, rep_cells, window_verdict
from legcurl.store.records import Client, StoredSet, Trace

ENDS: dict[Outcome, tuple[str, str]] = {  # figure and label
    "muscle_success": ("Muscle Success", "how it ended"),
    "stopped": ("Stopped", "before failure"),
    "interrupted": ("Broken off", "how it ended"),
}
ROW_IN, ROW_MIN_IN = 0.2, 0.15
CELLS_IN = (0.0, 0.45, 1.15, 1.8, 2.45, 3.1, 3.85)  # from the left margin


def draw_set_report(stored: StoredSet, trace: Trace | None) -> Figure:
    """Draw the report of one set; without a trace it has no chart."""
    page = A4Page()
    result = stored.result
    load = f"{stored.load_kg:g} kg" if stored.load_kg is not None else "no load entered"
    started = stored.started.astimezone()
    page.head(
        "Leg curl" if stored.client is None else name_of(stored.client),
        f"{started:%-d %B %Y, %H:%M}",
        f"{stored.machine.name} · {load}",
    )
    page.tiles(1.92, figures(result))
    y_in = 2.36
    for words in _told(stored):
        page.text(LEFT_IN, y_in + 0.06, words, size=SMALL_PT + 1, colour=FAILED, room_in=INNER_IN)
        y_in += 0.2
    y_in = draw_chart(page, stored, trace, y_in) + 0.32
    y_in = _draw_praise(page, result, y_in) + 0.14
    _draw_reps(page, result, y_in)
    page.foot(f"Set {stored.id} · range: the lifter's own")
    return page.figure


def name_of(client: Client) -> str:
    """A client's name, or else their pseudonym."""
    return client.name or f"Client {client.id[:6]}"


def figures(result: SetResult) -> list[tuple[str, str]]:
    """The set in four figures, each with its label."""
    full = [rep for rep in result.reps if rep.completed]
    minutes, seconds = divmod(round(result.time_under_load_s), 60)
    met = sum(rep.hold_met for rep in full)
    return [
        (str(result.count), "rep" if result.count == 1 else "reps"),
        (f"{minutes}:{seconds:02}", f"under load, {window_verdict(result).partition(':')[0]}"),
        (f"{met} of {len(full)}", f"squeezes held for {result.judged_by.hold_target_s:g} s"),
        ENDS[result.outcome],
    ]


def draw_chart(page: A4Page, stored: StoredSet, trace: Trace | None, y_in: float) -> float:
    """Draw a set's chart below `y_in`, and return where it ends."""
    charts = charted(stored, trace).charts
    if not charts:
        page.text(LEFT_IN, y_in + 0.3, "No trace of this set was kept.", colour=SOFT)
        return y_in + 0.4
    frame = Frame(y_in - TITLE_IN + 0.12, WIDTH_IN, HEIGHT_IN)
    draw_set(page.figure, frame, charts[0], None)
    return frame.top_in + panel_height(charts[0])


def _told(stored: StoredSet) -> list[str]:
    told = []
    if stored.deleted:
        told.append("The coach took this set out: it does not count.")
    elif stored.corrected:
        told.append("Corrected by the coach.")
    if stored.result.incomplete:
        told.append("Samples are missing in this set: see the hatched parts.")
    return told


def _draw_praise(page: A4Page, result: SetResult, y_in: float) -> float:
    said = praise(result)
    half_in = INNER_IN / 2
    for place, (title, mark, lines) in enumerate(
        (("Good", "✓", said.good), ("Work on", "→", said.work))
    ):
        x_in = LEFT_IN + place * half_in
        page.text(x_in, y_in, title, size=TEXT_PT + 2, bold=True)
        for number, line in enumerate(lines or ("–",), 1):
            at_in = y_in + 0.04 + 0.205 * number
            page.text(x_in, at_in, mark if lines else "", bold=True)
            page.text(x_in + 0.2, at_in, line, size=TEXT_PT - 1, room_in=half_in - 0.3)
    most = max(len(said.good), len(said.work), 1)
    return y_in + 0.1 + 0.205 * most


def _draw_reps(page: A4Page, result: SetResult, y_in: float) -> None:
    """Draw a row for each attempt, and the number of those without room."""
    room_in = HEIGHT_IN - 0.82 - y_in - ROW_IN
    reps = result.reps
    row_in = min(ROW_IN, max(ROW_MIN_IN, room_in / max(len(reps), 1)))
    fits = int(room_in / row_in + 1e-6)
    shown = reps if len(reps) <= fits else reps[: fits - 1]
    size = min(TEXT_PT - 1, row_in * 72 * 0.62)
    y_in += ROW_IN - 0.06
    _draw_row(page, REP_HEAD, y_in, size, bold=True)
    page.rule(y_in + 0.06)
    for number, rep in enumerate(shown, 1):
        at_in = y_in + number * row_in
        if number % 2 == 0:
            page.shade(at_in - row_in + 0.06, row_in)
        _draw_row(page, rep_cells(rep, result.judged_by), at_in, size, bold=rep.failure is not None)
    if len(shown) < len(reps):
        words = f"… and {len(reps) - len(shown)} more attempts"
        page.text(LEFT_IN, y_in + (len(shown) + 1) * row_in, words, size=size, colour=SOFT)


def _draw_row(
    page: A4Page, cells: tuple[str, ...], y_in: float, size: float, *, bold: bool
) -> None:
    for place, (x_in, cell) in enumerate(zip(CELLS_IN, cells, strict=True)):
        number = 2 <= place < len(cells) - 1
        page.text(
            LEFT_IN + x_in + (0.42 if number else 0.0),
            y_in,
            cell,
            size=size,
            bold=bold,
            colour=INK,
            align="right" if number else "left",
            room_in=None if number else WIDTH_IN - RIGHT_IN - LEFT_IN - x_in,
        )

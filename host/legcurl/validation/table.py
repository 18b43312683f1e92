"""Agreement in words for a terminal: a row for each source, with 95 % intervals in brackets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from legcurl.validation.agreement import Agreement, Figure, Proportion
from legcurl.validation.comparison import Comparison

NOTHING = "–"
_Cell = Callable[[Agreement], str]


def table_lines(agreements: Sequence[Agreement]) -> list[str]:
    """Three tables, one below the other: lifts, holds, failures."""
    lifts: list[tuple[str, _Cell]] = [
        ("recordings", lambda one: str(one.recordings)),
        ("all right, %", lambda one: _percent(one.right)),
        ("count exact, %", lambda one: _percent(one.counted_right)),
        ("lifts", lambda one: str(one.reps_found.of)),
        ("listed, %", lambda one: _percent(one.reps_found)),
        ("invented per 100", lambda one: _value(one.reps_invented, "{:.1f}")),
    ]
    holds: list[tuple[str, _Cell]] = [
        ("holds", lambda one: str(one.holds)),
        ("start off, s", lambda one: _value(one.hold_start_error_s, "{:.2f}")),
        ("95 % within, s", lambda one: _value(one.hold_start_error_95_s, "{:.2f}")),
        ("end off, s", lambda one: _value(one.hold_end_error_s, "{:.2f}")),
        ("95 % within, s", lambda one: _value(one.hold_end_error_95_s, "{:.2f}")),
    ]
    failures: list[tuple[str, _Cell]] = [
        ("failures", lambda one: str(one.failure_recall.of)),
        ("found, %", lambda one: _percent(one.failure_recall)),
        ("right of those told, %", lambda one: _percent(one.failure_precision)),
        ("without failure", lambda one: str(one.false_muscle_success.of)),
        ("false Muscle Success, %", lambda one: _percent(one.false_muscle_success)),
    ]
    lines = [*_table(lifts, agreements)]
    if any(one.holds for one in agreements):
        lines += ["", *_table(holds, agreements)]
    return [*lines, "", *_table(failures, agreements)]


def disagreement_line(comparison: Comparison) -> str:
    """What differs in a recording, in one line."""
    told = (
        ("misses the lift at", comparison.missed_s),
        ("invents a rep at", [rep.start_s for rep in comparison.invented]),
        ("misses the failure at", comparison.failures_missed_s),
        ("calls failed the rep at", [rep.start_s for rep in comparison.failures_invented]),
    )
    words = [f"{what} {_moments(moments_s)}" for what, moments_s in told if moments_s]
    if comparison.labels.failures_s == () and comparison.muscle_success:
        words.append("tells of a Muscle Success, and there is no failure")
    return f"{comparison.name}: {'; '.join(words)}"


def _moments(moments_s: Sequence[float]) -> str:
    return f"{', '.join(f'{t_s:.1f}' for t_s in moments_s)} s"


def _table(columns: Sequence[tuple[str, _Cell]], agreements: Sequence[Agreement]) -> list[str]:
    rows = [["source", *(title for title, _ in columns)]]
    rows += [[one.source, *(cell(one) for _, cell in columns)] for one in agreements]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if at == 0 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _percent(proportion: Proportion) -> str:
    if not proportion.of:
        return NOTHING
    value = f"{100 * proportion.count / proportion.of:.1f}"
    if proportion.interval is None:
        return value
    low, high = proportion.interval
    return f"{value} [{100 * low:.1f}–{100 * high:.1f}]"


def _value(figure: Figure, form: str) -> str:
    if figure.value is None:
        return NOTHING
    if figure.interval is None:
        return form.format(figure.value)
    low, high = figure.interval
    return f"{form.format(figure.value)} [{form.format(low)}–{form.format(high)}]"

"""Recordings summed up: the figures of docs/validate.md, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from legcurl.validation.certainty import Interval, bootstrap, quantile, wilson
from legcurl.validation.comparison import Comparison

ALL = "all"


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many of so many."""

    count: int
    of: int
    interval: Interval | None

    def as_json(self) -> dict[str, Any]:
        """Counts, proportion and interval; null where there is none."""
        return {
            "count": self.count,
            "of": self.of,
            "proportion": round(self.count / self.of, 4) if self.of else None,
            "interval": _rounded(self.interval),
        }


@dataclass(frozen=True, slots=True)
class Figure:
    """A value over reps, with its bootstrap interval; None where nothing was measured."""

    value: float | None
    interval: Interval | None

    def as_json(self) -> dict[str, Any]:
        """Value and interval; null where there is none."""
        return {
            "value": None if self.value is None else round(self.value, 4),
            "interval": _rounded(self.interval),
        }


@dataclass(frozen=True, slots=True)
class Agreement:
    """One group of recordings against its labels."""

    source: str
    recordings: int
    right: Proportion  # of the recordings: each lift listed once, nothing else listed
    counted_right: Proportion  # of the recordings
    reps_found: Proportion  # of the labelled lifts
    reps_invented: Figure  # per 100 labelled lifts
    holds: int  # labelled ones in listed reps
    hold_start_error_s: Figure  # median of the absolute error
    hold_start_error_95_s: Figure  # its 95th percentile
    hold_end_error_s: Figure
    hold_end_error_95_s: Figure
    failure_precision: Proportion
    failure_recall: Proportion
    false_muscle_success: Proportion  # of the recordings without a failure

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.as_json() if isinstance(value, Proportion | Figure) else value
            for name, value in members.items()
        }


def agreements(comparisons: Sequence[Comparison]) -> list[Agreement]:
    """One by source, in the order of their names, and one of all if there are several."""
    sources = sorted({one.source for one in comparisons})
    found = [_agreement(s, [one for one in comparisons if one.source == s]) for s in sources]
    return found if len(found) == 1 else [*found, _agreement(ALL, comparisons)]


def _agreement(source: str, comparisons: Sequence[Comparison]) -> Agreement:
    without_failure = [one for one in comparisons if one.labels.failures_s == ()]
    hits = sum(one.failures_found for one in comparisons)
    invented = sum(len(one.failures_invented) for one in comparisons)
    missed = sum(len(one.failures_missed_s) for one in comparisons)
    return Agreement(
        source=source,
        recordings=len(comparisons),
        right=_proportion([one.right for one in comparisons]),
        counted_right=_proportion([one.counted_right for one in comparisons]),
        reps_found=Proportion(
            sum(one.found for one in comparisons),
            _labelled(comparisons),
            bootstrap(comparisons, _found_share),
        ),
        reps_invented=_figure(comparisons, _invented_per_100),
        holds=sum(len(one.hold_errors_s) for one in comparisons),
        hold_start_error_s=_figure(comparisons, lambda some: _typical(some, 0)),
        hold_start_error_95_s=_figure(comparisons, lambda some: _large(some, 0)),
        hold_end_error_s=_figure(comparisons, lambda some: _typical(some, 1)),
        hold_end_error_95_s=_figure(comparisons, lambda some: _large(some, 1)),
        failure_precision=_of(hits, hits + invented),
        failure_recall=_of(hits, hits + missed),
        false_muscle_success=_proportion([one.muscle_success for one in without_failure]),
    )


def _of(count: int, of: int) -> Proportion:
    return Proportion(count, of, wilson(count, of) if of else None)


def _proportion(answers: Sequence[bool]) -> Proportion:
    return _of(sum(answers), len(answers))


def _figure(
    comparisons: Sequence[Comparison], figure: Callable[[Sequence[Comparison]], float | None]
) -> Figure:
    value = figure(comparisons)
    return Figure(value, None if value is None else bootstrap(comparisons, figure))


def _labelled(comparisons: Sequence[Comparison]) -> int:
    return sum(len(one.labels.tops_s) for one in comparisons)


def _found_share(comparisons: Sequence[Comparison]) -> float | None:
    of = _labelled(comparisons)
    return sum(one.found for one in comparisons) / of if of else None


def _invented_per_100(comparisons: Sequence[Comparison]) -> float | None:
    of = _labelled(comparisons)
    return 100.0 * sum(len(one.invented) for one in comparisons) / of if of else None


def _errors(comparisons: Sequence[Comparison], end: int) -> list[float]:
    return [abs(errors[end]) for one in comparisons for errors in one.hold_errors_s]


def _typical(comparisons: Sequence[Comparison], end: int) -> float | None:
    errors = _errors(comparisons, end)
    return median(errors) if errors else None


def _large(comparisons: Sequence[Comparison], end: int) -> float | None:
    errors = _errors(comparisons, end)
    return quantile(errors, 0.95) if errors else None


def _rounded(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [round(edge, 4) for edge in interval]

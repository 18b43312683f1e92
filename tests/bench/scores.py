"""Sums over scored sets or sessions, and the figures that are printed of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from legcurl.events import RepResult
from legcurl.validation.certainty import wilson


@dataclass
class Score:
    """Sums over sets; `right` and `of` by question, errors and delays in s."""

    right: dict[str, int] = field(default_factory=dict)
    of: dict[str, int] = field(default_factory=dict)
    hold_errors: list[float] = field(default_factory=list)
    suspected: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    hits: int = 0  # failed reps found, missed, and seen where there was none
    misses: int = 0
    phantoms: int = 0

    def ask(self, question: str, *, right: bool) -> None:
        """Count an answer."""
        self.of[question] = self.of.get(question, 0) + 1
        self.right[question] = self.right.get(question, 0) + right

    def judge(self, said_failed: bool, failed: bool) -> None:
        """Count a verdict on a rep."""
        self.hits += said_failed and failed
        self.misses += failed and not said_failed
        self.phantoms += said_failed and not failed

    def add_hold(self, true: RepResult, holds: Iterable[tuple[float, float]]) -> None:
        """Note the error of the first of these holds that overlaps the true one."""
        for start_s, end_s in holds:
            if start_s < true.hold_end_s and end_s > true.hold_start_s:
                self.hold_errors.append(abs(end_s - start_s - true.hold_s))
                return

    def add(self, other: Score) -> None:
        """Add another score's sums."""
        for question, count in other.of.items():
            self.of[question] = self.of.get(question, 0) + count
            self.right[question] = self.right.get(question, 0) + other.right[question]
        for name in ("hold_errors", "suspected", "confirmed", "known"):
            getattr(self, name).extend(getattr(other, name))
        self.hits += other.hits
        self.misses += other.misses
        self.phantoms += other.phantoms


def percent(right: int, of: int) -> str:
    """A proportion with its interval, in %."""
    if of == 0:
        return "–"
    low, high = wilson(right, of)
    return f"{100 * right / of:.1f} [{100 * low:.1f}–{100 * high:.1f}]"


def quantile(values: Iterable[float], q: float) -> float:
    """Sample quantile; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else math.nan


def f1(score: Score) -> str:
    """F1 of the failed rep, with its counts."""
    of = 2 * score.hits + score.misses + score.phantoms
    value = 200 * score.hits / of if of else math.nan
    return f"{value:.1f} (−{score.misses} +{score.phantoms})"

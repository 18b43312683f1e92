"""One recording: which labelled lift is which listed rep, what is missed, what is invented.

A labelled top belongs to the listed rep in whose hold it lies, or in the upper part of its lift or
lowering, or within GRACE_S of the hold; each rep takes one top. So what is listed upside down, from
top to top, finds nothing. A rep that no top belongs to is invented, unless a moment labelled as
optional lies in it or within OPTIONAL_GRACE_S of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from legcurl.events import RepResult, SetResult, plain
from legcurl.validation.labels import Labels, Span

GRACE_S = 0.3  # of a label by eye against the ends of a hold
UPPER_SHARE = 0.6  # of the lift's and the lowering's time, in which a top by eye may lie
OPTIONAL_GRACE_S = 1.2  # what is optional is labelled anywhere in the movement
FAILURE_GRACE_S = 1.0  # the onset of a failed descent is hard to see


@dataclass(frozen=True, slots=True)
class Comparison:
    """One recording's labels and what was detected in it."""

    name: str
    source: str
    labels: Labels
    sets: tuple[SetResult, ...]
    missed_s: tuple[float, ...]  # labelled tops that no listed rep has
    invented: tuple[RepResult, ...]
    hold_errors_s: tuple[Span, ...]  # of start and end, detected minus labelled
    failures_missed_s: tuple[float, ...]
    failures_found: int
    failures_invented: tuple[RepResult, ...]

    @property
    def reps(self) -> list[RepResult]:
        """All listed reps."""
        return [rep for one in self.sets for rep in one.reps]

    @property
    def right(self) -> bool:
        """Every labelled lift is listed once and nothing else is."""
        return not self.missed_s and not self.invented

    @property
    def found(self) -> int:
        """How many labelled lifts are listed."""
        return len(self.labels.tops_s) - len(self.missed_s)

    @property
    def counted_right(self) -> bool:
        """As many reps are listed as labelled, what is optional left out."""
        return len(self.missed_s) == len(self.invented)

    @property
    def muscle_success(self) -> bool:
        """Some set is said to have ended in failure."""
        return any(one.outcome == "muscle_success" for one in self.sets)

    @property
    def disagrees(self) -> bool:
        """Something but the times of holds differs from the labels."""
        return bool(
            not self.right
            or self.failures_missed_s
            or self.failures_invented
            or (self.labels.failures_s == () and self.muscle_success)
        )

    def as_json(self) -> dict[str, Any]:
        """What disagrees; times in s of the recording."""
        return {
            "recording": self.name,
            "source": self.source,
            "missed_s": plain(self.missed_s),
            "invented_s": _spans(self.invented),
            "failures_missed_s": plain(self.failures_missed_s),
            "failures_invented_s": _spans(self.failures_invented),
            "muscle_success": self.muscle_success,
        }


def compare(name: str, source: str, labels: Labels, sets: Sequence[SetResult]) -> Comparison:
    """Compare the labels of a recording with the sets detected in it."""
    reps = [rep for one in sets for rep in one.reps]
    taken: dict[int, int] = {}  # rep -> top
    for top, t_s in enumerate(labels.tops_s):
        free = [i for i, rep in enumerate(reps) if i not in taken and _is_top_of(rep, t_s)]
        if free:
            taken[min(free, key=lambda i: _away(reps[i], t_s))] = top
    invented = [
        rep
        for i, rep in enumerate(reps)
        if i not in taken
        and not any(_away(rep, t_s) <= OPTIONAL_GRACE_S for t_s in labels.optional_s)
    ]
    found = set(taken.values())
    failed = [rep for rep in reps if rep.failure is not None]
    met: set[int] = set()
    failures_missed: list[float] = []
    for t_s in labels.failures_s or ():
        near = [i for i, rep in enumerate(failed) if _away(rep, t_s) <= FAILURE_GRACE_S]
        near = [i for i in near if i not in met]
        if near:
            met.add(min(near, key=lambda i: _away(failed[i], t_s)))
        else:
            failures_missed.append(t_s)
    judged = labels.failures_s is not None
    return Comparison(
        name=name,
        source=source,
        labels=labels,
        sets=tuple(sets),
        missed_s=tuple(t for i, t in enumerate(labels.tops_s) if i not in found),
        invented=tuple(invented),
        hold_errors_s=tuple(_hold_errors(labels.holds_s or (), [reps[i] for i in taken])),
        failures_missed_s=tuple(failures_missed),
        failures_found=len(met),
        failures_invented=tuple(r for i, r in enumerate(failed) if judged and i not in met),
    )


def _hold_errors(holds: Sequence[Span], reps: Sequence[RepResult]) -> list[Span]:
    """Of each labelled hold: start and end of the rep that overlaps it most, minus its own."""
    errors: list[Span] = []
    for start_s, end_s in holds:
        over = [min(rep.end_s, end_s) - max(rep.start_s, start_s) for rep in reps]
        if over and max(over) > 0.0:
            rep = reps[over.index(max(over))]
            errors.append((rep.hold_start_s - start_s, rep.hold_end_s - end_s))
    return errors


def _is_top_of(rep: RepResult, t_s: float) -> bool:
    before_s = max(GRACE_S, UPPER_SHARE * rep.concentric_s)
    after_s = max(GRACE_S, UPPER_SHARE * rep.eccentric_s)
    return rep.hold_start_s - before_s <= t_s <= rep.hold_end_s + after_s


def _spans(reps: Sequence[RepResult]) -> list[list[float]]:
    return plain([(rep.start_s, rep.end_s) for rep in reps])


def _away(rep: RepResult, t_s: float) -> float:
    """How far a moment lies outside of a rep; 0 within."""
    return max(0.0, rep.start_s - t_s, t_s - rep.end_s)

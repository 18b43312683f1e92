"""How often the count, the hold and the failed rep are right, by family of simulated sets.

    make bench-accuracy                          the judging sets (minutes)
    make bench-accuracy ACCURACY='--seeds tuning --sets 5 fail_low fail_high'

Detection sees each set as a program would, sample by sample; it is scored twice, with the range
learnt and with the installer's calibration, beside the two baselines of `baselines.py` on the same
sets. A set that a careful human could not be sure about is left out of the figure that it is
ambiguous in. Brackets are 95 % Wilson intervals.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

import baselines
import seeds
from dataset import SimulatedSet, make_set
from legcurl.events import (
    FailureSuspected,
    MotionEvent,
    MuscleSuccess,
    RepEnded,
    RepResult,
    SetEnded,
)
from legcurl.motion import Calibration, SetTracker
from legcurl.simulator.families import FAMILIES

OURS = ("range learnt", "calibrated")
METHODS = (*OURS, "hysteresis", "find_peaks")
SAME_REP_S = 1.5  # two descriptions of one rep begin this close together, or overlap


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


def scored(family: str, seed: int) -> tuple[str, dict[str, Score]]:
    """One set, seen by every method."""
    made = make_set(family, seed)
    calibration = Calibration(made.extended_deg, made.flexed_deg)
    scores = {
        "range learnt": score_ours(made, events_of(made, None)),
        "calibrated": score_ours(made, events_of(made, calibration)),
    }
    fraction = baselines.fractions(made.angle_deg, made.extended_deg, made.flexed_deg)
    for name in ("hysteresis", "find_peaks"):
        scores[name] = score_baseline(made, getattr(baselines, name)(made.t_s, fraction))
    return family, scores


def events_of(made: SimulatedSet, calibration: Calibration | None) -> list[MotionEvent]:
    """What live detection says of a set, in order."""
    tracker = SetTracker(calibration)
    events = tracker.push([round(t * 1e6) for t in made.t_s], made.angle_deg)
    return events + tracker.finish()


def unambiguous(made: SimulatedSet) -> bool:
    """Whether only one count can be defended."""
    low, high = made.truth.defensible_counts
    return low == high and not any(rep.ambiguous for rep in made.truth.reps)


def score_ours(made: SimulatedSet, events: Sequence[MotionEvent]) -> Score:
    """Score events against the truth."""
    score = Score()
    truth = made.truth
    sets = [event.set for event in events if isinstance(event, SetEnded)]
    reps = [rep for result in sets for rep in result.reps]
    if unambiguous(made):
        counted = sum(result.completed_reps for result in sets)
        score.ask("count", right=counted == truth.result.completed_reps)
    if not truth.outcome_ambiguous:
        outcome = sets[-1].outcome if sets else None
        score.ask("outcome", right=outcome == truth.result.outcome)
        if truth.result.outcome == "stopped":
            score.ask("no false failure", right=outcome != "muscle_success")
    first_known = {event.rep.start_s: event.t_s for event in events if isinstance(event, RepEnded)}
    for true in truth.reps:
        found = [rep for rep in reps if same(rep, true.rep)]
        failed = any(rep.failed for rep in found)
        if not true.ambiguous:
            score.hits += failed and true.rep.failed
            score.misses += true.rep.failed and not failed
            score.phantoms += failed and not true.rep.failed
        if found and true.rep.completed:
            if not true.hold_ambiguous:
                score.hold_errors.append(abs(found[0].hold_s - true.rep.hold_s))
            if found[0].start_s in first_known:
                score.known.append(first_known[found[0].start_s] - true.rep.end_s)
    fail_s = truth.result.outcome_s
    if truth.result.outcome == "muscle_success" and fail_s is not None:
        for kind, delays in (
            (FailureSuspected, score.suspected),
            (MuscleSuccess, score.confirmed),
        ):
            after = [e.t_s - fail_s for e in events if isinstance(e, kind) and e.t_s > fail_s - 1]
            delays.extend(after[:1])
    return score


def same(rep: RepResult, true: RepResult) -> bool:
    """Whether two descriptions are of one rep."""
    near = abs(rep.start_s - true.start_s) < SAME_REP_S
    return near or (rep.start_s < true.hold_end_s and rep.end_s > true.hold_start_s)


def score_baseline(made: SimulatedSet, found: baselines.Found) -> Score:
    """Score a baseline against the truth."""
    score = Score()
    truth = made.truth
    if unambiguous(made):
        score.ask("count", right=found.completed_reps == truth.result.completed_reps)
    if not truth.outcome_ambiguous:
        outcome = "muscle_success" if found.failed else "stopped"
        score.ask("outcome", right=outcome == truth.result.outcome)
        if truth.result.outcome == "stopped":
            score.ask("no false failure", right=not found.failed)
    failed = any(rep.rep.failed for rep in truth.reps if not rep.ambiguous)
    score.hits += found.failed and failed
    score.misses += failed and not found.failed
    score.phantoms += found.failed and not failed
    for true in truth.reps:
        if true.rep.completed and not true.hold_ambiguous:
            for start, end in found.holds:
                if start < true.rep.hold_end_s and end > true.rep.hold_start_s:
                    score.hold_errors.append(abs(end - start - true.rep.hold_s))
                    break
    return score


def wilson(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a proportion."""
    if of == 0:
        return 0.0, 1.0
    z = 1.96
    p = right / of
    middle = p + z * z / (2 * of)
    spread = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


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


def print_families(scores: dict[str, dict[str, Score]]) -> None:
    """One row a family: exact count in % by each method, then our outcome and hold."""
    print(f"\n{'family':20s} {'sets':>5s}", *(f"{name:>22s}" for name in METHODS), end="")
    print(f" {'outcome (learnt)':>22s} {'hold p50/p95 ms':>16s}")
    for family, by_method in scores.items():
        counts = [by_method[name] for name in METHODS]
        cells = [percent(s.right.get("count", 0), s.of.get("count", 0)) for s in counts]
        learnt = by_method["range learnt"]
        outcome = percent(learnt.right.get("outcome", 0), learnt.of.get("outcome", 0))
        errors = learnt.hold_errors
        hold = f"{1000 * quantile(errors, 0.5):.0f} / {1000 * quantile(errors, 0.95):.0f}"
        of = learnt.of.get("count", 0)
        print(f"{family:20s} {of:5d}", *(f"{c:>22s}" for c in cells), f"{outcome:>22s} {hold:>16s}")


def print_totals(scores: dict[str, dict[str, Score]], families: Iterable[str], title: str) -> None:
    """All families together, one row a figure."""
    total = {name: Score() for name in METHODS}
    for family in families:
        for name in METHODS:
            total[name].add(scores[family][name])
    print(f"\n{title}\n{'':34s}", *(f"{name:>22s}" for name in METHODS))
    for question, label in (
        ("count", "exact count, %"),
        ("outcome", "outcome, %"),
        ("no false failure", "no false failure when stopped, %"),
    ):
        cells = [percent(s.right.get(question, 0), s.of.get(question, 0)) for s in total.values()]
        print(f"{label:34s}", *(f"{cell:>22s}" for cell in cells))
    print(f"{'failed rep, F1 %':34s}", *(f"{f1(s):>22s}" for s in total.values()))
    for q in (0.5, 0.95):
        label = f"hold error, {100 * q:.0f}th percentile, ms"
        cells = [f"{1000 * quantile(s.hold_errors, q):.0f}" for s in total.values()]
        print(f"{label:34s}", *(f"{cell:>22s}" for cell in cells))
    for name, attribute in (
        ("failure suspected", "suspected"),
        ("failure confirmed", "confirmed"),
        ("rep known after its end", "known"),
    ):
        for q in (0.5, 0.95):
            label = f"{name}, {100 * q:.0f}th pct, s"
            cells = [f"{quantile(getattr(total[m], attribute), q):.2f}" for m in OURS]
            print(f"{label:34s}", *(f"{cell:>22s}" for cell in cells))


def f1(score: Score) -> str:
    """F1 of the failed rep, with its counts."""
    of = 2 * score.hits + score.misses + score.phantoms
    value = 200 * score.hits / of if of else math.nan
    return f"{value:.1f} (−{score.misses} +{score.phantoms})"


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description="Detection against truth, by family of sets.")
    parser.add_argument("families", nargs="*", help="names of families; all if none")
    parser.add_argument("--seeds", choices=("tuning", "judging"), default="judging")
    parser.add_argument("--sets", type=int, default=50, help="sets a family")
    parser.add_argument("--first", type=int, default=0, help="offset of the first seed")
    asked = parser.parse_args()
    drawn = (seeds.JUDGING if asked.seeds == "judging" else seeds.TUNING)[asked.first :]
    families = asked.families or list(FAMILIES)
    print(
        f"{len(families)} families × {asked.sets} {asked.seeds} sets, "
        f"seeds {drawn[0]} to {drawn[asked.sets - 1]}"
    )
    scores = {family: {name: Score() for name in METHODS} for family in families}
    with ProcessPoolExecutor() as pool:
        for family in families:
            for _, by_method in pool.map(scored, repeat(family, asked.sets), drawn[: asked.sets]):
                for name, score in by_method.items():
                    scores[family][name].add(score)
    print_families(scores)
    print_totals(scores, families, "All families")


if __name__ == "__main__":
    main()

"""How often the count, the hold and the failed rep are right, by family of simulated sets.

    make bench-accuracy                          the judging sets (minutes)
    make bench-accuracy ACCURACY='--seeds tuning --sets 5 fail_low fail_high'
    make bench-accuracy ACCURACY='--seeds tuning --people 200'      ordinary people alone

Detection sees each set as a program would, sample by sample; it is scored twice, with the range
learnt and with the installer's calibration, beside the two baselines of `baselines.py` on the same
sets. A set that a careful human could not be sure about is left out of the figure that it is
ambiguous in. Brackets are 95 % Wilson intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
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
from legcurl.motion import Calibration
from legcurl.simulator.families import FAMILIES
from people_accuracy import events_of, print_people, score_people
from scores import Score, f1, percent, quantile

OURS = ("range learnt", "calibrated")
METHODS = (*OURS, "hysteresis", "find_peaks")
PEOPLE = 300  # sessions, beside the families
SAME_REP_S = 1.5  # two descriptions of one rep begin this close together, or overlap


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
            score.judge(failed, true.rep.failed)
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
    score.judge(found.failed, failed)
    for true in truth.reps:
        if true.rep.completed and not true.hold_ambiguous:
            score.add_hold(true.rep, found.holds)
    return score


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


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description="Detection against truth, by family of sets.")
    parser.add_argument("families", nargs="*", help="names of families; all if none")
    parser.add_argument("--seeds", choices=("tuning", "judging"), default="judging")
    parser.add_argument("--sets", type=int, default=50, help="sets a family")
    parser.add_argument("--first", type=int, default=0, help="offset of the first seed")
    parser.add_argument("--people", type=int, help="only so many sessions of ordinary people")
    asked = parser.parse_args()
    drawn = (seeds.JUDGING if asked.seeds == "judging" else seeds.TUNING)[asked.first :]
    with ProcessPoolExecutor() as pool:
        if asked.people is None:
            families = asked.families or list(FAMILIES)
            _print_sets(pool, families, drawn[: asked.sets], asked.seeds)
        if not asked.families:
            people = drawn[: asked.people or PEOPLE]
            print_people(score_people(pool, people), asked.seeds, people)


def _print_sets(
    pool: ProcessPoolExecutor, families: Sequence[str], drawn: Sequence[int], kind: str
) -> None:
    """Score so many sets of each family, and print."""
    print(f"{len(families)} families × {len(drawn)} {kind} sets, seeds {drawn[0]} to {drawn[-1]}")
    scores = {family: {name: Score() for name in METHODS} for family in families}
    for family in families:
        for _, by_method in pool.map(scored, repeat(family, len(drawn)), drawn):
            for name, score in by_method.items():
                scores[family][name].add(score)
    print_families(scores)
    print_totals(scores, families, "All families")


if __name__ == "__main__":
    main()

"""How often a whole session of ordinary people is listed right, by ours and by the baselines.

A session is exact if every lift of the truth is listed once, nothing else is, and the set is the
right way round. Getting in and out, a demonstration and what the record cuts off may be listed or
not; a lift with pulses may be listed as one or more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import baselines
from dataset import SimulatedSession, SimulatedSet, make_session
from legcurl.events import MotionEvent, RepResult, SetEnded, SetResult
from legcurl.motion import Calibration, SetTracker
from legcurl.simulator.truth import RepTruth
from scores import Score, f1, percent, quantile

METHODS = ("range learnt", "calibrated", "hysteresis", "find_peaks")
EXACT = "every lift once, none invented, right way round"
ALL_LISTED = "every lift listed"
NONE_INVENTED = "none invented"
RIGHT_WAY_ROUND = "right way round"
NO_FALSE_FAILURE = "no false Muscle Success"
QUESTIONS = (EXACT, ALL_LISTED, NONE_INVENTED, RIGHT_WAY_ROUND, NO_FALSE_FAILURE)
PLAIN = "nothing of all this"
LEAST_OVERLAP = 0.3  # of the union, of two descriptions of one lift
EDGE = 0.03  # of a lift: the middle of the hold lies within

Span = tuple[float, float]


@dataclass(frozen=True)
class SessionScore:
    """One session: scores by method, and what went wrong in words."""

    seed: int
    events: tuple[str, ...]
    scores: dict[str, Score]
    wrong: dict[str, str] = field(default_factory=dict)


def events_of(
    made: SimulatedSet | SimulatedSession, calibration: Calibration | None
) -> list[MotionEvent]:
    """What live detection says of a set or session, in order."""
    tracker = SetTracker(calibration)
    events = tracker.push([round(t * 1e6) for t in made.t_s], made.angle_deg)
    return events + tracker.finish()


def score_people(executor: Executor, seeds: Iterable[int]) -> list[SessionScore]:
    """Simulate and score a session for each seed."""
    return list(executor.map(scored_session, seeds))


def scored_session(seed: int) -> SessionScore:
    """One session, seen by every method."""
    made = make_session(seed)
    scores: dict[str, Score] = {}
    wrong: dict[str, str] = {}
    calibration = Calibration(made.extended_deg, made.flexed_deg)
    for name, known in (("range learnt", None), ("calibrated", calibration)):
        ended = [event.set for event in events_of(made, known) if isinstance(event, SetEnded)]
        scores[name], wrong[name] = _score_ours(made, ended)
    fraction = baselines.fractions(made.angle_deg, made.extended_deg, made.flexed_deg)
    for name in ("hysteresis", "find_peaks"):
        scores[name] = _score_baseline(made, getattr(baselines, name)(made.t_s, fraction))
    told = {name: words for name, words in wrong.items() if words}
    return SessionScore(seed, made.events, scores, told)


def paired(lifts: Sequence[RepTruth], found: Sequence[Span]) -> dict[int, int]:
    """Which lift of the truth is which found one: indices, best overlap first, each once."""
    candidates: list[tuple[float, int, int]] = []
    for i, lift in enumerate(lifts):
        rep = lift.rep
        middle = 0.5 * (rep.hold_start_s + rep.hold_end_s)
        for j, (start_s, end_s) in enumerate(found):
            common = min(rep.end_s, end_s) - max(rep.start_s, start_s)
            if common <= 0.0:
                continue
            overlap = common / (max(rep.end_s, end_s) - min(rep.start_s, start_s))
            margin = EDGE * (end_s - start_s)
            inside = start_s + margin <= middle <= end_s - margin and overlap > LEAST_OVERLAP
            if inside or (lift.pulsed and start_s <= middle <= end_s):
                candidates.append((overlap, i, j))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(candidates, reverse=True):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs


def compare(made: SimulatedSession, found: Sequence[Span]) -> tuple[dict[int, int], int, int]:
    """Pairs (indices into due and optional lifts, found), and how many are missed and invented."""
    due = listed(made)
    lifts = [*due, *made.optional]
    pairs = paired(due, found)  # first, so that no optional lift takes what is found of them
    missed = len(due) - len(pairs)
    left = [j for j in range(len(found)) if j not in pairs.values()]
    for i, j in paired(made.optional, [found[j] for j in left]).items():
        pairs[len(due) + i] = left[j]
    lenient = [lift.rep for lift in lifts if lift.pulsed or lift in made.optional]
    taken = set(pairs.values())
    invented = sum(
        not any(_mostly_within(span, rep) for rep in lenient)
        for j, span in enumerate(found)
        if j not in taken
    )
    return pairs, missed, invented


def _mostly_within(span: Span, rep: RepResult) -> bool:
    common = min(span[1], rep.end_s) - max(span[0], rep.start_s)
    return common > 0.5 * (span[1] - span[0])


def listed(made: SimulatedSession) -> list[RepTruth]:
    """The lifts that have to be listed."""
    return [truth for one in made.sets for truth in one.reps]


def _fails(made: SimulatedSession) -> bool:
    """Whether a lift fails, or may be taken to."""
    reps = [*listed(made), *made.optional]
    doubtful = any(one.outcome_ambiguous for one in made.sets)
    return doubtful or any(truth.rep.failure is not None for truth in reps)


def _listing(score: Score, missed: int, invented: int, right_way: bool) -> None:
    score.ask(EXACT, right=not missed and not invented and right_way)
    score.ask(ALL_LISTED, right=not missed)
    score.ask(NONE_INVENTED, right=not invented)
    score.ask(RIGHT_WAY_ROUND, right=right_way)


def _score_ours(made: SimulatedSession, ended: Sequence[SetResult]) -> tuple[Score, str]:
    """Score of one of our methods, and what is wrong in words."""
    score = Score()
    reps = [rep for result in ended for rep in result.reps]
    pairs, missed, invented = compare(made, [(rep.start_s, rep.end_s) for rep in reps])
    right_way = all(_direction(result) == made.direction for result in ended)
    _listing(score, missed, invented, right_way)
    false_failure = any(result.outcome == "muscle_success" for result in ended)
    if not _fails(made):
        score.ask(NO_FALSE_FAILURE, right=not false_failure)
    for i, truth in enumerate(listed(made)):
        rep = reps[pairs[i]] if i in pairs else None
        failed = rep is not None and rep.failed
        if not truth.ambiguous and truth.kind != "forced":
            score.judge(failed, truth.rep.failed)
        if rep is not None and not truth.hold_ambiguous and not truth.pulsed:
            score.hold_errors.append(abs(rep.hold_s - truth.rep.hold_s))
    words = [f"{missed} missed"] * bool(missed) + [f"{invented} invented"] * bool(invented)
    words += ["upside down"] * (not right_way)
    words += ["false Muscle Success"] * (false_failure and not _fails(made))
    return score, ", ".join(words)


def _direction(result: SetResult) -> int:
    """Which way flexion goes on the sensor's axis, as a set says; 0 where it does not."""
    if result.extended_deg is None or result.flexed_deg is None:
        return 0
    turned = (result.flexed_deg - result.extended_deg + 180.0) % 360.0 - 180.0
    return round(math.copysign(1.0, turned))


def _score_baseline(made: SimulatedSession, found: baselines.Found) -> Score:
    """Score of a baseline, which is told the direction."""
    score = Score()
    pairs, missed, invented = compare(made, found.lifts)
    _listing(score, missed, invented, right_way=True)
    if not _fails(made):
        score.ask(NO_FALSE_FAILURE, right=not found.failed)
    due = listed(made)
    failed = any(truth.rep.failed for truth in due if not truth.ambiguous)
    score.judge(found.failed, failed)
    for i, truth in enumerate(due):
        if i in pairs and not truth.hold_ambiguous and not truth.pulsed:
            score.add_hold(truth.rep, found.holds)
    return score


def print_people(sessions: Sequence[SessionScore], kind: str, seeds: Sequence[int]) -> None:
    """One row a figure; on tuning seeds, what went wrong by seed as well."""
    total = {name: Score() for name in METHODS}
    for session in sessions:
        for name, score in session.scores.items():
            total[name].add(score)
    print(
        f"\nOrdinary people: {len(sessions)} {kind} sessions, seeds {seeds[0]} to {seeds[-1]}\n"
        f"{'':49s}",
        *(f"{name:>22s}" for name in METHODS),
    )
    for question in QUESTIONS:
        cells = [percent(s.right.get(question, 0), s.of.get(question, 0)) for s in total.values()]
        print(f"{question + ', %':49s}", *(f"{cell:>22s}" for cell in cells))
    print(f"{'failed rep, F1 %':49s}", *(f"{f1(s):>22s}" for s in total.values()))
    for q in (0.5, 0.95):
        label = f"hold error, {100 * q:.0f}th percentile, ms"
        cells = [f"{1000 * quantile(s.hold_errors, q):.0f}" for s in total.values()]
        print(f"{label:49s}", *(f"{cell:>22s}" for cell in cells))
    _print_by_event(sessions)
    if kind == "tuning":
        for session in sessions:
            for name, words in session.wrong.items():
                print(f"  seed {session.seed}, {name}: {words} ({', '.join(session.events)})")


def _print_by_event(sessions: Sequence[SessionScore]) -> None:
    """Exact sessions by what happens in them; one session may be in several rows."""
    print(f"\n{'exact, % of sessions with':49s}", *(f"{name:>22s}" for name in METHODS))
    names = sorted({event for session in sessions for event in session.events or (PLAIN,)})
    for name in names:
        some = [session for session in sessions if name in (session.events or (PLAIN,))]
        cells = [
            percent(sum(session.scores[method].right[EXACT] for session in some), len(some))
            for method in METHODS
        ]
        print(f"{name:49s}", *(f"{cell:>22s}" for cell in cells))

"""What became of attempts and of a set, in the values that leave the core.

In: verdicts. Out: `RepResult`, `SetResult`, and the words for why an attempt is called failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from legcurl.events import Failure, Outcome, RepResult, SetResult
from legcurl.motion.classify import Judged
from legcurl.motion.lifter_range import LifterRange
from legcurl.training_method import REST_SHOWN_S, STANDARD, TrainingMethod

FAILURES: Mapping[str, Failure] = {"failed_mid_lift": "mid_lift", "failed_in_hold": "in_hold"}
"""Verdicts that are failures, as a rep tells them."""

MOMENTS = (
    *("start_s", "end_s", "hold_start_s", "hold_end_s", "known_s", "fail_s"),
    *("outcome_s", "outcome_known_s"),
)
"""Fields of reps and sets that are points in time; all others ending in `_s` are durations."""

FIRST_REPS = 3
"""Velocity loss is against the best of the first so many reps (Steele et al. 2017)."""


def set_result(
    reps: Sequence[RepResult],
    lifter: LifterRange,
    *,
    sign: int,
    known_s: Sequence[float],
    ended_s: float,
    interrupted: bool,
    incomplete: bool,
    method: TrainingMethod,
) -> SetResult:
    """Sum up a set that was judged by `method`.

    `sign` is that of flexion on the sensor's axis; `known_s` says of each rep when its failure was
    known, if it has one.
    """
    outcome: Outcome = "interrupted" if interrupted else "stopped"
    outcome_s = None
    outcome_known_s = ended_s
    if reps[-1].failure is not None:
        outcome = "muscle_success"
        first = len(reps) - 1
        while first > 0 and reps[first - 1].failure is not None:
            first -= 1
        outcome_s = reps[first].fail_s
        outcome_known_s = known_s[first]
    rests = sum(rep.rest_before_s for rep in reps[1:] if rep.rest_before_s > REST_SHOWN_S)
    completed = [rep for rep in reps if rep.completed]
    peaks = [rep.peak_deg for rep in completed]
    return SetResult(
        start_s=reps[0].start_s,
        end_s=reps[-1].end_s,
        outcome=outcome,
        outcome_s=outcome_s,
        outcome_known_s=outcome_known_s,
        time_under_load_s=reps[-1].end_s - reps[0].start_s - rests,
        completed_reps=len(completed),
        reps=tuple(reps),
        rom_deg=lifter.rom_deg,
        extended_deg=sign * lifter.extended % 360.0,
        flexed_deg=sign * lifter.flexed % 360.0,
        velocity_loss=velocity_loss(reps),
        rom_loss=1 - peaks[-1] / max(peaks) if peaks else None,
        incomplete=incomplete or any(rep.incomplete for rep in reps),
        counted_reps=counted_reps(reps, method),
        method=None if method == STANDARD else method,
    )


def counted_reps(reps: Iterable[RepResult], method: TrainingMethod) -> int | None:
    """Reps from the fraction that the method counts from; None where those are the full ones."""
    if not method.counts_apart:
        return None
    return sum(not rep.failed and method.counts(rep.rom_fraction) for rep in reps)


def velocity_loss(reps: Sequence[RepResult]) -> float | None:
    """How much slower the last completed rep was than the best of the first; None before any."""
    speeds = [rep.mean_velocity_deg_s for rep in reps if rep.completed]
    return 1 - speeds[-1] / max(speeds[:FIRST_REPS]) if speeds else None


def rep_result(
    judged: Judged, lifter: LifterRange, number: int, known_s: float, method: TrainingMethod
) -> RepResult:
    """Build a rep from a verdict; the rest before it is the set's to know."""
    attempt = judged.attempt
    failure = FAILURES.get(judged.verdict)
    return RepResult(
        number=number,
        completed=judged.verdict in ("completed", "failed_in_hold"),
        failed=failure == "mid_lift",
        failure=failure,
        start_s=attempt.start_s,
        hold_start_s=attempt.hold_start_s,
        hold_end_s=attempt.hold_end_s,
        end_s=attempt.end_s,
        known_s=known_s,
        concentric_s=attempt.concentric_s,
        hold_s=attempt.hold_s,
        eccentric_s=attempt.eccentric_s,
        rest_before_s=0.0,
        peak_deg=attempt.top_deg - lifter.extended,
        rom_fraction=judged.fraction,
        hold_met=failure is None and method.hold_met(attempt.hold_s),
        full_rom=method.full(judged.fraction),
        fail_s=attempt.hold_end_s if failure else None,
        evidence=evidence_of(judged) if failure else None,
        mean_velocity_deg_s=attempt.speed_deg_s,
        incomplete=attempt.incomplete,
    )


def evidence_of(judged: Judged) -> str:
    """Why an attempt is called failed, in words."""
    effort = judged.effort
    height = f"{100 * judged.fraction:.0f} % of range"
    if effort is None:
        return f"came down from {height}"
    down = "dropped" if effort.dropping else "came down"
    if judged.verdict == "failed_in_hold":
        return (
            f"rose at {100 * effort.slowed:.0f} % of the usual speed to {height}, held for "
            f"{judged.attempt.hold_s:.1f} s, then {down}"
        )
    return f"crept for {effort.creep_s:.1f} s, stalled at {height}, then {down}"


def what_changed(old: RepResult, new: RepResult) -> str:
    """Say in words why a rep is told anew."""
    if old.completed != new.completed or old.failure != new.failure:
        return "judged again by what followed"
    if old.number != new.number:
        return "an earlier motion was no rep"
    return "the range was learnt better"


def shifted(result: SetResult, by_s: float) -> SetResult:
    """The same set on a clock that shows `by_s` more."""
    return replace(_moved(result, by_s), reps=tuple(_moved(rep, by_s) for rep in result.reps))


_Timed = TypeVar("_Timed", SetResult, RepResult)


def _moved(timed: _Timed, by_s: float) -> _Timed:
    """With every moment moved; durations stay."""
    moments = {
        name: moment + by_s
        for name in MOMENTS
        if (moment := getattr(timed, name, None)) is not None
    }
    return replace(timed, **moments)

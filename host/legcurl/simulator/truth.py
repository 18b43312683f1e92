"""What really happened, by the definitions of docs/detection.md, from the noise-free angle.

The program that ships sees a quantised, noisy angle and must decide as it goes. This module has
the exact flexion angle of a whole set, the lifter's diary (what he meant, and whether he failed),
and all the time in the world. It shares no code with `legcurl.motion`, so that they can disagree.

`truth_measure.py` finds the moments of each attempt; here they become reps and a set. Where a
careful human with the trace alone could not be sure, the truth says so: `hold_ambiguous`,
`ambiguous`, `outcome_ambiguous`, `defensible_counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from statistics import median
from typing import Any, Literal

from legcurl.events import Failure, Outcome, RepResult, SetResult, plain
from legcurl.simulator.intent import Diary
from legcurl.simulator.truth_measure import GRID_S, Measured, Track, measure, up_and_down

FULL_ROM = 0.90
REACHED = 0.95  # of the ROM: a lifter who fails above has completed the lift
HOLD_TARGET_S = 3.0
LONG_REST_S = 1.0

# Where a careful human could go either way.
FULL_ROM_DOUBT = 0.02  # so near to FULL_ROM the sides cannot be told apart
FAILED_NEAR_TOP = 0.88  # of the ROM: a failure up here may be counted as completed
SHORT_HOLD_S = 0.35  # shorter holds have no measurable length
CREEP_FRACTION = 0.35  # of the usual speed; slower, and upwards, is creeping
CREEP_LEAST_DEG_S = 0.3  # slower is standing still
CREEP_CLEAR_S = 0.8  # a failure that crept for less is not plain to see
CREEP_LITTLE_S = 0.5  # a chosen partial that crept for longer looks like a failure,
HELD_CLEARLY_S = 1.2  # unless he held it for this long, and
LOWERED_CLEARLY = 1.3  # let it down no faster than this times his usual speed, and
AS_HIGH_AS_BEFORE = 0.08  # of the ROM: went nearly as high as in the rep before
DROP_DEG_S = 40.0  # let down faster than this without having been held: slipped, failed, chosen?
SMALL_ATTEMPT_DEG = 7.0  # less than 6° is no attempt; as it is measured to a degree

Kind = Literal["lift", "forced", "getting_in", "demonstration", "getting_out", "cut_off"]
"""What a movement of the lever was; `forced` is a lift that a coach helped up."""


@dataclass(frozen=True, slots=True)
class RepTruth:
    """A rep as it was, and whether that can be seen."""

    rep: RepResult
    hold_ambiguous: bool
    ambiguous: bool
    chosen_short: bool
    assisted: bool
    creep_s: float  # time going up below 35 % of the lifter's usual speed
    kind: Kind = "lift"
    pulsed: bool = False  # with pulses at the top: one rep or more
    rise_deg: float = 0.0  # from the bottom it began at to the top

    def as_json(self) -> dict[str, Any]:
        """The rep in the schema of `legcurl analyze`, with what only the truth knows added."""
        return {
            **plain(self.rep),
            "hold_ambiguous": self.hold_ambiguous,
            "ambiguous": self.ambiguous,
            "kind": self.kind,
            "pulsed": self.pulsed,
        }

    def shifted(self, by_s: float) -> RepTruth:
        """The same rep on another clock."""
        return replace(self, rep=_rep_shifted(self.rep, by_s))


@dataclass(frozen=True, slots=True)
class SetTruth:
    """A set as it was: the result a perfect program would give, and what could be disputed."""

    result: SetResult
    reps: tuple[RepTruth, ...]
    outcome_ambiguous: bool
    defensible_counts: tuple[int, int]
    not_reps: tuple[tuple[float, float], ...]
    rests: tuple[tuple[float, float], ...]

    def as_json(self) -> dict[str, Any]:
        """The set in the schema of `legcurl analyze`, with what only the truth knows added."""
        member = plain(self.result)
        member["reps"] = [truth.as_json() for truth in self.reps]
        member["outcome_ambiguous"] = self.outcome_ambiguous
        member["defensible_counts"] = list(self.defensible_counts)
        member["not_reps"] = plain(self.not_reps)
        member["rests"] = plain(self.rests)
        return member

    def shifted(self, by_s: float) -> SetTruth:
        """The same set on another clock."""
        reps = tuple(truth.shifted(by_s) for truth in self.reps)
        outcome_s = self.result.outcome_s
        return replace(
            self,
            reps=reps,
            result=replace(
                self.result,
                start_s=self.result.start_s + by_s,
                end_s=self.result.end_s + by_s,
                outcome_s=None if outcome_s is None else outcome_s + by_s,
                outcome_known_s=self.result.outcome_known_s + by_s,
                reps=tuple(truth.rep for truth in reps),
            ),
            not_reps=tuple((a + by_s, b + by_s) for a, b in self.not_reps),
            rests=tuple((a + by_s, b + by_s) for a, b in self.rests),
        )


def evaluate(track: Track, diary: Diary, rom_deg: float) -> SetTruth | None:
    """The truth of one set; None where the lifter never made an attempt."""
    attempts = [entry for entry in diary.entries if entry.kind == "rep"]
    if diary.broken_off:
        attempts.pop()  # its end is unknown
    measured: list[Measured] = []
    for position, entry in enumerate(attempts):
        until = (
            attempts[position + 1].begin_s if position + 1 < len(attempts) else entry.end_s + 2.0
        )
        found = measure(track, entry, until)
        if found is not None:
            measured.append(found)
    if not measured:
        return None
    measured = apart(measured)
    reps = judged(measured, rom_deg, track)
    others = [entry for entry in diary.entries if entry.kind == "not_a_rep"]
    like_reps = sum(up_and_down(track, entry) > FAILED_NEAR_TOP * rom_deg for entry in others)
    not_reps = tuple((entry.begin_s, entry.end_s) for entry in others)
    truth = set_truth(reps, not_reps, rom_deg, diary.broken_off, like_reps)
    unseen = attempts[-1] is not measured[-1].entry and attempts[-1].failed is not None
    return replace(truth, outcome_ambiguous=truth.outcome_ambiguous or unseen)


def apart(measured: Sequence[Measured]) -> list[Measured]:
    """The same attempts, none of which ends after the next one's start."""
    following = [*(one.start for one in measured[1:]), inf]
    return [
        replace(one, end=min(one.end, start))
        for one, start in zip(measured, following, strict=True)
    ]


def judged(
    measured: Sequence[Measured],
    rom_deg: float,
    track: Track,
    *,
    full_rom_doubt: float = FULL_ROM_DOUBT,
) -> tuple[RepTruth, ...]:
    """Number the attempts and decide completed, failed, partial, by the definitions."""
    usual = median(_mean_velocity(track, m) for m in measured[:3])
    lowering = median(_lowering(track, m) for m in measured[:3])
    truths: list[RepTruth] = []
    previous_end = None
    for number, m in enumerate(measured, 1):
        peak_deg = m.top_deg - m.entry.zero_deg
        fraction = peak_deg / rom_deg
        failure: Failure | None = m.entry.failed
        if failure == "mid_lift" and fraction >= REACHED:
            failure = "in_hold"
        elif failure == "in_hold" and fraction < FULL_ROM:
            failure = "mid_lift"
        failed = failure == "mid_lift"
        completed = fraction >= FULL_ROM and not failed
        start, hold_start, hold_end, end = (
            track.time(p) for p in (m.start, m.hold_start, m.hold_end, m.end)
        )
        creep_s = _creep(track, m, CREEP_FRACTION * usual)
        rep = RepResult(
            number=number,
            completed=completed,
            failed=failed,
            failure=failure,
            start_s=start,
            hold_start_s=hold_start,
            hold_end_s=hold_end,
            end_s=end,
            known_s=end,
            concentric_s=hold_start - start,
            hold_s=hold_end - hold_start,
            eccentric_s=end - hold_end,
            rest_before_s=0.0 if previous_end is None else max(0.0, start - previous_end),
            peak_deg=peak_deg,
            rom_fraction=fraction,
            hold_met=hold_end - hold_start >= HOLD_TARGET_S,
            full_rom=fraction >= FULL_ROM,
            fail_s=hold_end if failure else None,
            mean_velocity_deg_s=_mean_velocity(track, m),
        )
        hold_doubtful = m.hold_doubtful or failed or rep.hold_s < SHORT_HOLD_S
        lowered = _lowering(track, m) <= LOWERED_CLEARLY * lowering
        as_before = bool(truths) and fraction >= truths[-1].rep.rom_fraction - AS_HIGH_AS_BEFORE
        truths.append(
            RepTruth(
                rep,
                hold_doubtful,
                _ambiguous(m, rep, creep_s, lowered and as_before, full_rom_doubt),
                m.entry.chosen_short,
                m.entry.assisted,
                creep_s,
                pulsed=m.entry.pulses > 0,
                rise_deg=m.rise_deg,
            )
        )
        previous_end = end
    return tuple(truths)


def _ambiguous(
    m: Measured, rep: RepResult, creep_s: float, unhurried: bool, full_rom_doubt: float
) -> bool:
    """Whether a careful human could count or judge this attempt otherwise."""
    fraction = rep.rom_fraction
    if rep.failed:
        unclear = creep_s < CREEP_CLEAR_S or m.rise_deg < SMALL_ATTEMPT_DEG
        return unclear or fraction >= FAILED_NEAR_TOP
    if rep.failure == "in_hold":
        return fraction < 0.99 or rep.hold_s < HOLD_TARGET_S / 2
    if abs(fraction - FULL_ROM) < full_rom_doubt:
        return True
    if fraction < FULL_ROM:  # chosen: plain unless it looked like a failure, or like a slip
        dropped = rep.hold_s < SHORT_HOLD_S and m.rise_deg > DROP_DEG_S * rep.eccentric_s
        struggled = creep_s > CREEP_LITTLE_S and not (unhurried and rep.hold_s >= HELD_CLEARLY_S)
        return struggled or dropped or m.rise_deg < SMALL_ATTEMPT_DEG
    return False


def set_truth(
    reps: tuple[RepTruth, ...],
    not_reps: tuple[tuple[float, float], ...],
    rom_deg: float,
    broken_off: bool,
    like_reps: int,
) -> SetTruth:
    """Sum the attempts up to a set; `like_reps` of what was no rep looks like one."""
    results = tuple(truth.rep for truth in reps)
    completed = [rep for rep in results if rep.completed]
    last = reps[-1]
    outcome: Outcome = "muscle_success" if last.rep.failure else "stopped"
    if broken_off:
        outcome = "interrupted"
    deciding = None
    for truth in reversed(reps):
        if truth.rep.failure is None:
            break
        deciding = truth.rep.fail_s
        if truth.rep.completed:
            break
    rests = tuple(
        (before.end_s, after.start_s)
        for before, after in pairwise(results)
        if after.start_s - before.end_s > LONG_REST_S
    )
    start_s, end_s = results[0].start_s, results[-1].end_s
    fewest = len(completed) - sum(t.ambiguous and t.rep.completed for t in reps)
    most = len(completed) + sum(
        t.ambiguous and not t.rep.completed and t.rep.rom_fraction >= FAILED_NEAR_TOP for t in reps
    )
    most += like_reps
    early = [rep.mean_velocity_deg_s for rep in completed[:3]]
    result = SetResult(
        start_s=start_s,
        end_s=end_s,
        outcome=outcome,
        outcome_s=deciding,
        outcome_known_s=end_s,
        time_under_load_s=end_s - start_s - sum(b - a for a, b in rests),
        completed_reps=len(completed),
        reps=results,
        rom_deg=rom_deg,
        velocity_loss=1.0 - completed[-1].mean_velocity_deg_s / max(early) if early else None,
        rom_loss=(
            1.0 - completed[-1].peak_deg / max(rep.peak_deg for rep in completed)
            if completed
            else None
        ),
    )
    return SetTruth(
        result=result,
        reps=reps,
        outcome_ambiguous=_outcome_ambiguous(last),
        defensible_counts=(fewest, most),
        not_reps=not_reps,
        rests=rests,
    )


def _outcome_ambiguous(last: RepTruth) -> bool:
    """Whether the set's end could be read as the other outcome."""
    if last.rep.failure == "in_hold":
        return True
    if last.rep.failure == "mid_lift":
        return last.ambiguous and last.rep.rom_fraction < FAILED_NEAR_TOP
    return not last.rep.completed and last.ambiguous


def _rep_shifted(rep: RepResult, by_s: float) -> RepResult:
    return replace(
        rep,
        start_s=rep.start_s + by_s,
        hold_start_s=rep.hold_start_s + by_s,
        hold_end_s=rep.hold_end_s + by_s,
        end_s=rep.end_s + by_s,
        known_s=rep.known_s + by_s,
        fail_s=None if rep.fail_s is None else rep.fail_s + by_s,
    )


def _mean_velocity(track: Track, m: Measured) -> float:
    a, b = int(m.start), int(m.hold_start)
    return (track.angle[b] - track.angle[a]) / (max(1, b - a) * GRID_S)


def _lowering(track: Track, m: Measured) -> float:
    a, b = int(m.hold_end), int(m.end)
    return (track.angle[a] - track.angle[b]) / (max(1, b - a) * GRID_S)


def _creep(track: Track, m: Measured, below_deg_s: float) -> float:
    """Time between start and final descent spent going up slower than this."""
    rising = track.velocity[int(m.start) : int(m.hold_end) + 1]
    high = m.top_deg
    return GRID_S * sum(
        CREEP_LEAST_DEG_S < v < below_deg_s and a < high - 0.5
        for v, a in zip(rising, track.angle[int(m.start) :], strict=False)
    )

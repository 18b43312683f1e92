"""What really happened, by the definitions of docs/detection.md, from the noise-free angle.

The program that ships sees a quantised, noisy angle and must decide as it goes. This module has
the exact flexion angle of a whole set, the lifter's diary (what he meant, and whether he failed),
and all the time in the world. It shares no code with `legcurl.motion`, so that they can disagree.

Velocity is that of the angle after zero-phase Gaussian smoothing (σ = 0.10 s), evaluated on a
100 Hz grid; crossings are interpolated. Where a careful human with the trace alone could not be
sure, the truth says so: `hold_ambiguous`, `ambiguous`, `outcome_ambiguous`, `defensible_counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp
from operator import mul
from statistics import median
from typing import Any

from legcurl.events import Failure, Outcome, RepResult, SetResult, plain
from legcurl.simulator.lifter import Diary, DiaryEntry

GRID_S = 0.01
SIGMA_S = 0.10  # of the Gaussian in the definition of velocity
V0_DEG_S = 5.0  # the quasi-static threshold
HOLD_BAND_DEG = 3.0
MEDIAN_S = 0.25  # window of the running median whose maximum is the top
ATTEMPT_DEG = 6.0  # moving less is no attempt
RETURN_DEG = 6.0  # coming back up to within this of the level held: a pulse, not the way down
PULSE_DEG = 1.5  # a rise of this much is coming back up
NEAR_TOP_DEG = 10.0  # an overshoot and a sag stay within this of the top
DOUBTFUL_CATCH_DEG = 12.0  # a stop so near below the level held may be taken for the hold
FULL_ROM = 0.90
REACHED = 0.95  # of the ROM: whoever fails above has completed the lift
HOLD_TARGET_S = 3.0
LONG_REST_S = 1.0

# Where a careful human could go either way.
FULL_ROM_DOUBT = 0.02
FAILED_NEAR_TOP = 0.88
SHORT_HOLD_S = 0.35
CREEP_FRACTION = 0.35
CREEP_CLEAR_S = 0.8
CREEP_LITTLE_S = 0.5


@dataclass(frozen=True, slots=True)
class RepTruth:
    """A rep as it was, and whether that can be seen."""

    rep: RepResult
    hold_ambiguous: bool
    ambiguous: bool
    chosen_short: bool
    assisted: bool
    creep_s: float  # time going up below 35 % of the lifter's usual speed


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
        for rep, truth in zip(member["reps"], self.reps, strict=True):
            rep["hold_ambiguous"] = truth.hold_ambiguous
            rep["ambiguous"] = truth.ambiguous
        member["outcome_ambiguous"] = self.outcome_ambiguous
        member["defensible_counts"] = list(self.defensible_counts)
        member["not_reps"] = plain(self.not_reps)
        member["rests"] = plain(self.rests)
        return member

    def shifted(self, by_s: float) -> SetTruth:
        """The same set on another clock."""
        reps = tuple(replace(truth, rep=_rep_shifted(truth.rep, by_s)) for truth in self.reps)
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


class Track:
    """A noise-free angle on the 100 Hz grid, with its smoothed velocity and questions to it."""

    def __init__(self, start_s: float, angle_deg: Sequence[float]) -> None:
        self.start_s = start_s
        self.angle = list(angle_deg)
        self.velocity = smoothed_velocity(self.angle)

    def time(self, position: float) -> float:
        """Seconds of a (fractional) grid position."""
        return self.start_s + position * GRID_S

    def index(self, t_s: float) -> int:
        """The grid point nearest to a time, within the track."""
        return min(len(self.angle) - 1, max(0, round((t_s - self.start_s) / GRID_S)))

    def crossing(self, before: int, level: float) -> float:
        """Where the velocity passes `level` between grid points `before` and the next."""
        a, b = self.velocity[before], self.velocity[before + 1]
        return before + ((level - a) / (b - a) if a != b else 0.5)


def smoothed_velocity(angle_deg: Sequence[float]) -> list[float]:
    """Derivative of the Gaussian-smoothed angle in deg/s, by one antisymmetric kernel."""
    sigma = SIGMA_S / GRID_S
    reach = int(4.5 * sigma)
    kernel = [exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)]
    scale = 1.0 / (sum(kernel) * GRID_S)
    # Smoothing the central difference is the derivative of the smoothed angle on this grid.
    weights = [k * scale for k in kernel]
    padded = [angle_deg[0]] * (reach + 1) + list(angle_deg) + [angle_deg[-1]] * (reach + 1)
    steps = [0.5 * (padded[i + 2] - padded[i]) for i in range(len(padded) - 2)]
    return [sum(map(mul, weights, steps[i : i + 2 * reach + 1])) for i in range(len(angle_deg))]


def evaluate(track: Track, diary: Diary, rom_deg: float) -> SetTruth | None:
    """The truth of one set; None where the lifter never made an attempt."""
    attempts = [entry for entry in diary.entries if entry.kind == "rep"]
    if diary.broken_off:
        attempts.pop()  # nobody will know how it would have ended
    measured: list[_Measured] = []
    for position, entry in enumerate(attempts):
        until = (
            attempts[position + 1].begin_s if position + 1 < len(attempts) else entry.end_s + 2.0
        )
        found = _measure(track, entry, until)
        if found is not None:
            measured.append(found)
    if not measured:
        return None
    reps = _judged(measured, rom_deg, track)
    others = [entry for entry in diary.entries if entry.kind == "not_a_rep"]
    like_reps = sum(_up_and_down(track, entry) > FAILED_NEAR_TOP * rom_deg for entry in others)
    not_reps = tuple((entry.begin_s, entry.end_s) for entry in others)
    truth = _set_of(reps, not_reps, rom_deg, diary.broken_off, like_reps)
    unseen = attempts[-1] is not measured[-1].entry and attempts[-1].failed is not None
    return replace(truth, outcome_ambiguous=truth.outcome_ambiguous or unseen)


@dataclass(frozen=True, slots=True)
class _Measured:
    entry: DiaryEntry
    start: float
    hold_start: float
    hold_end: float
    end: float
    top_deg: float
    slow_start: bool
    hold_doubtful: bool
    sound: bool = True


def _measure(track: Track, entry: DiaryEntry, until_s: float) -> _Measured | None:
    """Find the four moments of one attempt on the grid (fractional positions)."""
    angle, velocity = track.angle, track.velocity
    first, last = track.index(entry.begin_s - 0.3), track.index(until_s)
    top_deg = _running_median_top(angle, first, last)
    highest = max(range(first, last + 1), key=angle.__getitem__)
    bottom = min(angle[first : highest + 1])
    if top_deg - bottom < ATTEMPT_DEG:
        return None
    leave = min(range(first, highest + 1), key=angle.__getitem__)
    while angle[leave] < bottom + ATTEMPT_DEG:
        leave += 1
    slow_start = velocity[leave] < V0_DEG_S
    i = leave
    if slow_start:  # crept off the bottom: take the moment it stopped lying there
        while i > first and angle[i] > bottom + 0.5:
            i -= 1
        start = float(i)
    else:
        while i > 0 and velocity[i] >= V0_DEG_S:
            i -= 1
        start = track.crossing(i, V0_DEG_S)
    hold_start = _hold_start(track, leave, last, top_deg)
    hold_end, doubtful = _descent(track, int(hold_start), last, top_deg)
    end = _end(track, int(hold_end) + 1, last, angle[track.index(entry.end_s)])
    return _Measured(entry, start, hold_start, hold_end, end, top_deg, slow_start, doubtful)


def _up_and_down(track: Track, entry: DiaryEntry) -> float:
    """How far the lever went up, and down again, in a movement that was meant as no rep."""
    angle = track.angle[track.index(entry.begin_s) : track.index(entry.end_s) + 1]
    return max(angle) - max(angle[0], angle[-1])


def _running_median_top(angle: Sequence[float], first: int, last: int) -> float:
    """Maximum of the 0.25 s running median: an overshoot on arrival does not count."""
    half = round(MEDIAN_S / GRID_S / 2)
    peak = max(angle[first : last + 1])
    best = float("-inf")
    for i in range(first, last + 1):
        if angle[i] > peak - 12.0:  # the maximum lies near the peak: spare the rest
            best = max(best, median(angle[max(0, i - half) : i + half + 1]))
    return best


def _hold_start(track: Track, leave: int, last: int, top_deg: float) -> float:
    """First moment with angle >= top - 3 deg and velocity < V0."""
    angle, velocity = track.angle, track.velocity
    for i in range(leave, last + 1):
        if angle[i] >= top_deg - HOLD_BAND_DEG and velocity[i] < V0_DEG_S:
            if velocity[i - 1] >= V0_DEG_S:
                return track.crossing(i - 1, V0_DEG_S)
            a, b = angle[i - 1], angle[i]
            return i - 1 + (top_deg - HOLD_BAND_DEG - a) / (b - a) if b > a else float(i)
    return float(max(range(leave, last + 1), key=angle.__getitem__))


def _descent(track: Track, hold_start: int, last: int, top_deg: float) -> tuple[float, bool]:
    """Onset of the final descent from the level held; and whether that is open to doubt.

    The level held is where the lever settled, which an overshoot on arrival is not. Staying
    within 3 deg of it, or coming back up to near it (a pulse), is still the hold, and so is
    whatever sag goes on from there slower than V0.
    """
    angle, velocity = track.angle, track.velocity
    held = _level_held(track, hold_start, last, top_deg)
    final, doubtful = hold_start, False
    lowest = held
    for i in range(hold_start, last):
        lowest = min(lowest, angle[i])
        if velocity[i] <= -V0_DEG_S:
            continue
        if angle[i] >= held - HOLD_BAND_DEG:
            doubtful = doubtful or lowest < held - 2.0 * HOLD_BAND_DEG
            final, lowest = i, held
        elif angle[i] >= held - RETURN_DEG and angle[i] > lowest + PULSE_DEG:
            final, doubtful = i, True
        elif angle[i] >= held - DOUBTFUL_CATCH_DEG and angle[i] > lowest - 0.5 and i > final + 20:
            doubtful = True
    while final + 1 < last and velocity[final + 1] > -V0_DEG_S:
        final += 1
    return track.crossing(final, -V0_DEG_S), doubtful


def _level_held(track: Track, hold_start: int, last: int, top_deg: float) -> float:
    """Median of the quasi-static angles near the top, before the first way down."""
    still: list[float] = []
    for angle, velocity in zip(
        track.angle[hold_start : last + 1], track.velocity[hold_start : last + 1], strict=True
    ):
        if angle < top_deg - NEAR_TOP_DEG:
            break
        if -V0_DEG_S < velocity < V0_DEG_S:
            still.append(angle)
    return median(still) if still else top_deg


def _end(track: Track, descent: int, last: int, floor: float) -> float:
    """First moment with velocity > -V0 at the bottom, which is where it then stayed."""
    angle, velocity = track.angle, track.velocity
    for i in range(descent, last):
        if angle[i] <= floor + ATTEMPT_DEG and velocity[i] > -V0_DEG_S:
            return track.crossing(i - 1, -V0_DEG_S) if velocity[i - 1] <= -V0_DEG_S else float(i)
    return float(last)


def _judged(measured: Sequence[_Measured], rom_deg: float, track: Track) -> tuple[RepTruth, ...]:
    """Number the attempts and decide completed, failed, partial, by the definitions."""
    usual = median(_mean_velocity(track, m) for m in measured[:3])
    truths: list[RepTruth] = []
    previous_end = None
    for number, m in enumerate(measured, 1):
        fraction = m.top_deg / rom_deg
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
            peak_deg=m.top_deg,
            rom_fraction=fraction,
            hold_met=hold_end - hold_start >= HOLD_TARGET_S,
            full_rom=fraction >= FULL_ROM,
            fail_s=hold_end if failure else None,
            mean_velocity_deg_s=_mean_velocity(track, m),
        )
        hold_doubtful = m.hold_doubtful or failed or rep.hold_s < SHORT_HOLD_S
        ambiguous = _ambiguous(m, rep, creep_s)
        truths.append(
            RepTruth(rep, hold_doubtful, ambiguous, m.entry.chosen_short, m.entry.assisted, creep_s)
        )
        previous_end = end
    return tuple(truths)


def _ambiguous(m: _Measured, rep: RepResult, creep_s: float) -> bool:
    """Whether a careful human could count or judge this attempt otherwise."""
    fraction = rep.rom_fraction
    if rep.failed:
        return fraction >= FAILED_NEAR_TOP or creep_s < CREEP_CLEAR_S
    if rep.failure == "in_hold":
        return fraction < 0.99 or rep.hold_s < HOLD_TARGET_S / 2
    if abs(fraction - FULL_ROM) < FULL_ROM_DOUBT:
        return True
    if fraction < FULL_ROM:  # chosen: plain unless it looked like a failure, or like a slip
        quick_drop = rep.eccentric_s < 0.012 * rep.peak_deg
        return creep_s > CREEP_LITTLE_S or quick_drop or rep.peak_deg < 2.0 * ATTEMPT_DEG
    return False


def _set_of(
    reps: tuple[RepTruth, ...],
    not_reps: tuple[tuple[float, float], ...],
    rom_deg: float,
    broken_off: bool,
    like_reps: int,
) -> SetTruth:
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
        return last.creep_s < CREEP_CLEAR_S
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


def _mean_velocity(track: Track, m: _Measured) -> float:
    a, b = int(m.start), int(m.hold_start)
    return (track.angle[b] - track.angle[a]) / (max(1, b - a) * GRID_S)


def _creep(track: Track, m: _Measured, below_deg_s: float) -> float:
    """Time between start and final descent spent going up slower than this."""
    rising = track.velocity[int(m.start) : int(m.hold_end) + 1]
    high = m.top_deg
    return GRID_S * sum(
        0.3 < v < below_deg_s and a < high - 0.5
        for v, a in zip(rising, track.angle[int(m.start) :], strict=False)
    )

"""What a coach beside the machine would have noted of a whole session.

As `truth.py`, for people instead of the method: several sets by several people in one record, lifts
that a program may list or not (getting in and out, a demonstration, what the record cuts off, what
is hardly a lift), and lifts that have pulses. Every other lift is to be listed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from legcurl.simulator.intent import Diary, DiaryEntry
from legcurl.simulator.truth import Kind, RepTruth, SetTruth, apart, judged, set_truth
from legcurl.simulator.truth_measure import GRID_S, Measured, Track, measure

SURELY_LISTED = 0.32  # of the range; an excursion of a quarter is one, a smaller one is none
SURELY_LISTED_DEG = 8.0
LATE_S = 2.0  # after an attempt, within which its end is looked for
FULL_ROM_DOUBT = 0.06  # people's own range is known no better


def evaluate_session(
    track: Track, diary: Diary, roms_deg: Sequence[float]
) -> tuple[tuple[SetTruth, ...], tuple[RepTruth, ...]]:
    """The sets, and the lifts that may be listed or not; `roms_deg` by set number.

    The track begins where the record does: what happened before is left out.
    """
    still = round(LATE_S / GRID_S)  # the lever stays where the record leaves it
    last_s = track.time(len(track.angle) - 1)
    track = Track(track.start_s, track.angle + track.angle[-1:] * still)
    entries = [entry for entry in diary.entries if entry.end_s > track.start_s]
    measured: list[tuple[Kind, Measured]] = []
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        until_s = min(entry.end_s + LATE_S, following.begin_s if following else inf)
        kind = _kind(entry, track.start_s, last_s)
        found = measure(track, entry, until_s)
        if found is None and (kind == "cut_off" or entry.failed is not None):
            found = _remainder(track, entry)
        if found is not None:
            measured.append((kind, found))
    sets: list[SetTruth] = []
    optional: list[RepTruth] = []
    for number, rom_deg in enumerate(roms_deg):
        ours = [one for one in measured if one[1].entry.set_number == number]
        own = [one for one in ours if one[0] in ("lift", "forced") and one[1].entry.kind == "rep"]
        truths = _judged(own, rom_deg, track)
        optional += _judged([one for one in ours if one not in own], rom_deg, track)
        lifts = tuple(truth for truth in truths if _is_due(truth, rom_deg, track))
        optional += [truth for truth in truths if truth not in lifts]
        if lifts:
            broken_off = diary.broken_off and ours[-1][0] == "cut_off"
            one_set = set_truth(_numbered(lifts), (), rom_deg, broken_off, 0)
            if truths[-1] is not lifts[-1] and truths[-1].rep.failure is not None:
                one_set = replace(one_set, outcome_ambiguous=True)
            sets.append(one_set)
    return tuple(sets), tuple(optional)


def _judged(ours: Sequence[tuple[Kind, Measured]], rom_deg: float, track: Track) -> list[RepTruth]:
    if not ours:
        return []
    measured = apart([one for _, one in ours])
    truths = judged(measured, rom_deg, track, full_rom_doubt=FULL_ROM_DOUBT)
    return [replace(truth, kind=kind) for truth, (kind, _) in zip(truths, ours, strict=True)]


def _remainder(track: Track, entry: DiaryEntry) -> Measured:
    """A movement that is cut by the record, or failed at once, and so is no excursion."""
    first, last = track.index(entry.begin_s), track.index(entry.end_s)
    high = max(track.angle[first : last + 1])
    return Measured(entry, first, first, last, last, high, 0.0, hold_doubtful=True)


def _kind(entry: DiaryEntry, first_s: float, last_s: float) -> Kind:
    if entry.begin_s < first_s or entry.end_s > last_s - 2 * GRID_S:
        return "cut_off"
    return "forced" if entry.assisted else entry.activity


def _is_due(truth: RepTruth, rom_deg: float, track: Track) -> bool:
    """Whether this lift rises and comes down by enough to have to be listed."""
    rep = truth.rep
    way = track.angle[track.index(rep.hold_start_s) : track.index(rep.end_s) + 1]
    fall_deg = max(way) - way[-1]
    return min(truth.rise_deg, fall_deg) >= max(SURELY_LISTED * rom_deg, SURELY_LISTED_DEG)


def _numbered(lifts: tuple[RepTruth, ...]) -> tuple[RepTruth, ...]:
    return tuple(
        replace(truth, rep=replace(truth.rep, number=number))
        for number, truth in enumerate(lifts, 1)
    )

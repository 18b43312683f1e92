"""What happens while the sensor records: one or two people, their sets, and all around them.

A session begins at the bottom, at the top, or in the middle of a rep. A lifter gets in, a coach may
show the exercise first; then sets, each of which may grow, shrink, pulse, rest-pause, drop the
weight, be helped, shift in the seat or be left hanging. The lifter gets out, and the record ends
then or before. The plan is drawn before the first second; failure is not in it, because muscles
decide that.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from legcurl.simulator.person import ROM_DEG, Person, draw_person
from legcurl.simulator.scenario import Range

Start = Literal["bottom", "top", "mid_rep"]
End = Literal["left", "soon", "mid_rep"]

GREATEST_LIFT = 1.2  # of the range: the one lift that is larger than all others
OTHER_ROM: Range = (0.7, 1.35)  # of a second person, over the first one's
LOAD_TO_FAILURE: Range = (0.72, 0.92)  # of what he can just lift, where a set is meant to fail
GROWS = 0.1  # of the range: worth a word
LONG_REST_S = 1.5
SHORT_ROM_DEG = 45.0
PULSE_LEAST_DEG = 4.0  # shallower is a tremble


@dataclass(frozen=True, slots=True)
class SetPlan:
    """One set as meant. Counts and shares of 0 mean that it does not happen."""

    person: int
    zero_deg: float  # the person's extended end on the lever
    reps: int
    to_failure: bool
    stack: float = 1.0  # weight over the first person's
    short_share: float = 0.0  # of the reps, cut short by choice
    turns_at: float = 0.0  # of the range: does not go down further between reps
    pulse_share: float = 0.0  # of the reps, with pulses at the top
    long_hold_s: float = 0.0  # of the last rep
    forced: int = 0  # reps that a coach helps up
    shift_deg: float = 0.0  # of the seat, once
    shift_after: int = 0  # reps
    greatest_at: int = 0  # the rep that is larger than all others, from 1
    again: Literal["", "rest_pause", "drop_set"] = ""
    again_after_s: float = 0.0
    again_reps: int = 0
    again_stack: float = 1.0
    hangs_at: float = 0.0  # of the range: where the lever is left after the last rep
    hangs_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One session as meant."""

    people: tuple[Person, ...]
    sets: tuple[SetPlan, ...]
    start: Start
    start_rep: int  # of the first set, from 1: the record begins within it (start == "mid_rep")
    getting_in: int  # movements of the lever by hand, before the first set
    demonstrated: int  # reps, by a coach
    getting_out: int
    end: End
    between_sets_s: float
    calibrated_extended_deg: float  # what an installer has left, on the lever's axis
    calibrated_flexed_deg: float

    @property
    def highest_deg(self) -> float:
        """The highest intended flexion."""
        return max(
            one.zero_deg + max(0.0, one.shift_deg) + GREATEST_LIFT * self.people[one.person].rom_deg
            for one in self.sets
        )

    @property
    def events(self) -> tuple[str, ...]:
        """What is out of the ordinary, in words; a plain session has none."""
        happens = {
            f"start: {self.start}".replace("_", " "): self.start != "bottom",
            f"end: {self.end}".replace("_", " "): self.end != "left",
            "getting in": self.getting_in > 0,
            "demonstration": self.demonstrated > 0,
            "getting out": self.getting_out > 0,
            "two people": len(self.people) > 1,
            "short reps": any(one.short_share for one in self.sets),
            "turns above the bottom": any(one.turns_at for one in self.sets),
            "pulses": any(one.pulse_share for one in self.sets),
            "long hold": any(one.long_hold_s for one in self.sets),
            "forced reps": any(one.forced for one in self.sets),
            "seat shift": any(one.shift_deg for one in self.sets),
            "one greatest lift": any(one.greatest_at for one in self.sets),
            "rest-pause": any(one.again == "rest_pause" for one in self.sets),
            "drop set": any(one.again == "drop_set" for one in self.sets),
            "left hanging": any(one.hangs_at for one in self.sets),
            "range grows": any(one.growing > GROWS for one in self.people),
            "range shrinks": any(one.shrinking > GROWS for one in self.people),
            "long rests": any(one.rest_s > LONG_REST_S for one in self.people),
            "short range": any(one.rom_deg < SHORT_ROM_DEG for one in self.people),
        }
        return tuple(words for words, does in happens.items() if does)


def draw_session(rng: Random) -> SessionPlan:
    """Draw one or two people and what they do."""

    def now_and_then(probability: float) -> bool:
        return rng.random() < probability

    first = draw_person(rng)
    people = [first]
    sets = [_draw_set(rng, 0, first, 0.0)]
    if now_and_then(0.25):
        low, high = (first.rom_deg * part for part in OTHER_ROM)
        people.append(draw_person(rng, (max(ROM_DEG[0], low), min(ROM_DEG[1], high))))
        sets.append(_draw_set(rng, 1, people[1], rng.uniform(-1.0, 8.0)))
    elif now_and_then(0.2):
        sets.append(_draw_set(rng, 0, first, 0.0))
    starts: list[Start] = ["bottom", "top", "mid_rep"]
    ends: list[End] = ["left", "soon", "mid_rep"]
    start = rng.choices(starts, (0.76, 0.12, 0.12))[0]
    calm_start = start == "bottom"
    extended, flexed = _draw_calibration(rng, first)
    return SessionPlan(
        people=tuple(people),
        sets=tuple(sets),
        start=start,
        start_rep=rng.randint(1, 3),
        getting_in=rng.randint(1, 3) if calm_start and now_and_then(0.3) else 0,
        demonstrated=rng.randint(1, 4) if calm_start and now_and_then(0.08) else 0,
        getting_out=rng.randint(1, 2) if now_and_then(0.4) else 0,
        end=rng.choices(ends, (0.75, 0.13, 0.12))[0],
        between_sets_s=rng.uniform(22.0, 70.0),
        calibrated_extended_deg=extended,
        calibrated_flexed_deg=flexed,
    )


def _draw_set(rng: Random, person: int, lifter: Person, zero_deg: float) -> SetPlan:
    def now_and_then(probability: float) -> bool:
        return rng.random() < probability

    reps = max(2, round(rng.gammavariate(5.0, 2.0)))
    again = rng.choices(("", "rest_pause", "drop_set"), (0.82, 0.1, 0.08))[0]
    shifts = now_and_then(0.12) and not lifter.touches
    hangs = now_and_then(0.08)
    to_failure = now_and_then(0.5)
    heaviness = rng.uniform(*LOAD_TO_FAILURE) / lifter.load if to_failure else 1.0
    return SetPlan(
        person=person,
        zero_deg=zero_deg,
        reps=min(25, reps),
        to_failure=to_failure,
        stack=heaviness if person == 0 else heaviness * rng.uniform(0.7, 1.0),
        short_share=rng.uniform(0.1, 0.7) if now_and_then(0.15) else 0.0,
        turns_at=rng.uniform(0.1, 0.5) if now_and_then(0.1) else 0.0,
        pulse_share=rng.uniform(0.2, 0.9) if now_and_then(0.1) else 0.0,
        long_hold_s=rng.uniform(8.0, 40.0) if now_and_then(0.1) else 0.0,
        forced=rng.randint(1, 3) if now_and_then(0.1) else 0,
        shift_deg=rng.choice((-1, 1)) * rng.uniform(3.0, 0.12 * lifter.rom_deg)
        if shifts and lifter.rom_deg > 30.0
        else 0.0,
        shift_after=rng.randint(1, reps),
        greatest_at=rng.randint(1, reps) if now_and_then(0.08) else 0,
        again=again,
        again_after_s=rng.uniform(5.0, 15.0),
        again_reps=rng.randint(1, 8),
        again_stack=rng.uniform(0.5, 0.8) if again == "drop_set" else 1.0,
        hangs_at=rng.uniform(0.08, 0.4) if hangs else 0.0,
        hangs_s=rng.uniform(2.0, 12.0),
    )


def _draw_calibration(rng: Random, lifter: Person) -> tuple[float, float]:
    """Two ends of this person, read off with a hand's accuracy, or of the person before."""
    if rng.random() < 0.6:
        return rng.gauss(0.0, 1.0), lifter.rom_deg * rng.gauss(1.0, 0.015)
    extended = rng.uniform(-0.08, 0.08) * lifter.rom_deg
    return extended, extended + lifter.rom_deg * rng.uniform(0.8, 1.3)

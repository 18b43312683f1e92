"""What a lifter is like, what he means to do with a rep, and his diary of what he meant.

The diary is for `truth.py` alone: whether a rep failed or was cut short on purpose is not in the
angle. Degrees are knee flexion from the lifter's own extended end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Activity = Literal["lift", "getting_in", "demonstration", "getting_out"]


@dataclass(frozen=True, slots=True)
class LifterSpec:
    """One lifter's range, tempo and manners. Degrees are knee flexion from his extended end."""

    rom_deg: float = 95.0
    concentric_deg_s: float = 28.0
    eccentric_deg_s: float = 22.0
    hold_s: float = 3.0
    hold_variation_s: float = 0.4
    tempo_variation: float = 0.09
    turnaround_s: float = 0.3
    top_variation: float = 0.012  # of the ROM, from rep to rep
    overshoot_deg: float = 2.5
    settle_s: float = 0.6  # from the overshoot back to where he holds
    sag_deg_s: float = -0.1
    wander_deg: float = 0.25
    wobble: float = 0.12  # of the speed, in both directions of movement
    tremor_deg: float = 0.03
    tremor_hz: float = 9.0
    content_fraction: float = 0.97  # of the ROM: having ground his way here is good enough
    patience_s: float = 2.5  # of pulling in vain before he gives up
    grind_s: float = 10.0  # of grinding before he gives up
    letting_go: float = 0.75  # of the weight he still carries while he lets it down after failing
    touches: bool = False  # lets the weight down to the stop between reps
    braking_deg_s2: float = 90.0  # how he slows down before the top and before the bottom
    steering_rad_s: float = 7.0  # the spring that brings the lever to where he wants it


@dataclass(frozen=True, slots=True)
class Catch:
    """On the way down: stop at an angle, wait, perhaps pull it up again a little."""

    at_deg: float
    wait_s: float
    up_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class RepPlan:
    """How one rep is meant to go."""

    top_deg: float
    concentric_deg_s: float
    eccentric_deg_s: float
    hold_s: float
    turnaround_s: float
    overshoot_deg: float = 0.0
    settle_s: float = 0.6
    sag_deg_s: float = 0.0
    bottom_deg: float = 0.0
    pulses_deg: tuple[float, ...] = ()
    catches: tuple[Catch, ...] = ()
    pauses: tuple[Catch, ...] = ()  # stops on the way up
    chosen_short: bool = False  # he means to turn round below his range
    squeezes_out: bool = False  # where holding is nearly all he has, he holds until it sinks
    drops: bool = False  # lets the weight fall after the hold
    assisted: bool = False  # the coach helps where he gets stuck


@dataclass(frozen=True, slots=True)
class Effort:
    """How a trial went, as the lifter felt it."""

    failed: Literal["mid_lift", "in_hold"] | None
    lift_s: float  # from the bottom until he was up, or gave up


@dataclass(slots=True)
class DiaryEntry:
    """What a stretch of time was meant to be."""

    kind: Literal["rep", "not_a_rep"]
    begin_s: float
    end_s: float = 0.0
    activity: Activity = "lift"
    set_number: int = 0
    zero_deg: float = 0.0  # the lifter's extended end on the lever
    failed: Literal["mid_lift", "in_hold"] | None = None
    chosen_short: bool = False
    assisted: bool = False
    pulses: int = 0


@dataclass(slots=True)
class Diary:
    """One set: its movements in order."""

    entries: list[DiaryEntry] = field(default_factory=list)
    broken_off: bool = False  # the record ended in mid-set

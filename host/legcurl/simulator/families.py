"""Families of simulated sets, by name: the lifters of `sim:?lifter=NAME`, and test sets.

A family is what detection must cope with, in a sentence, made of traits (ranges to draw from) and
a program. `make_set(family, seed)` gives one set as a program would get it from a sensor, with its
truth, for work on detection: other sample rates, clock jitter, batches lost, other encoders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from legcurl.simulator import programs as p
from legcurl.simulator.scenario import Program, Traits


_WIDE = Traits()
_TO_FAILURE = p.lifting(before=p.perhaps_fidgeting, after=p.fidgeting_afterwards)


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of set."""

    about: str
    traits: Traits = _WIDE
    program: Program = _TO_FAILURE


FAMILIES: Mapping[str, Family] = {
    "steady": Family("the method as it is meant: 7 to 10 reps, then one that does not go up"),
    "early": Family("too heavy a day: fails after 3 to 5 reps", Traits(reps=(3, 5))),
    "sloppy": Family(
        "fast, hardly a hold, not quite the same top twice",
        Traits(concentric_deg_s=(45.0, 75.0), eccentric_deg_s=(60.0, 110.0), hold_s=(0.0, 0.2)),
        p.lifting(p.sloppy),
    ),
    "quits": Family(
        "stops after 4 to 6 reps, without having failed",
        Traits(reps=(10, 14)),
        p.lifting(reps=(4, 6)),
    ),
    "partials": Family(
        "cuts reps short by choice, then fails",
        program=p.lifting(p.cutting_short((0.35, 0.8), 0.4)),
    ),
}

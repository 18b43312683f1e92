"""Trouble of the link on a schedule: outages inside of sets, and a link that is rough all along.

What happens to a link changes no sample: it decides when which bytes arrive. So this schedule is
apart from that of the chip (fault_schedule.py), and both may hit at once.

Trouble is drawn for a set, and where a set begins and ends only the physics tells. So the world
runs ahead of itself for that, one set at a time (world.py). An installer makes no set: a link that
is rough is so for as long as he is there, and outages are refused (options.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from random import Random

from legcurl.simulator.fault_schedule import STANDING_FROM_S, FaultSchedule, FaultWindow, Suffering
from legcurl.simulator.truth import SetTruth

SHARE_OF_SET = (0.08, 0.2)  # what all outages of a set take of it together
LONGEST_S = 60.0  # of one outage
BEFORE_SET_S, AFTER_SET_S = 2.0, 8.0  # outages lie between these, around the set
APART_S = 0.5  # a link is up at least this long: enough to be noticed

ROUGH_EVERY_S = 1.5  # mean time between two troubles of a rough link
STRETCH_S = 60.0  # of a rough link without sets is drawn at once
# What a rough link does, and for how long: one record (2 ms) for what is an event.
ROUGH = (
    ("corrupt", (0.002, 0.02)),
    ("drop", (0.002, 0.1)),
    ("double", (0.002, 0.02)),
    ("host_stall", (0.1, 2.5)),
)


class LinkSchedule:
    """What the link suffers at a moment; moments must not go backwards.

    `sets` is asked for the next set when what was drawn for the one before is over. A link that is
    `rough` is so around sets alone: a loss at the very end of a world could not be made good. If it
    `stands`, there are no sets, and it is so to the end.
    """

    def __init__(
        self,
        sets: Iterable[SetTruth],
        outages: int,
        *,
        rough: bool,
        rng: Random,
        stands: bool = False,
    ) -> None:
        self._sets = iter(sets)
        self._count = outages
        self._is_rough = rough
        self._stands = stands
        self._rng = rng
        self._until_s = -inf
        self._outages = FaultSchedule()
        self._rough = FaultSchedule()

    def at(self, t_s: float) -> Suffering:
        """What is wrong at this moment."""
        if t_s >= self._until_s:
            self._draw(t_s)
        outage = self._outages.at(t_s)
        return outage if outage.flags else self._rough.at(t_s)

    def _draw(self, t_s: float) -> None:
        """Draw the trouble of the set that is next, or of the next minute."""
        if self._is_rough and self._stands:
            start_s = max(t_s, STANDING_FROM_S)
            self._until_s = start_s + STRETCH_S
            self._rough = FaultSchedule(_rough(start_s, self._until_s, self._rng))
            return
        truth = next(self._sets, None) if self._count or self._is_rough else None
        if truth is None:
            self._until_s = inf
            return
        start_s = max(truth.result.start_s - BEFORE_SET_S, t_s, 0.0)
        self._until_s = truth.result.end_s + AFTER_SET_S
        in_set_s = truth.result.end_s - truth.result.start_s
        self._outages = FaultSchedule(
            _outages(start_s, self._until_s, in_set_s, self._count, self._rng)
        )
        if self._is_rough:
            self._rough = FaultSchedule(_rough(start_s, self._until_s, self._rng))


def _rough(start_s: float, end_s: float, rng: Random) -> Iterator[FaultWindow]:
    """Bytes changed, lost and doubled, and a host that stalls, one after the other."""
    t_s = start_s
    while True:
        t_s += rng.expovariate(1.0 / ROUGH_EVERY_S)
        kind, lasting_s = rng.choice(ROUGH)
        window = FaultWindow(kind, t_s, t_s + rng.uniform(*lasting_s))
        if window.end_s >= end_s:
            return
        yield window
        t_s = window.end_s


def _outages(
    start_s: float, end_s: float, in_set_s: float, count: int, rng: Random
) -> Iterator[FaultWindow]:
    """Divide the set's outage time by chance, and the time in between as well."""
    if not count:
        return
    whole_s = in_set_s * rng.uniform(*SHARE_OF_SET)
    lengths = [min(whole_s * share, LONGEST_S) for share in _shares(count, rng)]
    free_s = max(end_s - start_s - sum(lengths) - count * APART_S, 0.0)
    t_s = start_s
    for length_s, pause in zip(lengths, _shares(count + 1, rng), strict=False):
        t_s += pause * free_s
        yield FaultWindow("link_down", t_s, t_s + length_s)
        t_s += length_s + APART_S


def _shares(count: int, rng: Random) -> list[float]:
    """So many random parts of 1."""
    cuts = sorted(rng.random() for _ in range(count - 1))
    return [after - before for before, after in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]

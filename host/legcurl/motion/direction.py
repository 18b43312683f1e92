"""Which way flexion is on the encoder's circle, when nobody has said.

A lifter sits down at a lever at rest, so the first real motion away from where it rested is taken
for flexion. That can be wrong: he may have tested the weight and waited with it, or begun from the
top. Two things tell: the method holds at the top and does not rest at the bottom; and nobody leaves
a machine with the lever up. So every look is kept until the direction is sure, and if it proves
wrong the set is followed again the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from legcurl.motion.attempts import STILL_DEG_S, Excursion, Look
from legcurl.motion.lifter_range import MIN_LEARNT_ROM_DEG
from legcurl.motion.measure_rep import Attempt
from legcurl.motion.resampler import GRID_S

DEPARTURE_DEG = 20.0
"""So far from rest is a motion, in degrees: more than taking up the slack, half of a short ROM."""

SETTLED_S = 0.4
"""A lever this long still is at rest, in s."""

KEPT = 7500
"""Looks kept at most: five minutes, longer than any set. What is not refuted by then is sure."""

PAIRS = 3
"""So many reps in a row must tell the same: people fidget two or three times."""

HELD_S, RESTED_S = (1.0, 6.0), 1.0
"""A stand between these, in s, is a hold by the method; a stand below the second is none, nor the
rest that the method does not know (docs/detection.md)."""

FULL = 0.75
"""Attempts lower than this fraction of the highest tell nothing: people fidget either way up."""

TELLING = 2.0
"""... and it is this many times longer than the stand at the other end."""

PARKED_S = 12.0
"""A lever that has stood still this long is parked, in s: four times the hold asked for."""

PARKED_FRACTION = 0.7
"""... and parked up, if it stands above this fraction of the attempt."""

Sign = Literal[-1, 0, 1]


class Direction:
    """Looks on the sensor's own axis in, the sign of flexion out."""

    def __init__(self) -> None:
        self.sign: Sign = 0
        self.sure = False
        self.kept: list[Look] = []
        self._rest: float | None = None
        self._still_since: int | None = None
        self._reversed = False

    def suppose(self, sign: Sign) -> None:
        """Take a direction that what follows may refute."""
        self.sign = sign

    def settle(self, sign: Sign) -> None:
        """Take a direction that is known, from a calibration or from a whole set."""
        self.sign = sign
        self.sure = True
        self.kept.clear()

    def look(self, look: Look) -> None:
        """Keep a look; while there is no direction, see whether it gives one."""
        if self.sure:
            return
        self.kept.append(look)
        if len(self.kept) > KEPT:
            if self.sign:
                self.settle(self.sign)
            else:
                del self.kept[: KEPT // 2]
            return
        if self.sign == 0:
            self._depart(look)

    def _depart(self, look: Look) -> None:
        if self._rest is None:
            self._rest = look.angle
        away = look.angle - self._rest
        if abs(away) >= DEPARTURE_DEG:
            self.sign = 1 if away > 0 else -1
        elif not -STILL_DEG_S < look.velocity < STILL_DEG_S:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = look.step
        elif (look.step - self._still_since) * GRID_S >= SETTLED_S:
            self._rest = look.angle
            # Nothing before this rest belongs to the first rep.
            del self.kept[:-50]

    def refuted_by(self, attempts: Sequence[Attempt]) -> bool:
        """Whether attempts found this way round say that it is the other; settles it if not."""
        if self.sure or self._reversed:
            return False
        highest = max((a.height_deg for a in attempts), default=0.0)
        full = [a for a in attempts if a.height_deg >= max(FULL * highest, MIN_LEARNT_ROM_DEG)]
        stands = [(a.hold_s, b.start_s - a.end_s) for a, b in pairwise(full)]
        if _held(stands[-PAIRS:]):
            self.settle(self.sign)
            return False
        below = [(rest, hold) for hold, rest in stands[-PAIRS:]]
        return _held(below)

    def parked_up(self, attempt: Excursion, look: Look) -> bool:
        """Whether the lever has been left at what was taken for the top."""
        if self.sure or look.angle < attempt.floor + PARKED_FRACTION * attempt.height:
            return False
        if (look.step - attempt.looks[0].step) * GRID_S < PARKED_S:
            return False  # as nearly every attempt: its looks need not be gone through
        still_since = look.step
        for past in reversed(attempt.looks):
            if not -STILL_DEG_S < past.velocity < STILL_DEG_S:
                break
            still_since = past.step
        return (look.step - still_since) * GRID_S >= PARKED_S

    def reverse(self) -> None:
        """Take the other direction, for what was kept too."""
        self.sign = -1 if self.sign > 0 else 1
        self._reversed = True


def _held(stands: Sequence[tuple[float, float]]) -> bool:
    """Whether all stands (here, at the other end) look like holds here."""
    shortest, longest = HELD_S
    return len(stands) == PAIRS and all(
        shortest < here < longest and there < RESTED_S and here > TELLING * there
        for here, there in stands
    )

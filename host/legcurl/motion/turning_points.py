"""Where the lever turned round, on the sensor's own axis: found without knowing which way is up.

In: looks. Out: turns, high and low alternating, each with its level and how the lever stood there.
They are the evidence from which `direction` says which end is the bottom.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from legcurl.motion.attempts import MIN_ATTEMPT_DEG, Look
from legcurl.motion.resampler import GRID_S

SWING = 0.35
"""Fraction of all travel so far: turning by less is a pulse, a catch or a bounce."""

STOOD_DEG = 2.0
"""Within this of one angle the lever stands, in degrees: a held one wanders by about one."""

STAND_S = 0.6
"""A stand this long, in s, is one whose stillness can be measured."""

REMEMBERED = 64
"""Turns kept at most: twice a long set's reps."""

LOOKS_KEPT = 1500
"""Looks kept at most since the last turn: one minute, beyond which a stand says nothing more."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One end of a swing of the lever."""

    angle: float
    high: bool
    stood_s: float
    unrest_deg_s: float | None  # median speed while it stood; None of a short stand


class TurningPoints:
    """Looks in; the turns so far, the travel, and the stand that is going on out."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.lowest = self.highest = 0.0
        self._looks: list[Look] = []  # since the turn before the last
        self._best = 0  # position of the farthest look of this swing
        self._rising = 0  # +1 towards high, -1 towards low, 0 while unknown
        self._stand: Look | None = None
        self._now: Look | None = None

    @property
    def travel_deg(self) -> float:
        """From the lowest angle to the highest."""
        return self.highest - self.lowest

    @property
    def stand(self) -> tuple[float, float]:
        """Where the lever has stood up to now, and for how long, in s."""
        if self._stand is None or self._now is None:
            return 0.0, 0.0
        return self._stand.angle, (self._now.step - self._stand.step) * GRID_S

    def look(self, look: Look) -> bool:
        """Take a look; say whether the lever has turned."""
        angle = look.angle
        self._now = look
        if self._stand is None:
            self.lowest = self.highest = angle
        if self._stand is None or abs(angle - self._stand.angle) > STOOD_DEG:
            self._stand = look
        self.lowest = min(self.lowest, angle)
        self.highest = max(self.highest, angle)
        looks = self._looks
        looks.append(look)
        if len(looks) > LOOKS_KEPT:
            dropped = min(len(looks) // 2, self._best)
            del looks[:dropped]
            self._best -= dropped
            if len(looks) > LOOKS_KEPT:
                del looks[self._best + 1 : self._best + 1 + LOOKS_KEPT // 2]
        farthest = looks[self._best].angle
        swing = max(MIN_ATTEMPT_DEG, SWING * self.travel_deg)
        if self._rising == 0:
            if self.travel_deg > swing:
                self._rising = 1 if angle > farthest else -1
                self._best = len(looks) - 1
            return False
        away = (angle - farthest) * self._rising
        if away >= 0.0:
            self._best = len(looks) - 1
        elif away < -swing:
            self._turn()
            return True
        return False

    def _turn(self) -> None:
        looks, best = self._looks, self._best
        level = looks[best].angle
        first = last = best
        while first > 0 and abs(looks[first - 1].angle - level) <= STOOD_DEG:
            first -= 1
        while last < len(looks) - 1 and abs(looks[last + 1].angle - level) <= STOOD_DEG:
            last += 1
        stood_s = (looks[last].step - looks[first].step) * GRID_S
        unrest = None
        if stood_s >= STAND_S:
            unrest = median(abs(look.velocity) for look in looks[first : last + 1])
        self.turns.append(Turn(level, self._rising > 0, stood_s, unrest))
        del self.turns[:-REMEMBERED]
        del looks[:best]
        self._rising = -self._rising
        farthest = max(range(len(looks)), key=lambda i: looks[i].angle * self._rising)
        self._best = farthest

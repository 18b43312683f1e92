"""Finds the ends of the lever's range while an installer moves it and rests at each end.

In: runs of samples (stream_stats.py). Out: rests, in turn legs straight and full flexion, for so
many rounds. A rest is a stay of REST_S; a rest POSE_WAY_DEG or more away in the other direction is
the next end. The last rest before the lever turns round counts, so corrections of the hand, a stop
half way and a wait at the lower stop do no harm.

Angles are travel, unwrapped: a range of more than half a turn keeps its direction.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from math import inf, isnan
from statistics import median
from typing import Literal

from legcurl.install.checks.stream_stats import Run, drift_of, noise_of
from legcurl.motion.calibration import MIN_ROM_DEG

End = Literal["extended", "flexed"]
ENDS: tuple[End, End] = ("extended", "flexed")

REST_S = 1.2
"""Duration of a rest, in s: shorter than a stay on purpose, much longer than a turn-round."""

REST_DRIFT_DEG = 0.6
"""Most drift of a rest in REST_S, in degrees: 0.5 °/s. A hand settles within two seconds."""

REST_NOISE_DEG = 3.0
"""Most noise of a rest, rms in degrees: ten times the limit of stream_checks.NOISE_DEG, so that a
noisy sensor ends in a finding and not in an endless wait."""

SETTLED_S = 1.0
"""Duration of the last rest, in s: no turn-round ends it."""

POSE_WAY_DEG = MIN_ROM_DEG
"""Least distance of two ends, in degrees; a smaller move corrects the present end."""

LOOK_US = 50_000
"""Interval of the test for a rest, in µs: a twentieth of the shortest rest."""

SEEN_SHARE = 0.5  # of the samples of a rest that must have an angle


@dataclass(frozen=True, slots=True)
class Rest:
    """One stay at one end."""

    end: End
    number: int  # of the round, from 1
    travel_deg: float  # median
    noise_deg: float
    t_us: int  # sensor time at its end

    @property
    def raw_deg(self) -> float:
        """The encoder's angle, in a turn."""
        return self.travel_deg % 360.0


class RangeSurvey:
    """Follows the lever through so many rounds."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.rests: list[Rest] = []  # the last may still be corrected until `done`
        self.done = False
        self.still = False  # the lever is at rest just now
        self.idle_s = 0.0  # sensor time since the last rest was found, or since the beginning
        self.lowest_deg = inf  # since the beginning
        self.highest_deg = -inf
        self._recent: deque[tuple[int, float]] = deque()
        self._blind = 0  # among the recent
        self._since_us: int | None = None  # of idle_s
        self._still_since_us = 0
        self._looked_us = -LOOK_US

    @property
    def wanted(self) -> tuple[End, int]:
        """The next end, and its round."""
        number = len(self.rests)
        return ENDS[number % 2], number // 2 + 1

    @property
    def moved_deg(self) -> float:
        """Distance of the lowest and the highest travel."""
        return max(self.highest_deg - self.lowest_deg, 0.0)

    def push(self, run: Run) -> list[Rest]:
        """Take the next samples, and return the rests that they start or correct."""
        found: list[Rest] = []
        for t_us, travel_deg in zip(run.t_us, run.travel_deg, strict=True):
            rest = self._take(t_us, travel_deg)
            if rest is not None:
                found.append(rest)
        return found

    def restart(self) -> None:
        """Follow a restart of the sensor: keep the rests, forget the unfinished one."""
        self._recent.clear()
        self._blind = 0
        self._since_us = None
        self._looked_us = -LOOK_US
        self.still = False

    def _take(self, t_us: int, travel_deg: float) -> Rest | None:
        if self.done:
            return None
        if self._since_us is None:
            self._since_us = t_us
        self.idle_s = (t_us - self._since_us) / 1e6
        recent = self._recent
        recent.append((t_us, travel_deg))
        blind = isnan(travel_deg)
        self._blind += blind
        if not blind:
            self.lowest_deg = min(self.lowest_deg, travel_deg)
            self.highest_deg = max(self.highest_deg, travel_deg)
        while len(recent) > 1 and t_us - recent[1][0] >= REST_S * 1e6:
            self._blind -= isnan(recent.popleft()[1])
        if t_us - recent[0][0] < REST_S * 1e6 or t_us - self._looked_us < LOOK_US:
            return None
        self._looked_us = t_us
        return self._look(t_us)

    def _look(self, t_us: int) -> Rest | None:
        """Test for a rest, and return it if it is new."""
        was_still, self.still = self.still, False
        if self._blind > (1.0 - SEEN_SHARE) * len(self._recent):
            return None
        angles = [angle for _, angle in self._recent if not isnan(angle)]
        noise = noise_of(angles)
        if drift_of(angles) > REST_DRIFT_DEG or noise > REST_NOISE_DEG:
            return None
        self.still = True
        if not was_still:
            self._still_since_us = t_us
        return self._rested(Rest(*self._place(median(angles)), median(angles), noise, t_us))

    def _place(self, travel_deg: float) -> tuple[End, int]:
        """The end and round of this rest: the next one, or the last one again."""
        if self.rests and not self._turned(travel_deg):
            return self.rests[-1].end, self.rests[-1].number
        return self.wanted

    def _rested(self, rest: Rest) -> Rest | None:
        """Record a rest, and return it if it is new."""
        rests = self.rests
        arrived = rest.t_us == self._still_since_us
        if rests and (rest.end, rest.number) == (rests[-1].end, rests[-1].number):
            rests[-1] = rest
        elif len(rests) == 2 * self.rounds:  # already on the way back from the last one
            self.done = True
            return None
        else:
            arrived = True
            rests.append(rest)
            self._since_us = rest.t_us
        if len(rests) == 2 * self.rounds:
            self.done = rest.t_us - self._still_since_us >= SETTLED_S * 1e6
        return rest if arrived else None

    def _turned(self, travel_deg: float) -> bool:
        """Whether this is the other end: far enough from the last rest, in the other direction."""
        way = travel_deg - self.rests[-1].travel_deg
        if abs(way) < POSE_WAY_DEG:
            return False
        if len(self.rests) == 1:
            return True
        before = self.rests[-1].travel_deg - self.rests[-2].travel_deg
        return (way > 0) != (before > 0)


def rests_of(rests: list[Rest], end: End) -> list[Rest]:
    """The rests at one end."""
    return list(islice(rests, ENDS.index(end), None, 2))

"""Which way flexion is on the encoder's circle.

Where a calibration says so, that is the answer. Else it is weighed: a hold at the top and a rest at
the bottom look alike to a lever, so how long it stands where is no proof. What tells is physical:

- the lever rests at the bottom before the first lift and after the last one;
- the bottom is one level, given by the machine, while tops vary, shrink and are cut short;
- a lever on its stop is stiller than one that a lifter holds;
- the same sensor, in earlier sets, had its bottom at the same end.

Each is worth some log odds. The direction is given up when the sum is clearly against it, and the
set is then followed again the other way round, from the looks that are kept for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log
from statistics import median
from typing import Literal

from legcurl.errors import InputError
from legcurl.motion.attempts import MIN_ATTEMPT_DEG, STILL_DEG_S, Look
from legcurl.motion.resampler import GRID_S
from legcurl.motion.turning_points import Turn, TurningPoints

DEPARTURE_DEG = 12.0
"""So far from rest is a motion, in degrees: more than taking up the slack of the cable."""

SETTLED_S = 0.4
"""A lever this long still is at rest, in s."""

KEPT = 7500
"""Looks kept at most: five minutes, longer than any set."""

KEPT_AT_REST, KEPT_STIRRED, STIRRED_S = 50, 750, 30.0
"""Looks kept while the lever rests before the first motion, and after it has stirred for so long,
in s: two seconds, or all of that time."""

TURN = 1.5
"""Log odds against a direction from which it is given up: 4 to 1."""

SURE = 4.0
"""Log odds from which a direction is told to others as known: 55 to 1."""

MOST_REMEMBERED = 6.0
"""Log odds that earlier sets are worth at most: a remounted encoder must be able to refute them
by one whole set, which is worth about 8."""

MOST_TURNS = 4
"""So often a set may be turned round."""

REST_WORTH, REST_WORTH_S, REST_WORTH_LONG_S, REST_WORTH_MOST = 0.4, 0.6, 0.1, 3.5
"""A lever at rest before the first lift says bottom: so much at once, so much more each second of
the first two, so much each second after, and no more than the last. About one in ten begins at the
top, and few stay there for long."""

HELD_S, STAND_WORTH_S, STAND_LONG_S, STAND_WORTH_LONG_S = 3.0, 0.25, 8.0, 0.05
"""The longest stand at one end says bottom, in log odds a second from the first of these on, and
less for each second after the third: every lifter rests longer at some time than the hold that the
method asks for, few hold longer, one in ten holds once for half a minute."""

SPREAD_OF, SPREAD_WORTH_REP, SPREAD_MOST_REP, SPREAD_REPS = 3, 0.2, 0.22, 8
"""From so many reps on, the spread of the tops over that of the bottoms says which is which: so
much a rep and log, at most so much a rep, up to so many reps."""

STILLNESS_WORTH, STILLNESS_MOST = 0.5, 0.8
HABIT_WORTH = 0.3
"""Standing at one end and not at the other is a habit: more lifters hold than rest."""

OVER_WORTH = 1.2
"""Where the data end, the lever has been left, if it has stood for a moment."""

ASK_EVERY, ASK_FROM_S = 100, 3.0
"""While the lever stands, from so many s on, ask again after so many grid steps."""

Sign = Literal[-1, 0, 1]
Source = Literal["unknown", "learnt", "remembered", "calibrated"]


@dataclass(frozen=True, slots=True)
class KnownDirection:
    """What is known of the way a sensor is mounted: the sign of flexion on its axis.

    `log_odds` is how sure that is (4 is 55 to 1), and `source` how it is known. It can be stored
    with the machine and given to the next tracker, which takes it as remembered.
    Raises InputError where that cannot be a direction.
    """

    sign: Sign
    log_odds: float
    source: Source

    def __post_init__(self) -> None:
        if self.sign not in (-1, 0, 1) or not (isfinite(self.log_odds) and self.log_odds >= 0.0):
            raise InputError(
                f"A direction is 1 or -1 and its log odds are 0 or more, not {self.sign} and "
                f"{self.log_odds}: forget it, and the next set teaches it again."
            )

    @property
    def sure(self) -> bool:
        """Whether it is good enough to act on without more evidence."""
        return self.sign != 0 and self.log_odds >= SURE


UNKNOWN = KnownDirection(0, 0.0, "unknown")


class Direction:
    """Looks on the sensor's own axis in, the sign of flexion out."""

    def __init__(self, remembered: KnownDirection = UNKNOWN) -> None:
        self.sign: Sign = 0
        self.source: Source = "unknown"
        self.kept: list[Look] = []
        self._prior = 0.0  # log odds for +1 that the samples have not said
        if remembered.sign:
            self.sign = remembered.sign
            self.source = "remembered"
            self._prior = remembered.sign * min(remembered.log_odds, MOST_REMEMBERED)
        self._forget_set()

    def _forget_set(self) -> None:
        self.kept.clear()
        self._turning = TurningPoints()
        self._began: tuple[float, float] | None = None  # angle of the rest before the set, and s
        self._rest: Look | None = None
        self._rest_till = 0
        self._still_since: int | None = None
        self._departed = False
        self._stirred = -(10**9)  # the last look that was no longer at the rest
        self._lost = False  # the set's beginning is no longer kept: too late to follow it again
        self._turns = 0
        self._ask_at = 0

    @property
    def known(self) -> KnownDirection:
        """What would be worth remembering."""
        if self.settled:
            return KnownDirection(self.sign, MOST_REMEMBERED, self.source)
        if self.sign == 0:
            return UNKNOWN
        log_odds = min(max(self.sign * self.log_odds(), 0.0), MOST_REMEMBERED)
        return KnownDirection(self.sign, log_odds, self.source)

    @property
    def settled(self) -> bool:
        """Whether nothing that follows can turn it round."""
        return self.source == "calibrated"

    @property
    def of_earlier_sets(self) -> Sign:
        """What was known before the set that is open: 0 if nothing was."""
        return self.sign if self.settled or self._prior else 0

    def settle(self, sign: Sign) -> None:
        """Take the direction that a calibration says."""
        if not self.settled:
            self._forget_set()
        self.sign, self.source = sign, "calibrated"

    def tell(self, sign: Sign) -> None:
        """Take a direction that earlier samples have shown, unless these show another."""
        if not self.settled and self.sign in (0, sign):
            self.sign, self.source = sign, "remembered"
            self._prior = sign * SURE

    def look(self, look: Look) -> bool:
        """Keep a look; say whether it is worth asking if the direction is refuted."""
        if self.settled:
            return False
        self.kept.append(look)
        if len(self.kept) > KEPT:
            del self.kept[: KEPT // 2]
            self._lost = self._lost or self._departed
        turned = self._turning.look(look)
        if not self._departed:
            self._wait_for_departure(look)
            return False
        if not turned and look.step >= self._ask_at and self._turning.stand[1] >= ASK_FROM_S:
            self._ask_at = look.step + ASK_EVERY
            return True
        return turned

    def _wait_for_departure(self, look: Look) -> None:
        rest = self._rest
        if rest is None:
            rest = self._rest = look
            self._rest_till = look.step
        away = look.angle - rest.angle
        if abs(away) >= MIN_ATTEMPT_DEG:
            self._stirred = look.step
        if abs(away) < 2.0 and abs(look.velocity) < 2 * STILL_DEG_S:
            self._rest_till = look.step
        if abs(away) >= DEPARTURE_DEG:
            self._departed = True
            self._began = (rest.angle, (self._rest_till - rest.step) * GRID_S)
            if self.sign == 0:
                self.sign = 1 if away > 0 else -1
                self.source = "learnt"
        elif not -STILL_DEG_S < look.velocity < STILL_DEG_S:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = look.step
        elif (look.step - self._still_since) * GRID_S >= SETTLED_S:
            if abs(away) > 4.0:
                self._rest = Look(self._still_since, look.angle, look.velocity)
                self._rest_till = look.step
            # Nothing before this rest belongs to the first rep, but a small lift may be one.
            stirred = (look.step - self._stirred) * GRID_S < STIRRED_S
            del self.kept[: -KEPT_STIRRED if stirred else -KEPT_AT_REST]

    @property
    def refuted(self) -> bool:
        """Whether what was seen so far says clearly that it is the other way round."""
        if self.settled or self._lost or self._turns >= MOST_TURNS:
            return False
        return self.sign * self.log_odds() <= -TURN

    @property
    def refuted_at_the_end(self) -> bool:
        """Whether, with no more data to come, the other way round is the likelier."""
        if self.settled or self._lost:
            return False
        return self.sign * self.log_odds(over=True) < 0.0

    def reverse(self) -> None:
        """Take the other direction, for what was kept too."""
        self.sign = -1 if self.sign > 0 else 1
        self.source = "learnt"
        self._turns += 1

    def end_set(self) -> None:
        """Remember what a set has said, and forget its looks."""
        if self.settled:
            return
        known = self.known
        if known.sign:
            self._prior = known.sign * known.log_odds
        self._forget_set()

    def break_off(self, *, keep: bool) -> None:
        """Samples are missing for long: looks before and after do not compare.

        `keep` the direction, though it may never be turned, if a set is under way.
        """
        if self.settled:
            return
        prior = self._prior
        if keep and self.sign:
            prior = self.sign * max(self.known.log_odds, TURN)
        elif self.source == "learnt" and prior == 0.0:
            self.sign = 0
        self._forget_set()
        self._prior = prior
        self._lost = keep

    def log_odds(self, *, over: bool = False) -> float:
        """Log odds that flexion is the positive direction; `over` if the data end here."""
        turning = self._turning
        if turning.travel_deg < DEPARTURE_DEG:
            return self._prior
        said = self._prior
        if self._began is not None:
            where, lasted_s = self._began
            said += self._low(where) * _rest_worth(lasted_s)
        lows = [turn for turn in turning.turns if not turn.high]
        highs = [turn for turn in turning.turns if turn.high]
        said += _of_spread(lows, highs, turning.travel_deg) + _of_stands(lows, highs)
        where, stood_s = turning.stand
        end = self._low(where)
        same = lows if end > 0 else highs
        longest_s = max((turn.stood_s for turn in same), default=0.0)
        if stood_s > longest_s:
            said += end * (_stand_worth(stood_s) - _stand_worth(longest_s))
        if over and stood_s >= SETTLED_S:
            said += end * OVER_WORTH
        return said

    def _low(self, angle: float) -> float:
        """+1 at the low end of all travel, -1 at the high end, in between little."""
        turning = self._turning
        where = (angle - turning.lowest) / turning.travel_deg
        return max(-1.0, min(1.0, 4 * (0.5 - where)))


def _rest_worth(seconds: float) -> float:
    """Log odds of a rest."""
    later = REST_WORTH_LONG_S * max(seconds - 2.0, 0.0)
    return min(REST_WORTH + REST_WORTH_S * min(seconds, 2.0) + later, REST_WORTH_MOST)


def _stand_worth(seconds: float) -> float:
    """Log odds of the longest stand at an end that is not a rest before the set."""
    longer_s = max(seconds - HELD_S, 0.0)
    later = STAND_WORTH_LONG_S * max(longer_s - STAND_LONG_S, 0.0)
    return min(STAND_WORTH_S * min(longer_s, STAND_LONG_S) + later, REST_WORTH_MOST)


def _of_spread(lows: Sequence[Turn], highs: Sequence[Turn], travel_deg: float) -> float:
    fewest = min(len(lows), len(highs))
    if fewest < SPREAD_OF:
        return 0.0
    unresolved = 0.01 * travel_deg + 0.4
    below, above = (_spread([turn.angle for turn in turns]) for turns in (lows, highs))
    reps = min(fewest, SPREAD_REPS)
    ratio = (above + unresolved) / (below + unresolved)
    return _clipped(SPREAD_WORTH_REP * reps * log(ratio), SPREAD_MOST_REP * reps)


def _of_stands(lows: Sequence[Turn], highs: Sequence[Turn]) -> float:
    said = _stand_worth(max((turn.stood_s for turn in lows), default=0.0))
    said -= _stand_worth(max((turn.stood_s for turn in highs), default=0.0))
    if len(lows) < 2 or len(highs) < 2:
        return said
    below, above = (median(turn.stood_s for turn in turns) for turns in (lows, highs))
    if above >= 1.0 and above > 2 * below:
        said += HABIT_WORTH
    elif below >= 1.0 and below > 2 * above:
        said -= HABIT_WORTH
    still = [
        [t.unrest_deg_s for t in turns if t.unrest_deg_s is not None] for turns in (lows, highs)
    ]
    if len(still[0]) >= 2 and len(still[1]) >= 2:
        ratio = (median(still[1]) + 0.2) / (median(still[0]) + 0.2)
        said += _clipped(STILLNESS_WORTH * log(ratio), STILLNESS_MOST)
    return said


def _clipped(value: float, most: float) -> float:
    return max(-most, min(most, value))


def _spread(levels: Sequence[float]) -> float:
    """From the first quartile to the third."""
    ordered = sorted(levels)
    count = len(ordered)
    return ordered[min(count - 1, 3 * count // 4)] - ordered[count // 4]

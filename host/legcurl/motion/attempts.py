"""The lever's motion cut into attempts: excursions from the bottom and back to rest.

An attempt begins when the lever leaves the bottom by 6°. It ends when the lever has come down and
rests, wherever it rests, or has turned and rises again. What it was (a rep, a failed one, a
partial, a fidget) is not asked here; nor is the lifter's range, so that a range learnt later cannot
change what an attempt is.

The finder looks at the lever every 40 ms, 0.1 s late, by the difference of two 0.1 s means. That
only finds; `measure_rep` then measures by definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from legcurl.motion.kinematics import QUASI_STATIC_DEG_S
from legcurl.motion.resampler import GRID_S

MIN_ATTEMPT_DEG = 6.0
"""Moving less is no attempt, in degrees (docs/detection.md)."""

OFF_BOTTOM_DEG = 1.0
"""Below this over the bottom that a lifter is known by, he is only taking up the slack."""

STILL_DEG_S = 1.5
"""Slower than this for a while is rest, not the creep of a lift that hardly moves, in °/s."""

STILL_S = 0.8
"""How long, in s: taking up the slack of the cable and waiting is not the start of a rep."""

SLACK_DEG = 25.0
"""Below this height a still lever may be a lifter who has only taken up the slack, in degrees:
short lifters wait 20° above the machine's own stop."""

MOVED_BOTTOM = 0.2
MOVED_BOTTOM_S = 2.0
"""A lever that rests so low, as a fraction of the last height, for so long, in s, has a new bottom:
the seat was moved. A lifter who stalls on the way up stalls higher or goes on sooner."""

BOTTOM_FRACTION = 0.08
"""Of an attempt's height: back down to here and stopped is back at the bottom."""

LOW_FRACTION = 0.55
"""Of an attempt's height: a lever that has come down below this and rests, or rises again, has
ended a rep; a turn above is a pulse. (Convention: reps may turn half-way up.)"""

RESUMED_FRACTION = 0.3
"""Of an attempt's height: rising by this much from such a low turn is another rep; a bounce or a
catch rises by less."""

SETTLING_DEG = 1.0
"""Sinking by more than this after a short stop is still the way down, in degrees: a lifter may
stop short of the bottom for a moment, and a bounce falls back to where it came from."""

LOW_REST_S = 2.0
"""Still this long at a low turn: the attempt is over, in s. A catch is shorter."""

LEFT_HANGING_S = 8.0
LEFT_HANGING = 0.8
"""Still this long, in s, below this fraction of the height: the lever was left hanging there."""

LONGEST_S = 120.0
"""An attempt cannot last longer, in s: the lever was parked. Bounds the memory."""


class Look(NamedTuple):
    """One look at the lever: grid step, angle in degrees, velocity in °/s."""

    step: int
    angle: float
    velocity: float


@dataclass(slots=True)
class Excursion:
    """An attempt as the finder sees it. Steps of the grid, angles in degrees of flexion."""

    opened: int
    floor: float  # the bottom it left
    looks: list[Look]
    peak: float
    peak_step: int
    low_step: int = 0  # lowest point since the peak
    low: float = 0.0
    closed: int = 0  # where it came to rest again
    plateau: float | None = None  # where it waited, low: slack taken up, or a small lifter's top

    @property
    def height(self) -> float:
        """Peak over the bottom it left."""
        return self.peak - self.floor

    def sinks_on(self, look: Look) -> bool:
        """Whether a lever that had stopped is going on down; if so, that was not the end yet."""
        sinking = look.velocity <= -QUASI_STATIC_DEG_S and look.angle < self.low - SETTLING_DEG
        if sinking:
            self.closed, self.low = look.step, look.angle
        return sinking


class AttemptFinder:
    """Looks in, finished excursions out; `bottom` is where this lifter's reps began, once known."""

    def __init__(self, bottom: float | None = None) -> None:
        self.open: Excursion | None = None
        self.floor: float | None = None
        self.bottom = bottom
        self._recent: list[Look] = []  # looks at the bottom, the last two seconds
        self._still_since: int | None = None
        self._height = 0.0  # of the last attempt

    @property
    def needs_from(self) -> int | None:
        """The first step that may still be measured."""
        if self.open is not None:
            return self.open.looks[0].step
        return self._recent[0].step if self._recent else None

    def look(self, look: Look) -> Excursion | None:
        """Take the next look; give the excursion that ended with it, if one did."""
        if self.open is not None:
            return self._in_attempt(look, self.open)
        self._at_bottom(look)
        return None

    def finish(self) -> Excursion | None:
        """The data end here: the excursion that was open, if it had come down."""
        attempt = self.open
        if attempt is None:
            return None
        base = self.base(attempt)
        if attempt.low - base > LOW_FRACTION * (attempt.peak - base):
            return None
        return self._close(attempt, attempt.looks[-1].step)

    def base(self, attempt: Excursion) -> float:
        """The level that an attempt's height is measured from."""
        return attempt.floor if self.bottom is None else max(attempt.floor, self.bottom)

    def _at_bottom(self, look: Look) -> None:
        recent = self._recent
        recent.append(look)
        if len(recent) > 100:
            del recent[:50]
        angle = look.angle
        if self.floor is None or angle < self.floor:
            self.floor = angle
        if -STILL_DEG_S < look.velocity < STILL_DEG_S:
            if self._still_since is None:
                self._still_since = look.step
            elif (look.step - self._still_since) * GRID_S >= STILL_S / 2:
                self.floor = angle
        else:
            self._still_since = None
        leaving = self.floor + MIN_ATTEMPT_DEG
        if self.bottom is not None:
            leaving = max(leaving, self.bottom + OFF_BOTTOM_DEG)
        if angle > leaving:
            self._begin(look.step, self.floor, _since_descent(recent), look)
            recent.clear()

    def _begin(self, opened: int, floor: float, looks: list[Look], peak: Look) -> None:
        self._still_since = None
        self.open = Excursion(
            opened=opened,
            floor=floor,
            looks=looks,
            peak=peak.angle,
            peak_step=peak.step,
            low_step=peak.step,
            low=peak.angle,
        )

    def _in_attempt(self, look: Look, attempt: Excursion) -> Excursion | None:
        attempt.looks.append(look)
        step, angle, velocity = look
        if angle >= attempt.peak:
            attempt.peak, attempt.peak_step = angle, step
            attempt.low, attempt.low_step = angle, step
        elif angle < attempt.low:
            attempt.low, attempt.low_step = angle, step
        still_s = self._still_for(look)
        base = self.base(attempt)

        if still_s >= STILL_S and self._took_up_slack(attempt, angle, still_s):
            attempt.plateau = angle
        if attempt.plateau is not None and angle > attempt.plateau + MIN_ATTEMPT_DEG:
            self._begin(step, attempt.plateau, attempt.looks[-50:], look)  # so far he waited
            return None
        if velocity > -QUASI_STATIC_DEG_S and attempt.peak - attempt.low > MIN_ATTEMPT_DEG / 2:
            return self._stopped(attempt, look, base, still_s)
        if (step - attempt.opened) * GRID_S > LONGEST_S:
            self._to_bottom(angle)
        return None

    def _still_for(self, look: Look) -> float:
        """How long the lever has been still, in s."""
        if not -STILL_DEG_S < look.velocity < STILL_DEG_S:
            self._still_since = None
            return 0.0
        if self._still_since is None:
            self._still_since = look.step
        return (look.step - self._still_since) * GRID_S

    def _stopped(
        self, attempt: Excursion, look: Look, base: float, still_s: float
    ) -> Excursion | None:
        """The lever has come down some way and stands or rises."""
        height = attempt.peak - base
        left = attempt.low - base
        if left <= max(MIN_ATTEMPT_DEG, BOTTOM_FRACTION * height):
            return self._close(attempt, look.step)
        if left <= LOW_FRACTION * height:
            if still_s >= LOW_REST_S:
                return self._close(attempt, look.step)
            if look.angle - attempt.low > max(MIN_ATTEMPT_DEG, RESUMED_FRACTION * height):
                return self._split(attempt)
        if still_s >= LEFT_HANGING_S and left <= LEFT_HANGING * height:
            return self._close(attempt, look.step)
        if (look.step - attempt.opened) * GRID_S > LONGEST_S:
            self._to_bottom(look.angle)
        return None

    def _took_up_slack(self, attempt: Excursion, angle: float, still_s: float) -> bool:
        """Whether the lever stands so low that what follows is the lift."""
        if angle <= attempt.peak - 2.0:
            return False
        if self.bottom is None:
            return attempt.height < SLACK_DEG
        if attempt.peak < self.bottom + MIN_ATTEMPT_DEG:
            return True
        return still_s >= MOVED_BOTTOM_S and angle < self.bottom + MOVED_BOTTOM * self._height

    def _close(self, attempt: Excursion, step: int) -> Excursion:
        attempt.closed = step
        self._height = attempt.peak - self.base(attempt)
        self._to_bottom(attempt.low)
        return attempt

    def _split(self, attempt: Excursion) -> Excursion:
        """The lever turned low and came up again: two reps met there."""
        turn = next(i for i, look in enumerate(attempt.looks) if look.step == attempt.low_step)
        rest = attempt.looks[turn:]
        del attempt.looks[turn + 1 :]
        attempt.closed = attempt.low_step
        self._height = attempt.peak - self.base(attempt)
        peak = max(rest, key=lambda look: look.angle)
        self._begin(rest[0].step, attempt.low, rest, peak)
        return attempt

    def _to_bottom(self, floor: float) -> None:
        self.open = None
        self.floor = floor
        self._still_since = None
        self._recent.clear()


def _since_descent(looks: list[Look]) -> list[Look]:
    """The looks since the lever was last higher than it is now: what came down is no lift."""
    now = looks[-1].angle
    higher = [i for i, look in enumerate(looks) if look.angle > now]
    return looks[higher[-1] + 1 :] if higher else list(looks)

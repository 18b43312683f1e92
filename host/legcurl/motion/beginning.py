"""Whether a set may have begun before the samples did.

A host that starts in mid-set, when the sensor's log no longer holds the set's beginning, sees a set
that looks whole: its first reps are simply not there, and no gap between samples tells of them. So
where the samples did not begin with the sensor, the first set is believed whole only if the lever
was seen at rest at the bottom before it: at once, when the samples began, or later for as long as
parts two sets. A lever that moves or is held up when the samples begin belongs to a set already.
"""

from __future__ import annotations

from legcurl.motion.attempts import MIN_ATTEMPT_DEG, Look
from legcurl.motion.conditioning import GRID_S
from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.set_keeper import REST_IN_SET_S, SETTLED_END_S

NEAR_BOTTOM = 0.25
"""Fraction of the range: a lever that rests below this rests at the bottom; nobody holds there."""


class BlindBeginning:
    """Looks on the sensor's own axis in, up to the first set; whether it was seen to begin out."""

    def __init__(self) -> None:
        self._since: Look | None = None  # the first look of the rest that may be going on
        self._enough_s = SETTLED_END_S  # of the rest that the samples began with
        self._rests: tuple[float, float] | None = None  # lowest and highest angle of a rest

    def look(self, look: Look) -> None:
        """Take the next look before any rep is known."""
        since = self._since
        if since is None:
            self._since = look
        elif abs(look.angle - since.angle) >= MIN_ATTEMPT_DEG:
            self._since = look
            self._enough_s = REST_IN_SET_S
        elif (look.step - since.step) * GRID_S >= self._enough_s:
            lowest, highest = self._rests or (since.angle, since.angle)
            self._rests = (min(lowest, since.angle), max(highest, since.angle))

    def saw_rest(self, lifter: LifterRange, sign: int) -> bool:
        """Whether the lever was seen at rest at this lifter's bottom before his first rep."""
        if self._rests is None:
            return False
        return min(lifter.fraction(sign * angle) for angle in self._rests) <= NEAR_BOTTOM

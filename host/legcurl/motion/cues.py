"""Words for the coach, at the moment when they help, and each at most once an occasion.

In: the phase as it is seen live. Out: cues. A cue that has been given is not given again until its
occasion is over (the rep, the rest) and has not come close for a while, so it cannot chatter.
"""

from __future__ import annotations

from legcurl.events import CueKind, Phase
from legcurl.motion.attempts import Excursion, Look
from legcurl.motion.classify import LISTED
from legcurl.motion.lifter_range import LifterRange
from legcurl.motion.measure_rep import PULSE_FRACTION
from legcurl.motion.resampler import GRID_S
from legcurl.training_method import TrainingMethod

SHORT_BY_S = 0.5
"""A hold shorter than asked by more than this gets a word, in s: less is still a squeeze."""

RUSHED_DEG_S = 60.0
"""Coming down faster than this is not resisting, in °/s: an eccentric by the method takes 10 to
35 °/s, so this is not reached by varying a little."""

RUSHED_S = 0.2
"""... for this long, in s: a slip of the feet is shorter."""

IDLE_S = 1.5
"""Rest at the bottom that gets a word, in s: longer than the 1.0 s that is shown as rest, so that
a breath does not."""


class CueGiver:
    """Looks in, cues out."""

    def __init__(self, method: TrainingMethod) -> None:
        self._method = method
        self._phase: Phase = "unknown"
        self._given: set[CueKind] = set()  # in this rep or rest
        self._bottom_since: int | None = None
        self._rushed_since: int | None = None
        self._hold_s = 0.0  # of the hold that ended last
        self._judged = False  # whether this rep's range and hold have been looked at

    def look(
        self,
        look: Look,
        phase: Phase,
        hold_s: float,
        attempt: Excursion | None,
        lifter: LifterRange | None,
        under_way: bool,
    ) -> CueKind | None:
        """Take a look; `hold_s` is how long the hold has lasted that this phase may have ended."""
        before, self._phase = self._phase, phase
        if attempt is None:
            return self._resting(look, before, under_way)
        self._bottom_since = None
        if before == "bottom":
            self._given.clear()
            self._judged = False
        if phase != "eccentric" or lifter is None or not under_way:
            self._rushed_since = None
            return None
        if before != "eccentric":
            self._hold_s = hold_s
        reached = lifter.fraction(attempt.peak)
        left = attempt.peak - look.angle > PULSE_FRACTION * attempt.height
        if left and not self._judged and reached >= LISTED:
            self._judged = True
            if not self._method.full(reached):
                return self._once("all_the_way")
            if self._hold_s < self._method.hold_target_s - SHORT_BY_S:
                return self._once("squeeze")
        return self._rushing(look)

    def _rushing(self, look: Look) -> CueKind | None:
        if look.velocity > -RUSHED_DEG_S:
            self._rushed_since = None
            return None
        if self._rushed_since is None:
            self._rushed_since = look.step
        long_enough = (look.step - self._rushed_since) * GRID_S >= RUSHED_S
        return self._once("slower_down") if long_enough else None

    def _resting(self, look: Look, before: Phase, under_way: bool) -> CueKind | None:
        self._rushed_since = None
        if self._bottom_since is None or before != "bottom":
            self._bottom_since = look.step
            self._given.clear()
        idle_s = (look.step - self._bottom_since) * GRID_S
        return self._once("keep_moving") if under_way and idle_s >= IDLE_S else None

    def _once(self, cue: CueKind) -> CueKind | None:
        if cue in self._given:
            return None
        self._given.add(cue)
        return cue

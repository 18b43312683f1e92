"""The phase of the lever as it is seen live, and how long the hold has lasted.

This is the picture for the screen, a tenth of a second late and never corrected; the times of a
rep are measured by definition when it is over.
"""

from __future__ import annotations

from legcurl.events import Phase
from legcurl.motion.attempts import Excursion, Look
from legcurl.motion.kinematics import QUASI_STATIC_DEG_S
from legcurl.motion.lifter_range import SURELY_ROM_DEG, LifterRange
from legcurl.motion.measure_rep import PULSE_FRACTION
from legcurl.motion.resampler import GRID_S

TURNED_DEG = 3.0
"""The lever has left a level when it is this far from it, in degrees: as for the hold's end."""

LEFT_DEG = 8.0
LEFT_S = 0.4
"""... and it comes down for good when it is this far below, or has come down for this long, in s:
a lifter who arrives with a swing settles back by 3 to 7° within a third of a second, and goes on
holding (docs/detection.md: an overshoot on arrival is no top)."""

ARRIVED_S = 1.2
"""For so long after arriving, in s, only the former says so: settling back is not lowering."""

SETTLED_S = 0.12
"""A lever that stands again this long, in s, near the top has only settled back: the hold goes on,
and counts from where it began."""

HOLD_FRACTION = 0.85
"""Standing still below this fraction of the range is a struggle, not a hold. Lower than a full
rep's 0.90: a doubtful hold is shown rather than hidden."""


class PhaseTracker:
    """Looks in, phase out."""

    def __init__(self) -> None:
        self.phase: Phase = "unknown"
        self.hold_from = 0  # grid steps; equal to hold_until when there is no hold
        self.hold_until = 0
        self._turn = 0.0  # highest point since the lever last rose, or lowest since it fell
        self._held_from = 0  # where the last hold began, in case it goes on
        self._sinking_since = 0  # first look of those that came down without a break
        self._moving_at = 0  # last look that was not still

    @property
    def hold_s(self) -> float:
        """How long the hold has lasted that is going on, in s; else 0."""
        return (self.hold_until - self.hold_from) * GRID_S

    def look(self, look: Look, attempt: Excursion | None, lifter: LifterRange | None) -> bool:
        """Take a look; say whether the phase changed."""
        before = self.phase
        self.phase = "bottom" if attempt is None else self._lifting(look, attempt, lifter)
        if before == "hold" and self.phase != "hold":
            self._held_from = self.hold_from
        if before == "eccentric" and self.phase == "hold":
            self.hold_from, self.hold_until = self._held_from, look.step
        elif self.phase != "hold" or before != "hold":
            self.hold_from = self.hold_until = look.step
        elif look.velocity > -QUASI_STATIC_DEG_S:
            self.hold_until = look.step
        return self.phase != before

    def _lifting(self, look: Look, attempt: Excursion, lifter: LifterRange | None) -> Phase:
        step, angle, velocity = look
        phase = self.phase
        if velocity > -QUASI_STATIC_DEG_S:
            self._sinking_since = step
        if abs(velocity) >= QUASI_STATIC_DEG_S:
            self._moving_at = step
        if phase not in ("concentric", "hold", "eccentric"):
            self._turn = angle
            return "concentric"
        if phase == "eccentric":
            self._turn = min(self._turn, angle)
            settled = (step - self._moving_at) * GRID_S >= SETTLED_S
            if settled and attempt.peak - angle < PULSE_FRACTION * attempt.height:
                self._turn = angle
                return "hold"
            if velocity > QUASI_STATIC_DEG_S and angle > self._turn + TURNED_DEG:
                self._turn = angle
                return "concentric"
            return "eccentric"
        if phase == "concentric" or angle > self._turn:
            self._turn = max(self._turn, angle)
        fallen = self._turn - angle
        sinking_s = (step - self._sinking_since) * GRID_S
        arrived = phase == "hold" and (step - self.hold_from) * GRID_S < ARRIVED_S
        if fallen > LEFT_DEG or (fallen > TURNED_DEG and sinking_s >= LEFT_S and not arrived):
            self._turn = angle
            return "eccentric"
        if phase == "concentric" and abs(velocity) < QUASI_STATIC_DEG_S:
            high = (
                attempt.height >= SURELY_ROM_DEG
                if lifter is None
                else lifter.fraction(angle) >= HOLD_FRACTION
            )
            return "hold" if high else "concentric"
        if phase == "hold":
            # A slow sag is still a hold: the level follows it.
            self._turn -= max(self._turn - angle, 0.0) * 0.08
        return phase

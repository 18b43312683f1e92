"""The phase of the lever as it is seen live, and how long the hold has lasted.

This is the picture for the screen, a tenth of a second late and never corrected; the times of a
rep are measured by definition when it is over.
"""

from __future__ import annotations

from legcurl.events import Phase
from legcurl.motion.attempts import Excursion, Look
from legcurl.motion.kinematics import QUASI_STATIC_DEG_S
from legcurl.motion.lifter_range import MIN_LEARNT_ROM_DEG, LifterRange

TURNED_DEG = 3.0
"""The lever has left a level when it is this far from it, in degrees: as for the hold's end."""

HOLD_FRACTION = 0.85
"""Standing still below this fraction of the range is a struggle, not a hold. Lower than a full
rep's 0.90: a doubtful hold is shown rather than hidden."""


class LiveView:
    """Looks in, phase out."""

    def __init__(self) -> None:
        self.phase: Phase = "unknown"
        self.hold_from = 0  # grid steps; equal to hold_until when there is no hold
        self.hold_until = 0
        self._turn = 0.0  # highest point since the lever last rose, or lowest since it fell

    def look(self, look: Look, attempt: Excursion | None, lifter: LifterRange | None) -> bool:
        """Take a look; say whether the phase changed."""
        before = self.phase
        self.phase = "bottom" if attempt is None else self._lifting(look, attempt, lifter)
        if self.phase != "hold" or before != "hold":
            self.hold_from = self.hold_until = look.step
        elif look.velocity > -QUASI_STATIC_DEG_S:
            self.hold_until = look.step
        return self.phase != before

    def _lifting(self, look: Look, attempt: Excursion, lifter: LifterRange | None) -> Phase:
        _, angle, velocity = look
        phase = self.phase
        if phase not in ("concentric", "hold", "eccentric"):
            self._turn = angle
            return "concentric"
        if phase == "eccentric":
            self._turn = min(self._turn, angle)
            if velocity > QUASI_STATIC_DEG_S and angle > self._turn + TURNED_DEG:
                self._turn = angle
                return "concentric"
            return "eccentric"
        if phase == "concentric" or angle > self._turn:
            self._turn = max(self._turn, angle)
        if velocity < -QUASI_STATIC_DEG_S and angle < self._turn - TURNED_DEG:
            self._turn = angle
            return "eccentric"
        if phase == "concentric" and abs(velocity) < QUASI_STATIC_DEG_S:
            high = (
                attempt.height >= MIN_LEARNT_ROM_DEG
                if lifter is None
                else lifter.fraction(angle) >= HOLD_FRACTION
            )
            return "hold" if high else "concentric"
        if phase == "hold":
            # A slow sag is still a hold: the level follows it.
            self._turn -= max(self._turn - angle, 0.0) * 0.08
        return phase

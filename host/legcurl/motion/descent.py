"""When to ask, while a lever comes down, whether the attempt has failed.

Measuring an attempt costs a millisecond, so it is asked at the onset of the descent, every 0.2 s
while the answer could still become yes, and once when half of the height is lost. A lever that
rises again beyond its peak begins a new descent.
"""

from __future__ import annotations

from typing import Literal

from legcurl.motion.attempts import Excursion, Look

ONSET_DEG = 3.0
"""The lever is coming down when it is this far below its peak, in degrees (the hold's own band)."""

CERTAIN_FRACTION = 0.5
"""An attempt that has lost this fraction of its height will not be finished."""

ASK_EVERY = 20
"""Grid steps between two questions: 0.2 s, a quarter of the delay that is owed."""

Asking = Literal["not_now", "suspect", "certain"]


class DescentWatch:
    """Looks at an open attempt in; whether to ask out."""

    def __init__(self) -> None:
        self._of: tuple[int, int] | None = None  # attempt and its peak
        self._next = 0
        self._open = True

    def look(self, excursion: Excursion, look: Look, bottom: float) -> Asking:
        """Whether to ask now, and how certain a yes would be."""
        fallen = excursion.peak - look.angle
        if fallen < ONSET_DEG:
            return "not_now"
        descent = (excursion.opened, excursion.peak_step)
        if self._of != descent:
            self._of = descent
            self._next = 0
            self._open = True
        if not self._open:
            return "not_now"
        if fallen >= CERTAIN_FRACTION * (excursion.peak - bottom):
            self._open = False
            return "certain"
        if look.step < self._next:
            return "not_now"
        self._next = look.step + ASK_EVERY
        return "suspect"

    def cannot_fail(self) -> None:
        """The answer was no and will stay no for this descent."""
        self._open = False

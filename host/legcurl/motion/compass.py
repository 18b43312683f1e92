"""Which way the lever's flexion is on the encoder's circle, when nobody has said.

A lifter sits down at a lever at rest, so the first real motion away from where it rested is
flexion. Until then every look is kept, so that nothing of the first rep is lost.
"""

from __future__ import annotations

from legcurl.motion.attempts import STILL_DEG_S, Look

DEPARTURE_DEG = 20.0
"""So far from rest is a motion, in degrees: more than taking up the slack, half of a short ROM."""

SETTLED_S = 0.4
"""A lever this long still is at rest, in s."""

KEPT = 3000
"""Looks kept while waiting: two minutes."""


class Compass:
    """Unwrapped sensor angle in, direction out: +1 or −1, and the looks that led to it."""

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self._rest: float | None = None
        self._still_since: int | None = None

    def restart(self) -> None:
        """Forget where the lever rested: the samples broke off or the encoder jumped."""
        self.__init__()

    def look(self, look: Look) -> int:
        """Take a look; give the direction of flexion, or 0 while it is not known."""
        self.looks.append(look)
        if len(self.looks) > KEPT:
            del self.looks[: KEPT // 2]
        if self._rest is None:
            self._rest = look.angle
        away = look.angle - self._rest
        if abs(away) >= DEPARTURE_DEG:
            return 1 if away > 0 else -1
        if not -STILL_DEG_S < look.velocity < STILL_DEG_S:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = look.step
        elif (look.step - self._still_since) * 0.01 >= SETTLED_S:
            self._rest = look.angle
            # Nothing before this rest belongs to the first rep.
            del self.looks[:-50]
        return 0

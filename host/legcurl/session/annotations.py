"""What a session must know besides frames: when the link was lost, how long a restart took.

A session's events follow from its items alone, frames and notes, so a recording of both replays to
the same events. A note therefore holds what the station knows and the frames do not say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

WALL_UNKNOWN = 0  # of a ClockNote, before the sensor's clock was compared with the host's
REASON_MAX_BYTES = 800  # as JSON: a note must fit a frame of 1024 bytes
CUT = "…"


@dataclass(frozen=True, slots=True)
class LinkNote:
    """The link to the sensor was lost, or is back. The reason is for people to read."""

    state: Literal["lost", "restored"]
    reason: str = ""

    def __post_init__(self) -> None:
        # Cut here and not where it is stored, so that live and replay say the same.
        object.__setattr__(self, "reason", _fitting(self.reason))


@dataclass(frozen=True, slots=True)
class RestartNote:
    """When a boot of the sensor began: `zero_us` of the previous boot's clock.

    The station measures it with the host's clock (boot_clock.py), before or after the new boot's
    hello but before its first samples. Without it the time that the restart took is unknown.
    """

    boot_id: int
    zero_us: int


@dataclass(frozen=True, slots=True)
class DamageNote:
    """Bytes of a recording could not be read here; frames may be missing for good."""


@dataclass(frozen=True, slots=True)
class ClockNote:
    """How session time lies to the sensor's clock and to the wall's.

    A session that has not begun takes `zero_us` for its own, so that its times go on from those of
    the session that wrote this. No event depends on the rest: it gives a wall time to what a
    journal holds while no sensor is there to compare clocks with.
    """

    zero_us: int  # session time of the boot's zero
    t_us: int  # a moment of session time
    wall_us: int  # what wall clocks showed then, in µs since 1970; or WALL_UNKNOWN
    rate: float  # wall seconds in one of the session's
    host_us: int = 0
    host_boot: str = ""


@dataclass(frozen=True, slots=True)
class LearntNote:
    """What a session has learnt, for a session that begins here without the past.

    `direction` is the sign of flexion on the sensor's axis, 0 while it is not sure; `blind` is
    whether a set may have begun before the first sample. A session keeps what it knows by itself.
    """

    direction: int
    blind: bool


Note = LinkNote | RestartNote | DamageNote | ClockNote | LearntNote


def _fitting(reason: str) -> str:
    """The reason, cut after the last word that a note has room for."""
    reason = reason.encode("utf-8", "replace").decode()
    if _written(reason) <= REASON_MAX_BYTES:
        return reason
    left = REASON_MAX_BYTES - _written(CUT)
    for place, char in enumerate(reason):
        left -= _written(char)
        if left < 0:
            return reason[:place].rsplit(" ", 1)[0] + CUT
    return reason


def _written(text: str) -> int:
    """How many bytes of JSON a text is, without its quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2

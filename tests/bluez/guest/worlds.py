"""The simulated worlds that the steps use: what the lifter does, and how it is sampled.

What must come of each is known before the guest starts, from this side of the radio: the host
plays them (../worlds_for_guest.py) and leaves in /results/worlds

    NAME.angles   the angle of every sample that the sensor must take: 16 bits each, by index
    NAME.set      the set that the same sensor gives over a cable, as JSON
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACE = Path("/results/worlds")


@dataclass(frozen=True, slots=True)
class PlayedWorld:
    """One of them. `pace` is how many times as fast as real time the guest plays it."""

    name: str
    lifter: str
    seed: int
    rate_hz: int
    pace: int = 1
    has_set: bool = False  # its set over a cable is there to compare with

    @property
    def by_cable(self) -> str:
        """The address that plays it at once, over a cable."""
        return f"sim:?lifter={self.lifter}&seed={self.seed}&rate={self.rate_hz}&pace=fast"

    @property
    def on_air(self) -> str:
        """The address of the same sensor with a radio."""
        sensor = f"lifter={self.lifter}&seed={self.seed}&rate={self.rate_hz}&link=ble"
        return f"sim:?{sensor}&pace={self.pace}"

    def angles(self) -> array[int]:
        """The angle of each sample, on the wire's scale."""
        angles = array("H")
        angles.frombytes((PLACE / f"{self.name}.angles").read_bytes())
        return angles

    def expected_set(self) -> Any:
        """The set, as `legcurl analyze` would write it."""
        return json.loads((PLACE / f"{self.name}.set").read_text())


STREAM_100 = PlayedWorld("stream-100", "steady", 20_101, 100)
STREAM_200 = PlayedWorld("stream-200", "steady", 20_102, 200)
SHORT_SET = PlayedWorld("short-set", "early", 20_103, 100, pace=4, has_set=True)

ALL = (STREAM_100, STREAM_200, SHORT_SET)

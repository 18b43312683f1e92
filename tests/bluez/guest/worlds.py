"""The simulated worlds that the steps use: what the lifter does, and how it is sampled.

What must come of each is known before the guest starts, from this side of the radio: the host
plays them (../worlds_for_guest.py) and leaves in /results/worlds

    NAME.angles   what a faultless sensor samples, one period after the other from time 0: 16 bits
    NAME.set      the set that the same sensor gives over a cable, as JSON
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legcurl.protocol.frame import Samples

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

    @property
    def period_us(self) -> int:
        """From one sample to the next."""
        return 1_000_000 // self.rate_hz

    def check(self, runs: Iterable[Samples]) -> tuple[int, int]:
        """Each sample is as it was, none is lacking; how many there are, and came once more."""
        angles = array("H")
        angles.frombytes((PLACE / f"{self.name}.angles").read_bytes())
        following = 0
        repeated = 0
        for run in runs:
            assert run.index <= following, f"{following} to {run.index - 1} never came"
            end = run.index + len(run.angles)
            repeated += min(following, end) - run.index
            following = max(following, end)
            # A timer's first tick is one period after its start, so index 0 is not at time 0.
            assert run.t_us == (run.index + 1) * self.period_us
            first = run.t_us // self.period_us
            assert list(run.angles) == list(angles[first : first + len(run.angles)])
        return following, repeated

    def expected_set(self) -> Any:
        """The set, as `legcurl analyze` would write it."""
        return json.loads((PLACE / f"{self.name}.set").read_text())


STREAM_100 = PlayedWorld("stream-100", "steady", 20_101, 100)
STREAM_200 = PlayedWorld("stream-200", "steady", 20_102, 200)
SHORT_SET = PlayedWorld("short-set", "early", 20_103, 100, pace=4, has_set=True)
STRANGER = PlayedWorld("stranger", "aborted", 20_104, 100)  # met by one step alone

ALL = (STREAM_100, STREAM_200, SHORT_SET, STRANGER)

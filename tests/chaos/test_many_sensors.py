"""Many sensors in one process: each is followed as if it were the only one.

`make test-all` runs a few stations for a good minute, `make test-chaos` twenty of them for half an
hour of their time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from many import LIFTERS, Machine, draw_machines, follow_all, follow_alone

ALL = os.environ.get("LEGCURL_CHAOS") == "all"


@dataclass(frozen=True, slots=True)
class Room:
    """How many stations of each kind of link, and for how long in their time."""

    seed: int
    serial: int
    tcp: int
    ble: int
    until_s: float
    lifters: tuple[str, ...] = LIFTERS

    def machines(self) -> list[Machine]:
        return draw_machines(
            self.seed, serial=self.serial, tcp=self.tcp, ble=self.ble, lifters=self.lifters
        )


ROOM = Room(1, 6, 6, 8, 1800.0) if ALL else Room(19, 1, 1, 2, 80.0, ("early",))
# A station is busy with one chunk, and then it is the next one's turn; nobody has to wait for
# longer than a round of all. In the time of this process: what else the computer does is not ours.
UNSERVED_S = 5.0
# Nothing may pile up: from the first mark of memory to any later one.
GROWTH_KB = 8 * 1024


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_each_of_many_is_followed_as_if_alone(capsys) -> None:
    machines = ROOM.machines()
    report = await follow_all(machines, ROOM.until_s)

    for machine, seen in zip(machines, report.seen, strict=True):
        alone = await follow_alone(machine.whole, ROOM.until_s)
        assert alone.sets, f"{machine.name}: there was a set"
        assert seen.sets == alone.sets, f"{machine.name}: all fields, to the last bit"
        assert seen.same == alone.same, f"{machine.name}: every sample, and all that was said"
        assert not seen.missing, f"{machine.name}: nothing is lost"
        assert seen.outages, f"{machine.name}: its link did break"
    assert report.unserved_busy_s < UNSERVED_S, "nobody starved"
    assert report.growth_kb < GROWTH_KB, "and nothing piled up"
    if ALL:
        with capsys.disabled():
            print("\n" + report.as_text())

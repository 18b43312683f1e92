"""Plays the worlds of guest/worlds.py, and their sets over a cable, for the guest to compare."""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from pathlib import Path

from legcurl.events import SetEnded, as_json
from legcurl.links.address import SimAddress, parse
from legcurl.protocol.frame import TURN
from legcurl.simulator.world import World
from legcurl.station.station import open_station

sys.path.insert(0, str(Path(__file__).resolve().parent / "guest"))

from worlds import ALL, PlayedWorld


def write_worlds(place: Path) -> None:
    """Write the files of every world."""
    place.mkdir(parents=True)
    for world in ALL:
        address = parse(world.by_cable)
        assert isinstance(address, SimAddress)
        played = World(address.options)
        trace = played.sensor_trace(world.rate_hz)
        angles = array("H", (round(angle_deg * TURN / 360) % TURN for _, angle_deg in trace))
        (place / f"{world.name}.angles").write_bytes(angles.tobytes())
        if world.has_set:
            (place / f"{world.name}.set").write_text(json.dumps(asyncio.run(_set_of(world))))


async def _set_of(world: PlayedWorld) -> object:
    """The one set of a world, over a serial port."""
    async with asyncio.timeout(60.0), open_station(world.by_cable) as station:
        ended = [event async for event in station.events() if isinstance(event, SetEnded)]
    (only,) = ended
    return as_json(only)

"""The cable is pulled in mid-set and plugged in again: the set stays open and is not lost."""

from __future__ import annotations

import asyncio
import os
import tty
from pathlib import Path

from legcurl.concurrency import until_first
from legcurl.errors import LinkLostError
from legcurl.events import CatchingUp, Event, LinkChanged, Progress, SetEnded, SetStarted, as_json
from legcurl.links.address import SerialAddress, SimAddress, parse
from legcurl.links.serial import SerialLink, SerialRoute
from legcurl.simulator.runner import SimulatedSensor
from legcurl.station.station import open_station

SET = "seed=11&lifter=early"


class Cable:
    """A serial port, at a path that comes and goes, whose bytes are those of another port."""

    def __init__(self, path: Path, sensor_port: str) -> None:
        self._path = path
        self._sensor_port = sensor_port
        self._carrying: asyncio.Task[None] | None = None

    async def plug_in(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._path.symlink_to(os.ttyname(slave))
        link = await SerialRoute(SerialAddress(self._sensor_port)).connect()
        self._carrying = asyncio.create_task(self._carry(master, slave, link))

    async def pull(self) -> None:
        assert self._carrying is not None
        self._path.unlink()
        self._carrying.cancel()
        await asyncio.gather(self._carrying, return_exceptions=True)

    async def _carry(self, master: int, slave: int, link: SerialLink) -> None:
        loop = asyncio.get_running_loop()
        from_host: asyncio.Queue[bytes] = asyncio.Queue()
        loop.add_reader(master, lambda: from_host.put_nowait(os.read(master, 4096)))

        async def to_sensor() -> None:
            while True:
                await link.write(await from_host.get())

        async def to_host() -> None:
            while True:
                chunk = await link.read()
                while chunk:
                    try:
                        chunk = chunk[os.write(master, chunk) :]
                    except BlockingIOError:
                        await asyncio.sleep(0.005)

        try:
            await until_first(to_sensor(), to_host())
        except LinkLostError:
            pass
        finally:
            loop.remove_reader(master)
            os.close(master)  # whoever has the slave open is told that it went away
            os.close(slave)
            await link.close()


def without_link(events: list[Event]) -> list[dict]:
    """What a set is made of. The boot id is the first event's affair."""
    kept = [event for event in events if not isinstance(event, LinkChanged | CatchingUp)]
    return [as_json(event) for event in kept][1:]


async def test_a_cable_pulled_three_times_in_a_set_costs_nothing(tmp_path: Path) -> None:
    parsed = parse(f"sim:?pace=20&{SET}")
    assert isinstance(parsed, SimAddress)
    events: list[Event] = []
    pulls = [30.0, 45.0, 60.0]
    async with SimulatedSensor(parsed.options) as sensor:
        cable = Cable(tmp_path / "ttyACM0", sensor.port)
        await cable.plug_in()
        async with open_station(f"serial:{tmp_path / 'ttyACM0'}") as station:
            async for event in station.events():
                events.append(event)
                if isinstance(event, Progress) and pulls and event.t_s > pulls[0]:
                    del pulls[0]
                    await cable.pull()
                    await asyncio.sleep(0.4)  # eight seconds of the set
                    await cable.plug_in()
                if isinstance(event, SetEnded):
                    break
        await cable.pull()
    states = [event.state for event in events if isinstance(event, LinkChanged)]
    assert states == ["lost", "restored"] * 3
    first_lost = next(at for at, event in enumerate(events) if isinstance(event, LinkChanged))
    assert any(isinstance(event, SetStarted) for event in events[:first_lost])

    async with open_station(f"sim:?pace=fast&{SET}") as station:
        whole = [event async for event in station.events()]
    ended = next(at for at, event in enumerate(whole) if isinstance(event, SetEnded))
    assert without_link(events) == without_link(whole[: ended + 1])

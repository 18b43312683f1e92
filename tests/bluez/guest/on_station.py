"""A station over the real BlueZ: whatever becomes of the link, no sample is lost or counted twice.

Each step listens as a user's program would, with a recording of all that came in. What the
recording holds is checked index by index against the world, so a notification that was delivered
twice shows even where the session above has forgiven it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from adapter import KernelAdapter
from legcurl.events import Event, LinkChanged, SamplesMissing, SetEnded, as_json
from legcurl.protocol.frame import Answer, Gap, Samples
from legcurl.protocol.requests import Op, Result, read_start
from legcurl.recording.file import Recording
from legcurl.station.station import Station, open_station
from surroundings import Surroundings
from worlds import SHORT_SET, STREAM_100, STREAM_200, PlayedWorld

BEFORE_S = 3.0  # of streaming, before and after what a step does to the link
SILENCE_S = 4.0  # BlueZ gives a connection up after 0.42 s
AWAY_S = 3.0
BACK_S = 60.0  # for everything that a reconnect may need in a guest that is ten times slow
POLL_S = 0.05


class Listener:
    """Reads a station's events, as the one program that does."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.events: list[Event] = []

    async def read(self) -> None:
        """Until the station ends."""
        async for event in self.station.events():
            self.events.append(event)

    def links(self) -> list[str]:
        """What was said of the link."""
        return [event.state for event in self.events if isinstance(event, LinkChanged)]

    def why_lost(self) -> str:
        """What was said when the link was lost."""
        return next(
            event.reason
            for event in self.events
            if isinstance(event, LinkChanged) and event.state == "lost"
        )

    async def until(self, happened: Callable[[], bool], seconds: float = BACK_S) -> float:
        """Wait for something; how long it took."""
        began_s = monotonic()
        async with asyncio.timeout(seconds):
            while not happened():
                await asyncio.sleep(POLL_S)
        return monotonic() - began_s

    async def hear(self, world: PlayedWorld, seconds: float) -> None:
        """Wait for the samples of so much more of the sensor's time."""
        wanted = self.station.session.counts.samples + seconds * world.rate_hz
        await self.until(lambda: self.station.session.counts.samples >= wanted)


@asynccontextmanager
async def listening(address: str, record: Path) -> AsyncIterator[Listener]:
    """A station with a program that listens to it."""
    async with open_station(f"ble:{address}", record=record) as station:
        listener = Listener(station)
        reading = asyncio.create_task(listener.read())
        try:
            yield listener
            await station.stop()
            await reading
        finally:
            reading.cancel()


def boots(record: Path) -> list[list[Samples | Gap]]:
    """Every frame of samples as it came over the air, by boot of the sensor."""
    recording = Recording(record)
    found: dict[int, list[Samples | Gap]] = {}
    frames: list[Samples | Gap] = []
    for item in recording:
        if isinstance(item, Answer) and item.op == Op.START and item.result == Result.OK:
            frames = found.setdefault(read_start(item).boot_id, [])
        elif isinstance(item, Samples | Gap):
            frames.append(item)
    recording.close()
    return list(found.values())


def check_whole(
    frames: list[Samples | Gap], world: PlayedWorld, figures: dict[str, Any], resumed: int
) -> None:
    """Nothing is lacking, and nothing came twice but what a resumed stream may begin with."""
    runs = [frame for frame in frames if isinstance(frame, Samples)]
    assert len(runs) == len(frames), "the sensor has declared a gap"
    samples, repeated = world.check(runs)
    figures["samples"] = figures.get("samples", 0) + samples
    figures["repeated"] = figures.get("repeated", 0) + repeated
    # "The frame that holds `from` is sent whole": docs/protocol.md.
    assert repeated <= resumed * max(len(run.angles) for run in runs)


async def test_a_drop_by_the_sensor_costs_no_sample(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any], tmp_path: Path
) -> None:
    """Nor does it leave anything: bleak keeps a D-Bus socket open unless told to disconnect()."""
    record = tmp_path / "drop.legcurl"
    address = await surroundings.start(STREAM_200)
    async with listening(address, record) as listener:
        for number in (1, 2):
            await listener.hear(STREAM_200, BEFORE_S)
            await surroundings.drop(address)
            await listener.until(lambda n=number: listener.links() == ["lost", "restored"] * n)
        await listener.hear(STREAM_200, BEFORE_S)
    (frames,) = boots(record)
    check_whole(frames, STREAM_200, figures, resumed=2)


async def test_a_silence_of_seconds_costs_no_sample(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any], tmp_path: Path
) -> None:
    record = tmp_path / "silence.legcurl"
    address = await surroundings.start(STREAM_200)
    async with listening(address, record) as listener:
        await listener.hear(STREAM_200, BEFORE_S)
        await surroundings.silence(address, SILENCE_S)
        figures["lost_s"] = round(await listener.until(lambda: listener.links() == ["lost"]), 2)
        restored = ["lost", "restored"]
        figures["restored_s"] = round(await listener.until(lambda: listener.links() == restored), 2)
        await listener.hear(STREAM_200, BEFORE_S)
    (frames,) = boots(record)
    check_whole(frames, STREAM_200, figures, resumed=1)


@pytest.mark.parametrize("later_firmware", [False, True], ids=["the same", "another table"])
async def test_a_sensor_that_was_off_is_found_with_whatever_firmware_it_has(
    surroundings: Surroundings,
    adapter: KernelAdapter,
    figures: dict[str, Any],
    tmp_path: Path,
    later_firmware: bool,
) -> None:
    """Killed in mid-stream and started again at the same address: BlueZ remembers its table."""
    record = tmp_path / "restart.legcurl"
    address = await surroundings.start(STREAM_100)
    async with listening(address, record) as listener:
        await listener.hear(STREAM_100, BEFORE_S)
        table = await surroundings.table(address)
        await surroundings.kill(address)
        figures["lost_s"] = round(await listener.until(lambda: listener.links() == ["lost"]), 2)
        await surroundings.start(STREAM_100, later_firmware=later_firmware)
        assert (await surroundings.table(address) != table) == later_firmware
        restored = ["lost", "restored"]
        figures["restored_s"] = round(await listener.until(lambda: listener.links() == restored), 2)
        await listener.hear(STREAM_100, BEFORE_S)
    (gap,) = [event for event in listener.events if isinstance(event, SamplesMissing)]
    assert gap.reason == "reboot"
    before, after = boots(record)
    check_whole(before, STREAM_100, figures, resumed=0)
    check_whole(after, STREAM_100, figures, resumed=0)


async def test_an_adapter_switched_off_is_named_and_waited_for(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any], tmp_path: Path
) -> None:
    record = tmp_path / "adapter.legcurl"
    address = await surroundings.start(STREAM_100)
    async with listening(address, record) as listener:
        await listener.hear(STREAM_100, BEFORE_S)
        await adapter.power(on=False)
        await listener.until(lambda: listener.links() == ["lost"])
        assert "Bluetooth" in listener.why_lost()
        await asyncio.sleep(AWAY_S)
        await adapter.power(on=True)
        restored = ["lost", "restored"]
        figures["restored_s"] = round(await listener.until(lambda: listener.links() == restored), 2)
        await listener.hear(STREAM_100, BEFORE_S)
    (frames,) = boots(record)
    check_whole(frames, STREAM_100, figures, resumed=1)


async def test_a_set_with_a_drop_and_a_silence_is_the_set_of_a_cable(
    surroundings: Surroundings, adapter: KernelAdapter, figures: dict[str, Any], tmp_path: Path
) -> None:
    record = tmp_path / "set.legcurl"
    address = await surroundings.start(SHORT_SET)
    async with listening(address, record) as listener:

        def ended() -> bool:
            return any(isinstance(event, SetEnded) for event in listener.events)

        await listener.hear(SHORT_SET, 20.0)
        await surroundings.drop(address)
        await listener.hear(SHORT_SET, 20.0)
        await surroundings.silence(address, SILENCE_S)
        await listener.until(ended)
    (told,) = [event for event in listener.events if isinstance(event, SetEnded)]
    assert listener.links() == ["lost", "restored", "lost", "restored"]
    assert as_json(told) == SHORT_SET.expected_set()
    (frames,) = boots(record)
    check_whole(frames, SHORT_SET, figures, resumed=2)
    figures["reps"] = told.set.completed_reps
    figures["outcome"] = told.set.outcome

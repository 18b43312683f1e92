"""Who looks on has samples sent while young; who only records, or pays by the byte, does not."""

from __future__ import annotations

import pytest
from fake_sensor import FakeSensor, leg_curls
from legcurl.gym.gym import prompt_ms_for
from legcurl.session.sensor_session import SensorSession
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import PROMPT_MS, LiveFeed
from legcurl.station.station import Station
from live_sensor import START, LiveSensor, LoopbackRoute
from virtual_time import in_virtual_time

PLAIN_BYTES = 12  # of a start without prompt_ms


async def start_payload(*, prompt_ms: int, minor: int, wired: bool, pace: float | None) -> bytes:
    """What the first start asks for."""
    sensor = LiveSensor(FakeSensor(leg_curls(count=1)), protocol=[1, minor])
    queue = EventQueue(SensorSession())
    route = LoopbackRoute(sensor, wired=wired, pace=pace)
    async with Station("loop:", LiveFeed(route, queue, prompt_ms=prompt_ms), queue):
        return next(payload for op, payload in sensor.requests if op == START)


@in_virtual_time
async def test_a_viewer_asks_for_prompt_samples() -> None:
    payload = await start_payload(prompt_ms=PROMPT_MS, minor=1, wired=True, pace=1.0)
    assert payload[PLAIN_BYTES:] == bytes((PROMPT_MS,))


@pytest.mark.parametrize(
    "otherwise",
    [{"prompt_ms": 0}, {"minor": 0}, {"wired": False}, {"pace": None}],
    ids=["recording", "older sensor", "by radio", "fast world"],
)
@in_virtual_time
async def test_other_stations_ask_for_no_prompt_samples(otherwise: dict[str, object]) -> None:
    asked: dict[str, object] = {"prompt_ms": PROMPT_MS, "minor": 1, "wired": True, "pace": 1.0}
    payload = await start_payload(**(asked | otherwise))  # type: ignore[arg-type]
    assert len(payload) == PLAIN_BYTES


@pytest.mark.parametrize(
    ("machines", "prompt_ms"),
    [(0, 40), (1, 40), (60, 40), (61, 80), (120, 80), (200, 160), (360, 240), (2000, 240)],
)
def test_the_more_machines_the_longer_their_frames(machines: int, prompt_ms: int) -> None:
    assert prompt_ms_for(machines) == prompt_ms

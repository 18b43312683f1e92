"""Collects what a diagnosis needs of one sensor: asks, watches for a while, and asks again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from legcurl.errors import FrameError, LinkLostError, RequestRefusedError
from legcurl.firmware_files import firmware_version
from legcurl.install.checks.monitored_sensor import SensorVisit
from legcurl.install.doctor.clock_drift import Ping
from legcurl.install.doctor.diagnosis import PINGS_APART_S, Evidence, heap_of
from legcurl.protocol.requests import Op

STATISTICS_EVERY_S = 1.0  # sensor time: as often as it reads its magnet
LOOK_S = 0.1

_UNANSWERED = (LinkLostError, RequestRefusedError, FrameError)


async def examine(
    visit: SensorVisit, seconds: float, progress: Callable[[float], None]
) -> Evidence:
    """Watch for so many seconds of sensor time, or to its end; `progress` is told how many.

    They count from the first sample of the visit, and what comes after them is not looked at: a
    sensor that is simulated faster than it can be watched runs ahead, the farther the busier this
    computer is, and nothing that is found may depend on that.
    """
    visit.watch_s = seconds
    stored = await _or_none(visit.stored_calibration)
    before = latest = await _or_none(visit.statistics)
    free_heap = heap_of(latest)
    crash_log = await _crash_log(visit)
    pings: list[Ping] = []
    asked_s = visit.stream.seconds
    pinged_s = 0.0
    boot_id = visit.hello.boot_id
    while visit.stream.watched_s < seconds and not visit.ended:
        now_s = monotonic()
        # A world without a clock has none to compare, and lasts for as long as anybody asks.
        if visit.pace is not None and now_s - pinged_s >= PINGS_APART_S:
            pinged_s = now_s
            await _ping(visit, pings)
        if visit.hello.boot_id != boot_id:
            boot_id = visit.hello.boot_id
            pings.clear()
            before = None
        if abs(visit.stream.seconds - asked_s) >= STATISTICS_EVERY_S:
            asked_s = visit.stream.seconds
            latest = await _or_none(visit.statistics) or latest
            free_heap = max(free_heap, heap_of(latest))
        progress(min(visit.stream.watched_s, seconds))
        await visit.wait(LOOK_S)
        visit.raise_failure()
    return Evidence(
        address=visit.address,
        hello=visit.hello,
        own_firmware=firmware_version(),
        stored=stored,
        before=before,
        after=latest,
        free_heap=free_heap,
        crash_log=crash_log,
        stream=visit.stream,
        magnet=visit.magnet,
        link=visit.link,
        pings=tuple(pings),
        pace=visit.pace,
        longest_silence_s=visit.longest_silence_s,
        wired=visit.wired,
    )


async def _ping(visit: SensorVisit, pings: list[Ping]) -> None:
    try:
        sent_s, sensor_us, received_s = await visit.ping(len(pings))
    except _UNANSWERED:
        return
    pings.append(Ping(sent_s, sensor_us, received_s))


async def _or_none(ask: Callable[[], Any]) -> Mapping[str, Any] | None:
    """What it answers, or None where a sensor that restarts or ends does not."""
    try:
        return await ask()
    except _UNANSWERED:
        return None


async def _crash_log(visit: SensorVisit) -> str:
    """What it died of before; sensors before 1.1 do not know the question."""
    try:
        answer = await visit.station.request(Op.CRASH_LOG)
    except _UNANSWERED:
        return ""
    return answer.payload.decode("utf-8", "replace")

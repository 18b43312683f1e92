"""Collects the evidence for a diagnosis: requests, a stretch of the stream, requests again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from legcurl.errors import FrameError, LinkLostError, RequestRefusedError
from legcurl.firmware_files import firmware_version
from legcurl.install.checks.monitored_sensor import MonitoredSensor
from legcurl.install.doctor.clock_drift import Ping
from legcurl.install.doctor.diagnosis import PINGS_APART_S, Evidence, heap_of
from legcurl.protocol.requests import Op

STATISTICS_EVERY_S = 1.0  # sensor time: as often as it reads its magnet
LOOK_S = 0.1

_UNANSWERED = (LinkLostError, RequestRefusedError, FrameError)


async def measure_sensor(
    sensor: MonitoredSensor, seconds: float, progress: Callable[[float], None]
) -> Evidence:
    """Watch for so many seconds of sensor time; `progress` gets the seconds so far.

    They count from the first sample, and later samples are ignored: a simulated sensor of
    pace=fast runs ahead of a busy computer, and no finding may depend on that.
    """
    sensor.watch_s = seconds
    stored = await _or_none(sensor.stored_calibration)
    before = latest = await _or_none(sensor.statistics)
    free_heap = heap_of(latest)
    crash_log = await _crash_log(sensor)
    pings: list[Ping] = []
    asked_s = sensor.stream.seconds
    pinged_s = 0.0
    boot_id = sensor.hello.boot_id
    while sensor.stream.watched_s < seconds and not sensor.ended:
        now_s = monotonic()
        if sensor.pace is not None and now_s - pinged_s >= PINGS_APART_S:
            pinged_s = now_s
            await _ping(sensor, pings)
        if sensor.hello.boot_id != boot_id:
            boot_id = sensor.hello.boot_id
            pings.clear()
            before = None
        if abs(sensor.stream.seconds - asked_s) >= STATISTICS_EVERY_S:
            asked_s = sensor.stream.seconds
            latest = await _or_none(sensor.statistics) or latest
            free_heap = max(free_heap, heap_of(latest))
        progress(min(sensor.stream.watched_s, seconds))
        await sensor.wait(LOOK_S)
        sensor.raise_failure()
    return Evidence(
        address=sensor.address,
        hello=sensor.hello,
        own_firmware=firmware_version(),
        stored=stored,
        before=before,
        after=latest,
        free_heap=free_heap,
        crash_log=crash_log,
        stream=sensor.stream,
        magnet=sensor.magnet,
        link=sensor.link,
        pings=tuple(pings),
        pace=sensor.pace,
        longest_silence_s=sensor.longest_silence_s,
        wired=sensor.wired,
    )


async def _ping(sensor: MonitoredSensor, pings: list[Ping]) -> None:
    try:
        sent_s, sensor_us, received_s = await sensor.ping(len(pings))
    except _UNANSWERED:
        return
    pings.append(Ping(sent_s, sensor_us, received_s))


async def _or_none(ask: Callable[[], Any]) -> Mapping[str, Any] | None:
    """The answer, or None if the sensor restarts, ends or refuses."""
    try:
        return await ask()
    except _UNANSWERED:
        return None


async def _crash_log(sensor: MonitoredSensor) -> str:
    """The crash log; empty for sensors before protocol 1.1."""
    try:
        answer = await sensor.station.request(Op.CRASH_LOG)
    except _UNANSWERED:
        return ""
    return answer.payload.decode("utf-8", "replace")

"""A calibration with an installer who moves the lever; a `show` function displays it.

`measure_range` follows the lever until all rests are measured or a fault prevents it, and asks the
sensor for its magnet's figures meanwhile. `write_record` writes the result and reads it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from legcurl.errors import LinkLostError, RequestRefusedError, SensorError
from legcurl.firmware_files import firmware_version
from legcurl.install.calibrate.calibration_record import Measurements, must_stop
from legcurl.install.calibrate.range_survey import RangeSurvey, Rest
from legcurl.protocol.requests import Op, read_json

if TYPE_CHECKING:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.install.checks.stream_stats import Run

PATIENCE_S = 60.0
"""Longest sensor time without a new rest, in s; then the calibration ends."""

FIGURES_EVERY_S = 0.4  # sensor time; twice as often as the sensor reads them
SHOW_EVERY_S = 0.1  # ten pictures a second look alive


class GuidedCalibration:
    """The progress of a calibration, for display."""

    def __init__(self, sensor: MonitoredSensor, rounds: int) -> None:
        self.sensor = sensor
        self.survey = RangeSurvey(rounds)
        self.found: list[Rest] = []  # not yet shown; the display empties it
        self.blind_s = 0.0  # sensor time since the encoder last had an angle
        self._seen_us: int | None = None

    def take(self, run: Run) -> None:
        """Take a run of samples."""
        self.found += self.survey.push(run)
        if self._seen_us is None:
            self._seen_us = run.t_us[0]
        if run.travel_deg[-1] == run.travel_deg[-1]:
            self._seen_us = run.t_us[-1]
        self.blind_s = (run.t_us[-1] - self._seen_us) / 1e6

    def restarted(self) -> None:
        """Follow a restart: the sensor's clock starts again."""
        self._seen_us = None
        self.survey.restart()


async def measure_range(
    sensor: MonitoredSensor, rounds: int, show: Callable[[GuidedCalibration], None]
) -> Measurements:
    """Follow the lever to the last rest; raise the error that ends the stream before."""
    progress = GuidedCalibration(sensor, rounds)
    show(progress)
    sensor.on_run = progress.take
    sensor.on_restart = progress.restarted
    stored = await sensor.stored_calibration()
    asked_s = -FIGURES_EVERY_S
    survey = progress.survey
    while not (survey.done or sensor.ended):
        if survey.idle_s > PATIENCE_S or must_stop(sensor.stream.figures, progress.blind_s):
            break
        if abs(sensor.stream.seconds - asked_s) >= FIGURES_EVERY_S:
            asked_s = sensor.stream.seconds
            await _ask_figures(sensor)
        show(progress)
        await sensor.wait(SHOW_EVERY_S)
        sensor.raise_failure()
    sensor.on_run = sensor.on_restart = None
    show(progress)
    return Measurements(
        survey,
        sensor.stream,
        sensor.magnet,
        sensor.link,
        stored,
        address=str(sensor.address),
        rate_hz=sensor.hello.rate_hz,
        firmware=sensor.hello.firmware,
        own_firmware=firmware_version(),
    )


async def write_record(sensor: MonitoredSensor, record: dict[str, int]) -> None:
    """Write the record to the sensor and read it back.

    Raises RequestRefusedError without the sensor's key, SensorError if it holds another record.
    """
    await sensor.station.request(Op.CALIBRATION_PUT, json.dumps(record).encode())
    kept: Any = read_json(await sensor.station.request(Op.CALIBRATION_GET))
    if kept != record:
        raise SensorError(
            f"{sensor.name}: the sensor took the calibration and holds another one: {kept}. "
            "Restart it and calibrate again."
        )


async def _ask_figures(sensor: MonitoredSensor) -> None:
    """Ask for the magnet's figures; without them each sample still has the chip's status."""
    try:
        await sensor.statistics()
    except (LinkLostError, RequestRefusedError):
        return

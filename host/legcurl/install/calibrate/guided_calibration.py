"""The installer's walk through a calibration, without a word of it: who shows it is handed in.

`walk` follows the lever until all rests are measured, or it is plain that they never will be, and
asks the sensor for its magnet's figures on the way. `write_record` puts the result into the sensor
and makes sure that it is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from legcurl.errors import LinkLostError, RequestRefusedError, SensorError
from legcurl.firmware_files import firmware_version
from legcurl.install.calibrate.calibration_record import Measured, hopeless
from legcurl.install.calibrate.range_survey import RangeSurvey, Rest
from legcurl.protocol.requests import Op, read_json

if TYPE_CHECKING:
    from legcurl.install.checks.monitored_sensor import SensorVisit
    from legcurl.install.checks.stream_stats import Run

PATIENCE_S = 60.0
"""Sensor time without a new rest after which nobody is at the machine, or nothing can be seen."""

FIGURES_EVERY_S = 0.4  # sensor time; twice as often as the sensor reads them
SHOW_EVERY_S = 0.1  # ten pictures a second look alive


class Walk:
    """Where the installer is in it; what is shown is read from here."""

    def __init__(self, visit: SensorVisit, rounds: int) -> None:
        self.visit = visit
        self.survey = RangeSurvey(rounds)
        self.found: list[Rest] = []  # since they were last taken away by whoever shows them
        self.blind_s = 0.0  # sensor time since the encoder last had an angle
        self._seen_us: int | None = None

    def take(self, run: Run) -> None:
        """A run of samples, as a visit gives it."""
        self.found += self.survey.push(run)
        if self._seen_us is None:
            self._seen_us = run.t_us[0]
        if run.travel_deg[-1] == run.travel_deg[-1]:
            self._seen_us = run.t_us[-1]
        self.blind_s = (run.t_us[-1] - self._seen_us) / 1e6

    def restarted(self) -> None:
        """The sensor's clock began anew."""
        self._seen_us = None
        self.survey.restart()


async def walk(visit: SensorVisit, rounds: int, show: Callable[[Walk], None]) -> Measured:
    """Follow the lever to the last rest; raises what ended the visit before."""
    progress = Walk(visit, rounds)
    show(progress)
    visit.on_run = progress.take
    visit.on_restart = progress.restarted
    stored = await visit.stored_calibration()
    asked_s = -FIGURES_EVERY_S
    survey = progress.survey
    while not (survey.done or visit.ended):
        if survey.idle_s > PATIENCE_S or hopeless(visit.stream.figures, progress.blind_s):
            break
        if abs(visit.stream.seconds - asked_s) >= FIGURES_EVERY_S:
            asked_s = visit.stream.seconds
            await _ask_figures(visit)
        show(progress)
        await visit.wait(SHOW_EVERY_S)
        visit.raise_failure()
    visit.on_run = visit.on_restart = None
    show(progress)
    return Measured(
        survey,
        visit.stream,
        visit.magnet,
        visit.link,
        stored,
        address=str(visit.address),
        rate_hz=visit.hello.rate_hz,
        firmware=visit.hello.firmware,
        own_firmware=firmware_version(),
    )


async def write_record(visit: SensorVisit, record: dict[str, int]) -> None:
    """Put the record into the sensor and read it back.

    Raises RequestRefusedError if it may not be changed, SensorError if it did not keep it.
    """
    await visit.station.request(Op.CALIBRATION_PUT, json.dumps(record).encode())
    kept: Any = read_json(await visit.station.request(Op.CALIBRATION_GET))
    if kept != record:
        raise SensorError(
            f"{visit.name}: the sensor took the calibration and holds another one: {kept}. "
            "Restart it and calibrate again."
        )


async def _ask_figures(visit: SensorVisit) -> None:
    """Without the figures there is still the chip's own verdict in every sample."""
    try:
        await visit.statistics()
    except (LinkLostError, RequestRefusedError):
        return

"""`calibrate`: measures the ends of the lever's range and writes them to the sensor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.installer import installers_address, write_findings, write_rich
from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import can_draw, write_json, write_line
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import CalibrationError, LegCurlError, SensorFault

if TYPE_CHECKING:
    from legcurl.install.calibrate.calibration_record import CalibrationResult
    from legcurl.install.calibrate.guided_calibration import GuidedCalibration
    from legcurl.install.checks.findings import Finding
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.links.address import Address

SCHEMA = 1
RAW = click.IntRange(0, 65535)
OF_RANGE = ("range", "repeatability", "direction")  # subjects; the others are the sensor's


@click.command(short_help="Measure the lever's range and put it into the sensor.")
@click.argument("address")
@click.option(
    "--rounds",
    type=click.IntRange(1, 10),
    default=3,
    show_default=True,
    help="How often to go from end to end.",
)
@click.option(
    "--extended-raw",
    type=RAW,
    metavar="N",
    help="Put this wire angle for legs straight into the sensor, without measuring.",
)
@click.option("--flexed-raw", type=RAW, metavar="N", help="The same for full flexion.")
@click.option(
    "--plot",
    "picture",
    type=click.Path(path_type=Path, readable=False),
    metavar="PICTURE",
    help="Draw the range into this file too: .png, .svg or .pdf. Needs the extra 'plot'.",
)
@click.option("--dry-run", is_flag=True, help="Measure and check only; write nothing.")
@json_option
def calibrate(
    address: str,
    rounds: int,
    extended_raw: int | None,
    flexed_raw: int | None,
    picture: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Measure the ends of the lever's range and write them to the sensor at ADDRESS.

    Sit in the machine: legs straight, rest for two seconds, move to full flexion, rest again, as
    often as --rounds says. No key needs to be pressed. After a problem with magnet, wires, samples
    or range, nothing is written.
    """
    if (extended_raw is None) != (flexed_raw is None):
        raise click.UsageError("--extended-raw and --flexed-raw are two ends of one range.")
    if picture is not None:
        from legcurl.presentation.charts.page import check_picture

        check_picture(picture)
    where = installers_address(address)
    if extended_raw is not None and flexed_raw is not None:
        record = _given(extended_raw, flexed_raw)
        run_until_ended(_write_given(where, record, dry_run, as_json))
    else:
        run_until_ended(_calibrate(where, rounds, picture, dry_run, as_json))


async def _calibrate(
    where: Address, rounds: int, picture: Path | None, dry_run: bool, as_json: bool
) -> None:
    from legcurl.install.calibrate.calibration_record import judge
    from legcurl.install.calibrate.guided_calibration import measure_range, write_record
    from legcurl.install.checks.monitored_sensor import MonitoredSensor

    async with MonitoredSensor(where) as sensor:
        if not dry_run:
            sensor.station.require_leave()  # before the installer begins
        with _guide_output(as_json) as output:
            measured = await measure_range(sensor, rounds, output.show)
        calibrated = judge(measured)
        record = calibrated.record
        refused: LegCurlError | None = None
        if record is not None and not dry_run:
            try:
                await write_record(sensor, record)
            except LegCurlError as error:  # what was measured is shown all the same
                refused = error
        written = record is not None and not dry_run and refused is None
        if as_json:
            write_json(_document(sensor, calibrated, written))
        else:
            _report(calibrated)
        if picture is not None and calibrated.range_deg is not None:
            _draw(picture, calibrated, sensor.hello.name or sensor.hello.sensor_id)
    if refused is not None:
        raise refused
    if record is None:
        raise _failure(calibrated.findings)
    if not as_json:
        write_line(_conclusion(calibrated, sensor.hello.name, written))


async def _write_given(
    where: Address, record: dict[str, int], dry_run: bool, as_json: bool
) -> None:
    from legcurl.install.calibrate.guided_calibration import write_record
    from legcurl.install.checks.monitored_sensor import MonitoredSensor

    async with MonitoredSensor(where) as sensor:
        if not dry_run:
            await write_record(sensor, record)
        if as_json:
            write_json({"schema": SCHEMA, "written": not dry_run, "calibration": record})
        else:
            does = "would hold" if dry_run else "holds"
            write_line(f"The sensor {does} {record['extended_raw']} to {record['flexed_raw']}.")


class _Silent:
    """Shows nothing: JSON comes at the end."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, guide: GuidedCalibration) -> None:
        """Drop the rests that a display would show."""
        guide.found.clear()


def _guide_output(as_json: bool) -> Any:
    if as_json:
        return _Silent()
    from legcurl.install.calibrate.terminal_guide import GuideLines, GuideScreen

    return GuideScreen() if can_draw() else GuideLines(write_line)


def _report(calibrated: CalibrationResult) -> None:
    """Write the drawing of the range, and the findings."""
    if can_draw():
        from rich.console import Console
        from rich.text import Text

        from legcurl.install.calibrate.terminal_range import draw_range

        rows = draw_range(calibrated, ascii_only=Console().options.ascii_only)
        write_rich(*rows, *([Text()] if rows else []))
    write_findings(calibrated.findings)


def _draw(picture: Path, calibrated: CalibrationResult, name: str) -> None:
    import logging

    from legcurl.install.calibrate.range_chart import write_range

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache
    write_range(picture, calibrated, name)


def _conclusion(calibrated: CalibrationResult, name: str, written: bool) -> str:
    range_deg = abs(calibrated.range_deg or 0.0)
    record = calibrated.record or {}
    if not written:
        return f"Nothing was written. A calibration would hold {range_deg:.1f}°: {record}."
    return f"{name or 'The sensor'} is calibrated: {range_deg:.1f}° from straight to flexed."


def _failure(findings: tuple[Finding, ...]) -> LegCurlError:
    """The error for the first problem."""
    from legcurl.install.checks.findings import problems

    bad = problems(findings)
    first = bad[0]
    more = f" ({len(bad) - 1} more above.)" if len(bad) > 1 else ""
    kind = CalibrationError if first.subject in OF_RANGE else SensorFault
    return kind(f"Not calibrated: {first.sentence()}{more}")


def _given(extended_raw: int, flexed_raw: int) -> dict[str, int]:
    """The record of two given angles. Raises CalibrationError for too short a range."""
    from legcurl.motion.calibration import Calibration
    from legcurl.protocol.frame import TURN

    Calibration(extended_raw * 360 / TURN, flexed_raw * 360 / TURN)
    return {"extended_raw": extended_raw, "flexed_raw": flexed_raw}


def _document(
    sensor: MonitoredSensor, calibrated: CalibrationResult, written: bool
) -> dict[str, Any]:
    from legcurl.install.calibrate.calibration_record import raw_of

    hello = sensor.hello
    range_deg = calibrated.range_deg
    return {
        "schema": SCHEMA,
        "address": sensor.name,
        "sensor": {"sensor_id": hello.sensor_id, "name": hello.name, "board": hello.board},
        "written": written,
        "calibration": calibrated.record,
        "range_deg": None if range_deg is None else round(abs(range_deg), 2),
        "rests": [
            {
                "end": rest.end,
                "round": rest.number,
                "raw": raw_of(rest.travel_deg),
                "noise_deg": round(rest.noise_deg, 4),
            }
            for rest in calibrated.rests
        ],
        "magnet": [
            {
                "at": round(piece.at, 4),
                "samples": piece.samples,
                "weak": piece.weak,
                "strong": piece.strong,
                "gain": None if piece.gain is None else round(piece.gain, 3),
            }
            for piece in calibrated.bins
        ],
        "findings": [finding.as_json() for finding in calibrated.findings],
    }

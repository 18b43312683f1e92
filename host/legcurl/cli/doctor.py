"""`doctor`: problems of this computer or of a sensor, and their remedies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.installer import installers_address, write_findings
from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import LegCurlError

if TYPE_CHECKING:
    from legcurl.install.checks.findings import Finding
    from legcurl.install.doctor.diagnosis import Evidence
    from legcurl.links.address import Address

SCHEMA = 1
SECONDS = 15.0  # enough to move the lever once from end to end
EXIT_PROBLEM = 8


@click.command(short_help="Find what is wrong with this computer or a sensor.")
@click.argument("address", required=False)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1.0),
    metavar="N",
    help=f"Watch the sensor for N seconds.  [default: {SECONDS:g}; of pace=fast, all of it]",
)
@click.option(
    "--scan/--no-scan", default=True, help="Listen for sensors on Bluetooth; without ADDRESS."
)
@json_option
def doctor(address: str | None, seconds: float | None, scan: bool, as_json: bool) -> int:
    """Find problems of this computer, or of the sensor at ADDRESS, and say what to do.

    Move the sensor's lever slowly from end to end meanwhile. The exit code is 0 without a problem,
    8 with one, and that of any other command if the sensor is out of reach.
    """
    if address is None:
        findings = _check_computer(scan)
        return _told(findings, {"schema": SCHEMA, "address": None}, as_json)
    where = installers_address(address)
    collected: list[Evidence] = []
    try:
        run_until_ended(_measure(where, seconds, collected))
    except LegCurlError as error:
        if not as_json:
            raise
        write_json({"schema": SCHEMA, "address": str(where), "findings": [_unreachable(error)]})
        return error.exit_code
    from legcurl.install.doctor.diagnosis import diagnose

    evidence = collected[0]
    return _told(diagnose(evidence), _document(where, evidence), as_json)


def _check_computer(scan: bool) -> list[Finding]:
    from legcurl.install.doctor.host_checks import check_computer
    from legcurl.simulator.runner import find_engine

    found: list[Finding] = []

    async def check() -> None:
        found.extend(await check_computer(scan=scan, no_vm=find_engine().shortcoming))

    run_until_ended(check())
    return found


async def _measure(where: Address, seconds: float | None, collected: list[Evidence]) -> None:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.install.doctor.measure_sensor import measure_sensor
    from legcurl.recording.remembered_direction import remembered_direction
    from legcurl.store.locations import own_journals

    async with MonitoredSensor(where) as sensor:
        if seconds is None:
            seconds = SECONDS if sensor.pace is not None else inf
        with _watching(sensor.name, seconds) as progress:
            evidence = await measure_sensor(sensor, seconds, progress)
    remembered = remembered_direction(own_journals(), str(where))
    collected.append(replace(evidence, remembered=remembered))


def _told(findings: list[Finding], document: dict[str, Any], as_json: bool) -> int:
    """Write the findings, and return the exit code."""
    from legcurl.install.checks.findings import problems

    if as_json:
        write_json({**document, "findings": [finding.as_json() for finding in findings]})
    else:
        from legcurl.install.checks.findings_table import summary

        write_findings(findings)
        write_line(summary(findings))
    return EXIT_PROBLEM if problems(findings) else 0


def _document(where: Address, evidence: Evidence) -> dict[str, Any]:
    """The figures behind the findings, for a report."""
    from legcurl.install.doctor.clock_drift import drift_of

    hello, figures = evidence.hello, evidence.stream.figures
    drift = None if evidence.pace is None else drift_of(evidence.pings, evidence.pace)
    return {
        "schema": SCHEMA,
        "address": str(where),
        "sensor": {
            "sensor_id": hello.sensor_id,
            "name": hello.name,
            "board": hello.board,
            "encoder": hello.encoder,
            "firmware": hello.firmware,
            "protocol": list(hello.protocol),
            "micropython": hello.micropython,
            "boot_reason": hello.boot_reason,
        },
        "calibration": evidence.stored,
        "remembered_direction": evidence.remembered,
        "statistics": evidence.after,
        "crash_log": evidence.crash_log,
        "stream": {
            "samples": figures.samples,
            "blind": figures.blind,
            "missing": {str(reason): count for reason, count in figures.missing.items()},
            "status": {fault.name: count for fault, count in figures.status.items()},
            "jumps": figures.jumps,
            "late": figures.late,
            "latest_us": figures.latest_us,
            "restarts": figures.restarts,
            "reach_deg": round(figures.reach_deg, 2),
            "frozen_s": round(figures.frozen_s, 3),
            "noise_deg": figures.usual_noise_deg,
            "rate_hz": evidence.stream.rate_hz,
            "frames": evidence.link.frames,
            "damaged": evidence.link.damaged,
        },
        "clock": None if drift is None else {"drift_ppm": drift.ppm, "bound_ppm": drift.bound_ppm},
    }


def _unreachable(error: LegCurlError) -> dict[str, Any]:
    from legcurl.install.checks.findings import Finding

    return Finding("link", "problem", str(error)).as_json()


@contextmanager
def _watching(name: str, seconds: float) -> Iterator[Callable[[float], None]]:
    """Show the remaining time on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda watched_s: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    endless = seconds == inf
    columns = [TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()]
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task(
            f"Watching {name}: move the lever slowly from end to end",
            total=None if endless else seconds,
        )
        yield lambda watched_s: bar.update(task, completed=watched_s)

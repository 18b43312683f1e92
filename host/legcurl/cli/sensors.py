"""`sensors`: which of this computer's ports have a sensor behind them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import click

from legcurl.cli.ending import run_until_ended
from legcurl.cli.options import json_option
from legcurl.cli.output import write_json, write_line
from legcurl.errors import LegCurlError

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class PortReport:
    """What is at one port: a sensor, or what keeps us from finding one."""

    address: str
    device: str  # what the USB device calls itself
    sensor: dict[str, Any] | None
    problem: str | None


@click.command(short_help="Find the ports that have a sensor behind them.")
@click.argument("ports", nargs=-1, metavar="[PORT]...")
@json_option
def sensors(ports: tuple[str, ...], as_json: bool) -> None:
    """List the serial ports with a USB device and ask each whether it is a sensor.

    PORT asks these ports only, for example /dev/ttyAMA0, which is no USB device.
    """
    reports: list[PortReport] = []
    run_until_ended(_ask_all(ports, reports))
    if as_json:
        write_json({"schema": SCHEMA, "ports": [asdict(report) for report in reports]})
        return
    for report in reports:
        write_line(_in_words(report))
    if not reports:
        write_line("No serial port with a USB device: is the sensor plugged in?")


async def _ask_all(ports: tuple[str, ...], reports: list[PortReport]) -> None:
    from asyncio import gather

    devices = dict.fromkeys(ports, "") if ports else _usb_ports()
    reports += await gather(*(_ask(port, device) for port, device in devices.items()))


def _usb_ports() -> dict[str, str]:
    """Ports with a USB device; a computer's own UARTs may be anything's console."""
    from serial.tools import list_ports

    return {port.device: port.description for port in list_ports.comports() if port.vid is not None}


async def _ask(port: str, device: str) -> PortReport:
    from legcurl.address import SerialAddress, parse
    from legcurl.exchange import probe
    from legcurl.links.serial import SerialRoute

    address = parse(port if ":" in port else f"serial:{port}")
    if not isinstance(address, SerialAddress):
        raise click.UsageError(f"{port} is no serial port.")
    try:
        hello = await probe(SerialRoute(address))
    except LegCurlError as error:
        return PortReport(str(address), device, None, str(error))
    sensor = {
        "sensor_id": hello.sensor_id,
        "name": hello.name,
        "board": hello.board,
        "firmware": hello.firmware,
        "protocol": list(hello.protocol),
        "encoder": hello.encoder,
        "rate_hz": hello.rate_hz,
        "calibrated": hello.calibration is not None,
    }
    return PortReport(str(address), device, sensor, None)


def _in_words(report: PortReport) -> str:
    if report.sensor is None:
        return f"{report.address}  no sensor: {report.problem}"
    sensor = report.sensor
    calibrated = "calibrated" if sensor["calibrated"] else "not calibrated"
    return (
        f"{report.address}  {sensor['name'] or sensor['sensor_id']} "
        f"({sensor['board']}, {sensor['encoder']}, {sensor['rate_hz']:g} Hz, "
        f"firmware {sensor['firmware']}, {calibrated})"
    )

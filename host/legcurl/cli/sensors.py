"""`sensors`: which of this computer's ports have a sensor behind them, and which are in range."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import LegCurlError

SCHEMA = 1
LOOK_S = 4.0  # a sensor in use advertises once a second, and radios are often deaf


@dataclass(frozen=True, slots=True)
class PortReport:
    """What is at one port: a sensor, or what keeps us from finding one."""

    address: str
    device: str  # what the USB device calls itself
    sensor: dict[str, Any] | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class BluetoothReport:
    """A sensor in range, as it advertises itself."""

    address: str  # as `legcurl watch` takes it
    name: str
    rssi: int  # dBm
    in_use: bool  # it has a host
    sensor_id_tail: str


@dataclass(slots=True)
class Findings:
    """What there is. `bluetooth_note` says why nobody looked there, if so."""

    ports: list[PortReport] = field(default_factory=list)
    bluetooth: list[BluetoothReport] = field(default_factory=list)
    bluetooth_note: str | None = None


@click.command(short_help="Find the sensors: by USB and by Bluetooth.")
@click.argument("ports", nargs=-1, metavar="[PORT]...")
@json_option
def sensors(ports: tuple[str, ...], as_json: bool) -> None:
    """List the serial ports with a USB device, each asked for its sensor, and what Bluetooth hears.

    PORT asks these ports only, for example /dev/ttyAMA0, which is no USB device.
    """
    findings = Findings()
    run_until_ended(_find(ports, findings))
    if as_json:
        write_json({"schema": SCHEMA, **asdict(findings)})
        return
    for port in findings.ports:
        write_line(_in_words(port))
    if not findings.ports:
        write_line("No serial port with a USB device: is the sensor plugged in?")
    if ports:
        return
    for sensor in findings.bluetooth:
        write_line(_heard_in_words(sensor))
    if findings.bluetooth_note is not None:
        write_line(f"Bluetooth: {findings.bluetooth_note}")
    elif not findings.bluetooth:
        write_line("Bluetooth: no sensor in range.")


async def _find(ports: tuple[str, ...], findings: Findings) -> None:
    from asyncio import gather

    devices = dict.fromkeys(ports, "") if ports else _usb_ports()
    asked = gather(*(_ask(port, device) for port, device in devices.items()))
    if not ports:
        await _listen(findings)
    findings.ports += await asked


async def _listen(findings: Findings) -> None:
    """Find what Bluetooth hears. That there is none is worth a note and no error."""
    from legcurl.links.address import BleAddress

    try:
        from legcurl.links.ble.link import look_around

        heard = await look_around(LOOK_S)
    except LegCurlError as error:
        findings.bluetooth_note = str(error)
    else:
        findings.bluetooth += [
            BluetoothReport(
                address=str(BleAddress(sighting.address)),
                name=sighting.name,
                rssi=sighting.rssi,
                in_use=sighting.in_use,
                sensor_id_tail=sighting.id_tail,
            )
            for sighting in heard
        ]


def _usb_ports() -> dict[str, str]:
    """Ports with a USB device; a computer's own UARTs may be anything's console."""
    from serial.tools import list_ports

    return {port.device: port.description for port in list_ports.comports() if port.vid is not None}


async def _ask(port: str, device: str) -> PortReport:
    from legcurl.links.address import SerialAddress, parse
    from legcurl.links.serial import SerialRoute
    from legcurl.station.request_client import probe

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


def _heard_in_words(sensor: BluetoothReport) -> str:
    in_use = ", in use" if sensor.in_use else ""
    return (
        f"{sensor.address}  {sensor.name or 'no name'} "
        f"(Bluetooth, {sensor.rssi} dBm, sensor id …{sensor.sensor_id_tail}{in_use})"
    )


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

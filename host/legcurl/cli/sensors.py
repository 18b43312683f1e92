"""`sensors`: the sensors at this computer's ports and in Bluetooth range."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import LegCurlError

SCHEMA = 1
LOOK_S = 4.0  # a sensor in use advertises once a second, and many packets are lost


@dataclass(frozen=True, slots=True)
class PortReport:
    """The sensor at one port, or why none was found."""

    address: str
    device: str  # name of the USB device
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
class SensorList:
    """All sensors found. `bluetooth_note` says why Bluetooth was not searched."""

    ports: list[PortReport] = field(default_factory=list)
    bluetooth: list[BluetoothReport] = field(default_factory=list)
    bluetooth_note: str | None = None


@click.command(short_help="Find the sensors: by USB and by Bluetooth.")
@click.argument("ports", nargs=-1, metavar="[PORT]...")
@json_option
def sensors(ports: tuple[str, ...], as_json: bool) -> None:
    """List the sensors at the serial ports with a USB device, and those in Bluetooth range.

    PORT asks these ports only, for example /dev/ttyAMA0, which is no USB device.
    """
    found = SensorList()
    run_until_ended(_find(ports, found))
    if as_json:
        write_json({"schema": SCHEMA, **asdict(found)})
        return
    for port in found.ports:
        write_line(_in_words(port))
    if not found.ports:
        write_line("No serial port with a USB device: is the sensor plugged in?")
    if ports:
        return
    for sensor in found.bluetooth:
        write_line(_heard_in_words(sensor))
    if found.bluetooth_note is not None:
        write_line(f"Bluetooth: {found.bluetooth_note}")
    elif not found.bluetooth:
        write_line("Bluetooth: no sensor in range.")


async def _find(ports: tuple[str, ...], found: SensorList) -> None:
    from asyncio import gather

    devices = dict.fromkeys(ports, "") if ports else _usb_ports()
    asked = gather(*(_ask(port, device) for port, device in devices.items()))
    if not ports:
        await _listen(found)
    found.ports += await asked


async def _listen(found: SensorList) -> None:
    """Search Bluetooth; a computer without it gets a note and no error."""
    from legcurl.links.address import BleAddress

    try:
        from legcurl.links.ble.link import look_around

        heard = await look_around(LOOK_S)
    except LegCurlError as error:
        found.bluetooth_note = str(error)
    else:
        found.bluetooth += [
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
    """Ports with a USB device; a computer's own UART may be a console."""
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

"""`settings`: shows or changes a sensor's name, rate and frame length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import SensorError

if TYPE_CHECKING:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.links.address import Address

SCHEMA = 1

# Limits of every sensor: firmware/sensor/settings.py, which decides.
NAME_BYTES = 32
RATE_HZ = click.IntRange(20, 400)
FRAME_MS = click.IntRange(50, 1000)


def _check_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    size = len(name.encode("utf-8", "surrogateescape"))
    if not 1 <= size <= NAME_BYTES:
        raise click.BadParameter(f"a name has 1 to {NAME_BYTES} bytes, and this one has {size}.")
    if not name.isprintable():
        raise click.BadParameter("a name has letters, digits and signs that can be printed.")
    return name


@click.command(short_help="Show or change a sensor's settings: name, rate, frame.")
@click.argument("address")
@click.option(
    "--name",
    callback=_check_name,
    metavar="TEXT",
    help=f"Name the machine, in at most {NAME_BYTES} bytes. Sensors are found by it: ble:NAME.",
)
@click.option("--rate", type=RATE_HZ, metavar="HZ", help="Samples a second, 20 to 400.")
@click.option(
    "--frame-ms",
    type=FRAME_MS,
    metavar="N",
    help="Send samples in frames of so many milliseconds, 50 to 1000.",
)
@json_option
def settings(
    address: str, name: str | None, rate: int | None, frame_ms: int | None, as_json: bool
) -> None:
    """Show the settings of the sensor at ADDRESS, and change those that are given.

    They survive a loss of power. Over Bluetooth a change needs the key
    that `legcurl pair` puts there.
    """
    from legcurl.links.address import parse

    given = {"name": name, "rate_hz": rate, "frame_ms": frame_ms}
    changes = {field: value for field, value in given.items() if value is not None}
    run_until_ended(_settings(parse(address), changes, as_json))


async def _settings(where: Address, changes: Mapping[str, str | int], as_json: bool) -> None:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.links.address import SimAddress

    async with MonitoredSensor(where) as sensor:
        sensor_id = sensor.hello.sensor_id
        held = await _change(sensor, changes) if changes else await sensor.station.settings()
    if as_json:
        write_json(
            {
                "schema": SCHEMA,
                "address": str(where),
                "sensor_id": sensor_id,
                "settings": dict(held),
                "changed": sorted(changes),
            }
        )
        return
    for line in _in_words(held, changes):
        write_line(line)
    if changes and isinstance(where, SimAddress):
        write_line("The simulated sensor ends here, and its settings are lost.")


async def _change(sensor: MonitoredSensor, changes: Mapping[str, str | int]) -> Mapping[str, Any]:
    """Change all or none, and read them back."""
    await sensor.station.change_settings(**changes)
    held = await sensor.station.settings()
    for field, value in changes.items():
        if held.get(field) != value:
            raise SensorError(
                f"{sensor.name}: the sensor took {field} {value!r} and holds "
                f"{held.get(field)!r}. Restart it and try again."
            )
    return held


def _in_words(held: Mapping[str, Any], changes: Mapping[str, str | int]) -> list[str]:
    """A line for each setting."""
    from legcurl.presentation.wording import printable

    return [
        f"{field:<10}{printable(str(value))}{'  (set now)' if field in changes else ''}"
        for field, value in held.items()
    ]

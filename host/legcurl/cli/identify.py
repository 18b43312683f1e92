"""`identify`: find a sensor by its light, and line a film up with its clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.signals import run_until_ended

if TYPE_CHECKING:
    from legcurl.links.address import Address

SCHEMA = 1
LIT_S = 1.0  # the light is on while the sensor streams: a film has to show that before it goes dark


@click.command(short_help="Let a sensor's light flash, and tell the moment.")
@click.argument("address")
@click.option(
    "--seconds",
    type=click.IntRange(1, 255),
    default=5,
    show_default=True,
    metavar="N",
    help="Flash for so long.",
)
@json_option
def identify(address: str, seconds: int, as_json: bool) -> None:
    """Let the light of the sensor at ADDRESS flash, and tell when it began in sensor time.

    The light goes dark at that moment and then flashes five times a second. In a film of it, that
    picture and the moment line up film and recording: see docs/validate.md.
    """
    from legcurl.links.address import parse

    run_until_ended(_identify(parse(address), seconds, as_json))


async def _identify(where: Address, seconds: int, as_json: bool) -> None:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor

    async with MonitoredSensor(where) as visit:
        await asyncio.sleep(LIT_S)
        hello = visit.hello
        blink = await visit.station.identify(seconds)
    if as_json:
        write_json(
            {
                "schema": SCHEMA,
                "address": str(where),
                "sensor_id": hello.sensor_id,
                "boot_id": hello.boot_id,
                "t_s": round(blink.t_s, 4),
                "within_s": round(blink.within_s, 4),
                "seconds": seconds,
            }
        )
        return
    write_line(
        f"The light goes dark at {blink.t_s:.3f} s of sensor time (± {blink.within_s:.3f} s), "
        f"then it flashes for {seconds} s."
    )

"""`simulate`: a sensor without hardware for any program, and the truth about its lifter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import (
    PlainLines,
    logged_warnings_to,
    write_json,
    write_line,
    write_set,
)
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import ConfigError

if TYPE_CHECKING:
    from legcurl.links.sim_address import SimOptions
    from legcurl.simulator.world import World

LOCALHOST = "127.0.0.1"


@click.command(short_help="Run a sensor without hardware.")
@click.argument("sim", default="sim:")
@click.option("--truth", is_flag=True, help="Print the lifter's true sets, and end.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, readable=False),
    help="Write the angle trace (CSV, or .csv.gz), and end.",
)
@click.option(
    "--tcp",
    "tcp_port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve the sensor on this TCP port too (0: any free one).",
)
@json_option
def simulate(
    sim: str, truth: bool, csv_file: Path | None, tcp_port: int | None, as_json: bool
) -> None:
    """Run the sensor SIM ('sim:?seed=7&lifter=steady') on a pseudo-terminal and print its path.

    The real firmware runs on the MicroPython VM in front of a simulated encoder, machine and
    lifter. It runs until Ctrl-C, or with pace=fast until its data ends.
    """
    from legcurl.links.sim_address import parse_address

    options = parse_address(sim)
    if not (truth or csv_file):
        run_until_ended(_serve(options, tcp_port, as_json))
        return
    from legcurl.simulator.world import World

    world = World(options)
    if csv_file:
        _write_trace(world, csv_file)
    if truth:
        _print_truth(world, as_json)


def _write_trace(world: World, file: Path) -> None:
    from legcurl.recording.csv_trace import TraceWriter

    with TraceWriter(file) as writer:
        for t_s, angle_deg in world.sensor_trace(world.options.rate):
            writer.write(t_s, angle_deg)


def _print_truth(world: World, as_json: bool) -> None:
    truth = world.truth()
    if as_json:
        write_json(truth.as_json())
        return
    for one in truth.sets:
        write_set(one.result)
    if not truth.sets:
        write_line("No set.")


async def _serve(options: SimOptions, tcp_port: int | None, as_json: bool) -> None:
    from legcurl.simulator.runner import SimulatedSensor

    if options.link == "ble":
        raise ConfigError(
            f"{options.address()}: only the program that runs a virtual radio can hear it. "
            f"Write legcurl watch '{options.address()}', or simulate with link=serial or "
            "link=tcp."
        )
    if tcp_port is None and options.link == "tcp":
        tcp_port = 0
    sensor = SimulatedSensor(options, tcp_port=tcp_port, tcp_host=LOCALHOST)
    with logged_warnings_to(PlainLines()):
        async with sensor:
            serial = f"serial:{sensor.port}"
            tcp = str(sensor.tcp_address) if sensor.tcp_address else None
            if as_json:
                write_json({"serial": serial, "tcp": tcp, "engine": sensor.engine.name})
            else:
                write_line(f"Simulated sensor at {serial}" + (f" and {tcp}" if tcp else ""))
                write_line(f"Watch it with: legcurl watch {tcp or serial}")
            await sensor.wait()

"""`config`: check the service's configuration, or begin one."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import click

from legcurl.cli.options import json_option
from legcurl.cli.output import tell, warn, write_json, write_line

DEFAULT = Path("legcurl.toml")
EXIT_WRONG = 2

file_argument = click.argument(
    "file", type=click.Path(path_type=Path, readable=False), default=DEFAULT
)


@click.group(short_help="Check the service's configuration, or begin one.")
def config() -> None:
    """Check the configuration of 'legcurl serve --config FILE', or begin one."""


@config.command()
@file_argument
@json_option
def check(file: Path, as_json: bool) -> int:
    """Say what FILE means, or all that is wrong with it: one line each, with its place.

    Without FILE, legcurl.toml. The environment stands over the file, as it will for the service.
    """
    from legcurl.config import ConfigSource, InvalidConfigError
    from legcurl.config.model import shown

    try:
        read = ConfigSource(file, dict(os.environ)).read()
    except InvalidConfigError as error:
        if as_json:
            problems = [{"where": one.where, "problem": one.text} for one in error.problems]
            write_json({"ok": False, "problems": problems})
        for problem in error.problems:
            tell(str(problem))
        return EXIT_WRONG
    if as_json:
        write_json({"ok": True, "config": shown(read), "warnings": list(read.warnings)})
    else:
        for machine in read.machines:
            learnt = "the sensor's own range" if machine.calibration is None else "its range given"
            write_line(f"machine {machine.id}  {machine.name or '-'}  {machine.address}  {learnt}")
        write_line(f"page    http://{read.web.host}:{read.web.port}/  PIN {read.web.pin or 'none'}")
        write_line(f"store   {shown(read.store.url) or 'the user’s own'}")
        broker = "none" if read.mqtt is None else f"{read.mqtt.host}:{read.mqtt.port}"
        write_line(f"broker  {broker}")
        write_line(f"{file} is well.")
    for warning in read.warnings:
        warn(f"{warning}.")
    return 0


@config.command()
@file_argument
def init(file: Path) -> None:
    """Write a configuration to begin with into FILE; without FILE, legcurl.toml."""
    from legcurl.errors import StoreError

    example = files("legcurl.config").joinpath("example.toml").read_text()
    try:
        with open(file, "x") as target:
            target.write(example)
    except FileExistsError:
        raise StoreError(f"{file} exists already: edit it, or name another file.") from None
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}.") from error
    write_line(f"{file} is written. Edit it, then: legcurl config check {file}")

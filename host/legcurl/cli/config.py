"""`config`: check the service's configuration, or create one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import tell, warn, write_json, write_line

if TYPE_CHECKING:
    from legcurl.config import Config

DEFAULT = Path("legcurl.toml")
EXIT_WRONG = 2

file_argument = click.argument(
    "file", type=click.Path(path_type=Path, readable=False), default=DEFAULT
)


@click.group(short_help="Check the service's configuration, or create one.")
def config() -> None:
    """Check the configuration of 'legcurl serve --config FILE', or create one."""


@config.command()
@file_argument
@json_option
def check(file: Path, as_json: bool) -> int:
    """Show the settings of FILE, or all its problems: one line each, with its place.

    Without FILE, legcurl.toml. As for the service, environment variables override the file.
    """
    from legcurl.cli.serve_config import refusals
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
    warnings = [f"{one}." for one in read.warnings]
    warnings += [f"As it is, the service will not start. {one}" for one in refusals(read)]
    if as_json:
        write_json({"ok": True, "config": shown(read), "warnings": warnings})
    else:
        for line in _understood(read):
            write_line(line)
        write_line(f"{file}: no problems found.")
    for warning in warnings:
        warn(warning)
    return 0


def _understood(config: Config) -> Iterator[str]:
    """The settings, in lines."""
    from legcurl.config.model import shown

    if config.gym.id:
        yield f"gym     {config.gym.id}  {config.gym.name or '-'}"
    for machine in config.machines:
        learnt = "the sensor's own range"
        if machine.calibration is not None:
            learnt = f"{machine.extended_deg:g} to {machine.flexed_deg:g} degrees"
        yield f"machine {machine.id}  {machine.name or '-'}  {machine.address}  {learnt}"
    store, web = config.store, config.web
    kept = [
        f"  {what} for {days} days"
        for what, days in (("traces", store.keep_traces_days), ("sets", store.keep_sets_days))
        if days is not None
    ]
    yield f"store   {shown(store.url) or 'the user’s own'}{''.join(kept)}"
    host = f"[{web.host}]" if ":" in web.host else web.host
    yield f"page    http://{host}:{web.port}/  PIN {web.pin or 'none'}"
    yield f"broker  {'none' if config.mqtt is None else config.mqtt.where}"
    yield f"log     {config.log.format}, from {config.log.level} on"


@config.command()
@file_argument
def init(file: Path) -> None:
    """Write an example configuration into FILE; without FILE, legcurl.toml."""
    from legcurl.errors import StoreError

    example = files("legcurl.config").joinpath("example.toml").read_text(encoding="utf-8")
    try:
        with open(file, "x", encoding="utf-8") as target:
            target.write(example)
    except FileExistsError:
        raise StoreError(f"{file} exists already: edit it, or name another file.") from None
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}.") from error
    write_line(f"{file} is written. Edit it, then: legcurl config check {file}")

"""Options that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from legcurl.config import MqttConfig
    from legcurl.motion import Calibration

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

store_option = click.option(
    "--store", "url", metavar="URL", help="Which store. [default: the user's own]"
)


def calibration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --extended and --flexed: the two ends of the lifter's range."""
    flexed = click.option(
        "--flexed",
        type=float,
        metavar="DEG",
        help="Raw sensor angle at full flexion; with --extended, the lifter's calibrated range.",
    )
    extended = click.option(
        "--extended",
        type=float,
        metavar="DEG",
        help="Raw sensor angle with legs straight. Without both the range is learnt live.",
    )
    return extended(flexed(command))


def calibration_from(extended: float | None, flexed: float | None) -> Calibration | None:
    """Make a calibration of the two options, or none of neither."""
    if extended is None and flexed is None:
        return None
    if extended is None or flexed is None:
        raise click.UsageError("--extended and --flexed are two ends of one range: give both.")
    from legcurl.motion import Calibration

    return Calibration(extended, flexed)


def broker_from(url: str, ca_file: Path | None) -> MqttConfig:
    """The broker of --broker and --ca-file, with the password that the environment has for it."""
    from legcurl.config import ConfigSource
    from legcurl.config.broker_url import broker_of

    given = ConfigSource(None, os.environ).broker_password()
    return broker_of(url, ca_file=ca_file, password=given)

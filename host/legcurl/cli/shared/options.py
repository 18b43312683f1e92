"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.output import EventOutput, logged_warnings_to
from legcurl.errors import ConfigError, LegCurlError
from legcurl.logs import LEVELS, LOGGERS, LogFormat, json_lines
from legcurl.store import Store

if TYPE_CHECKING:
    from legcurl.config import MqttConfig
    from legcurl.motion import Calibration
    from legcurl.store import Store

log = logging.getLogger(__name__)

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


@contextmanager
def store_to_read(url: str | None) -> Iterator[Store]:
    """Open an existing store. Raises StoreError for a file that does not exist."""
    try:
        from legcurl.store.locations import open_needed
    except ImportError as error:
        raise ConfigError(
            f"The store needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error
    with open_needed(url) as store:
        yield store


class Day(click.ParamType):
    """A day or a moment, in this computer's time zone; with `end`, a day means its end."""

    name = "day"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse the text."""
        try:
            if len(value) == len("2026-03-02"):
                day = date.fromisoformat(value)
                if self._end:
                    day += timedelta(days=1)
                return datetime.combine(day, time()).astimezone()
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no day: write it as 2026-03-02 or 2026-03-02T09:30.")


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --log-format and --log-level."""
    level = click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        help="Log this level and worse. [default: warning]",
    )
    form = click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Of what is logged to stderr: sentences, or one JSON object a line. [default: text]",
    )
    return form(level(command))


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How a service logs."""

    format: LogFormat
    level: str

    @classmethod
    def of(cls, log_format: str | None, log_level: str | None) -> LogOptions:
        """The two options, before a configuration is read."""
        return cls("json" if log_format == "json" else "text", log_level or "warning")

    def to(self, output: EventOutput) -> AbstractContextManager[None]:
        """Log while this is entered: through the output, or past it as JSON."""
        if self.format == "json":
            return json_lines(self.level)
        return logged_warnings_to(output, *LOGGERS, level=self.level)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """With JSON, write the error that ends the command as an object too."""
        try:
            yield
        except LegCurlError as error:
            if self.format != "json":
                raise
            with json_lines(self.level):
                log.critical("%s", error, extra={"exit_code": error.exit_code})
            raise click.exceptions.Exit(error.exit_code) from error

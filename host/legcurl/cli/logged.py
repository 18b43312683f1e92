"""How a service logs: the two options, and what they do to warnings and to the last error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.output import logged_warnings_to
from legcurl.errors import LegCurlError
from legcurl.logs import LEVELS, LOGGERS, json_lines

if TYPE_CHECKING:
    from legcurl.cli.shared.output import EventOutput
    from legcurl.logs import LogFormat

log = logging.getLogger(__name__)


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --log-format and --log-level."""
    level = click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        help="What is logged: this, and what is worse. [default: warning]",
    )
    form = click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Of what is logged to stderr: sentences, or one JSON object a line. [default: text]",
    )
    return form(level(command))


@dataclass(frozen=True, slots=True)
class Logging:
    """How the service logs."""

    format: LogFormat
    level: str

    @classmethod
    def of(cls, log_format: str | None, log_level: str | None) -> Logging:
        """As the options say, where no configuration has been read yet."""
        return cls("json" if log_format == "json" else "text", log_level or "warning")

    def to(self, output: EventOutput) -> AbstractContextManager[None]:
        """Log while this is entered: through the output, or past it as JSON."""
        if self.format == "json":
            return json_lines(self.level)
        return logged_warnings_to(output, *LOGGERS, level=self.level)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Let the error that ends the command be an object as well, where all else is."""
        try:
            yield
        except LegCurlError as error:
            if self.format != "json":
                raise
            with json_lines(self.level):
                log.critical("%s", error, extra={"exit_code": error.exit_code})
            raise click.exceptions.Exit(error.exit_code) from error

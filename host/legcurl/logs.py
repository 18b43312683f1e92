"""What a service logs, on stderr: sentences for a person, or one JSON object a line for a machine.

Every record knows the machine that it is about, where there is one: the task that follows a machine
says so once (`about_machine`), and whatever is logged in it, down to the link, carries the name.

Secrets that the service knows are told to `hide`, and are then replaced wherever they turn up, in a
library's message as well.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

LogFormat = Literal["text", "json"]
LEVELS = ("debug", "info", "warning", "error")
HIDDEN = "[hidden]"
SECRET_MIN = 4  # characters: a shorter one would hide half of every sentence
LOGGERS = ("legcurl", "uvicorn", "alembic", "aiomqtt")

_machine: ContextVar[str] = ContextVar("machine", default="")
_secrets: set[str] = set()


def about_machine(machine: str) -> None:
    """Say that this task, and those which it starts, are about one machine."""
    _machine.set(machine)


def hide(*secrets: str | None) -> None:
    """Never log these."""
    _secrets.update(secret for secret in secrets if secret and len(secret) >= SECRET_MIN)


def without_secrets(text: str) -> str:
    """A text with what must not be read in it replaced."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


class AboutMachine(logging.Filter):
    """Puts the machine on each record, and takes secrets from its message."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, completed."""
        machine = _machine.get()
        if machine and not hasattr(record, "machine"):
            record.machine = machine
        if _secrets:
            record.msg, record.args = without_secrets(record.getMessage()), ()
        return True


@contextmanager
def json_lines(level: str) -> Iterator[None]:
    """Log as JSON on stderr, one object a line, while this is entered."""
    from pythonjsonlogger.json import JsonFormatter

    class Formatter(JsonFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return without_secrets(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(AboutMachine())
    handler.setFormatter(
        Formatter(
            ["levelname", "name", "message"],
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger"},
        )
    )
    with heard(handler, level):
        yield


@contextmanager
def heard(handler: logging.Handler, level: str) -> Iterator[None]:
    """Have a handler hear what our loggers and those of libraries say, from a level on."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level.upper())
    try:
        yield
    finally:
        for logger, known in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(known)

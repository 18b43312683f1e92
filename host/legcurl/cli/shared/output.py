"""Where a command's events go: JSON lines, plain lines, or the live picture.

All three take one event at a time through `show`. What is written for programs (`--json`) and
for pipes is flushed line by line, because its reader wants to know now. Results go to
stdout, everything about the running of the command to stderr.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from legcurl.cli.shared.signals import OutputClosedError
from legcurl.events import Event, SetResult, as_json
from legcurl.logs import without_secrets
from legcurl.presentation.terminal.live_screen import LiveScreen
from legcurl.training_method import STANDARD, TrainingMethod

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from legcurl.gym.machine_state import MachineState

_READER_GONE = (errno.EPIPE, errno.EIO)  # a closed pipe, a closed terminal


class EventOutput(Protocol):
    """Something that shows events while it is entered."""

    transient: bool  # what it showed is gone when it is left

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def judge_by(self, method: TrainingMethod) -> None:
        """Show what follows beside the marks of this method."""
        ...

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def warn(self, message: str) -> None:
        """Tell what went other than expected, without ending the command."""
        ...

    def end_of_events(self) -> None:
        """Say that the stream came to its end by itself."""
        ...


class _Lines:
    """What the two outputs to stdout have in common."""

    transient = False
    method = STANDARD

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def judge_by(self, method: TrainingMethod) -> None:
        """Write what follows beside the marks of this method."""
        self.method = method

    def warn(self, message: str) -> None:
        """Write the warning to stderr."""
        warn(message)

    def end_of_events(self) -> None:
        """Nothing to say: the last line has been written."""


class JsonLines(_Lines):
    """One JSON object an event, for programs."""

    def show(self, event: Event) -> None:
        """Write the event."""
        write_json(as_json(event))


class PlainLines(_Lines):
    """One sentence for each event that matters, for people without a terminal to draw on."""

    def show(self, event: Event) -> None:
        """Write the event, if it matters afterwards."""
        from legcurl.presentation.wording import line

        told = line(event, self.method)
        if told is not None:
            write_line(told)


class Picture:
    """The live view on the terminal; warnings are shown in it and repeated when it is gone."""

    transient = True

    def __init__(self, waiting_for: str, hint: str, console: Console | None = None) -> None:
        self._waiting_for = waiting_for
        self._hint = hint
        self._console = console
        self._view: LiveScreen | None = None
        self._warnings: list[str] = []

    def __enter__(self) -> Self:
        from legcurl.presentation.terminal.live_screen import LiveScreen

        self._view = LiveScreen(self._waiting_for, self._hint, self._console)
        self._view.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._view:
            self._view.__exit__(kind, error, trace)
            self._view = None
        for message in self._warnings:
            warn(message)

    def show(self, event: Event) -> None:
        """Take the event into the picture."""
        if self._view:
            with reader_needed():
                self._view.show(event)

    def judge_by(self, method: TrainingMethod) -> None:
        """Draw what follows beside the marks of this method."""
        if self._view:
            self._view.judge_by(method)

    def turn_to(self, waiting_for: str, state: MachineState) -> None:
        """Show another sensor from here on."""
        if self._view:
            self._view.turn_to(waiting_for, state)

    def warn(self, message: str) -> None:
        """Show the warning in the picture, and keep it."""
        self._warnings.append(message)
        if self._view:
            self._view.warn(message)

    def end_of_events(self) -> None:
        """Show that nothing more will come."""
        if self._view:
            self._view.end_of_events()


def output_for_events(
    *, as_json: bool, waiting_for: str, record: Path | None = None
) -> EventOutput:
    """Choose by what was asked for and by what stdout is."""
    if as_json:
        return JsonLines()
    if not can_draw():
        return PlainLines()
    return Picture(
        waiting_for, f"recording {record.name}, Ctrl-C ends" if record else "Ctrl-C ends"
    )


def can_draw() -> bool:
    """Whether stdout is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def write_line(text: str) -> None:
    """Write a line to stdout at once; OutputClosedError when the reader has gone."""
    with reader_needed():
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def write_json(document: dict[str, Any]) -> None:
    """Write one JSON document as a line."""
    write_line(json.dumps(document))


def write_set(result: SetResult) -> None:
    """Write a set as a line and a table of its attempts."""
    from legcurl.presentation.wording import REP_HEAD, rep_cells, set_line, table_line

    write_line(f"Set from {result.start_s:.1f} s: {set_line(result)}")
    write_line(table_line(REP_HEAD))
    for rep in result.reps:
        write_line(table_line(rep_cells(rep, result.judged_by)))


def warn(message: str) -> None:
    """Tell on stderr what went other than expected without ending the command."""
    tell(f"warning: {message}")


def tell(message: str) -> None:
    """Write one line to stderr, whatever the message is made of."""
    from legcurl.presentation.wording import printable

    sys.stderr.write(f"legcurl: {printable(' '.join(message.split()))}\n")
    sys.stderr.flush()


@contextmanager
def logged_warnings_to(
    output: EventOutput, *loggers: str, level: str = "warning"
) -> Iterator[None]:
    """Let warnings that a library logs, by default ours, reach the user through this output.

    With another level, what is less than a warning is told on stderr under its own name.
    """
    handler = _WarningHandler(output, level)
    heard = [logging.getLogger(name) for name in loggers or ("legcurl",)]
    before = [logger.level for logger in heard]
    for logger in heard:
        logger.addHandler(handler)
        if level != "warning":
            logger.setLevel(level.upper())
    try:
        yield
    finally:
        for logger, known in zip(heard, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(known)


class _WarningHandler(logging.Handler):
    def __init__(self, output: EventOutput, level: str) -> None:
        super().__init__(level.upper())
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the message on."""
        message = without_secrets(record.getMessage())
        if record.levelno >= logging.WARNING:
            self._output.warn(message)
        else:
            tell(f"{record.levelname.lower()}: {message}")


@contextmanager
def reader_needed() -> Iterator[None]:
    """Tell a reader that has gone from any other error of writing: OutputClosedError."""
    try:
        yield
    except OSError as error:
        if error.errno in _READER_GONE:
            raise OutputClosedError from error
        raise

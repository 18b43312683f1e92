"""Runs a command line, and turns its result into an exit code.

| code | meaning |
|---|---|
| 0 | done |
| 1 | a bug, or an error of the operating system |
| 2 | invalid arguments, configuration, address or calibration |
| 3 | the link: no such port, busy, lost for good |
| 4 | the port exists and this user may not open it |
| 5 | the sensor: not found, newer protocol, request refused |
| 6 | an unreadable or invalid input file |
| 7 | a file or store that cannot be written |
| 8 | `doctor` found a problem |
| 129, 130, 141, 143 | ended by hang-up, Ctrl-C, a closed pipe, SIGTERM |
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import Any

import click

from legcurl._version import __version__
from legcurl.cli.shared.signals import ENDING_SIGNALS, EndedBySignal, OutputClosedError
from legcurl.errors import LegCurlError

EXIT_UNFORESEEN = 1
EXIT_USAGE = 2
EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE

_HOMES = {  # verb -> module that defines a click command of that name
    "analyze": "legcurl.cli.analyze",
    "calibrate": "legcurl.cli.calibrate",
    "collect": "legcurl.cli.collect",
    "config": "legcurl.cli.config",
    "doctor": "legcurl.cli.doctor",
    "export": "legcurl.cli.export",
    "flash": "legcurl.cli.flash",
    "identify": "legcurl.cli.identify",
    "mqtt": "legcurl.cli.mqtt",
    "pair": "legcurl.cli.pair",
    "reanalyze": "legcurl.cli.reanalyze",
    "record": "legcurl.cli.watch",
    "replay": "legcurl.cli.watch",
    "report": "legcurl.cli.report",
    "sensors": "legcurl.cli.sensors",
    "serve": "legcurl.cli.serve",
    "settings": "legcurl.cli.settings",
    "simulate": "legcurl.cli.simulate",
    "store": "legcurl.cli.store",
    "validate": "legcurl.cli.validate",
    "watch": "legcurl.cli.watch",
}


class _Verbs(click.Group):
    """The verbs, imported when used: `--version` must stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = _HOMES.get(cmd_name)
        return getattr(import_module(home), cmd_name) if home else None


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="legcurl %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and log to stderr.")
def legcurl(debug: bool) -> None:
    """Reps, holds and the failed rep of a leg curl, from the angle of the machine's lever.

    ADDRESS names the way to a sensor: serial:/dev/ttyACM0, ble:NAME, tcp:HOST:PORT,
    replay:FILE, or sim: for one without hardware, with options as in 'sim:?seed=7&pace=fast'.
    """
    if debug:
        import logging

        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


def run(arguments: list[str]) -> int:
    """Run one command line, and return its exit code."""
    if sys.stdout is None:  # closed by the shell: >&-
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it stays open
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a letter that the terminal lacks must not kill
            stream.reconfigure(errors="replace")
    with _signals_as_exceptions():
        try:
            code = _run(arguments)
        except (BrokenPipeError, OutputClosedError):
            code = EXIT_PIPE_CLOSED
        except EndedBySignal as ended:
            code = 128 + ended.number
    _settle_stdout()
    return code


def _run(arguments: list[str]) -> int:
    debug = arguments[:1] == ["--debug"]
    try:
        result: Any = legcurl.main(args=arguments, prog_name="legcurl", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.UsageError as error:
        return _fail(_with_hint(error), EXIT_USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), EXIT_UNFORESEEN)
    except (BrokenPipeError, OutputClosedError):
        raise
    except Exception as error:  # noqa: BLE001 - here every error ends
        if debug:
            traceback.print_exc()
        return _fail(*_explained(error, arguments))
    return result if isinstance(result, int) else 0  # --help and --version give a code


def _explained(error: Exception, arguments: list[str]) -> tuple[str, int]:
    if isinstance(error, LegCurlError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        return f"The system refused: {error}.", EXIT_UNFORESEEN
    return (
        f"This is a bug ({type(error).__name__}: {error}). "
        f"Please report it with what this prints: legcurl --debug {shlex.join(arguments)}",
        EXIT_UNFORESEEN,
    )


def _fail(message: str, code: int) -> int:
    from legcurl.cli.shared.output import tell

    tell(message)
    return code


def _with_hint(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "legcurl"
    return f"{error.format_message()} See '{command} --help'."


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Raise signals as exceptions, so that context managers clean up."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise EndedBySignal(number)

    before = {  # what is ignored (nohup) stays ignored
        number: signal.signal(number, end)
        for number in ENDING_SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is end:  # a service that ends has them ignored
                signal.signal(number, handler)


def _settle_stdout() -> None:
    """Drop unwritten output, or the interpreter complains about it at exit."""
    try:
        sys.stdout.flush()
    except ValueError:
        return  # closed already
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

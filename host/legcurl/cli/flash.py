"""`flash`: put the firmware on a board."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import tell, warn, write_json, write_line
from legcurl.cli.shared.progress import progress
from legcurl.errors import ConfigError, PortNotFoundError

if TYPE_CHECKING:
    from legcurl.install.boards.board_file import BoardFile
    from legcurl.install.flash.flash_board import FlashResult
    from legcurl.install.flash.port_detection import Candidate

SCHEMA = 1


@click.command(short_help="Put the firmware on a board.")
@click.argument("port", required=False)
@click.option(
    "--board",
    "board_name",
    metavar="NAME",
    help="Which board it is (pico_w), or a board file of your own (ending in .json).",
)
@click.option(
    "--encoder", metavar="KIND", help="Which encoder it has, for example as5600 or as5048a."
)
@click.option("--dry-run", is_flag=True, help="List what would be written to --board, and end.")
@click.option("--erase", is_flag=True, help="Forget settings, calibration and key, too.")
@click.option("--yes", is_flag=True, help="Replace another program on the board without asking.")
@json_option
def flash(
    port: str | None,
    board_name: str | None,
    encoder: str | None,
    dry_run: bool,
    erase: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put the firmware on the board at PORT (/dev/ttyACM0), or on the only one there is.

    The board needs MicroPython, which is put there by hand, once. What runs on the board is
    stopped. Settings, calibration and key stay; a copy that broke off is mended by another.
    """
    from legcurl.install.boards.board_file import load_board
    from legcurl.install.flash.flash_board import FlashOptions
    from legcurl.install.flash.flash_board import flash as put_on_board

    board = load_board(board_name) if board_name else None
    if board is not None and encoder:
        board = board.with_encoder(encoder)
    if dry_run:
        _show_plan(board, as_json)
        return
    operator = _TerminalOperator(yes=yes)
    candidate = _find(port, board, operator)
    with operator:
        done = put_on_board(candidate, FlashOptions(board, encoder, erase), operator)
    if as_json:
        write_json({"schema": SCHEMA, **_as_json(done)})
        return
    for line in _in_words(done):
        write_line(line)


def _show_plan(board: BoardFile | None, as_json: bool) -> None:
    from legcurl.install.boards.board_file import board_names
    from legcurl.install.flash.firmware_build import build_files

    if board is None:
        raise ConfigError(
            f"--dry-run needs to know which board: --board {'|'.join(board_names())}."
        )
    files = build_files(board)
    total = sum(len(file.content) for file in files)
    if as_json:
        write_json({"schema": SCHEMA, **_board_as_json(board), "files": _listed(files)})
        return
    article = "an" if board.title[0] in "AEIOU" else "a"
    write_line(f"To {article} {board.title} with {board.encoder}, in this order:")
    for file in files:
        write_line(f"  {file.path:34} {len(file.content):6} bytes  sha256 {file.short_digest}")
    write_line(f"{len(files)} files, {total} bytes. Nothing was written.")


def _find(port: str | None, board: BoardFile | None, operator: _TerminalOperator) -> Candidate:
    """The port to use; a person is asked where more than one would do, or none surely does."""
    from legcurl.install.flash.port_detection import boot_drive, candidate_at
    from legcurl.links.address import SerialAddress, parse

    if port is not None:
        address = parse(port if ":" in port else f"serial:{port}")
        if not isinstance(address, SerialAddress):
            raise click.UsageError(f"{port} is no serial port: a sensor is flashed over its cable.")
        return candidate_at(address.port)
    found = _await_candidates(operator)
    if board is not None:
        found = [one for one in found if board.board in [fit.board for fit in one.boards]] or found
    if not found:
        raise PortNotFoundError(_about_absence(board, boot_drive()))
    number = 0
    if len(found) > 1:
        number = operator.choose(
            "Which port?",
            [f"{one.port} ({one.product or one.usb})" for one in found],
            f"the port, as in: legcurl flash {found[0].port}",
        )
    chosen = found[number]
    if board is None and not chosen.surely_micropython:
        # Before anything is sent there: it may be anybody's device with a chip of this kind.
        names = " or ".join(fit.title for fit in chosen.boards)
        operator.confirm(
            f"{chosen.port} ({chosen.product or chosen.usb}) may be {names}, or something else "
            "altogether. Stop what it does and look?",
            f"--board {'|'.join(fit.board for fit in chosen.boards)}, or the port",
            yes_will_do=False,
        )
    return chosen


def _await_candidates(operator: _TerminalOperator) -> list[Candidate]:
    """The ports that may do. One that restarts just now is waited for; none may come."""
    from legcurl.install.flash.port_detection import LOOK_AGAIN_S, RETURN_S, boot_drive, candidates

    deadline = monotonic() + RETURN_S
    told = False
    while not (found := candidates()) and boot_drive() is None and monotonic() < deadline:
        if not told:
            told = True
            operator.step("Waiting for a board to be there")
        sleep(LOOK_AGAIN_S)
    return found


def _about_absence(board: BoardFile | None, drive: str | None) -> str:
    from legcurl.install.boards.board_file import load_board
    from legcurl.install.flash.port_detection import how_to_get_micropython

    if drive is not None:
        model = board or load_board("pico2_w" if drive.endswith("RP2350") else "pico_w")
        remedy = how_to_get_micropython(model)
        return f"A Pico waits as the drive {drive} for its MicroPython. {remedy}"
    remedy = how_to_get_micropython(board) if board else "Name the port if it has another."
    return (
        "No serial port with a USB id of a supported board: is the board plugged in, with a cable "
        f"that carries data? {remedy}"
    )


class _TerminalOperator:
    """The person at the terminal, if there is one: see legcurl.install.flash.progress."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes
        self._bar = ExitStack()
        self._show: Callable[[int], None] | None = None

    def __enter__(self) -> _TerminalOperator:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_bar()

    def step(self, what: str) -> None:
        self._end_bar()
        if sys.stderr.isatty():
            tell(f"{what} ...")

    def progress(self, done: int, total: int) -> None:
        if self._show is None:
            self._show = self._bar.enter_context(progress("Copying", total))
        self._show(done)

    def warn(self, message: str) -> None:
        self._end_bar()
        warn(message)

    def confirm(self, question: str, option: str, *, yes_will_do: bool = True) -> None:
        if self._yes and yes_will_do:
            return
        if not self._is_there() or not click.confirm(question, err=True):
            raise ConfigError(f"{question} Then give {option}.")

    def choose(self, question: str, answers: list[str], option: str) -> int:
        if not self._is_there():
            raise ConfigError(f"{question} It could be {', '.join(answers)}. Give {option}.")
        for number, answer in enumerate(answers, 1):
            click.echo(f"  {number}  {answer}", err=True)
        return click.prompt(question, type=click.IntRange(1, len(answers)), err=True) - 1

    @staticmethod
    def _is_there() -> bool:
        return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    def _end_bar(self) -> None:
        self._bar.close()
        self._show = None


def _as_json(done: FlashResult) -> dict[str, Any]:
    return {
        "port": done.port,
        **_board_as_json(done.board),
        "files": _listed(done.files),
        "written": list(done.written),
        "removed": list(done.removed),
        "kept": list(done.kept),
        "micropython": ".".join(map(str, done.micropython)),
        "firmware": done.hello.firmware,
        "sensor_id": done.hello.sensor_id,
    }


def _board_as_json(board: BoardFile) -> dict[str, Any]:
    return {"board": board.board, "encoder": board.encoder, "arch": board.arch}


def _listed(files: Any) -> list[dict[str, Any]]:
    return [
        {"path": file.path, "bytes": len(file.content), "sha256": file.digest} for file in files
    ]


def _in_words(done: FlashResult) -> list[str]:
    written = [file for file in done.files if file.path in done.written]
    size = sum(len(file.content) for file in written)
    what = f"{len(written)} of {len(done.files)} files written ({size / 1000:.1f} kB)"
    if not written:
        what = "everything was there already"
    lines = [
        f"serial:{done.port}  sensor {done.hello.sensor_id}: {done.board.title} with "
        f"{done.hello.encoder}, firmware {done.hello.firmware}, {what}."
    ]
    if done.removed:
        lines.append(f"Removed: {', '.join(done.removed)}.")
    if done.kept:
        lines.append(f"Kept: {', '.join(done.kept)}.")
    return lines

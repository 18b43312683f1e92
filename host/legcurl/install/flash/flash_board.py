"""Putting the firmware on a board, from whatever the board does now to a sensor that says hello.

    running sensor ──maintenance──┐
    foreign program ────Ctrl-C────┼─> prompt ─check─> compare ─write─> restart ─hello─> done
    fresh MicroPython ────────────┘

A copy that breaks off at any point leaves a board that waits at its prompt (see file_plan.py), and
running this again writes what is missing. Settings, calibration, key and the choice of encoder
stay as they are.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path

from legcurl.concurrency import until_first
from legcurl.errors import (
    ConfigError,
    LinkError,
    LinkLostError,
    NotASensorError,
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
    ProtocolVersionError,
    RequestRefusedError,
    SensorError,
)
from legcurl.firmware_files import ENTRY
from legcurl.install.boards.board_file import (
    ON_SENSOR,
    BoardFile,
    board_names,
    load_board,
    read_board,
)
from legcurl.install.flash.compatibility import (
    check_build,
    check_native,
    check_version,
    choose_board,
)
from legcurl.install.flash.file_plan import (
    BELONGINGS,
    CRASH_LOG,
    NEW_ENTRY,
    SPARE_BYTES,
    Change,
    Stored,
    plan_change,
)
from legcurl.install.flash.firmware_build import SensorFile, build_files
from legcurl.install.flash.port_detection import (
    LOOK_AGAIN_S,
    RETURN_S,
    Candidate,
    find_again,
    how_to_get_micropython,
)
from legcurl.install.flash.progress import Operator
from legcurl.install.flash.raw_repl import ENTER_AGAIN_S, ENTER_S, About, BoardFullError, RawRepl
from legcurl.links.address import SerialAddress
from legcurl.links.route import READ_BYTES, Link
from legcurl.links.serial import SerialRoute
from legcurl.protocol.frame import encode_request
from legcurl.protocol.requests import Hello, Op
from legcurl.station.request_client import NoAnswerError, RequestClient, probe

MAINTENANCE_SINCE = (1, 1)  # protocol version
PROMPT = b"\r\n>>> "  # the byte 0x02 in a hello is what MicroPython answers with it
# Boards need a few seconds for each of these, and a computer that is busy as many more.
PROMPT_S = 30.0  # from a restart, with the port's return, to the prompt
HELLO_S = 30.0  # from the restart to the first hello; an ESP32 boots for two seconds
FAREWELL_S = 1.0  # from the answer to maintenance to the end of a sensor's last words


@dataclass(frozen=True, slots=True)
class FlashOptions:
    """What the installer asked for; None leaves it to what is there."""

    board: BoardFile | None = None
    encoder: str | None = None
    erase: bool = False  # settings, calibration and key too


@dataclass(frozen=True, slots=True)
class FlashResult:
    """What was done, and the sensor that came of it."""

    port: str
    board: BoardFile
    files: tuple[SensorFile, ...]  # the firmware
    written: tuple[str, ...]  # those of them that were not there already
    removed: tuple[str, ...]
    kept: tuple[str, ...]  # what belongs to the sensor
    micropython: tuple[int, int, int]
    hello: Hello


def flash(candidate: Candidate, options: FlashOptions, operator: Operator) -> FlashResult:
    """Make a sensor of the board behind a port."""
    operator.step("Looking who is there")
    ours = asyncio.run(_leave_for_prompt(candidate, operator))
    operator.step("Waiting for the prompt" if ours else "Stopping what runs there")
    with _enter(candidate, options, restarting=ours) as prompt:
        try:
            plan = _plan(prompt, options, operator)
        except BaseException:
            prompt.restart()  # nothing was changed: the board goes on with what it did
            raise
        change = plan.change
        operator.step("Copying")
        _carry_out(prompt, change, operator)
        operator.step("Restarting")
        prompt.restart()
    hello = asyncio.run(_await_hello(candidate, plan.board))
    return FlashResult(
        port=find_again(candidate),
        board=plan.board,
        files=plan.files,
        written=tuple(file.path for file in change.write),
        removed=tuple(path for path in change.remove if path not in {ENTRY, NEW_ENTRY}),
        kept=tuple(path for path in BELONGINGS if path in plan.there and path not in change.remove),
        micropython=plan.about.version,
        hello=hello,
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is found out and decided before anything is changed."""

    about: About
    there: Stored
    board: BoardFile
    files: tuple[SensorFile, ...]
    change: Change


def _plan(prompt: RawRepl, options: FlashOptions, operator: Operator) -> _Plan:
    """Find out what has to change; an error says why it cannot, or must not."""
    about = prompt.about()
    check_version(prompt.port, about, options.board)
    there = prompt.files()
    before = _board_before(prompt, there)
    board = choose_board(prompt.port, options.board, before, about, operator)
    board = _with_encoder(board, options, before)
    check_build(prompt.port, board, about, operator)
    _ask_about_strangers(prompt.port, there, operator)
    operator.step(f"Compiling for {board.title}")
    files = tuple(build_files(board))
    check_native(prompt.port, board, about, files)
    change = plan_change(files, there, erase=options.erase)
    _check_room(prompt.port, change, about.free_bytes)
    return _Plan(about, there, board, files, change)


async def _leave_for_prompt(candidate: Candidate, operator: Operator) -> bool:
    """Ask a sensor of ours to leave for its prompt; False if there is none that could.

    A board that was reset a moment ago, by our own refusal to change it for one, has no port yet.
    """
    deadline = time.monotonic() + RETURN_S
    told = False
    while True:
        try:
            return await _ask_for_prompt(find_again(candidate))
        except (PortNotFoundError, LinkLostError):
            if time.monotonic() >= deadline:
                raise
        if not told:
            told = True
            operator.step(f"Waiting for {candidate.port} to be there")
        await asyncio.sleep(LOOK_AGAIN_S)


async def _ask_for_prompt(port: str) -> bool:
    """The same, once; LinkLostError if the port goes away meanwhile."""
    route = SerialRoute(SerialAddress(port))
    link = await route.connect()
    client = RequestClient(_PromptDetector(link), name=port, patience_s=route.patience_s)

    async def ask() -> bool:
        hello = await client.greet()
        # An older one cannot be asked. It listens to Ctrl-C for a moment after a restart.
        op = Op.MAINTENANCE if hello.protocol >= MAINTENANCE_SINCE else Op.REBOOT
        await client.granted(op, lambda number: encode_request(number, op))
        return True

    try:
        return bool(await until_first(client.discard_frames(), ask()))
    except (ProtocolVersionError, RequestRefusedError):
        raise
    except (SensorError, NoAnswerError):
        return False  # another program, a prompt, or no answer: Ctrl-C will tell
    finally:
        await link.close()


class _PromptDetector:
    """A link that ends when what it hears is MicroPython's prompt: then no sensor will answer."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._heard = b""

    async def read(self) -> bytes:
        """As of the link."""
        chunk = await self._link.read()
        self._heard = (self._heard + chunk)[-READ_BYTES:]
        return b"" if PROMPT in self._heard else chunk

    async def write(self, packet: bytes) -> None:
        """As of the link."""
        await self._link.write(packet)

    async def close(self) -> None:
        """As of the link."""
        await self._link.close()


def _enter(candidate: Candidate, options: FlashOptions, *, restarting: bool) -> RawRepl:
    """The prompt; while the board restarts, or its port is away, tried again and again."""
    deadline = time.monotonic() + (PROMPT_S if restarting else RETURN_S)
    patience_s = ENTER_AGAIN_S if restarting else ENTER_S
    if restarting:
        time.sleep(FAREWELL_S)
    while True:
        try:
            return _enter_once(find_again(candidate), patience_s)
        except (PortBusyError, PortPermissionError):
            raise
        except (LinkError, NotASensorError) as error:
            if time.monotonic() >= deadline:
                if isinstance(error, PortNotFoundError):
                    raise
                raise NotASensorError(_about_silence(candidate, options, error)) from error
        # Each attempt resets the interpreter: impatient ones would never let it finish.
        patience_s = min(patience_s + ENTER_AGAIN_S, ENTER_S)
        time.sleep(LOOK_AGAIN_S)


def _enter_once(port: str, patience_s: int) -> RawRepl:
    prompt = RawRepl(port)
    try:
        prompt.enter(patience_s)
    except BaseException:
        prompt.close()
        raise
    return prompt


def _about_silence(candidate: Candidate, options: FlashOptions, error: Exception) -> str:
    boards = [options.board] if options.board else list(candidate.boards)
    if len(boards) == 1:
        remedy = how_to_get_micropython(boards[0])
    else:
        names = ", ".join(board.board for board in boards) or ", ".join(board_names())
        remedy = f"Run this with --board ({names}) to read how to put MicroPython on it."
    return (
        f"{error} A cable that only carries power, or a program that keeps Ctrl-C for itself, "
        f"would explain it; else the board has no MicroPython yet. {remedy}"
    )


def _board_before(prompt: RawRepl, there: Stored) -> BoardFile | None:
    """The board that a sensor was installed as: one of ours, or with a technician's own file."""
    if there.get(ON_SENSOR) is None:
        return None
    text = prompt.read(ON_SENSOR).decode(errors="replace")
    try:
        name = json.loads(text)["board"]
        before = read_board(text, Path(f"{name}.json"))
        return load_board(name).with_encoder(before.encoder) if name in board_names() else before
    except (ConfigError, ValueError, KeyError, TypeError):  # torn, or of another version
        return None


def _with_encoder(board: BoardFile, options: FlashOptions, before: BoardFile | None) -> BoardFile:
    """The encoder that was asked for, else the one that this sensor has had, else the usual one."""
    if options.encoder is not None:
        return board.with_encoder(options.encoder)
    asked = options.board is not None and board.board not in board_names()  # by a file's own word
    if asked or before is None or before.encoder not in board.encoders:
        return board
    return board.with_encoder(before.encoder)


def _ask_about_strangers(port: str, there: Stored, operator: Operator) -> None:
    """A program that is not ours is replaced only with consent."""
    stranger = there.get(ENTRY)
    if stranger is not None and ON_SENSOR not in there:
        operator.confirm(
            f"{port} holds another program (main.py, {stranger.size} bytes). Replace it?", "--yes"
        )


def _check_room(port: str, change: Change, free_bytes: int) -> None:
    """Better refused before than broken off half-way."""
    if not change.fits(free_bytes):
        needed = change.bytes + SPARE_BYTES - change.freed_bytes
        raise BoardFullError(
            f"{port}: the board's flash has {free_bytes // 1024} kB free, and the firmware needs "
            f"{needed // 1024} kB. Remove files of other programs from it (mpremote connect {port} "
            "fs ls shows them) and run this again."
        )


def _carry_out(prompt: RawRepl, change: Change, operator: Operator) -> None:
    for path in change.remove:
        prompt.remove(path)
    for path in change.make:
        prompt.make_directory(path)
    done = 0
    for file in change.write:
        operator.progress(done, change.bytes)
        begun = done
        prompt.write(
            NEW_ENTRY if file.path == ENTRY else file.path,
            file.content,
            lambda written, begun=begun: operator.progress(begun + written, change.bytes),
        )
        done += len(file.content)
    prompt.sync()
    if change.write:
        _read_back(prompt, change)
    if change.write and change.write[-1].path == ENTRY:
        prompt.rename(NEW_ENTRY, ENTRY)
        prompt.sync()


def _read_back(prompt: RawRepl, change: Change) -> None:
    """Make sure of every file before main.py makes it count."""
    there = prompt.files()
    for file in change.write:
        stored = there.get(NEW_ENTRY if file.path == ENTRY else file.path)
        if stored is None or stored.digest != file.digest:
            raise SensorError(
                f"{prompt.port}: {file.path} reads back other than it was written. Run this again; "
                "if it stays so, the board's flash is worn out."
            )


def _last_words(candidate: Candidate) -> str:
    """What the firmware died of, if it left that in its crash log."""
    try:
        # It restarts again and again, and listens to Ctrl-C in between.
        with _enter(candidate, FlashOptions(), restarting=True) as prompt:
            if CRASH_LOG not in prompt.files():
                return ""
            words = prompt.read(CRASH_LOG).decode(errors="replace").split("\n")
            prompt.restart()
    except (LinkError, SensorError):  # then there is only the silence to tell
        return ""
    said = [word for word in words if word.strip()]
    return (
        f"It stops with {said[-1]!r}. If its encoder is wired as docs/install.md shows, "
        "please report this with what `legcurl doctor` prints."
    )


async def _await_hello(candidate: Candidate, board: BoardFile) -> Hello:
    """The hello of the sensor that starts now."""
    deadline = time.monotonic() + HELLO_S
    while True:
        try:
            hello = await probe(SerialRoute(SerialAddress(find_again(candidate))))
            break
        except (PortBusyError, PortPermissionError):
            raise
        except (LinkError, NotASensorError) as error:
            if time.monotonic() >= deadline:
                raise SensorError(
                    f"{candidate.port}: everything was copied, but the sensor does not say hello. "
                    f"{_last_words(candidate) or error}"
                ) from error
        await asyncio.sleep(LOOK_AGAIN_S)
    if (hello.board, hello.encoder) != (board.board, board.encoder):
        raise SensorError(
            f"{candidate.port}: says it is {hello.board} with {hello.encoder}, but {board.board} "
            f"with {board.encoder} was installed. Is this the same board? Run this again."
        )
    return hello

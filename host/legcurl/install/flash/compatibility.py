"""Whether board file, board and MicroPython belong together; and if not, which would.

MicroPython says what it runs on: sys.implementation._machine is "NAME with CHIP". A name that one
of our board files has as its title decides. A board of another maker has a name of its own; for
it the chip decides, and a person where several of our boards have that chip.
"""

from __future__ import annotations

from collections.abc import Sequence

from legcurl.errors import ConfigError, SensorError
from legcurl.install.boards.board_file import BoardFile, all_boards, boards_for_machine
from legcurl.install.flash.firmware_build import (
    ARCH_NUMBERS,
    MICROPYTHON_HARD_TIMER,
    MICROPYTHON_MIN,
    MPY_VERSION,
    SensorFile,
)
from legcurl.install.flash.port_detection import how_to_get_micropython
from legcurl.install.flash.progress import Operator
from legcurl.install.flash.raw_repl import About


def choose_board(
    port: str, wanted: BoardFile | None, before: BoardFile | None, about: About, operator: Operator
) -> BoardFile:
    """The board to install for: the one asked for, else the one it was before, else what it is."""
    fitting = boards_for_machine(about.machine)
    if wanted is not None:
        if not _fits(wanted, about, fitting):
            raise ConfigError(
                f"{port}: --board {wanted.board} does not fit: MicroPython there says that it runs "
                f"on {_named(about)}. {_which_instead(fitting, wanted)}"
            )
        return wanted
    if before is not None and _fits(before, about, fitting):
        return before
    if not fitting:
        raise ConfigError(
            f"{port}: {_named(about)} is no supported board. Write a board file for it "
            "(docs/firmware.md) and name that: --board FILE.json."
        )
    if len(fitting) == 1:
        return fitting[0]
    number = operator.choose(
        f"{port} runs MicroPython on {_named(about)}. Which board is it most like?",
        [board.title for board in fitting],
        f"--board {fitting[0].board}",
    )
    return fitting[number]


def check_version(port: str, about: About, wanted: BoardFile | None) -> None:
    """Whether this MicroPython can load the firmware at all."""
    if about.version[:2] >= MICROPYTHON_MIN:
        return
    boards = [wanted] if wanted is not None else boards_for_machine(about.machine)
    raise SensorError(
        f"{port}: MicroPython {_dotted(about.version)} is too old: the firmware's compiled files "
        f"(.mpy {_dotted(MPY_VERSION)}) need {_dotted(MICROPYTHON_MIN)} or later. "
        + (how_to_get_micropython(boards[0]) if boards else "Put a newer one on the board.")
    )


def check_build(port: str, board: BoardFile, about: About, operator: Operator) -> None:
    """Whether it is the build for this board, and keeps time."""
    if "ble" in board.links and not about.bluetooth:
        raise SensorError(
            f"{port}: this MicroPython has no Bluetooth, which a {board.title} has: it is another "
            f"board's build. {how_to_get_micropython(board)}"
        )
    if board.port == "rp2" and about.version[:2] < MICROPYTHON_HARD_TIMER:
        operator.warn(
            f"MicroPython {_dotted(about.version)} has no hard timers on this board, so samples "
            f"can be late (and say so). {_dotted(MICROPYTHON_HARD_TIMER)} or later keeps time."
        )


def check_native(port: str, board: BoardFile, about: About, files: Sequence[SensorFile]) -> None:
    """Whether it loads what mpy-cross made, if that holds native code."""
    if not any(file.arch for file in files):
        return
    if about.mpy_version == MPY_VERSION and about.mpy_arch == ARCH_NUMBERS[board.arch]:
        return
    raise SensorError(
        f"{port}: MicroPython {_dotted(about.version)} does not load native code for "
        f"{board.arch} (.mpy {_dotted(MPY_VERSION)}); the newest one does. "
        f"{how_to_get_micropython(board)}"
    )


def _fits(board: BoardFile, about: About, fitting: Sequence[BoardFile]) -> bool:
    if about.platform != board.port or board.mcu not in [one.mcu for one in fitting]:
        return False
    # A Pico's MicroPython on a Pico W starts, but without its radio. For a board file of the
    # technician's own the chip is all there is to compare.
    known = {one.title for one in all_boards()}
    told = about.machine.rpartition(" with ")[0]
    return board.title == told or told not in known or board.title not in known


def _which_instead(fitting: Sequence[BoardFile], wanted: BoardFile) -> str:
    if not fitting:
        return how_to_get_micropython(wanted)
    return (
        f"That is --board {' or '.join(board.board for board in fitting)}. If the board is a "
        f"{wanted.title} all the same, it has the wrong MicroPython. "
        f"{how_to_get_micropython(wanted)}"
    )


def _named(about: About) -> str:
    return about.machine or about.platform


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))

"""What is installed on a board: every file of the firmware, and a board file that fits."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import legcurl
import pytest
from legcurl.firmware_files import firmware_directory
from legcurl.install.boards.board_file import BoardFile, all_boards, load_board
from legcurl.install.flash.firmware_build import ARCH_NUMBERS, build_files
from legcurl.protocol.frame import Answer, encode_request
from legcurl.simulator.runner import find_engine
from sensor_process import HELLO, Moment, decode, run_to_the_end, world

FIRMWARE = firmware_directory()
BOARDS = sorted(path.stem for path in (FIRMWARE / "boards").glob("*.json"))


def files() -> list[str]:
    """All of the firmware, main.py last."""
    modules = sorted((FIRMWARE / "sensor").rglob("*.py"))
    return [*(path.relative_to(FIRMWARE).as_posix() for path in modules), "main.py"]


def test_mip_installs_every_file_where_it_belongs() -> None:
    package = json.loads((FIRMWARE / "package.json").read_text())
    assert package["urls"] == [[path, path] for path in files()]
    assert package["version"] == legcurl.__version__
    assert package["deps"] == []


def test_no_byte_of_a_host_interrupts_the_start() -> None:
    """The port arms Ctrl-C anew for main.py, whose imports take a quarter of a second."""
    tree = ast.parse((FIRMWARE / "main.py").read_text())
    first, second = tree.body[1:3]  # behind the docstring
    assert ast.unparse(first) == "import micropython"
    assert ast.unparse(second) == "micropython.kbd_intr(-1)"


def test_a_frozen_build_holds_every_file_and_the_entry_point() -> None:
    assert sorted(frozen_by(FIRMWARE / "manifest.py")) == sorted(files())


def frozen_by(manifest: Path) -> list[str]:
    """What a manifest freezes: "MicroPython manifest files" of MicroPython's documentation."""
    frozen: list[str] = []

    def freeze_package(name: str) -> None:
        sources = (manifest.parent / name).rglob("*.py")
        frozen.extend(path.relative_to(manifest.parent).as_posix() for path in sources)

    def freeze_module(path: str) -> None:
        assert (manifest.parent / path).is_file()
        frozen.append(path)

    exec(
        compile(manifest.read_text(), str(manifest), "exec"),
        {"package": freeze_package, "module": freeze_module},
    )
    return frozen


@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.board)
def test_every_module_compiles_for_every_board_and_holds_code_for_no_other(
    board: BoardFile,
) -> None:
    built = build_files(board)
    assert [file.path.replace(".mpy", ".py") for file in built] == [
        *(path for path in files() if path != "main.py"),
        "board.json",
        "main.py",
    ]
    compiled = [file for file in built if file.path.endswith(".mpy")]
    assert {file.content[:2] for file in compiled} == {b"M\x06"}
    assert {file.arch for file in compiled} == {0, ARCH_NUMBERS[board.arch]}


def test_the_same_sources_give_the_same_bytes() -> None:
    board = load_board("pico")
    assert build_files(board) == build_files(board)
    assert not any(str(FIRMWARE).encode() in file.content for file in build_files(board))


def test_firmware_and_host_are_of_one_version() -> None:
    told = re.search(r'FIRMWARE_VERSION = "(.+)"', (FIRMWARE / "sensor/__init__.py").read_text())
    assert told is not None
    assert told[1] == legcurl.__version__


@pytest.mark.parametrize("board", BOARDS)
def test_the_sensor_starts_on_every_board_and_says_which_it_is(board: str) -> None:
    received = run_to_the_end(
        find_engine(),
        world(1, lambda _: Moment()),
        requests=encode_request(1, HELLO, b"\x01\x01"),
        board=board,
    )
    hello = json.loads(
        next(frame.payload for frame in decode(received) if isinstance(frame, Answer))
    )
    assert hello["board"] == board
    wiring = json.loads((FIRMWARE / "boards" / f"{board}.json").read_text())
    assert hello["log"]["bytes"] == wiring["log_bytes"]

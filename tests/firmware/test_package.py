"""What is installed on a board: every file of the firmware, and a board file that fits."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import legcurl
import pytest
from legcurl.frame import Answer, encode_request
from legcurl.simulator.firmware_home import firmware_directory
from legcurl.simulator.runner import find_engine
from sensor_process import HELLO, Moment, decode, run_to_the_end, world

FIRMWARE = firmware_directory()
BOARDS = sorted(path.stem for path in (FIRMWARE / "boards").glob("*.json"))


def files() -> list[Path]:
    return sorted(
        path.relative_to(FIRMWARE)
        for path in FIRMWARE.rglob("*.py")
        if "__pycache__" not in path.parts
    )


def test_mip_installs_every_file_where_it_belongs() -> None:
    package = json.loads((FIRMWARE / "package.json").read_text())
    assert [tuple(pair) for pair in package["urls"]] == [(str(f), str(f)) for f in files()]
    assert package["version"] == legcurl.__version__


def test_firmware_and_host_are_of_one_version() -> None:
    told = re.search(r'FIRMWARE_VERSION = "(.+)"', (FIRMWARE / "sensor/__init__.py").read_text())
    assert told is not None
    assert told[1] == legcurl.__version__


def test_the_boards_of_the_first_release_are_there() -> None:
    assert set(BOARDS) >= {"pico", "pico_w", "pico2_w"}


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


def test_the_interrupt_character_is_disarmed_before_anything_else() -> None:
    # On a board 0x03 on stdin is Ctrl-C, and a request may hold it. No simulated port shows that.
    tree = ast.parse((FIRMWARE / "main.py").read_text())
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert main.name == "main"
    assert ast.unparse(main.body[1]) == "micropython.kbd_intr(-1)"

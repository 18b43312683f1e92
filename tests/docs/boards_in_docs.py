"""Puts what the boards' files and the firmware say into docs/install.md, and draws the wiring.

`python tests/docs/boards_in_docs.py` after a change of a board file or of the status light; a test
holds the document and the pictures to it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from legcurl.install.boards.board_file import BoardFile, all_boards
from pin_headers import HEADERS
from wiring_diagram import NAMES, connections, draw

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "docs" / "install.md"
PICTURES = ROOT / "docs" / "pictures"
FIRST = ("pico_w", "pico2_w", "pico")  # the others follow in the order of their names


def with_boards(text: str) -> str:
    """The document with its sections on wiring and on the light as they should be."""
    first = [board for name in FIRST for board in all_boards() if board.board == name]
    boards = first + [board for board in all_boards() if board.board not in FIRST]
    text = _between(text, "wiring", "\n".join(section(board) for board in boards))
    return _between(text, "light", light_table())


def section(board: BoardFile) -> str:
    """A board's picture, and a table of its wires."""
    rows = [
        f"| {NAMES[kind]} (`{kind}`) | "
        + " · ".join(f"{at} → {_printed(board, label)}" for at, label in connections(board, wiring))
        + " |"
        for kind, wiring in board.encoders.items()
    ]
    return "\n".join(
        (
            f"### {board.title}",
            "",
            f"`--board {board.board}`, MicroPython `{board.micropython}`, a log of "
            f"{board.log_bytes // 1024} kB, "
            + ("USB and Bluetooth." if "ble" in board.links else "USB only."),
            "",
            f"![Wiring of the {board.title}](pictures/wiring-{board.board}.svg)",
            "",
            "| encoder | its pins → the board's |",
            "|---|---|",
            *rows,
            "",
        )
    )


def light_table() -> str:
    """The table that the docstring of firmware/sensor/light.py has."""
    light = ast.parse((ROOT / "firmware" / "sensor" / "light.py").read_text())
    lines = (ast.get_docstring(light) or "").splitlines()
    return "\n".join(line for line in lines if line.startswith("|")) + "\n"


def diagrams() -> dict[Path, str]:
    """What each picture has to be."""
    return {PICTURES / f"wiring-{board.board}.svg": draw(board) for board in all_boards()}


def _printed(board: BoardFile, label: str) -> str:
    """The label with its pin's number, where pins have one and there is only one of that label."""
    headers = HEADERS[board.board]
    places = [
        (row, index)
        for row, labels in (("left", headers.left), ("right", headers.right))
        for index, found in enumerate(labels)
        if found == label
    ]
    number = headers.number_of(*places[0]) if len(places) == 1 else None
    shown = f"IO{label}" if label.isdigit() else label
    return shown if number is None else f"{shown} (pin {number})"


def _between(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
    assert len(pattern.findall(text)) == 1, f"docs/install.md has one place for {name}"
    return pattern.sub(lambda match: match[1] + content + match[2], text)


if __name__ == "__main__":
    INSTALL.write_text(with_boards(INSTALL.read_text()))
    for path, picture in diagrams().items():
        path.write_text(picture)

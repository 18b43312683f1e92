"""docs/install.md says about boards what their files say, and its pictures do."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from boards_in_docs import INSTALL, diagrams, with_boards
from legcurl.install.boards.board_file import BoardFile, all_boards
from pin_headers import HEADERS, gpio_of

BOARDS = all_boards()
REDRAW = "run: .venv/bin/python tests/docs/boards_in_docs.py"


def test_the_wiring_pictures_match_the_board_files():
    for path, picture in diagrams().items():
        assert path.read_text() == picture, REDRAW


def test_the_tables_of_pins_and_light_match_the_firmware():
    text = INSTALL.read_text()
    assert with_boards(text) == text, REDRAW


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.board)
def test_a_diagram_shows_each_wire_with_its_names_at_both_ends(board: BoardFile):
    picture = next(
        text for path, text in diagrams().items() if path.stem == f"wiring-{board.board}"
    )
    tree = ElementTree.fromstring(picture)
    svg = "{http://www.w3.org/2000/svg}"
    wires = [
        path.get("stroke") for path in tree.iter(f"{svg}path") if path.get("stroke-width") == "3"
    ]
    assert len(wires) == len(set(wires)) == 4
    words = ["".join(text.itertext()) for text in tree.iter(f"{svg}text")]
    assert {"VCC", "GND", "SDA", "SCL", "DIR"} <= set(words)
    headers = HEADERS[board.board]
    for pin in board.encoders["as5600"].pins.values():
        label = headers.label_of(pin)
        assert any(
            label in word.replace("\u2002", " ").split(" ") or word == f"IO{label}"
            for word in words
        )


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.board)
def test_every_pin_that_a_board_file_names_is_on_the_header_once(board: BoardFile):
    headers = HEADERS[board.board]
    gpios = [gpio_of(label) for label in (*headers.left, *headers.right)]
    for wiring in board.encoders.values():
        for pin in wiring.pins.values():
            assert gpios.count(pin) == 1, f"{wiring.kind}: {pin}"
    assert all(gpio is None or board.mcu.has_pin(gpio) for gpio in gpios)
    assert len(headers.left) == len(headers.right)

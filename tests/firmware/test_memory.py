"""The firmware fits each board's memory, its log full: see memory.py for how that is weighed."""

from __future__ import annotations

from pathlib import Path

import pytest
from legcurl.install.boards.board_file import all_boards, load_board
from memory import heap_on_vm, measure, plain_firmware, seconds_to_fill
from selection import first_short

# Of a board's heap, for what nobody foresees: answers in JSON, a traceback, fragments between.
HEADROOM_KB = 12
SOON_S = 12  # two collections after the start
BOARDS = [board.board for board in all_boards()]


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_firmware(tmp_path_factory.mktemp("firmware"))


@pytest.mark.parametrize("name", first_short(BOARDS, 2))
def test_the_firmware_starts_and_fills_its_log_within_the_budget(
    name: str, firmware: Path, tmp_path: Path
):
    board = load_board(name)
    (tmp_path / "roomy").mkdir()
    plain = measure(board, firmware, tmp_path / "roomy", 8 * 1024 * board.heap_kb, SOON_S).plain
    budget = 1024 * (board.heap_kb - HEADROOM_KB)
    fill_s = seconds_to_fill(board.log_bytes)
    weighed = measure(board, firmware, tmp_path, heap_on_vm(budget, plain), fill_s)
    assert weighed.logged > board.log_bytes
    assert weighed.on_board_at_start <= weighed.on_board_log_full <= budget
    # Nothing that lasts is allocated while it runs.
    assert weighed.log_full - weighed.at_start < 4096


def test_a_heap_that_is_too_small_would_be_noticed(firmware: Path, tmp_path: Path):
    with pytest.raises(AssertionError, match="MemoryError"):
        measure(load_board("pico"), firmware, tmp_path, -64 * 1024, SOON_S)

"""What the firmware needs of each board's memory: `make bench-memory`.

Weighed on the MicroPython VM and halved where pointers are; tests/firmware/memory.py says how.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from legcurl.install.boards.board_file import all_boards
from memory import heap_on_vm, measure, plain_firmware, seconds_to_fill


def main() -> None:
    """Print the table."""
    print("kB of a board's heap: budget, log, in use at start and with a full log, left")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        firmware = plain_firmware(place)
        for board in all_boards():
            heap = heap_on_vm(1024 * board.heap_kb, board.log_bytes)
            weighed = measure(board, firmware, place, heap, seconds_to_fill(board.log_bytes))
            left = 1024 * board.heap_kb - weighed.on_board_log_full
            print(
                f"  {board.board:10}{board.heap_kb:6}{board.log_bytes / 1024:8.1f}"
                f"{weighed.on_board_at_start / 1024:8.1f}{weighed.on_board_log_full / 1024:8.1f}"
                f"{left / 1024:8.1f}"
            )


if __name__ == "__main__":
    main()

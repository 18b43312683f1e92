"""Draws the pictures of the live view that the README shows, and puts them in.

`make pictures` after a change of the view; a test holds the README to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from legcurl.events import Event, Progress, SetEnded
from legcurl.gym.machine_state import MachineState
from legcurl.presentation.terminal.screen import Canvas, draw
from scripted_set import a_set

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CANVAS = Canvas(80, 24)
MOMENTS: dict[str, Callable[[Event], bool]] = {
    "hold": lambda event: (
        isinstance(event, Progress) and event.completed_reps == 2 and event.hold_s > 3.25
    ),
    "success": lambda event: isinstance(event, SetEnded),
}
BLOCK = re.compile(r"(<!-- picture: (\w+) -->\n```text\n).*?(```\n)", re.DOTALL)


def picture(name: str) -> str:
    """The screen at the moment of that name, without trailing blanks."""
    state = MachineState()
    for event in a_set():
        state = state.apply(event)
        if MOMENTS[name](event):
            rows = draw(state, CANVAS).plain.split("\n")
            return "".join(row.rstrip() + "\n" for row in rows)
    raise LookupError(f"the scripted set has no moment {name!r}")


def with_pictures(text: str) -> str:
    """The text with every marked block redrawn."""
    return BLOCK.sub(lambda block: block[1] + picture(block[2]) + block[3], text)


if __name__ == "__main__":
    README.write_text(with_pictures(README.read_text()))

"""A gym's events as lines on a terminal or a pipe."""

from __future__ import annotations

from typing import TextIO

from legcurl.cli.shared.nonblocking_output import UnhurriedFile
from legcurl.events import Event
from legcurl.gym.machine import Machine
from legcurl.presentation.wording import line, printable

LINES_ROOM = 200


class GymLines:
    """A line for each event that matters, of many machines."""

    def __init__(self, out: TextIO) -> None:
        self._out = UnhurriedFile(out, LINES_ROOM)
        self._told = 0  # of the lines that were left out

    def hear(self, machine: Machine, event: Event) -> None:
        """Say what an event means, if it matters afterwards."""
        told = line(event, machine.state.method)
        if told is not None:
            self.say(f"{printable(machine.name)}: {told.lstrip()}")

    def say(self, text: str) -> None:
        """Write a line, and how many were left out before it."""
        skipped = self._out.skipped
        if skipped > self._told:
            text = f"({skipped - self._told} lines were not read in time.)\n{text}"
        self._out.write(f"{text}\n")
        self._out.flush()
        if self._out.skipped == skipped:
            self._told = skipped

    def settle(self) -> None:
        """Wait a moment for what was said last, at the end."""
        self._out.settle()

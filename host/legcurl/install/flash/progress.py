"""A person who watches an installation, and answers what only a person knows."""

from __future__ import annotations

from typing import Protocol


class Operator(Protocol):
    """Told what happens, asked what no program can find out."""

    def step(self, what: str) -> None:
        """A new step begins."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Of the bytes to write, so many are written."""
        ...

    def warn(self, message: str) -> None:
        """Something is not as it should be, and does not stop us."""
        ...

    def confirm(self, question: str, option: str) -> None:
        """Return if the answer is yes; ConfigError if not, or without a terminal to ask at.

        `option` is what to give on the command line instead of an answer.
        """
        ...

    def choose(self, question: str, answers: list[str], option: str) -> int:
        """Which of the answers; ConfigError as above."""
        ...

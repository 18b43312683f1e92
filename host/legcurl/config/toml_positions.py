"""Finds the lines of the tables and keys of a TOML text, for messages.

`tomllib` and tomlkit give no positions. This scans a text that `tomllib` has accepted, and only
finds where heads, keys and elements begin. It reads each character once or twice, so no text makes
it slow.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter

Place = tuple[str | int, ...]  # ("web", "port"), ("machine", 0, "address")

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_REST_OF_LINE = re.compile(r"[^\n]*")
_PART = re.compile(r"""[ \t]*("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*\'''', re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[Place, int]:
    """Line numbers from 1 by place, implied tables included.

    Elements of arrays have their index; an array of tables has the line of its first table.
    """
    return _Scan(text.replace("\r\n", "\n")).statements()


class _Scan:
    """One scan of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted_to = 1, 0
        self._found: dict[Place, int] = {}
        self._tables: Counter[Place] = Counter()  # of each array of tables, so far

    def statements(self) -> dict[Place, int]:
        """All heads, and keys with their values."""
        table: Place = ()
        while self._peek_past_blank():
            if self._text[self._at] == "[":
                table = self._head()
            else:
                self._pair(table)
        return self._found

    def _head(self) -> Place:
        """A table's head; a name of an array of tables in it means the array's last table."""
        is_array = self._text.startswith("[[", self._at)
        line = self._line_here()
        self._at += 2 if is_array else 1
        place: Place = ()
        *outer, name = self._key()
        for part in outer:
            place = self._note((*place, part), line)
            if place in self._tables:
                place = (*place, self._tables[place] - 1)
        place = self._note((*place, name), line)
        if is_array:
            self._tables[place] += 1
            place = self._note((*place, self._tables[place] - 1), line)
        self._pass(_REST_OF_LINE)
        return place

    def _pair(self, table: Place) -> None:
        """A key and its value."""
        line = self._line_here()
        place = table
        for part in self._key():
            place = self._note((*place, part), line)
        self._at += 1  # the equals sign
        self._value(place)

    def _value(self, place: Place) -> None:
        """A value, and the values in it."""
        opened = self._peek_past_blank()
        if opened not in ("[", "{"):
            if not self._pass(_STRING):
                self._pass(_SCALAR)
            return
        self._at += 1
        number = 0
        while (next_ := self._peek_past_blank()) not in ("]", "}", ""):
            if next_ == ",":
                self._at += 1
            elif opened == "[":
                self._value(self._note((*place, number), self._line_here()))
                number += 1
            else:
                self._pair(place)
        self._at += 1

    def _key(self) -> list[str]:
        """The parts of a key, as tomllib gives them."""
        parts: list[str] = []
        while (part := _PART.match(self._text, self._at)) is not None:
            self._at = part.end()
            quoted = part[1][0] in "\"'"
            parts.append(tomllib.loads(f"key = {part[1]}")["key"] if quoted else part[1])
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        return parts

    def _note(self, place: Place, line: int) -> Place:
        self._found.setdefault(place, line)
        return place

    def _peek_past_blank(self) -> str:
        """The character that is next after blanks and comments; empty at the end."""
        self._pass(_BLANK)
        return self._text[self._at : self._at + 1]

    def _pass(self, pattern: re.Pattern[str]) -> bool:
        passed = pattern.match(self._text, self._at)
        if passed is None:
            return False
        self._at = passed.end()
        return True

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

"""On which line of a TOML text each table and key stands, for messages.

`tomllib` says what a text means and not where. This goes over the same text, which is known to be
valid by then, and only finds where things begin: a head, a key, an element. Each character is
looked at once or twice, whatever the text, so that no file can hold the check up.
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
    """Lines, counted from 1, by place, tables that are only implied included.

    Elements of arrays have their numbers; the first of an array of tables tells where that begins.
    """
    return _Scan(text.replace("\r\n", "\n")).statements()


class _Scan:
    """One way through a text, from its beginning to its end."""

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
        """A table from here on. Of an array of tables that is passed on the way, its last."""
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
        """A value; what stands in it has places too."""
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

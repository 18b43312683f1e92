"""On which line of a TOML text each table and key stands, for messages.

`tomllib` says what a text means and not where. This goes over the same text, which is known to be
valid by then, only as far as finding heads and keys takes: strings and brackets that run over lines
are passed over. A place that it cannot tell is not in its answer, and the message has no line.
"""

from __future__ import annotations

import re
from collections import Counter

Place = tuple[str | int, ...]  # ("web", "port"), ("machine", 0, "address")

_HEAD = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+|\s*\.\s*)+?)\s*=(.*)$""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")
_PIECE = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#|[\[{]|[\]}]')


def lines_of(text: str) -> dict[Place, int]:
    """Lines, counted from 1, by place. Of an array of tables, each table has its number."""
    found: dict[Place, int] = {}
    counts: Counter[Place] = Counter()  # of tables so far, by their array
    table: Place = ()
    depth = 0
    quote = ""  # of the string that runs over lines
    for number, line in enumerate(text.splitlines(), 1):
        rest = line
        if not quote and depth == 0:
            head = _HEAD.match(line)
            if head is not None:
                name = _parts(head[2])
                table = _numbered(name[:-1], counts) + name[-1:]
                if head[1] == "[[":
                    counts[name] += 1
                    table = (*table, counts[name] - 1)
                found.setdefault(table, number)
                continue
            key = _KEY.match(line)
            if key is not None:
                found.setdefault((*table, *_parts(key[1])), number)
                rest = key[2]
        depth, quote = _follow(rest, depth, quote)
    return found


def _numbered(name: Place, counts: Counter[Place]) -> Place:
    """The place of a table by its name: of an array, its last table is meant."""
    place: Place = ()
    for length, part in enumerate(name, 1):
        place = (*place, part)
        if counts[name[:length]]:
            place = (*place, counts[name[:length]] - 1)
    return place


def _follow(text: str, depth: int, quote: str) -> tuple[int, str]:
    """How deep in brackets, and in which string, the end of a line is."""
    at = 0
    while at < len(text):
        if quote:
            end = text.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + len(quote), ""
            continue
        piece = _PIECE.search(text, at)
        if piece is None or piece[0] == "#":
            break
        at = piece.end()
        if piece[0] in ('"""', "'''"):
            quote = piece[0]
        elif piece[0] in "[{":
            depth += 1
        elif piece[0] in "]}":
            depth = max(depth - 1, 0)
    return depth, quote


def _parts(key: str) -> Place:
    return tuple(part[1] or part[2] or part[3] or "" for part in _PART.finditer(key))

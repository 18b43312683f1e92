"""Each table and key is found on the line where it stands, whatever stands around it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legcurl.config.toml_positions import Place, lines_of


def test_text_like_a_key_inside_a_value_is_no_key():
    text = '''
a = """
[web]
\\""" port = 1
"""
[web] # a word
"quoted" = [
  "x = 1", # ]
  { y = "[" },
]
dotted.key = 1
[[machine]]
id = 'a'
[[machine]]
id = "b#c"
[[machine.part]]
[machine.part.screw]
'''
    assert lines_of(text) == {
        ("a",): 2,
        ("web",): 6,
        ("web", "quoted"): 7,
        ("web", "quoted", 0): 8,
        ("web", "quoted", 1): 9,
        ("web", "quoted", 1, "y"): 9,
        ("web", "dotted"): 11,
        ("web", "dotted", "key"): 11,
        ("machine",): 12,
        ("machine", 0): 12,
        ("machine", 0, "id"): 13,
        ("machine", 1): 14,
        ("machine", 1, "id"): 15,
        ("machine", 1, "part"): 16,
        ("machine", 1, "part", 0): 16,
        ("machine", 1, "part", 0, "screw"): 17,
    }


@pytest.mark.parametrize(
    "text",
    [
        '"a\\"' + "b" * 200 + ' c" = 1\n',
        'x = "' + "a\\\\" * 100_000 + '"\n',
        "#\n" * 200_000,
        "x = [" + "1,\n" * 100_000 + "]",
        " " * 500_000 + "x = 1",
        'x = """' + "\\n" * 200_000 + '"""',
    ],
    ids=["key", "escapes", "comments", "array", "blanks", "lines"],
)
def test_no_text_takes_long(text: str):
    """A search that backs up takes years over one of these."""
    assert lines_of(text) or text.startswith("#")


BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
# With what ends a line for `str.splitlines` and not for TOML, and what opens other things in it.
WORDS = st.text(st.sampled_from("ab \u2028\x85=[]{}#.,'"), max_size=8)
COMMENT = st.one_of(st.just(""), WORDS.map(lambda words: f" # {words}"))


def basic(words: str) -> str:
    return f'"{words}"'


VALUES = st.one_of(
    st.sampled_from(["1", "true", "1.5", "1979-05-27 07:32:00", "[]", "{}", '""', "''"]),
    WORDS.map(basic),
    WORDS.map(lambda words: f'"\\"{words}\\\\"'),
    WORDS.map(lambda words: f'"""\n[x]\n\\"""{words}\n""{words}\n"""'),
    WORDS.map(lambda words: f"'''\na = 1\n{words.replace(chr(39), '')}\n'''"),
    WORDS.map(lambda words: f"[ # ]\n  {basic(words)}, # {words}\n  [1,\n2],\n]"),
)
KEYS = st.one_of(
    BARE.map(lambda name: (name, name)),
    WORDS.map(lambda name: (basic(name), name)),
    WORDS.map(lambda name: (f'"\\u00e4{name}"', f"ä{name}")),
    BARE.map(lambda name: (f"'{name}#'", f"{name}#")),
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Place, int]]:
    """A text of a section, and machines, and where each key of theirs stands."""
    lines: list[str] = []
    expected: dict[Place, int] = {}

    def say(text: str) -> int:
        lines.extend(text.split("\n"))
        return len(lines) - text.count("\n")

    def pairs(table: Place) -> None:
        for written, name in draw(st.lists(KEYS, max_size=4, unique_by=lambda key: key[1])):
            say(draw(COMMENT))
            indent, blank = (
                draw(st.sampled_from(["", "  ", "\t"])),
                draw(st.sampled_from(["", " "])),
            )
            value = f"{indent}{written}{blank}={blank}{draw(VALUES)}{draw(COMMENT)}"
            expected[(*table, name)] = say(value)

    pairs(())
    expected[("the web",)] = say(f'[ "the web" ]{draw(COMMENT)}')
    pairs(("the web",))
    for number in range(draw(st.integers(0, 3))):
        head = say(f"[[ machine]]{draw(COMMENT)}")
        expected.setdefault(("machine",), head)
        expected[("machine", number)] = head
        pairs(("machine", number))
    return "\n".join(lines), expected


def at(place: Place, tables: Any) -> bool:
    """Whether there is something at a place, as tomllib reads the text."""
    for part in place:
        try:
            tables = tables[part]
        except (KeyError, IndexError):
            return False
    return True


@pytest.mark.long
@settings(derandomize=True, deadline=None, max_examples=300)
@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_every_key_is_found_where_it_was_written(
    written: tuple[str, dict[Place, int]], end_of_line: str
):
    text, expected = written
    text = text.replace("\n", end_of_line)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a key of the same name as a table
        return
    found = lines_of(text)
    assert {place: found.get(place) for place in expected} == expected
    assert all(at(place, tables) for place in found), "and nothing is found that is not there"

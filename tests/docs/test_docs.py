"""What the documentation shows is true: links lead somewhere, commands run, tables are complete."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from legcurl import errors
from legcurl.cli.app import legcurl
from pictures import README, ROOT, with_pictures
from selection import first_short
from timings import LIMIT_S

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BIN = Path(sys.executable).parent
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(r"(?<![\w/.-])legcurl ((?:'[^']*'|[^\s|>;`]+ ?)+)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: Path
    number: int
    language: str
    by_hand: bool
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.number}"


def blocks(*languages: str) -> list[Block]:
    return [
        Block(document, number, match[1], "by-hand" in match[2], match[3])
        for document in DOCUMENTS
        for number, match in enumerate(FENCE.finditer(document.read_text()), 1)
        if match[1] in languages
    ]


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The anchors that a document's headings get."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(prose(document))
    }


def commands_shown() -> list[str]:
    """Every legcurl command line of the documents, in blocks and in running text."""
    texts = [block.text for block in blocks("sh")]
    texts += [
        code for document in DOCUMENTS for code in re.findall(r"`([^`\n]+)`", prose(document))
    ]
    found = {
        match[1].strip()
        for text in texts
        for line in text.splitlines()
        if not line.startswith("#")
        for match in COMMAND.finditer(line)
    }
    return sorted(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_leads_somewhere(document: Path):
    for target in LINK.findall(prose(document)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{document.name} links to {target}"


@pytest.mark.parametrize("shown", commands_shown())
def test_every_command_shown_exists_with_its_options(shown: str):
    words = [word.strip("'\"") for word in re.findall(r"'[^']*'|\S+", shown)]
    context = click.Context(legcurl)
    if words[0].startswith("-"):
        legcurl.make_parser(context).parse_args(list(words))
        return
    if words[0] == "COMMAND":
        words[0] = "watch"
    verb = legcurl.get_command(context, words[0])
    assert verb is not None, f"legcurl {shown}: no such command"
    optional = [word.strip("[]") for word in words[1:]]
    verb.make_parser(click.Context(verb)).parse_args(optional)


@pytest.mark.long
@pytest.mark.parametrize(
    "block", first_short(block for block in blocks("sh") if not block.by_hand), ids=str
)
def test_every_command_of_a_tour_succeeds(block: Block, tmp_path: Path):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, f"{block}: {done.stderr}\n{done.stdout}"


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_piece_of_python_runs(block: Block, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, f"{block}: {done.stderr}"


def test_every_make_target_shown_exists():
    makefile = (ROOT / "Makefile").read_text()
    defined = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    texts = "\n".join(document.read_text() for document in DOCUMENTS)
    shown = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", texts, re.MULTILINE))
    assert shown, "the documents show how to build"
    assert shown <= defined


def test_the_pictures_of_the_live_view_are_what_it_draws():
    text = README.read_text()
    assert text.count("<!-- picture: ") == 2
    assert with_pictures(text) == text, "run: make pictures"


def test_every_verb_is_in_the_table_of_commands():
    table = re.findall(r"^\| `legcurl (\w+)", README.read_text(), re.MULTILINE)
    assert sorted(table) == sorted(legcurl.list_commands(click.Context(legcurl)))


def test_every_exit_code_is_documented():
    documented = {
        int(code) for code in re.findall(r"^\| (\d+) \|", README.read_text(), re.MULTILINE)
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = {kind.exit_code for kind in kinds if issubclass(kind, errors.LegCurlError)}
    assert raised <= documented
    assert {0, 2, 129, 130, 141, 143} <= documented

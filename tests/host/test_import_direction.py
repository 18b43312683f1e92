"""Which room of the host library may import which: a table, held against the code's imports.

Imports inside functions and under TYPE_CHECKING count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import legcurl
import pytest

PACKAGE = Path(legcurl.__file__).resolve().parent

# Each room, and the rooms that it may import beside itself and the ground.
MAY_IMPORT = {
    "protocol": "",
    "motion": "",
    "session": "protocol motion",
    "recording": "protocol motion session",
    "links": "protocol",
    "simulator": "links",
    "station/open_route.py": "links simulator",
    "station": "protocol motion session recording links station/open_route.py",
    "gym": "protocol motion session recording station",
    "store": "motion",
    "config": "motion links",
    "export": "store",
    "mqtt": "config gym store",
    "validation": "",
    "presentation": "motion gym store validation",
    "service": "gym store mqtt",
    "install": "protocol motion session links station station/open_route.py presentation",
    "web": "motion config gym store export presentation service",
    "cli": "protocol motion session recording links simulator station station/open_route.py gym"
    " store config export mqtt validation presentation service install web",
    "__init__.py": "motion station",  # the names of `legcurl.X`
}
GROUND = ""  # the room of the modules that lie in no folder: every room may import it
PURE = ("protocol", "motion", "session")
# Python's own modules that neither wait nor read nor write anything.
PURE_LIBRARY = {"__future__", "binascii", "bisect", "collections", "dataclasses", "enum"} | {
    *("hashlib", "hmac", "itertools", "json", "math", "operator", "re", "statistics", "typing"),
}


@cache
def imported_by(file: str) -> frozenset[str]:
    """The names that a file imports, as `package.module.name`."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: write imports in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def ours_imported_by(file: str) -> set[str]:
    """The files of this package that a file imports, other than itself."""
    return {found for name in imported_by(file) if (found := file_of(name))} - {file}


@cache
def file_of(name: str) -> str | None:
    """The file of this package that a name is in, or is itself."""
    first, *rest = name.split(".")
    if first != PACKAGE.name:
        return None
    place = "/".join(rest)
    for file in (f"{place}.py", f"{place}/__init__.py".lstrip("/")):
        if (PACKAGE / file).is_file():
            return file
    return file_of(name.rpartition(".")[0])


def room_of(file: str) -> str:
    """The room that a file is in."""
    return file if file in MAY_IMPORT else file.partition("/")[0] if "/" in file else GROUND


def our_files() -> Iterator[str]:
    """Every file but the simulated board's modules, which are imported by their bare names."""
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        if not file.startswith("simulator/shims/"):
            yield file


def test_every_room_is_in_the_table_above_all_that_it_imports() -> None:
    assert {room_of(file) for file in our_files()} - {GROUND} == set(MAY_IMPORT)
    order = TopologicalSorter({room: rooms.split() for room, rooms in MAY_IMPORT.items()})
    assert set(order.static_order()) == set(MAY_IMPORT)


@pytest.mark.parametrize("room", [GROUND, *MAY_IMPORT])
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    allowed = {GROUND, room, *MAY_IMPORT.get(room, "").split()}
    wrong = [
        f"{file} imports {other}"
        for file in our_files()
        if room_of(file) == room
        for other in ours_imported_by(file)
        if room_of(other) not in allowed
    ]
    assert not wrong


def test_the_pure_rooms_import_no_input_output() -> None:
    wrong = [
        f"{file} imports {name}"
        for file in our_files()
        if room_of(file) in PURE
        for name in imported_by(file)
        if name.partition(".")[0] not in {PACKAGE.name, *PURE_LIBRARY}
    ]
    assert not wrong


def test_no_files_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({file: ours_imported_by(file) for file in our_files()}).prepare()
    except CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))

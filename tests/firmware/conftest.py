"""Runs the firmware's tests where the firmware runs: on the MicroPython VM, and on CPython.

A file `vm_*.py` holds plain test functions in the dialect that both understand. Each function
becomes one test for each engine; a file is run once an engine, in a process of its own, by
`on_board.py`. A file may say `ENGINES = ("micropython",)`. Where the VM has no wheel the CPython
half remains (see find_engine).

Files `test_*.py` are ordinary tests around whole sensor processes.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.simulator.runner import Engine, find_engine
from timings import LIMIT_S

HERE = Path(__file__).parent
# What stands for a board here is the VM itself.
ONLY_ON_VM = ["test_flash.py", "test_flash_command.py", "test_memory.py"]
# The tests remember all that ever happened, which no board could.
ROOMY_HEAP = {"micropython": ("-X", "heapsize=16M"), "cpython": ()}


def available_engines() -> list[Engine]:
    """The VM, if this platform has it, and CPython."""
    engines = [find_engine(), find_engine("cpython")]
    return engines if engines[0].name != engines[1].name else engines[1:]


collect_ignore = ONLY_ON_VM if find_engine().name != "micropython" else []


@pytest.fixture(scope="session", params=available_engines(), ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> VmFile | None:
    # A file named on the command line is collected as a module whatever its name: see below.
    if _is_for_board(file_path) and not parent.session.isinitpath(file_path):
        return VmFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> VmFile | None:
    return VmFile.from_parent(parent, path=module_path) if _is_for_board(module_path) else None


def _is_for_board(path: Path) -> bool:
    return path.suffix == ".py" and path.name.startswith("vm_")


class VmFile(pytest.File):
    """A file of tests for the VM."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._results: dict[str, dict[str, str]] = {}

    def collect(self) -> Iterator[VmItem]:
        tree = ast.parse(self.path.read_text())
        names = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        for engine in available_engines():
            if engine.name not in _engines_of(tree):
                continue
            for name in names:
                yield VmItem.from_parent(
                    self, name=f"{name}[{engine.name}]", function=name, engine=engine
                )

    def results(self, engine: Engine) -> dict[str, str]:
        """What became of each function: "" or a traceback."""
        if engine.name not in self._results:
            self._results[engine.name] = run_on_board(engine, self.path)
        return self._results[engine.name]


class VmItem(pytest.Item):
    """One function of such a file, on one engine."""

    def __init__(self, *, function: str, engine: Engine, **kwargs) -> None:
        super().__init__(**kwargs)
        self._function = function
        self._engine = engine

    def runtest(self) -> None:
        assert isinstance(self.parent, VmFile)
        failure = self.parent.results(self._engine)[self._function]
        if failure:
            raise BoardTestError(failure)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style=None):
        if isinstance(excinfo.value, BoardTestError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, self.name


class BoardTestError(AssertionError):
    """The traceback of the engine that failed."""


def run_on_board(engine: Engine, path: Path) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as flash:
        done = subprocess.run(
            [
                *engine.command,
                *ROOMY_HEAP[engine.name],
                str(HERE / "on_board.py"),
                str(shims_directory()),
                str(firmware_directory()),
                str(path),
            ],
            cwd=flash,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env={**os.environ, "LEGCURL_VECTORS": str(HERE.parent / "vectors")},
        )
    if done.returncode != 0:
        raise BoardTestError(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _engines_of(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ENGINES":
            return ast.literal_eval(node.value)
    return ("micropython", "cpython")

"""What the steps share: the world in a process of its own, the kernel's adapter, and the report.

Runs inside the guest: see ../run.py.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from adapter import KernelAdapter
from surroundings import SOCKET, Surroundings

RESULTS = Path("/results")
WORLD_START_S = 120.0  # Python imports Bumble at a tenth of the usual speed
POLL_S = 0.1

steps: list[dict[str, Any]] = []


@pytest.fixture(scope="session")
def world_process() -> None:
    """Wait for world.py, which `start` has started."""
    deadline_s = time.monotonic() + WORLD_START_S
    while not os.path.exists(SOCKET):
        assert time.monotonic() < deadline_s, "world.py does not start: see world.log"
        time.sleep(POLL_S)


@pytest.fixture
async def surroundings(world_process: None) -> AsyncIterator[Surroundings]:
    """A world whose sensors, those that the step starts, live until they are killed."""
    hand = Surroundings()
    yield hand
    await hand.clear()


@pytest.fixture
async def adapter(world_process: None) -> AsyncIterator[KernelAdapter]:
    """The kernel's adapter as BlueZ has it, switched on."""
    async with KernelAdapter() as adapter:
        await adapter.power(on=True)
        yield adapter


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a step measured, for the report."""
    measured: dict[str, Any] = {}
    request.node.user_properties.append(("figures", measured))
    return measured


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        if report.failed:  # at once: a later step may hang until the guest is ended
            with (RESULTS / "failures.log").open("a") as log:
                log.write(f"{report.nodeid}\n{report.longreprtext}\n\n")
        figures = dict(report.user_properties).get("figures", {})
        steps.append(
            {
                "step": report.nodeid,
                "outcome": report.outcome,
                "seconds": round(report.duration, 2),
                "figures": figures,
            }
        )


def pytest_sessionfinish() -> None:
    (RESULTS / "report.json").write_text(json.dumps({"steps": steps}, indent=1) + "\n")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("steps")
    for step in steps:
        told = ", ".join(f"{name} {value}" for name, value in step["figures"].items())
        name = step["step"].partition("::")[2]
        terminalreporter.write_line(f"{step['seconds']:6.1f} s  {step['outcome']:6}  {name}")
        if told:
            terminalreporter.write_line(f"{'':10}{told}")

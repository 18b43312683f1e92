"""A browser for the package's tests, tablets that must not complain, and gyms to look at.

The browser ends with the package: while Playwright's blocking interface lives, no other test
of the process could run an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from browsing import PATIENCE_MS, Tablet, browsing
from browsing import tablet as new_tablet
from playwright.sync_api import Browser, expect
from stage import Stage, staged
from states import STATES, show_all

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with browsing() as started:
        yield started


@pytest.fixture
def stage_of(tmp_path) -> Iterator[Callable[..., Stage]]:
    """Puts machines of these names on a stage."""
    with ExitStack() as stages:
        yield lambda names, **how: stages.enter_context(staged(tmp_path, names, **how))


@pytest.fixture
def tablet(browser: Browser, stage_of: object) -> Iterator[Callable[..., Tablet]]:
    """Makes tablets; at the end, each has been free of errors, warnings and broken policies.

    They are gone before the stages are: a page that loses its service complains, rightly.
    """
    made: list[Tablet] = []

    def make(**context_options: Any) -> Tablet:
        made.append(new_tablet(browser, **context_options))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
    assert [one.complaints for one in made if one.complaints] == []


@pytest.fixture
def stage(stage_of: Callable[..., Stage]) -> Stage:
    """Three machines on a stage; nothing has happened yet."""
    return stage_of(["Left", "Middle", "Right"])


@pytest.fixture(scope="package")
def every_state(tmp_path_factory) -> Iterator[tuple[Stage, dict[str, str]]]:
    """A stage that shows every state, and which machine shows which. To be looked at only."""
    names = [f"Leg curl {number}" for number in range(1, len(STATES) + 1)]
    with staged(tmp_path_factory.mktemp("states"), names) as made:
        yield made, show_all(made)

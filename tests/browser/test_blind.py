"""When the page cannot see the service it says so, and since when; then it catches up by itself."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from browsing import Tablet
from cable import Cable
from playwright.sync_api import Page, expect
from selection import first_short
from stage import Stage, take
from states import STEADY

BLIND = re.compile(r"^No connection to the service since \d")
SAW = re.compile(r"^This page saw nothing from \d.* to \d.*; it has caught up\.$")


@pytest.fixture
def cable(stage: Stage) -> Iterator[Cable]:
    port = urlsplit(stage.url).port
    assert port is not None
    with Cable(port) as made:
        yield made


@pytest.fixture
def made(cable: Cable, tablet) -> Iterator[Tablet]:
    """A tablet behind the cable, whose time a test can let pass."""
    take(STEADY)  # seconds of work that must not pass while a page waits to hear something
    one = tablet()
    one.page.clock.install()
    one.page.goto(f"{cable.url}#/machine/machine-1")
    expect(one.page.get_by_role("heading", name="Left")).to_be_visible()
    yield one
    one.page.close()
    one.complaints.clear()  # the browser complains of what these tests do to its connections


def count(page: Page):
    return page.locator(".counter .count")


@pytest.mark.parametrize("trouble", first_short(["cut", "silence"]))
def test_without_a_connection_it_says_since_when_and_then_catches_up(
    stage: Stage, cable: Cable, made: Tablet, trouble: str
):
    page = made.page
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 1)
    expect(count(page)).to_have_text("1")
    getattr(cable, trouble)()
    page.clock.fast_forward(8_000)
    expect(page.locator("#blind")).to_have_text(BLIND)
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 3)
    expect(count(page)).to_have_text("1")
    cable.mend()
    page.clock.fast_forward(8_000)
    expect(count(page)).to_have_text("3")
    expect(page.locator("#blind")).to_have_text(SAW)
    page.clock.fast_forward(9_000)
    expect(page.locator("#blind")).to_be_hidden()


def test_a_tablet_that_slept_says_what_it_missed_and_shows_the_truth(stage: Stage, made: Tablet):
    page = made.page
    session = made.context.new_cdp_session(page)
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 1)
    expect(count(page)).to_have_text("1")
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    stage.play("machine-1", STEADY, lambda state: state.success is not None)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    page.clock.fast_forward(60_000)
    expect(page.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
    expect(page.locator("#blind")).to_have_text(SAW)


def test_a_sleep_is_told_if_the_service_is_heard_before_the_clock_is_read(
    stage: Stage, made: Tablet
):
    page = made.page
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 1)
    expect(count(page)).to_have_text("1")
    page.clock.set_system_time(page.evaluate("Date.now() + 60_000"))
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 2)
    expect(count(page)).to_have_text("2")
    expect(page.locator("#blind")).to_have_text(SAW)


def test_a_page_that_sees_is_not_marked_blind(stage: Stage, made: Tablet):
    for reps in (1, 2, 3):
        made.page.clock.fast_forward(4_000)
        stage.play("machine-1", STEADY, lambda state, reps=reps: state.completed_reps == reps)
        expect(count(made.page)).to_have_text(str(reps))
    expect(made.page.locator("#blind")).to_be_hidden()

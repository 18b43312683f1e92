"""When the page cannot see the service it says so, and since when; then it catches up by itself."""

import re

from playwright.sync_api import Page, expect
from stage import Stage
from states import STEADY

RECONNECTS_MS = 12_000  # QUIET_MS of stream.mjs, a look, and the browser's own pause
BLIND = re.compile(r"^No connection to the service since \d")
SAW = re.compile(r"^This page saw nothing from \d.* to \d.*; it has caught up\.$")


def opened(stage: Stage, made) -> Page:
    page = made.page
    page.clock.install()
    page.goto(f"{stage.url}#/machine/machine-1")
    expect(page.get_by_role("heading", name="Left")).to_be_visible()
    return page


def test_offline_in_mid_set_it_says_since_when_and_then_catches_up(stage: Stage, tablet):
    made = tablet()
    page = opened(stage, made)
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 1)
    expect(page.locator(".counter .count")).to_have_text("1")
    made.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    page.clock.fast_forward(8_000)
    expect(page.locator("#blind")).to_have_text(BLIND, timeout=RECONNECTS_MS)
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 3)
    made.context.set_offline(False)
    page.clock.fast_forward(3_000)
    expect(page.locator(".counter .count")).to_have_text("3", timeout=RECONNECTS_MS)
    expect(page.locator("#blind")).to_have_text(SAW)
    made.complaints.clear()  # the browser complains of the lost connection


def test_a_tablet_that_slept_says_what_it_missed_and_shows_the_truth(stage: Stage, tablet):
    made = tablet()
    page = opened(stage, made)
    session = made.context.new_cdp_session(page)
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 1)
    expect(page.locator(".counter .count")).to_have_text("1")
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    stage.play("machine-1", STEADY, lambda state: state.success is not None)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    page.clock.fast_forward("01:00")
    expect(page.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
    expect(page.locator("#blind")).to_have_text(SAW)
    expect(page.locator("#blind")).to_be_hidden(timeout=RECONNECTS_MS)
    made.complaints.clear()


def test_a_page_that_sees_is_not_marked_blind(stage: Stage, tablet):
    page = opened(stage, tablet())
    for _ in range(3):
        page.clock.fast_forward(2_000)
        stage.play("machine-1", STEADY, lambda state: state.t_s > 1)
    expect(page.locator("#blind")).to_be_hidden()

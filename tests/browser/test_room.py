"""The room: every machine at a glance, sorted by who needs a coach, on any screen."""

import pytest
from browsing import until
from playwright.sync_api import Page, expect
from stage import Stage
from states import QUITS, STEADY


def names(page: Page) -> list[str]:
    return page.locator(".tile h2").all_inner_texts()


def test_who_needs_a_coach_comes_first(stage: Stage, tablet):
    page = tablet().page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(3)
    assert names(page) == ["Left", "Middle", "Right"]
    stage.play("machine-2", QUITS, lambda state: state.phase == "concentric")
    stage.play("machine-3", STEADY, lambda state: state.doubt is not None)
    expect(page.locator(".tile h2").first).to_have_text("Right")
    assert names(page) == ["Right", "Middle", "Left"]


def test_tiles_do_not_move_under_a_finger(stage: Stage, tablet):
    page = tablet().page
    page.clock.install()
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(3)
    page.locator(".tile").first.hover()
    stage.play("machine-3", STEADY, lambda state: state.doubt is not None)
    expect(page.locator(".tile").nth(2)).to_have_attribute("data-tone", "doubt")
    for step in range(6):  # together longer than an order has to last
        page.locator(".tile").first.hover(position={"x": 20 + step, "y": 20})
        page.clock.run_for(300)
    assert names(page) == ["Left", "Middle", "Right"]
    page.clock.run_for(6_000)
    expect(page.locator(".tile h2").first).to_have_text("Right")


def test_a_phase_does_not_change_the_order(stage: Stage, tablet):
    page = tablet().page
    page.goto(stage.url)
    for machine in ("machine-1", "machine-2"):
        stage.play(machine, STEADY, lambda state: state.completed_reps == 1)
    expect(page.locator(".tile h2").nth(2)).to_have_text("Right")
    for phase in ("concentric", "hold", "eccentric"):
        stage.play("machine-2", STEADY, lambda state, phase=phase: state.phase == phase)
        expect(page.locator(".tile").nth(1)).to_have_attribute(
            "data-tone", {"concentric": "lift", "eccentric": "lower"}.get(phase, phase)
        )
    assert names(page) == ["Left", "Middle", "Right"]


SCREENS = ((320, 640), (820, 1180), (1920, 1080), (3840, 2160))


@pytest.mark.parametrize("count", [1, 3, 12, 60])
def test_tiles_fill_any_screen_and_none_is_cut_off(stage_of, tablet, count: int):
    stage = stage_of([f"Leg curl {number}" for number in range(1, count + 1)])
    page = tablet().page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(count)
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        until(
            page,
            "width => Math.abs(document.querySelector('.room').clientWidth + 28 - width) < 20"
            " && document.querySelector('.room').style.getPropertyValue('--row')",
            width,
        )
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        wide, high = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert wide <= width
        if count <= 12 and width >= 820:
            assert high <= height, "everything is seen at once"
        cut = page.locator(".tile").evaluate_all(
            "all => all.filter(t => t.scrollWidth > t.offsetWidth).length"
        )
        assert cut == 0


def test_no_machine_says_how_to_add_one(stage_of, tablet):
    page = tablet().page
    page.goto(stage_of([]).url)
    expect(page.locator(".empty")).to_contain_text("legcurl serve --station")

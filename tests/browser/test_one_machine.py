"""What a coach sees of one lifter: count, phase, hold, range, clock, doubt and success."""

import re
from collections.abc import Callable

import pytest
from browsing import Tablet, until
from legcurl.events import LinkChanged, SensorTrouble
from legcurl.presentation.wording import held, percent, tenths
from legcurl.training_method import STANDARD
from playwright.sync_api import Page, expect
from stage import Stage
from states import EARLY, QUITS, STEADY

Make = Callable[..., Tablet]


@pytest.fixture
def page(stage: Stage, tablet: Make) -> Page:
    shown = tablet().page
    shown.goto(f"{stage.url}#/machine/machine-1")
    expect(shown.get_by_role("heading", name="Left")).to_be_visible()
    return shown


def ring(page: Page):
    return page.locator(".now .ring")


def test_the_ring_is_met_from_the_target_less_the_tolerance(stage: Stage, page: Page):
    stage.play(
        "machine-1", QUITS, lambda state: state.phase == "hold" and 2.8 <= state.hold_s < 2.9
    )
    expect(ring(page).locator(".ring-number")).to_have_text("2.8")
    assert ring(page).get_attribute("data-met") is None
    stage.play("machine-1", QUITS, lambda state: state.hold_s >= 2.9)
    expect(ring(page).locator(".ring-number")).to_have_text(re.compile(r"2\.9|3\.0"))
    expect(ring(page)).to_have_attribute("data-met", "")


def test_page_and_terminal_write_figures_alike(page: Page):
    lengths_s = [0.0, 0.05, 0.96, 1.04, 2.94, 2.949, 2.95, 2.96, 2.999, 3.0, 3.04, 3.06, 12.34]
    shares = [0.0, 0.004, 0.29, 0.57, 0.8949, 0.896, 0.8999, 0.9, 1.0, 1.034]
    written = page.evaluate(
        """async ([lengths, shares]) => {
          const {held, tenths, percent} = await import('/js/format.mjs');
          const target = {hold_s: 3, hold_met_s: 2.9};
          return [lengths.map((s) => held(s, target)), lengths.map(tenths), shares.map(percent)];
        }""",
        [lengths_s, shares],
    )
    assert written == [
        [held(length_s, STANDARD) for length_s in lengths_s],
        [tenths(length_s) for length_s in lengths_s],
        [percent(share).removesuffix(" %") for share in shares],
    ]


def test_the_ring_overshoots_visibly_beyond_three_seconds(stage: Stage, page: Page):
    stage.play("machine-1", QUITS, lambda state: state.phase == "hold" and state.hold_s > 3.3)
    expect(ring(page).locator(".ring-over")).to_have_attribute(
        "stroke-dasharray", re.compile(r"^0\.1\d")
    )
    expect(ring(page).locator(".ring-arc")).to_have_attribute("stroke-dasharray", re.compile("^1"))


@pytest.mark.parametrize(
    ("phase", "word"),
    [("concentric", "LIFT"), ("hold", "HOLD"), ("eccentric", "LOWER"), ("bottom", "REST")],
)
def test_a_phase_is_one_word(stage: Stage, page: Page, phase: str, word: str):
    stage.play(
        "machine-1", STEADY, lambda state: state.completed_reps == 1 and state.phase == phase
    )
    expect(page.locator(".now .word")).to_have_text(word)


def test_a_provisional_failure_is_a_doubt_and_then_muscle_success(stage: Stage, page: Page):
    stage.play("machine-1", STEADY, lambda state: state.doubt is not None)
    expect(page.locator(".now .word")).to_have_text("FAIL?")
    expect(page.locator(".machine")).to_have_attribute("data-tone", "doubt")
    stage.play("machine-1", STEADY, lambda state: state.success is not None)
    expect(page.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
    expect(page.locator("body")).to_have_attribute("data-tone", "success")


def test_an_unknown_fault_is_shown_and_does_not_hide_the_phase(stage: Stage, page: Page):
    stage.play("machine-1", STEADY, lambda state: state.phase == "hold")
    stage.tell("machine-1", SensorTrouble(30.0, "unknown", active=True))
    expect(page.locator(".now .remark")).to_contain_text("Unknown sensor fault: update")
    expect(page.locator(".now .word")).to_have_text("HOLD")
    stage.tell("machine-1", SensorTrouble(30.1, "not_referenced", True, "index"))
    expect(page.locator(".now .remark")).to_contain_text("past its index mark")
    expect(page.locator(".now .word")).to_have_text("FAULT")


def test_each_rep_is_a_bar_as_high_as_its_range_and_says_its_hold(stage: Stage, page: Page):
    stage.play("machine-1", EARLY, lambda state: state.stage == "after")
    reps = stage.service.gym.machines["machine-1"].state.reps
    bars = page.locator(".machine > .past .reps-row li")
    expect(bars).to_have_count(len(reps))
    for number, rep in enumerate(reps):
        bar = bars.nth(number)
        if rep.completed:
            expect(bar.locator("b")).to_have_text(f"{rep.hold_s:.1f}")
            expect(bar).to_have_attribute("data-hold", "met" if rep.hold_met else "short")
        else:
            expect(bar).to_have_attribute("data-result", "failed")
        share = float(bar.evaluate("element => element.style.getPropertyValue('--rom')"))
        assert abs(share - min(rep.rom_fraction, 1.1) / 1.1) < 0.001


def test_the_trace_has_its_last_twenty_seconds_as_soon_as_it_is_opened(stage: Stage, tablet: Make):
    made = tablet()
    page = made.page
    page.goto(stage.url)
    stage.play("machine-2", STEADY, lambda state: state.t_s > 45)
    page.evaluate("location.hash = '#/machine/machine-2'")
    drawn = """() => {
      const canvas = document.querySelector('.trace canvas');
      if (!canvas) return 0;  // the machine's view is being fetched
      const {width, height} = canvas;
      const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
      let columns = 0;
      for (let x = 0; x < width; x += 1)
        for (let y = 0; y < height; y += 1)
          if (pixels[4 * (y * width + x) + 3] === 255) { columns += 1; break; }
      return columns / width;
    }"""
    until(page, f"({drawn})() > 0.95")
    made.complaints.clear()  # the browser would rather not have its pixels read


def test_the_trace_is_drawn_at_the_screens_own_resolution(stage: Stage, tablet: Make):
    page = tablet(device_scale_factor=3).page
    page.goto(f"{stage.url}#/machine/machine-1")
    sharp = """() => {
      const canvas = document.querySelector('.trace canvas');
      return canvas && Math.abs(canvas.width - 3 * canvas.getBoundingClientRect().width) < 2;
    }"""
    until(page, sharp)


def test_a_lost_link_says_so_and_why(stage: Stage, page: Page):
    stage.play("machine-1", STEADY, lambda state: state.completed_reps == 2)
    stage.tell("machine-1", LinkChanged("lost", "the cable is out: plug it in"))
    expect(page.locator(".now .word")).to_have_text("NO LINK")
    expect(page.locator(".now .remark")).to_have_text("the cable is out: plug it in")
    expect(page.locator(".counter .count")).to_have_text("2")


def test_a_sensor_that_cannot_see_shows_no_phase(stage: Stage, page: Page):
    stage.play("machine-1", STEADY, lambda state: state.phase == "concentric")
    t_s = stage.service.gym.machines["machine-1"].state.t_s
    stage.tell("machine-1", SensorTrouble(t_s, "no_magnet", True))
    expect(page.locator(".now .word")).to_have_text("FAULT")
    expect(page.locator(".now .remark")).to_have_text(
        "No magnet: put the magnet back over the encoder"
    )
    stage.tell("machine-1", SensorTrouble(t_s, "no_magnet", False))
    expect(page.locator(".now .word")).to_have_text("LIFT")


def test_a_machine_that_does_not_exist_is_said_not_to(stage: Stage, tablet: Make):
    made = tablet()
    made.page.goto(f"{stage.url}#/machine/machine-9")
    expect(made.page.get_by_role("alert").filter(visible=True)).to_have_text(
        "There is no such machine here."
    )
    made.complaints.clear()  # the browser complains of the 404

"""Who may look, who may change; and names are text, whatever is in them."""

import re

import pytest
from browsing import frames
from legcurl.web.authentication import Access, hashed
from playwright.sync_api import Page, expect
from stage import Stage
from states import EARLY

COACH_PIN, VIEW_PIN = "246810", "1357"
HOSTILE = {
    "markup": "<script>document.title='broken'</script><img src=x onerror=document.title='broken'>",
    "long": "Leg curl " + "very " * 2000 + "long",
    "unbroken": "x" * 10_000,
    "right to left": "\u202eעברית עִם ניקוד\u202c",
    "controls": "a\u0000b\u200bc\ufeff",
}


@pytest.fixture
def guarded(stage_of) -> Stage:
    return stage_of(
        ["Left"], access=Access({"change": hashed(COACH_PIN), "view": hashed(VIEW_PIN)})
    )


def sign_in(page: Page, pin: str) -> None:
    page.get_by_label("PIN").fill(pin)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_pin_shows_nothing_and_the_right_one_everything(guarded: Stage, tablet):
    made = tablet()
    page = made.page
    page.goto(guarded.url)
    sign_in(page, "0000")
    expect(page.get_by_role("alert")).to_have_text("Wrong PIN.")
    expect(page.locator(".tile")).to_have_count(0)
    sign_in(page, COACH_PIN)
    expect(page.locator(".tile")).to_have_count(1)
    page.reload()
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("PIN")).to_be_visible()
    made.complaints[:] = [said for said in made.complaints if "401" not in said]


@pytest.mark.long
def test_who_guesses_pins_is_made_to_wait(guarded: Stage, tablet):
    made = tablet()
    page = made.page
    page.goto(guarded.url)
    said = page.get_by_role("alert")
    for guess in range(12):
        sign_in(page, f"guess {guess}")
        expect(said).not_to_be_empty()
        if "Wait" in said.inner_text():
            break
        page.evaluate("document.querySelector('[role=alert]').textContent = ''")
    expect(said).to_contain_text("Too many wrong PINs")
    made.complaints[:] = [said for said in made.complaints if not re.search("401|429", said)]


def test_who_may_only_look_sees_everything_and_no_control(guarded: Stage, tablet):
    made = tablet()
    page = made.page
    page.goto(f"{guarded.url}#/machine/machine-1")
    sign_in(page, VIEW_PIN)
    guarded.play("machine-1", EARLY, lambda state: state.stage == "after")
    expect(page.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
    expect(page.locator(".after-set .outcome")).to_have_text("Muscle Success")
    expect(page.locator("main :is(button, input, select, textarea, summary)")).to_have_count(0)
    refused = page.evaluate(
        """async () => {
          const {csrf} = await (await fetch('api/session')).json();
          const asked = await fetch('api/stations/machine-1/next', {
            method: 'POST', body: '{"load_kg": 500}',
            headers: {'Content-Type': 'application/json', 'X-Csrf-Token': csrf},
          });
          return asked.status;
        }"""
    )
    assert refused == 403
    made.complaints[:] = [said for said in made.complaints if not re.search("401|403", said)]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_machines_name_is_text_and_breaks_nothing(stage_of, tablet, kind: str):
    stage = stage_of([HOSTILE[kind], "Right"])
    page = tablet(viewport={"width": 360, "height": 740}).page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(2)
    shown = page.locator(".tile h2").evaluate_all("all => all.map(one => one.textContent)")
    assert set(shown) == {HOSTILE[kind], "Right"}
    for address in ("#/", "#/machine/machine-1"):
        page.evaluate("address => { location.hash = address; }", address)
        frames(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('.head').offsetHeight") < 400
    assert page.title() == "legcurl"
    assert page.locator("main script, main img").count() == 0


def test_a_clients_name_is_text_wherever_it_is_shown(stage: Stage, tablet):
    name = HOSTILE["markup"][:80]
    page = tablet().page
    page.goto(f"{stage.url}#/machine/machine-1")
    page.locator("button.client").click()
    page.get_by_label("Name (may be left empty)").fill(name)
    page.get_by_role("button", name="New client").click()
    expect(page.locator(".head bdi")).to_have_text(name)
    stage.play("machine-1", EARLY, lambda state: state.stage == "after")
    expect(page.locator(".after-set bdi")).to_have_text(name)
    page.get_by_role("link", name="History of").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert page.title() == "legcurl"

"""The page against the real service and the real firmware: what the lifter did is what it shows."""

import re
from collections.abc import Iterator

import pytest
from legcurl.events import SetResult
from legcurl.links.sim_address import parse_address
from legcurl.simulator.world import World
from playwright.sync_api import Page, expect
from selection import first_short
from serving import Serving, SimulatedSensor

LIFTERS = {
    "Steady": "sim:?seed=7&pace=fast",
    "Early": "sim:?seed=3&lifter=early&pace=fast",
    "Quits": "sim:?seed=5&lifter=quits&pace=fast",
}


def truth(address: str) -> SetResult:
    """What the lifter of a simulated sensor really does."""
    [found] = World(parse_address(address)).truth().sets
    return found.result


@pytest.fixture(scope="module")
def gym(tmp_path_factory) -> Iterator[Serving]:
    stations = [f"{name}={address}" for name, address in LIFTERS.items()]
    with Serving(tmp_path_factory.mktemp("gym"), stations) as serving:
        yield serving


def tile(page: Page, name: str):
    return page.locator(".tile").filter(has=page.get_by_role("heading", name=name))


@pytest.mark.parametrize("name", first_short(LIFTERS))
def test_the_count_on_the_page_is_the_lifters(gym: Serving, tablet, name: str):
    page = tablet().page
    page.goto(gym.url)
    shown = tile(page, name)
    expect(shown).to_have_attribute("data-stage", "after")
    expect(shown.locator(".count")).to_have_text(str(truth(LIFTERS[name]).completed_reps))


@pytest.mark.long
def test_muscle_success_is_for_a_failed_rep_and_not_for_a_voluntary_stop(gym: Serving, tablet):
    page = tablet().page
    page.goto(gym.url)
    for name in LIFTERS:
        shown = tile(page, name)
        expect(shown).to_have_attribute("data-stage", "after")
        failed = truth(LIFTERS[name]).outcome == "muscle_success"
        expect(shown.locator(".word")).to_have_text("MUSCLE SUCCESS" if failed else "STOPPED")
    assert {truth(LIFTERS[name]).outcome for name in LIFTERS} == {"muscle_success", "stopped"}


@pytest.mark.long
def test_the_table_after_the_set_has_the_holds_of_the_lifter(gym: Serving, tablet):
    page = tablet().page
    page.goto(gym.url)
    expect(tile(page, "Steady")).to_have_attribute("data-stage", "after")
    tile(page, "Steady").click()
    rows = page.locator(".after-set tbody tr")
    reps = truth(LIFTERS["Steady"]).reps
    expect(rows).to_have_count(len(reps))
    for number, rep in enumerate(reps):
        shown = rows.nth(number).locator("td").nth(2).inner_text()
        if rep.completed:
            assert float(shown.removesuffix(" s")) == pytest.approx(rep.hold_s, abs=0.11)


@pytest.mark.long
def test_a_service_that_began_anew_takes_what_a_coach_enters(tmp_path, tablet):
    with Serving(tmp_path, ["Left=sim:?seed=7"]) as serving:
        made = tablet()
        page = made.page
        page.goto(f"{serving.url}#/machine/machine-1")
        lamp = page.locator(".lamp")
        expect(lamp).to_have_text("sensor ok")
        serving.kill()
        with page.expect_response("**/api/events*"):
            serving.start_again()
        page.locator("button.load").click()
        page.get_by_label("Load in kg").fill("42.5")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("button.load")).to_contain_text("42.5 kg")
        page.close()
        made.complaints.clear()  # the browser complains of the service that died, and of the 403


@pytest.mark.long
def test_a_service_that_dies_in_mid_set_has_lost_nothing_of_it(tmp_path, tablet):
    lifter = "sim:?seed=3&lifter=early&pace=3"
    expected = truth(lifter).completed_reps
    with SimulatedSensor(lifter) as sensor, Serving(tmp_path, [sensor.address]) as serving:
        made = tablet()
        page = made.page
        page.goto(f"{serving.url}#/machine/machine-1")
        count = page.locator(".counter .count")
        expect(count).to_have_text(re.compile("[12]"))

        page.reload()
        expect(count).not_to_have_text("0")
        expect(page.locator(".reps-row li").first).to_be_visible()

        serving.kill()
        serving.start_again()
        expect(page.locator(".machine")).to_have_attribute("data-stage", "after")
        expect(count).to_have_text(str(expected))
        expect(page.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
        expect(page.locator(".after-set tbody tr")).to_have_count(expected + 1)
        page.close()
        made.complaints.clear()  # the browser complains of the service that died

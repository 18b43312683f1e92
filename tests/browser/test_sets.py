"""What a coach enters and finds again: client and load, the set, corrections, histories."""

import csv
import io

import pytest
from browsing import until
from legcurl.presentation.coach_feedback import praise
from legcurl.store import SetQuery
from playwright.sync_api import Page, expect
from stage import Stage
from states import EARLY, QUITS
from timings import wait_until


def after(state) -> bool:
    return state.stage == "after"


@pytest.fixture
def page(stage: Stage, tablet) -> Page:
    shown = tablet().page
    shown.goto(f"{stage.url}#/machine/machine-1")
    expect(shown.get_by_role("heading", name="Left")).to_be_visible()
    return shown


@pytest.fixture
def a_set(stage: Stage, page: Page) -> str:
    """A set that has just ended, shown below its machine; gives its id."""
    stage.play("machine-1", EARLY, after)
    expect(page.locator(".after-set .outcome")).to_have_text("Muscle Success")
    [stored] = stage.ask(lambda store: store.find_sets(SetQuery())).sets
    return stored.id


def choose_client(page: Page, within: str, name: str) -> None:
    page.locator(f"{within} button.client").click()
    page.get_by_label("Name (may be left empty)").fill(name)
    page.get_by_role("button", name="New client").click()
    expect(page.locator(f"{within} button.client")).to_contain_text(name)


def choose_load(page: Page, within: str, kg: str) -> None:
    page.locator(f"{within} button.load").click()
    page.get_by_label("Load in kg").fill(kg)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.locator(f"{within} button.load")).to_contain_text(f"{kg} kg")


def test_client_and_load_entered_before_are_the_sets(stage: Stage, page: Page):
    choose_client(page, ".head", "Ada")
    choose_load(page, ".head", "42.5")
    stage.play("machine-1", QUITS, after)
    expect(page.locator(".after-set button.client")).to_contain_text("Ada")
    expect(page.locator(".after-set button.load")).to_contain_text("42.5 kg")


def test_client_and_load_can_be_entered_after(stage: Stage, page: Page, a_set: str):
    choose_client(page, ".after-set", "Grace")
    choose_load(page, ".after-set", "30")
    stored = stage.ask(lambda store: store.get_set(a_set))
    assert stored.client is not None
    assert (stored.client.name, stored.load_kg) == ("Grace", 30)


def test_the_load_goes_up_and_down_by_big_buttons(page: Page):
    choose_load(page, ".head", "40")
    page.locator(".head button.load").click()
    page.get_by_role("button", name="5 kg more", exact=True).click()
    page.get_by_role("button", name="1.25 kg less").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".head button.load")).to_contain_text("43.75 kg")


def test_a_dialog_that_is_left_changes_nothing(page: Page):
    choose_load(page, ".head", "40")
    page.locator(".head button.load").click()
    page.get_by_label("Load in kg").fill("50")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator(".head button.load")).to_contain_text("40 kg")


def test_a_client_is_found_by_a_part_of_the_name(stage: Stage, page: Page):
    page.evaluate(
        """async () => {
          const {csrf} = await (await fetch('api/session')).json();
          const headers = {'Content-Type': 'application/json', 'X-Csrf-Token': csrf};
          for (let number = 0; number < 12; number += 1)
            await fetch('api/clients', {
              method: 'POST', headers, body: JSON.stringify({name: `Client ${number}`}),
            });
        }"""
    )
    page.locator(".head button.client").click()
    page.get_by_label("Find, or name a new one").fill("client 1")
    expect(page.locator(".choices button")).to_have_text(["Client 1", "Client 10", "Client 11"])
    page.get_by_role("button", name="Client 11").click()
    expect(page.locator(".head button.client")).to_contain_text("Client 11")


def test_a_note_stays_with_the_set(stage: Stage, page: Page, a_set: str):
    page.get_by_label("Note").fill("left knee\nfelt well")
    page.get_by_label("Note").blur()
    until(page, "document.querySelector('.after-set textarea')?.value.includes('knee')")
    expect(page.locator(".after-set .trouble:not([hidden])")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Note")).to_have_value("left knee\nfelt well")


def test_the_page_shows_the_feedback_of_the_printed_report(stage: Stage, page: Page, a_set: str):
    feedback = praise(stage.ask(lambda store: store.get_set(a_set)).result)
    shown = page.locator(".after-set .columns")
    assert feedback.good
    for sentence in (*feedback.good, *feedback.work):
        expect(shown.get_by_text(sentence, exact=True)).to_be_visible()


def note_of(stage: Stage, set_id: str) -> str | None:
    return stage.ask(lambda store: store.get_set(set_id)).note


def test_a_note_is_kept_though_the_next_lifter_begins_while_it_is_written(
    stage: Stage, page: Page, a_set: str
):
    page.get_by_label("Note").press_sequentially("went up too fa")
    stage.play("machine-1", QUITS, lambda state: state.stage == "during")
    expect(page.locator(".after-set")).to_have_count(0)
    wait_until(lambda: note_of(stage, a_set) == "went up too fa")


def test_a_note_is_kept_when_the_page_is_left(stage: Stage, page: Page, a_set: str):
    page.get_by_label("Note").press_sequentially("felt well")
    page.get_by_role("link", name="Room").click()
    expect(page.locator(".tile")).to_have_count(3)
    wait_until(lambda: note_of(stage, a_set) == "felt well")


def test_a_slow_finger_gets_its_button_after_a_note(page: Page, a_set: str):
    page.get_by_label("Note").press_sequentially("felt well")
    page.locator(".after-set button.load").click(delay=300)
    expect(page.get_by_role("dialog")).to_be_visible()


def test_no_count_is_not_taken_for_none(stage: Stage, page: Page, a_set: str):
    page.locator("summary", has_text="Correct this set").click()
    count = page.get_by_label("Reps", exact=True)
    count.fill("")
    page.locator("details").get_by_role("button", name="Save").click()
    expect(count).to_be_focused()
    assert page.evaluate("document.activeElement.validity.valueMissing")
    assert stage.ask(lambda store: store.get_set(a_set)).corrections == ()


def test_a_corrected_set_tells_who_and_why_and_keeps_what_was_measured(
    stage: Stage, page: Page, a_set: str
):
    measured = stage.ask(lambda store: store.get_set(a_set)).original.completed_reps
    page.locator("summary", has_text="Correct this set").click()
    page.get_by_label("Why").fill("one was a warm-up")
    page.get_by_label("Reps", exact=True).fill(str(measured - 1))
    page.locator("details").get_by_role("button", name="Save").click()
    expect(page.locator(".after-set .summary")).to_contain_text(f"{measured - 1} reps")
    expect(page.locator(".corrections li")).to_contain_text("(one was a warm-up)")
    stored = stage.ask(lambda store: store.get_set(a_set))
    assert stored.original.completed_reps == measured
    assert stored.result.completed_reps == measured - 1


def test_a_deleted_set_can_be_restored(page: Page, a_set: str):
    page.locator("summary", has_text="Correct this set").click()
    page.get_by_role("button", name="Delete this set").click()
    expect(page.locator(".after-set .summary")).to_contain_text("deleted")
    page.get_by_role("button", name="Restore this set").click()
    expect(page.locator(".after-set .summary")).not_to_contain_text("deleted")


def test_a_set_is_compared_with_that_clients_last(stage: Stage, page: Page):
    choose_client(page, ".head", "Ada")
    stage.play("machine-1", QUITS, after)
    expect(page.locator(".after-set")).to_contain_text("No earlier set of this client.")
    page.goto(f"{stage.url}#/machine/machine-2")
    page.locator(".head button.client").click()
    page.get_by_role("button", name="Ada").click()
    expect(page.locator(".head button.client")).to_contain_text("Ada")
    stage.play("machine-2", EARLY, after)
    expect(page.get_by_text("Compared with the last set")).to_be_visible()
    expect(page.locator(".after-set li", has_text="5 reps → 3 reps")).to_be_visible()


def test_a_clients_history_has_lines_a_table_and_a_csv(stage: Stage, page: Page):
    client = stage.ask(lambda store: store.add_client("Ada"))
    for machine, lifter in (("machine-1", QUITS), ("machine-2", EARLY)):
        stage.play(machine, lifter, after)
    expect(page.locator(".after-set .outcome")).to_be_visible()
    until(page, "async () => (await (await fetch('api/sets')).json()).sets.length === 2")
    for stored in stage.ask(lambda store: store.find_sets(SetQuery())).sets:
        changes = {"client_id": client.id, "load_kg": 40.0}
        stage.ask(lambda store, id=stored.id, changes=changes: store.change_set(id, changes))
    page.goto(f"{stage.url}#/client/{client.id}")
    expect(page.get_by_role("heading", name="Ada")).to_be_visible()
    expect(page.locator(".spark")).to_have_count(4)
    expect(page.locator("tbody tr")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert sorted(row["completed_reps"] for row in rows) == ["3", "5"]


def test_a_machines_day_lists_its_sets(stage: Stage, page: Page, a_set: str):
    page.get_by_role("link", name="Today").click()
    expect(page.get_by_role("heading", name="Left, today")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Muscle Success")


@pytest.mark.long
def test_a_set_is_shared_as_table_and_as_picture(page: Page, a_set: str):
    with page.expect_download() as table:
        page.locator(".after-set").get_by_role("link", name="CSV").click()
    reps = list(csv.DictReader(io.StringIO(table.value.path().read_text())))
    assert [rep["number"] for rep in reps] == ["1", "2", "3", "4"]
    with page.expect_download() as picture:
        page.locator(".after-set").get_by_role("link", name="Picture").click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_correction_is_seen_on_the_other_tablet(stage: Stage, page: Page, a_set: str, tablet):
    other = tablet().page
    other.goto(f"{stage.url}#/set/{a_set}")
    expect(other.get_by_role("heading", level=1)).to_have_text("Muscle Success")
    page.locator("summary", has_text="Correct this set").click()
    page.get_by_role("button", name="Delete this set").click()
    expect(other.locator(".after-set .summary")).to_contain_text("deleted")
    choose_load(page, ".after-set", "30")
    expect(other.locator(".after-set button.load")).to_contain_text("30 kg")


def test_two_tablets_see_the_same(stage: Stage, page: Page, tablet):
    other = tablet().page
    other.goto(f"{stage.url}#/machine/machine-1")
    choose_load(page, ".head", "42.5")
    expect(other.locator(".head button.load")).to_contain_text("42.5 kg")
    stage.play("machine-1", EARLY, lambda state: state.completed_reps == 2)
    for one in (page, other):
        expect(one.locator(".counter .count")).to_have_text("2")
    stage.play("machine-1", EARLY, after)
    for one in (page, other):
        expect(one.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
        expect(one.locator(".after-set .outcome")).to_have_text("Muscle Success")

"""Keyboard, screen reader, contrast, any screen, no internet, few bytes, one file of words."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import legcurl.web
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import frames, until
from legcurl.store import SetQuery
from PIL import Image
from playwright.sync_api import Page, expect
from selection import first_short
from stage import Stage
from states import EARLY, STATES, STEADY

PAGE = Path(legcurl.web.__file__).parent / "page"
WIDTHS = (320, 820, 1920, 3840)
PAGE_BYTES_MAX = 150_000
GRAVE = ("serious", "critical")


def show(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address; }", address)
    frames(page)


def grave_findings(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", first_short(["light", "dark"]))
def test_axe_has_no_serious_finding_in_any_state(every_state, tablet, scheme: str):
    stage, machines = every_state
    page = tablet(color_scheme=scheme, reduced_motion="reduce").page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(len(STATES))
    assert grave_findings(page) == []
    for state in machines if scheme == "light" else ("held", "doubt", "success", "fault"):
        show(page, f"#/machine/{machines[state]}")
        expect(page.locator(".machine h1")).to_be_visible()
        assert grave_findings(page) == [], state


def test_axe_has_no_serious_finding_after_a_set_and_in_dialogs(every_state, tablet):
    stage, machines = every_state
    page = tablet(reduced_motion="reduce").page
    stored = stage.ask(lambda store: store.find_sets(SetQuery())).sets[0]
    client = stage.ask(lambda store: store.add_client("Ada"))
    stage.ask(lambda store: store.change_set(stored.id, {"client_id": client.id}))
    for address in (f"#/set/{stored.id}", f"#/client/{client.id}", f"#/day/{stored.machine.id}"):
        page.goto(f"{stage.url}{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert grave_findings(page) == [], address
    page.goto(f"{stage.url}#/machine/{machines['before']}")
    for button in ("client", "load"):
        page.locator(f"button.{button}").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert grave_findings(page) == [], button
        page.keyboard.press("Escape")


@pytest.mark.long
def test_nothing_is_wider_than_the_screen_in_any_state(every_state, tablet):
    stage, machines = every_state
    page = tablet().page
    page.goto(stage.url)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": max(640, width * 9 // 16)})
        for state, machine in machines.items():
            show(page, f"#/machine/{machine}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{state} at {width}"
            words = page.locator(".now .word, .now .remark")
            cut = words.evaluate_all(
                "all => all.filter(w => w.scrollWidth > w.clientWidth + 1).length"
            )
            assert cut == 0, f"a word is cut off: {state} at {width}"


TILE_SCREENS = ((320, 640), (360, 740), (820, 1180), (1180, 820), (1920, 1080), (3840, 2160))


def test_nothing_in_a_tile_is_cut_off_in_any_state(every_state, tablet):
    stage, _ = every_state
    page = tablet(reduced_motion="reduce").page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(len(STATES))
    for width, height in TILE_SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        frames(page)
        outside = page.locator(".tile").evaluate_all(
            """all => all.flatMap((tile) => {
              const bottom = tile.getBoundingClientRect().bottom;
              return [...tile.querySelectorAll('.word, .remark, .count-word')]
                .filter((part) => part.getBoundingClientRect().bottom > bottom)
                .map((part) => part.textContent);
            })"""
        )
        assert outside == [], f"at {width} × {height}"


@pytest.mark.parametrize("size", [(820, 1180), (1180, 820), (768, 1024), (1920, 1080)])
def test_on_a_tablet_and_on_a_wall_a_set_is_seen_without_scrolling(
    every_state, tablet, size: tuple[int, int]
):
    stage, machines = every_state
    page = tablet(viewport={"width": size[0], "height": size[1]}).page
    page.goto(stage.url)
    for state in ("before", "lift", "hold", "held", "lower", "rest", "doubt"):
        show(page, f"#/machine/{machines[state]}")
        expect(page.locator(".machine h1")).to_be_visible()
        high = page.evaluate("document.documentElement.scrollHeight")
        assert high <= size[1], state


def test_the_heads_of_a_table_are_whole_words(every_state, tablet):
    stage, machines = every_state
    page = tablet(viewport={"width": 820, "height": 1180}).page
    page.goto(f"{stage.url}#/day/{machines['ended']}")
    expect(page.locator("tbody tr")).to_have_count(1)
    for width in (360, 820):
        page.set_viewport_size({"width": width, "height": 1180})
        broken = page.locator("th").evaluate_all(
            """all => all.filter((head) => {
              const text = document.createRange();
              text.selectNodeContents(head);
              return text.getClientRects().length > head.textContent.split(' ').length;
            }).map((head) => head.textContent)"""
        )
        assert broken == [], f"at {width}"
    page.set_viewport_size({"width": 820, "height": 1180})
    expect(page.locator("td", has_text="Muscle Success")).to_be_in_viewport(ratio=1)


def test_on_a_wall_the_count_is_read_from_five_metres(every_state, tablet):
    """A digit as high as a two hundredth of the distance is read; here on a screen 30 cm high."""
    stage, machines = every_state
    page = tablet(viewport={"width": 1280, "height": 800}).page
    page.goto(f"{stage.url}#/machine/{machines['hold']}")
    size = page.locator(".counter .count").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    digit_m = 0.7 * size / 800 * 0.30
    assert digit_m > 5 / 200


def test_the_keyboard_alone_gets_everywhere_and_focus_is_seen(stage: Stage, tablet):
    page = tablet().page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    expect(page.locator("#skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".tile").first).to_be_focused()
    assert outline(page) >= 2
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Left")).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.locator("button.load").evaluate("e => e === document.activeElement"):
            break
    assert outline(page) >= 2
    page.keyboard.press("Enter")
    page.keyboard.type("42.5")
    page.keyboard.press("Enter")
    expect(page.locator("button.load")).to_contain_text("42.5 kg")
    expect(page.locator("button.load")).to_be_focused()


def outline(page: Page) -> float:
    return page.evaluate(
        """() => { const style = getComputedStyle(document.activeElement);
        return style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth); }"""
    )


def test_the_focus_stays_on_its_tile_when_the_order_changes(stage: Stage, tablet):
    page = tablet().page
    page.goto(stage.url)
    expect(page.locator(".tile")).to_have_count(3)
    page.locator(".tile", has_text="Middle").focus()
    stage.play("machine-3", STEADY, lambda state: state.doubt is not None)
    expect(page.locator(".tile h2").first).to_have_text("Right")
    expect(page.locator(".tile", has_text="Middle")).to_be_focused()


def test_the_screen_reader_hears_counts_and_the_outcome_and_nothing_else(stage: Stage, tablet):
    page = tablet().page
    page.goto(f"{stage.url}#/machine/machine-1")
    expect(page.get_by_role("heading", name="Left")).to_be_visible()
    page.evaluate(
        """() => { window.heard = [];
        const spoken = document.getElementById('spoken');
        new MutationObserver(() => heard.push(spoken.textContent))
          .observe(spoken, {childList: true, characterData: true, subtree: true}); }"""
    )
    stage.play("machine-1", EARLY, lambda state: state.completed_reps == 1)
    until(page, "heard.length === 1")
    stage.play("machine-1", EARLY, lambda state: state.stage == "after")
    until(page, "heard.at(-1).includes('Muscle Success')")
    heard = page.evaluate("heard")
    assert heard[0] == "Left: 1 rep"
    assert heard[-1] == "Left: Muscle Success, 3 reps"
    assert len(heard) <= 6, heard


def test_motion_is_left_out_where_it_is_not_wanted(stage: Stage, tablet):
    page = tablet(reduced_motion="reduce").page
    page.goto(f"{stage.url}#/machine/machine-1")
    stage.play("machine-1", STEADY, lambda state: state.success is not None)
    expect(page.locator(".now .word")).to_have_text("MUSCLE SUCCESS")
    assert page.evaluate("document.getAnimations().length") == 0


def test_with_forced_colours_what_counts_is_still_there(stage: Stage, tablet):
    page = tablet(forced_colors="active").page
    page.goto(f"{stage.url}#/machine/machine-1")
    stage.play("machine-1", EARLY, lambda state: state.phase == "hold")
    expect(page.locator(".now .word")).to_have_text("HOLD")
    expect(page.locator(".ring-number")).to_be_visible()


def test_the_page_asks_nobody_but_its_service_and_weighs_little(stage: Stage, tablet):
    made = tablet()
    asked: dict[str, int] = {}

    def note(response) -> None:
        if "/api/" not in response.url:
            asked[response.url] = len(response.body())

    made.page.on("response", note)
    made.page.goto(stage.url)
    expect(made.page.locator(".tile")).to_have_count(3)
    made.page.wait_for_load_state("load")
    assert all(url.startswith(stage.url) for url in asked)
    assert sum(asked.values()) <= PAGE_BYTES_MAX


def test_all_that_a_browser_may_fetch_of_the_page_weighs_little():
    assert sum(file.stat().st_size for file in files("*")) <= PAGE_BYTES_MAX


def test_every_module_is_announced_in_the_page():
    announced = set(re.findall(r'"(js/[\w-]+\.mjs)"', (PAGE / "index.html").read_text()))
    assert announced == {f"js/{file.name}" for file in files("js/*.mjs")}


def test_it_can_be_installed():
    manifest = json.loads((PAGE / "manifest.webmanifest").read_text())
    assert manifest["display"] == "standalone"
    sizes = set()
    for icon in manifest["icons"]:
        content = (PAGE / icon["src"]).read_bytes()
        if icon["type"] == "image/png":
            width, height = Image.open(io.BytesIO(content)).size
            assert icon["sizes"] == f"{width}x{height}"
            sizes.add(width)
    assert sizes == {192, 512}


STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`')
# Sentences, and single words that begin with a capital: what a person would read.
ENGLISH = re.compile(r"\b[A-Z][a-z]{2,}|\b[a-z]+ [a-z]+ [a-z]+\b")
NOT_SHOWN = {
    "Content-Type",  # of HTTP
    "X-Csrf-Token",
    "Tab",
}


def test_words_that_are_shown_are_in_one_file():
    found = [
        f"{file.name}: {text}"
        for file in files("js/*.mjs")
        if file.name != "strings.mjs"
        for text in literals(file.read_text())
        if ENGLISH.search(text) and text not in NOT_SHOWN
    ]
    assert found == []


def literals(source: str) -> Iterator[str]:
    code = "\n".join(line.partition("//")[0] for line in source.splitlines())
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
    for match in STRING.finditer(code):
        text = re.sub(r"\$\{[^{}]*\}", "", match[0][1:-1])
        if not text.startswith(("./", "api/", "#")):
            yield text


def files(pattern: str) -> list[Path]:
    return [file for file in sorted(PAGE.rglob(pattern)) if file.is_file()]


def test_the_grep_for_words_finds_words():
    source = (
        'make("p", {}, "Hold on"); say(this.x, `wait a while ${n}`); make("div", { class: "a b" })'
    )
    assert [text for text in literals(source) if ENGLISH.search(text)] == [
        "Hold on",
        "wait a while ",
    ]

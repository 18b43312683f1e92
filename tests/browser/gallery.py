"""Pictures of every state at every size, light and dark: `python tests/browser/gallery.py FOLDER`.

For looking at after a change of the page; nothing compares them.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from browsing import browsing, tablet
from legcurl.store import SetQuery
from playwright.sync_api import Browser, Page, ViewportSize
from stage import Stage, staged
from states import STATES, show_all

SIZES = {360: 740, 820: 1180, 1920: 1080}
SCHEMES = ("light", "dark")
ROOMS = (1, 3, 60)


def main(folder: Path, wanted: set[str]) -> None:
    """Take all pictures, or those whose name begins with one that is wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    with browsing() as browser:
        with tempfile.TemporaryDirectory() as store, _stage(store, len(STATES)) as stage:
            machines = show_all(stage)
            addresses = {"room-12": "#/"}
            addresses |= {name: f"#/machine/{machine}" for name, machine in machines.items()}
            addresses |= _after(stage, machines["success"])
            _look(browser, stage, addresses, folder, wanted)
        for count in ROOMS:
            with tempfile.TemporaryDirectory() as store, _stage(store, count) as stage:
                for number in range(1, count + 1):
                    seen = STATES[number % len(STATES)]
                    stage.play(f"machine-{number}", seen.address, seen.until)
                    seen.then(stage, f"machine-{number}")
                _look(browser, stage, {f"room-{count}": "#/"}, folder, wanted)


def _stage(folder: str, count: int) -> AbstractContextManager[Stage]:
    return staged(Path(folder), [f"Leg curl {number}" for number in range(1, count + 1)])


def _after(stage: Stage, machine: str) -> dict[str, str]:
    """A set, a client's history and a machine's day."""
    sets = stage.ask(lambda store: store.find_sets(SetQuery())).sets
    client = stage.ask(lambda store: store.add_client("Ada"))
    for one in sets:
        changes = {"client_id": client.id, "load_kg": 42.5}
        stage.ask(lambda store, id=one.id, changes=changes: store.change_set(id, changes))
    failed = next(one for one in sets if one.result.outcome == "muscle_success")
    return {
        "set": f"#/set/{failed.id}",
        "history": f"#/client/{client.id}",
        "day": f"#/day/{failed.machine.id}",
        "empty-day": f"#/day/{machine}",
    }


def _look(
    browser: Browser, stage: Stage, addresses: dict[str, str], folder: Path, wanted: set[str]
) -> None:
    chosen = {
        name: address
        for name, address in addresses.items()
        if not wanted or any(name.startswith(one) for one in wanted)
    }
    if not chosen:
        return
    for scheme in SCHEMES:
        for width, height in SIZES.items():
            size: ViewportSize = {"width": width, "height": height}
            made = tablet(browser, viewport=size, color_scheme=scheme)
            made.page.goto(stage.url)
            for name, address in chosen.items():
                _take(made.page, address, folder / f"{name}-{width}-{scheme}.png")
            for said in made.complaints:
                print(said)
            made.context.close()


def _take(page: Page, address: str, file: Path) -> None:
    page.evaluate("address => { location.hash = address; }", address)
    page.wait_for_timeout(700)
    page.screenshot(path=file, full_page=address.startswith(("#/set", "#/client", "#/day")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), set(sys.argv[2:]))

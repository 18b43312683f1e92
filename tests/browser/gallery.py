"""Pictures of every state at every size, light and dark: `python tests/browser/gallery.py FOLDER`.

For looking at after a change of the page; nothing compares them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from browsing import browsing, tablet
from playwright.sync_api import Page
from stage import staged
from states import STATES, show_all

SIZES = {360: 740, 820: 1180, 1920: 1080}
SCHEMES = ("light", "dark")
ROOMS = (1, 3, 60)


def main(folder: Path, wanted: set[str]) -> None:
    """Take all pictures, or those whose name begins with one that is wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as store, browsing() as browser:
        with staged(Path(store), [f"Leg curl {n}" for n in range(1, len(STATES) + 1)]) as stage:
            machines = show_all(stage)
            addresses = {"room-12": "#/"}
            addresses |= {name: f"#/machine/{machine}" for name, machine in machines.items()}
            sets = stage.ask(lambda store: store.find_sets(_every())).sets
            ended = next(one for one in sets if one.result.outcome == "muscle_success")
            client = stage.ask(lambda store: store.add_client("Ada Lovelace"))
            changes = {"client_id": client.id, "load_kg": 42.5}
            for one in sets:
                stage.ask(lambda store, one=one: store.change_set(one.id, changes))
            addresses |= {"set": f"#/set/{ended.id}", "history": f"#/client/{client.id}"}
            addresses["day"] = f"#/day/{machines['success']}"
            for scheme in SCHEMES:
                for width, height in SIZES.items():
                    chosen = {k: v for k, v in addresses.items() if _is(k, wanted)}
                    made = tablet(
                        browser,
                        viewport={"width": width, "height": height},
                        color_scheme=scheme,
                    )
                    made.page.goto(stage.url)
                    for name, address in chosen.items():
                        _take(made.page, address, folder / f"{name}-{width}-{scheme}.png")
                    if made.complaints:
                        print(made.complaints)
                    made.context.close()
        for count in ROOMS:
            if not _is(f"room-{count}", wanted):
                continue
            with staged(Path(store), [f"Leg curl {n}" for n in range(1, count + 1)]) as stage:
                for number in range(1, count + 1):
                    seen = STATES[number % len(STATES)] if count > 1 else STATES[2]
                    stage.play(f"machine-{number}", seen.address, seen.until)
                    seen.then(stage, f"machine-{number}")
                for scheme in SCHEMES:
                    for width, height in SIZES.items():
                        made = tablet(
                            browser,
                            viewport={"width": width, "height": height},
                            color_scheme=scheme,
                        )
                        made.page.goto(stage.url)
                        name = f"room-{count}-{width}-{scheme}.png"
                        _take(made.page, "#/", folder / name)
                        made.context.close()


def _take(page: Page, address: str, file: Path) -> None:
    page.evaluate("address => { location.hash = address; }", address)
    page.wait_for_timeout(700)
    page.screenshot(path=file, full_page=address.startswith(("#/set", "#/client", "#/day")))


def _is(name: str, wanted: set[str]) -> bool:
    return not wanted or any(name.startswith(one) for one in wanted)


def _every() -> object:
    from legcurl.store import SetQuery

    return SetQuery()


if __name__ == "__main__":
    main(Path(sys.argv[1]), set(sys.argv[2:]))

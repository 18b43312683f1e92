"""Takes the pictures of the coach's page that the documentation shows: `make screenshots`.

The lifters are simulated and the moments chosen by what is seen, so the pictures change when the
page does and not otherwise. A palette keeps them small.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

from browsing import browsing, tablet
from legcurl.gym.machine_state import MachineState
from legcurl.store.records import Expected
from legcurl.store.records import entered as entered_now
from PIL import Image
from playwright.sync_api import Browser, Page
from stage import Moment, Stage, staged
from states import EARLY, STEADY

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
NAMES = ("Leg curl 1", "Leg curl 2", "Leg curl 3")
SIZE_MAX = 60_000  # bytes: they are read on the way to the gym
COLOURS = 64
HOLDS_WELL = "sim:?seed=23"


def main() -> None:
    """Three machines, one in a hold, Muscle Success."""
    with (
        tempfile.TemporaryDirectory() as folder,
        browsing() as browser,
        staged(Path(folder), NAMES) as stage,
    ):
        entered(stage)
        stage.play("machine-1", HOLDS_WELL, held(2.1, reps=4))
        stage.play("machine-2", EARLY, lambda state: state.success is not None)
        stage.play("machine-3", STEADY, lifting(reps=2))
        keep("page-room", taken(browser, stage, "#/", 1180, 430))
        stage.play("machine-1", HOLDS_WELL, held(3.3, reps=4))
        keep("page-hold", taken(browser, stage, "#/machine/machine-1", 1180, 760))
        stage.play("machine-1", HOLDS_WELL, lambda state: state.success is not None)
        keep("page-success", taken(browser, stage, "#/machine/machine-1", 1180, 760))


def entered(stage: Stage) -> None:
    """Who lifts, as the coach has entered it."""
    client = stage.ask(lambda store: store.add_client("Ada"))
    stage.page.client_names[client.id] = "Ada"
    stage.do(
        stage.service.expect(
            "machine-1", entered_now(Expected(), client_id=client.id, load_kg=42.5)
        )
    )


def held(seconds: float, reps: int) -> Moment:
    """In a hold for so long, after so many reps."""

    def moment(state: MachineState) -> bool:
        return state.completed_reps == reps and state.phase == "hold" and state.hold_s >= seconds

    return moment


def lifting(reps: int) -> Moment:
    """Half way up, after so many reps."""

    def moment(state: MachineState) -> bool:
        up = state.completed_reps == reps and state.phase == "concentric"
        return up and (state.rom_fraction or 0.0) > 0.6

    return moment


def taken(browser: Browser, stage: Stage, address: str, width: int, height: int) -> bytes:
    """What a tablet of that size shows."""
    made = tablet(browser, viewport={"width": width, "height": height}, reduced_motion="reduce")
    page: Page = made.page
    page.goto(f"{stage.url}{address}")
    page.wait_for_selector(".tile, .machine")
    page.wait_for_timeout(2500)  # until the order has settled, and the trace is drawn
    picture = page.screenshot()
    made.context.close()
    return picture


def keep(name: str, picture: bytes) -> None:
    """Write it with few colours; complain if it is too large even so."""
    few = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    file = PICTURES / f"{name}.png"
    few.save(file, optimize=True)
    size = file.stat().st_size
    if size > SIZE_MAX:
        raise SystemExit(f"{file}: {size} bytes, more than {SIZE_MAX}")
    print(f"{file.name}: {size} bytes")


if __name__ == "__main__":
    main()

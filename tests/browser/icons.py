"""Makes the page's PNG icons of icon.svg, after a change of it: `python tests/browser/icons.py`."""

from __future__ import annotations

import io
from pathlib import Path

from browsing import browsing
from PIL import Image

PAGE = Path(__file__).resolve().parents[2] / "host" / "legcurl" / "web" / "page"
SIZES = (192, 512)
COLOURS = 64
SAFE = 0.8  # of a maskable icon: the platform may cut off what is outside


def main() -> None:
    """Draw each size; the ground reaches to the edges, for platforms that cut their own shape."""
    svg = (PAGE / "icon.svg").read_text()
    with browsing() as browser:
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            inner = round(size * SAFE)
            page.set_content(
                f"<body style='margin:0;background:#101418;display:grid;place-items:center;"
                f"height:100vh'><div style='width:{inner}px;height:{inner}px'>{svg}</div>"
            )
            drawn = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            few = drawn.quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(PAGE / f"icon-{size}.png", optimize=True)


if __name__ == "__main__":
    main()

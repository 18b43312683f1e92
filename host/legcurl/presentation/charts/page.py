"""Panels on pages, pages in a file: PNG, SVG or PDF by the file's ending.

PNG and SVG are one picture with a panel for each set; a PDF has two sets a page. The same results
give the same bytes: no dates, and the user's matplotlib settings are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from legcurl.errors import ConfigError, StoreError
from legcurl.presentation.charts.set_chart import ChartKeeper, SetChart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
DPI = 150
WIDTH_IN = 12.0
FOOT_IN = 0.62
BETWEEN_IN = 0.3  # panels
SETS_A_PICTURE = 12
"""Panels in a PNG or SVG: 8000 pixels high. More belong into a PDF."""

SETS_A_PAGE = 2


def check_picture(file: Path) -> None:
    """Check the ending, matplotlib and write access before any work is done.

    Raises ConfigError for an unknown ending or without matplotlib, StoreError if the file cannot
    be written.
    """
    if file.suffix.lower() not in ENDINGS:
        raise ConfigError(
            f"{file} is not named as a picture: give it the ending .png, .svg or .pdf."
        )
    try:
        import matplotlib as _  # noqa: F401 - is it installed?
    except ImportError as error:
        raise ConfigError(
            "Pictures need matplotlib, which is not installed: pip install 'legcurl[plot]'"
        ) from error
    folder = file.parent
    if not folder.is_dir():
        raise StoreError(f"{file} cannot be written: there is no folder {folder}.")
    if file.is_dir():
        raise StoreError(f"{file} cannot be written: it is a folder.")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise StoreError(f"{file} cannot be written: Permission denied.")


def write_picture(file: Path, kept: ChartKeeper, name: str) -> list[str]:
    """Draw the sets of the recording `name` into a file; return warnings, one sentence each.

    Raises StoreError if the file cannot be written.
    """
    ending = file.suffix.lower()
    _write(file, picture(kept, name, ending))
    if ending != ".pdf" and len(kept.charts) > SETS_A_PICTURE:
        return [
            f"{file} shows the first {SETS_A_PICTURE} of {len(kept.charts)} sets: "
            "a .pdf has room for all"
        ]
    return []


def picture(kept: ChartKeeper, name: str, ending: str) -> bytes:
    """The content of a picture file with that ending."""
    with own_style():
        if ending == ".pdf":
            return _pdf(kept, name)
        return _image(_page(kept.charts[:SETS_A_PICTURE], 1, kept, name), ending)


def write_figure(file: Path, figure: Figure) -> None:
    """Write one figure in the format of the file's ending. Raises StoreError if that fails."""
    ending = file.suffix.lower()
    if ending != ".pdf":
        _write(file, _image(figure, ending))
        return
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    written = BytesIO()
    FigureCanvasPdf(figure).print_pdf(written, metadata={"CreationDate": None})
    _write(file, written.getvalue())


def _write(file: Path, picture: bytes) -> None:
    try:
        file.write_bytes(picture)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror or error}.") from error


@contextmanager
def own_style() -> Iterator[None]:
    """Draw with our matplotlib settings instead of the user's."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",  # words stay words: to be searched and read aloud
                "svg.hashsalt": "legcurl",
                "pdf.fonttype": 42,
                "hatch.linewidth": 0.6,
                "path.simplify": True,
            }
        )
        yield


def _image(figure: Figure, ending: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = BytesIO()
    if ending == ".svg":
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None, "Creator": "legcurl"})
    else:
        FigureCanvasAgg(figure).print_png(written, metadata={"Software": "legcurl"})
    return written.getvalue()


def write_pages(file: Path, figures: Iterable[Figure], title: str) -> None:
    """Write figures as the pages of a PDF. Raises StoreError when it cannot be written."""
    _write(file, _pages(figures, title))


def _pdf(kept: ChartKeeper, name: str) -> bytes:
    firsts = range(0, max(len(kept.charts), 1), SETS_A_PAGE)
    return _pages(
        (_page(kept.charts[at : at + SETS_A_PAGE], at + 1, kept, name) for at in firsts), name
    )


def _pages(figures: Iterable[Figure], title: str) -> bytes:
    from matplotlib.backends.backend_pdf import PdfPages

    written = BytesIO()
    dateless = {"CreationDate": None, "Creator": "legcurl", "Title": title}
    with PdfPages(written, metadata=dateless) as pages:
        for figure in figures:
            pages.savefig(figure)
    return written.getvalue()


def _page(charts: Sequence[SetChart], first: int, kept: ChartKeeper, name: str) -> Figure:
    """Draw sets one below the other, or the raw samples if there is no set."""
    from matplotlib.figure import Figure

    from legcurl.presentation.charts.legend import draw_foot
    from legcurl.presentation.charts.raw_trace import draw_raw, raw_height
    from legcurl.presentation.charts.set_panel import Frame, draw_set, panel_height

    heights = [panel_height(chart) for chart in charts] or [raw_height()]
    height_in = sum(heights) + BETWEEN_IN * (len(heights) - 1) + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    top_in = 0.0
    for number, (chart, panel_in) in enumerate(zip(charts, heights, strict=False), first):
        title = f"Set {number} of {len(kept.charts)}" if len(kept.charts) > 1 else "Set"
        draw_set(figure, Frame(top_in, WIDTH_IN, height_in), chart, title)
        top_in += panel_in + BETWEEN_IN
    if not charts:
        draw_raw(figure, Frame(0.0, WIDTH_IN, height_in), kept)
    draw_foot(figure, Frame(height_in - FOOT_IN, WIDTH_IN, height_in), charts, kept, name)
    return figure

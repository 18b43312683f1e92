"""A calibrated range drawn in a terminal: the arc of the lever, and the magnet along it.

Straight legs point to the right, flexion goes up. Below the arc a strip shows the same range with
its rests and the chip's gain, and where the magnet is too weak or too strong. The arc is dotted
there: no meaning rests on colour alone.
"""

from __future__ import annotations

from math import cos, radians, sin

from rich.text import Text

from legcurl.install.calibrate.calibration_record import CalibrationResult
from legcurl.install.calibrate.range_survey import Rest, rests_of
from legcurl.install.checks.magnet_stats import MagnetBin
from legcurl.presentation.terminal.braille_canvas import DotCanvas
from legcurl.protocol.frame import Status

ARC_COLUMNS, ARC_ROWS = 50, 11
RADIUS = 30.0  # dots
LEVER_DOTS = 27.0
REST_DOTS = 3.0  # beyond the arc
MARGIN_DOTS = 18.0  # left of the arc: room for a word
BEAT_DEG = 8.0  # of a part that is dotted: so much drawn, so much left out
HALF_TURN_DEG = 180.0

STRIP_COLUMNS = 56
LABEL_CELLS = 9
STEPS_DEG = (5, 10, 20, 30, 60)  # between figures under the strip

_GAINS = "▁▂▃▄▅▆▇█"
_STYLES = {Status.WEAK_MAGNET: "red", Status.STRONG_MAGNET: "red"}
_SIGNS = {Status.WEAK_MAGNET: "w", Status.STRONG_MAGNET: "s"}


def draw_range(calibrated: CalibrationResult, *, ascii_only: bool = False) -> list[Text]:
    """The rows of the drawing; none without a measured range."""
    if calibrated.range_deg is None:
        return []
    rows = [] if ascii_only else [*_arc(calibrated), Text()]
    return [*rows, *_strip(calibrated, ascii_only)]


def _arc(calibrated: CalibrationResult) -> list[Text]:
    extended, way = calibrated.extended_deg or 0.0, calibrated.range_deg or 0.0
    whole = abs(way) > HALF_TURN_DEG
    canvas = DotCanvas(ARC_COLUMNS, ARC_ROWS * (2 if whole else 1))
    leftwards = RADIUS if whole else max(-cos(radians(abs(way))), 0.0) * RADIUS
    pivot = (leftwards + MARGIN_DOTS, canvas.height / 2 if whole else 3.0)

    def place(flexion_deg: float, radius: float) -> tuple[float, float]:
        turn = radians(flexion_deg)
        return pivot[0] + radius * cos(turn), pivot[1] + radius * sin(turn)

    for number in range(round(abs(way)) * 2 + 1):
        flexion = number / 2
        piece = _bin_at(calibrated.bins, flexion / abs(way))
        verdict = piece.verdict if piece else Status(0)
        if verdict and flexion % BEAT_DEG > BEAT_DEG / 2:
            continue
        canvas.dot(*place(flexion, RADIUS), _STYLES.get(verdict, "cyan"))
    for end in (0.0, abs(way)):
        canvas.line(pivot, place(end, LEVER_DOTS), "bold" if end else "dim")
    for rest in calibrated.rests:
        flexion = (rest.travel_deg - extended) * (1 if way > 0 else -1)
        canvas.dot(*place(flexion, RADIUS + REST_DOTS), "yellow")
        canvas.dot(*place(flexion, RADIUS + REST_DOTS + 1.0), "yellow")
    middle = place(abs(way) / 2, RADIUS * 0.5)
    canvas.word(middle[0] - 3, middle[1], f"{abs(way):.0f}°", "bold")
    right = place(0.0, RADIUS + REST_DOTS + 4)
    canvas.word(right[0], right[1], "straight", "")
    top = place(abs(way), RADIUS + REST_DOTS + 4)
    left = cos(radians(abs(way))) < 0.2
    canvas.word(top[0], top[1], "flexed", "bold", ends=left)
    return [Text(" " * LABEL_CELLS) + row for row in canvas.rows()]


def _strip(calibrated: CalibrationResult, ascii_only: bool) -> list[Text]:
    way = calibrated.range_deg or 0.0
    columns = STRIP_COLUMNS
    head = Text("legs straight".ljust(columns - len("full flexion")) + "full flexion")
    straight, flexed = (
        f"{(end or 0.0) % 360.0:.1f}°" for end in (calibrated.extended_deg, calibrated.flexed_deg)
    )
    raw = Text(straight + flexed.rjust(columns - len(straight)))
    rests = Text(no_wrap=True)
    marked = _rest_columns(calibrated, columns)
    for column in range(columns):
        times = marked.count(column)
        line = "-" if ascii_only else "─"
        mark = ("|" if ascii_only else "┃") if times == 1 else str(times)
        rests.append(mark if times else line, "yellow bold" if times else "dim")
    rows = [
        _labelled("", head),
        _labelled("encoder", raw),
        _labelled("rests", rests),
        _labelled("", _scale(abs(way), columns)),
    ]
    if any(piece.gain is not None or piece.verdict for piece in calibrated.bins):
        rows.append(_labelled("magnet", _magnet(calibrated.bins, columns, ascii_only)))
        rows.append(_labelled("", Text(_legend(calibrated.bins), "dim")))
    return rows


def _magnet(bins: tuple[MagnetBin, ...], columns: int, ascii_only: bool) -> Text:
    row = Text(no_wrap=True)
    for column in range(columns):
        piece = _bin_at(bins, (column + 0.5) / columns)
        if piece is None:
            row.append(" ")
        elif piece.verdict:
            row.append(_SIGNS[piece.verdict], "bold red")
        elif piece.gain is None:
            row.append(" ")
        elif ascii_only:
            row.append(f"{min(int(10 * piece.gain), 9)}")
        else:
            row.append(_GAINS[min(int(len(_GAINS) * piece.gain), len(_GAINS) - 1)], "cyan")
    return row


def _legend(bins: tuple[MagnetBin, ...]) -> str:
    gains = [piece.gain for piece in bins if piece.gain is not None]
    verdicts = {piece.verdict for piece in bins}
    said = [
        word
        for verdict, word in (
            (Status.WEAK_MAGNET, "w: too weak"),
            (Status.STRONG_MAGNET, "s: too strong"),
        )
        if verdict in verdicts
    ]
    if gains:
        low, high = 100 * min(gains), 100 * max(gains)
        spread = f"{low:.0f} %" if high - low < 1 else f"{low:.0f} to {high:.0f} %"
        said.append(f"gain {spread}")
    return ", ".join(said)


def _rest_columns(calibrated: CalibrationResult, columns: int) -> list[int]:
    """The column of each rest on the strip."""
    extended, way = calibrated.extended_deg or 0.0, calibrated.range_deg or 1.0

    def column(rest: Rest) -> int:
        at = (rest.travel_deg - extended) / way
        return min(max(round(at * (columns - 1)), 0), columns - 1)

    rests = list(calibrated.rests)
    return [column(rest) for rest in rests_of(rests, "extended") + rests_of(rests, "flexed")]


def _scale(way_deg: float, columns: int) -> Text:
    """The scale below the strip, in round steps of degrees."""
    step = next((step for step in STEPS_DEG if way_deg / step <= 6), STEPS_DEG[-1])
    row = [" "] * (columns + 5)
    for at in range(0, int(way_deg) + 1, step):
        figure = f"{at}°"
        start = round(at / way_deg * (columns - 1)) - (len(figure) // 2 if at else 0)
        row[start : start + len(figure)] = figure
    return Text("".join(row).rstrip(), "dim")


def _bin_at(bins: tuple[MagnetBin, ...], share: float) -> MagnetBin | None:
    return bins[min(int(share * len(bins)), len(bins) - 1)] if bins else None


def _labelled(label: str, row: Text) -> Text:
    return Text.assemble((label.ljust(LABEL_CELLS), "dim"), row)

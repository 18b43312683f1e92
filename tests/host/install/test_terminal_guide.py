"""What an installer sees: it fits 80 columns, it says the step, and nothing is told by colour."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import pytest
from legcurl.install.calibrate.calibration_record import CalibrationResult
from legcurl.install.calibrate.guided_calibration import GuidedCalibration
from legcurl.install.calibrate.range_survey import ENDS, End, Rest
from legcurl.install.calibrate.terminal_guide import GuideLines, rest_line
from legcurl.install.calibrate.terminal_range import draw_range
from legcurl.install.checks.findings import Finding
from legcurl.install.checks.findings_table import finding_line, findings_table, summary
from legcurl.install.checks.magnet_stats import BINS, MagnetBin
from legcurl.presentation.terminal.braille_canvas import DotCanvas
from rich.console import Console

OK = Finding("samples", "ok", "All came.")
NOTE = Finding("key", "note", "It has none.", "Run: legcurl pair serial:PORT")
PROBLEM = Finding("magnet", "problem", "It is too weak.", "Bring it closer.")


def calibrated(way_deg: float = 95.0, weak_from: float = 2.0, gain: float | None = 0.4):
    """A range from 350°, whose magnet is too weak from a share of the way on."""
    rests = tuple(
        Rest(end, number, 350.0 + at + number / 4, 0.03, 1_000_000 * number)
        for number in (1, 2, 3)
        for end, at in zip(ENDS, (0.0, way_deg), strict=True)
    )
    bins = tuple(
        MagnetBin(
            at=(number + 0.5) / BINS,
            samples=40,
            weak=40 if number / BINS >= weak_from else 0,
            strong=0,
            gain=gain,
        )
        for number in range(BINS)
    )
    return CalibrationResult((), rests, 350.0, 350.0 + way_deg, bins)


def drawn(**of) -> str:
    return "\n".join(row.plain for row in draw_range(calibrated(**of)))


@pytest.mark.parametrize("way_deg", [20.0, 45.0, -95.0, 95.0, 150.0, 230.0, -320.0])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_any_range_fits_eighty_columns(way_deg: float, ascii_only: bool):
    rows = draw_range(calibrated(way_deg), ascii_only=ascii_only)
    assert all(row.cell_len <= 80 for row in rows)
    text = "\n".join(row.plain for row in rows)
    assert "legs straight" in text
    assert "full flexion" in text
    assert ascii_only <= text.replace("°", "").isascii()


def test_the_angles_are_the_encoders():
    assert "350.0°" in drawn()
    assert "85.0°" in drawn(), "a turn further on"


def test_where_the_magnet_is_weak_has_a_sign_of_its_own():
    assert "w: too weak" not in drawn()
    told = drawn(weak_from=0.5)
    assert "w: too weak" in told
    [row] = [row for row in told.split("\n") if row.startswith("magnet")]
    assert 20 < row.count("w") < 36, "half of the way"


def test_an_encoder_without_gain_has_no_row_for_it():
    assert "magnet" not in drawn(gain=None)


def test_without_a_range_nothing_is_drawn():
    assert draw_range(CalibrationResult((), (), None, None, ())) == []


def test_a_rest_is_told_in_words():
    rest = Rest("flexed", 2, -10.0, 0.03, 1)
    assert rest_line(rest, 3) == "Round 2 of 3: full flexion at 350.0°."


def test_a_rest_that_is_corrected_is_told_once_and_put_right_at_the_end():
    lines: list[str] = []
    guide = GuidedCalibration(cast("Any", None), rounds=1)  # lines need no sensor
    survey = guide.survey
    view = GuideLines(lines.append)

    def rests(end: End, travel_deg: float) -> None:
        rest = Rest(end, 1, travel_deg, 0.03, 1)
        survey.rests = [known for known in survey.rests if known.end != end] + [rest]
        guide.found.append(rest)

    view.show(guide)
    for straight_deg in (34.0, 21.0, 20.0):  # the hand stopped half way
        rests("extended", straight_deg)
        view.show(guide)
    rests("flexed", 115.0)
    rests("flexed", 115.4)
    survey.done = True
    view.show(guide)
    view.show(guide)
    assert lines == [
        "Round 1 of 1: Hold the legs straight, and rest there.",
        "Round 1 of 1: legs straight at 34.0°.",
        "Round 1 of 1: Move to full flexion, and hold it there.",
        "Round 1 of 1: full flexion at 115.0°.",
        "Corrected: Round 1 of 1: legs straight at 20.0°.",
    ]


def test_a_dot_outside_of_the_canvas_is_nowhere():
    canvas = DotCanvas(4, 2)
    canvas.dot(-1, 3)
    canvas.dot(3, 99)
    assert all(row.plain.strip() == "" for row in canvas.rows())
    canvas.dot(0, 0)
    assert canvas.rows()[-1].plain[0] == chr(0x2800 + 0x40)


def test_findings_are_told_by_words_not_by_colour():
    console = Console(width=70, record=True, file=sys.stderr, no_color=True)
    with console.capture() as caught:
        console.print(findings_table([OK, NOTE, PROBLEM]))
    told = caught.get()
    for word in ("ok", "note", "PROBLEM", "Bring it closer."):
        assert word in told
    assert all(len(line) <= 70 for line in told.splitlines())


def test_a_finding_is_one_line_for_a_pipe():
    assert finding_line(PROBLEM) == "PROBLEM  magnet         It is too weak. Bring it closer."


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([OK], "No problems found."),
        ([OK, NOTE], "1 note."),
        ([PROBLEM, NOTE, PROBLEM], "2 problems and 1 note."),
    ],
)
def test_the_sum_of_it_is_a_sentence(findings: list[Finding], said: str):
    assert summary(findings) == said


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_range_is_a_picture_too(tmp_path: Path, ending: str):
    from legcurl.install.calibrate.range_chart import write_range

    file = tmp_path / f"range.{ending}"
    write_range(file, calibrated(weak_from=0.7), "Leg curl 1")
    first = file.read_bytes()
    write_range(file, calibrated(weak_from=0.7), "Leg curl 1")
    assert file.read_bytes() == first, "the same range, the same bytes"
    if ending == "svg":
        assert b"too weak" in first
        assert b"Leg curl 1: 95.0" in first

"""Guides an installer through a calibration: what to do now, the lever's position, the results.

`draw_guide` is pure. `GuideScreen` repaints its rows in place on a terminal; `GuideLines` writes a
line for each step elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from legcurl.install.calibrate.calibration_record import END_WORDS, REPEAT_GOOD_DEG
from legcurl.install.calibrate.range_survey import ENDS, End, RangeSurvey, Rest, rests_of
from legcurl.presentation.wording import printable
from legcurl.protocol.frame import STATUS_BLIND, Status

if TYPE_CHECKING:
    from legcurl.install.calibrate.guided_calibration import GuidedCalibration

FRAMES_S = 0.08
BAR_COLUMNS = 56
LABEL_CELLS = 15
TOLD_STATUS = (
    (Status.NO_MAGNET, "no magnet"),
    (Status.BUS_ERROR, "the encoder does not answer"),
    (Status.NOT_REFERENCED, "not referenced"),
    (Status.WEAK_MAGNET, "too weak"),
    (Status.STRONG_MAGNET, "too strong"),
)

_ASKED: dict[End, str] = {
    "extended": "Hold the legs straight, and rest there.",
    "flexed": "Move to full flexion, and hold it there.",
}


def draw_guide(guide: GuidedCalibration, *, ascii_only: bool = False) -> list[Text]:
    """The rows of the screen."""
    survey, stream = guide.survey, guide.sensor.stream
    hello = guide.sensor.hello
    title = Text.assemble(
        (" Calibrating ", "bold reverse"),
        f"  {printable(hello.name or hello.sensor_id)}  {hello.board} {hello.encoder} "
        f"{hello.rate_hz:g} Hz",
    )
    end, number = survey.wanted
    if survey.done or len(survey.rests) >= 2 * survey.rounds:
        asked = Text("Stay there a moment longer.", "bold green")
        number = survey.rounds
    else:
        asked = Text(_ASKED[end], "bold")
    seen = isfinite(stream.travel_deg) and not stream.status & STATUS_BLIND
    angle = f"{stream.travel_deg % 360.0:6.1f}°" if seen else "     - "
    state = "at rest" if survey.still else "moving"
    lever = Text.assemble((angle, "bold"), (f"  {state if seen else 'no angle'}", "dim"))
    return [
        title,
        Text(),
        Text.assemble(f" Round {number} of {survey.rounds}".ljust(LABEL_CELLS), asked),
        Text(),
        _labelled("lever", lever),
        _labelled("", _bar(guide, ascii_only)),
        _labelled("magnet", _magnet(guide)),
        *(_labelled(END_WORDS[which], _measured(guide, which)) for which in ENDS),
    ]


def rest_line(rest: Rest, rounds: int) -> str:
    """One rest, in words."""
    words = END_WORDS[rest.end]
    return f"Round {rest.number} of {rounds}: {words} at {rest.raw_deg:.1f}°."


class GuideScreen:
    """Shows a calibration in place, on a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(Text(), console=self._console, auto_refresh=False, transient=True)
        self._painted_s = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, guide: GuidedCalibration) -> None:
        """Repaint, at most every FRAMES_S."""
        guide.found.clear()
        if time.monotonic() - self._painted_s < FRAMES_S and not guide.survey.done:
            return
        self._painted_s = time.monotonic()
        rows = draw_guide(guide, ascii_only=self._console.options.ascii_only)
        self._live.update(Group(*rows), refresh=True)


class GuideLines:
    """Writes each instruction and then its result as lines, once each."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._asked: set[tuple[End, int]] = set()
        self._told: dict[tuple[End, int], Rest] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, guide: GuidedCalibration) -> None:
        """Write what is new."""
        survey = guide.survey
        found, guide.found = guide.found, []
        for rest in found:
            if (rest.end, rest.number) not in self._told:
                self._ask(rest.end, rest.number, survey.rounds)
                self._tell(rest, survey.rounds)
        if len(survey.rests) < 2 * survey.rounds:
            self._ask(*survey.wanted, survey.rounds)
        elif survey.done:
            self._correct(survey)

    def _ask(self, end: End, number: int, rounds: int) -> None:
        if (end, number) not in self._asked:
            self._asked.add((end, number))
            self._write(f"Round {number} of {rounds}: {_ASKED[end]}")

    def _tell(self, rest: Rest, rounds: int) -> None:
        self._told[rest.end, rest.number] = rest
        self._write(rest_line(rest, rounds))

    def _correct(self, survey: RangeSurvey) -> None:
        """Write the final rests where the lever moved on after its first stop."""
        for rest in survey.rests:
            told = self._told.get((rest.end, rest.number))
            if told is not None and abs(told.travel_deg - rest.travel_deg) > REPEAT_GOOD_DEG:
                self._told[rest.end, rest.number] = rest
                self._write(f"Corrected: {rest_line(rest, survey.rounds)}")


def _measured(guide: GuidedCalibration, end: End) -> Text:
    """The rests at one end so far."""
    survey = guide.survey
    found = [f"{rest.raw_deg:6.1f}°" for rest in rests_of(survey.rests, end)]
    missing = ["     - "] * (survey.rounds - len(found))
    return Text.assemble(
        ("  ".join(found), "green"), ("  ".join(["", *missing][not found :]), "dim")
    )


def _magnet(guide: GuidedCalibration) -> Text:
    status = guide.sensor.stream.status
    gain = guide.sensor.magnet.gain
    for bit, words in TOLD_STATUS:
        if status & bit:
            return Text(words, "bold red")
    told = "" if gain is None else f"  gain {100 * gain:.0f} %"
    return Text.assemble(("ok", "green"), (told, "dim"))


def _bar(guide: GuidedCalibration, ascii_only: bool) -> Text:
    """The lever's position: legs straight on the left, the farthest point so far on the right."""
    survey, stream = guide.survey, guide.sensor.stream
    line, mark, here = ("-", "|", "O") if ascii_only else ("─", "┃", "●")
    low, high = survey.lowest_deg, survey.highest_deg
    if not isfinite(low) or high - low < 1.0:
        return Text(line * BAR_COLUMNS, "dim")
    if survey.rests and abs(survey.rests[0].travel_deg - high) < abs(
        survey.rests[0].travel_deg - low
    ):
        low, high = high, low

    def column(travel_deg: float) -> int:
        at = (travel_deg - low) / (high - low)
        return min(max(round(at * (BAR_COLUMNS - 1)), 0), BAR_COLUMNS - 1)

    marks = {column(rest.travel_deg) for rest in survey.rests}
    lever = column(stream.travel_deg) if isfinite(stream.travel_deg) else -1
    row = Text(no_wrap=True)
    for number in range(BAR_COLUMNS):
        if number == lever:
            row.append(here, "bold cyan")
        elif number in marks:
            row.append(mark, "green")
        else:
            row.append(line, "dim")
    return row


def _labelled(label: str, row: Text) -> Text:
    return Text.assemble((f" {label}".ljust(LABEL_CELLS), "dim"), row)

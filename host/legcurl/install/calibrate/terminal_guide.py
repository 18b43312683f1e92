"""A calibration as it is walked through: what to do now, where the lever is, what was found.

`draw_walk` is a pure function of the walk, so that a test can look at it. `WalkPicture` repaints
it in place on a terminal; `WalkLines` writes a line for each step, for everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from legcurl.install.calibrate.calibration_record import END_WORDS, REPEAT_GOOD_DEG
from legcurl.install.calibrate.range_survey import ENDS, End, RangeSurvey, Rest, rests_of
from legcurl.presentation.wording import printable
from legcurl.protocol.frame import STATUS_BLIND, Status

if TYPE_CHECKING:
    from legcurl.install.calibrate.guided_calibration import Walk

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


def draw_walk(walk: Walk, *, ascii_only: bool = False) -> list[Text]:
    """Give the rows of the picture."""
    survey, stream = walk.survey, walk.visit.stream
    hello = walk.visit.hello
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
    lever = Text.assemble((angle, "bold"), (f"  {state if seen else 'cannot be seen'}", "dim"))
    return [
        title,
        Text(),
        Text.assemble(f" Round {number} of {survey.rounds}".ljust(LABEL_CELLS), asked),
        Text(),
        _labelled("lever", lever),
        _labelled("", _bar(walk, ascii_only)),
        _labelled("magnet", _magnet(walk)),
        *(_labelled(END_WORDS[which], _measured(walk, which)) for which in ENDS),
    ]


def rest_line(rest: Rest, rounds: int) -> str:
    """One rest, in words."""
    words = END_WORDS[rest.end]
    return f"Round {rest.number} of {rounds}: {words} at {rest.raw_deg:.1f}°."


class WalkPicture:
    """Shows a walk in place, on a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(Text(), console=self._console, auto_refresh=False, transient=True)
        self._painted_s = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, walk: Walk) -> None:
        """Repaint, if it is time."""
        walk.found.clear()
        if time.monotonic() - self._painted_s < FRAMES_S and not walk.survey.done:
            return
        self._painted_s = time.monotonic()
        rows = draw_walk(walk, ascii_only=self._console.options.ascii_only)
        self._live.update(Group(*rows), refresh=True)


class WalkLines:
    """Tells a walk in lines: what to do, and what was found there, once each and in this order."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._asked: set[tuple[End, int]] = set()
        self._told: dict[tuple[End, int], Rest] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, walk: Walk) -> None:
        """Write what is new."""
        survey = walk.survey
        found, walk.found = walk.found, []
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
        """At the end, what counts where the lever went on after it first rested."""
        for rest in survey.rests:
            told = self._told.get((rest.end, rest.number))
            if told is not None and abs(told.travel_deg - rest.travel_deg) > REPEAT_GOOD_DEG:
                self._told[rest.end, rest.number] = rest
                self._write(f"Corrected: {rest_line(rest, survey.rounds)}")


def _measured(walk: Walk, end: End) -> Text:
    """The rests at one end so far."""
    survey = walk.survey
    found = [f"{rest.raw_deg:6.1f}°" for rest in rests_of(survey.rests, end)]
    missing = ["     - "] * (survey.rounds - len(found))
    return Text.assemble(
        ("  ".join(found), "green"), ("  ".join(["", *missing][not found :]), "dim")
    )


def _magnet(walk: Walk) -> Text:
    status = walk.visit.stream.status
    gain = walk.visit.magnet.gain
    for bit, words in TOLD_STATUS:
        if status & bit:
            return Text(words, "bold red")
    told = "" if gain is None else f"  gain {100 * gain:.0f} %"
    return Text.assemble(("well", "green"), (told, "dim"))


def _bar(walk: Walk, ascii_only: bool) -> Text:
    """Where the lever is on its way: legs straight on the left, the farthest seen on the right."""
    survey, stream = walk.survey, walk.visit.stream
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

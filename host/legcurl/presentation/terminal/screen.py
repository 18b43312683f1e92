"""The live picture of a set: `draw(state, width, height)` gives a whole screen as text.

A pure function of the state and the size, so that a test can look at it. Read from afar, top
down: the count in digits as tall as fit, the phase in one word, three bars with what the method
asks marked on them (hold, range, length of the set), the last attempts, then what needs to be
said. A doubt is shown as a doubt; Muscle Success takes the whole place of phase and bars.
Nothing is told by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from rich.text import Text

from legcurl.events import RepResult, verdict
from legcurl.gym.machine_state import MachineState
from legcurl.presentation.headline import HEADLINES, Headline, headline
from legcurl.presentation.terminal import bars
from legcurl.presentation.terminal.big_digits import height_of, largest_scale, letter, width_of
from legcurl.presentation.wording import (
    CUE_WORDS,
    FAILURE_WORDS,
    REP_HEAD,
    aligned,
    fault_words,
    percent,
    printable,
    rep_cells,
    summary,
    tenths,
)
from legcurl.training_method import (
    REMINDER,
    TrainingMethod,
    is_rest,
)

WIDE_COLUMNS = 70  # from here on count and bars stand side by side
WIDE_ROWS = 18
COUNT_CELLS = 36  # two digits, eleven rows tall, where 80 columns are all there is
BANNER_CELLS = width_of("SUCCESS", 1)
FEWEST_REPS = 3
MOST_REPS = 15  # more rows make the digits small, and the first reps are no longer of interest
PANEL_ROWS = 12  # phase word (4), three bars with their axes (6), a blank row above and between

_TONE_STYLES = {"plain": "bold", "good": "bold green", "doubt": "yellow", "bad": "bold red"}
_VERDICT_STYLES = {"done": "green", "failed": "bold", "partial": "yellow"}
_BANNER = "bold reverse green"  # reverse, so that it stands out without colour too
_STYLES: dict[Headline, str] = {
    "success": _BANNER,
    "stopped": "bold",
    "interrupted": "bold",
    "connecting": "dim",
    "lost": "bold red",
    "ended": "bold red",
    "blind": "bold red",
    "doubt": "bold yellow",
    "ready": "bold",
    "rest": "blue",
    "lift": "bold cyan",
    "hold": "bold yellow",
    "lower": "bold magenta",
}


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where the picture goes: its size, what characters it has, and the driver's own words."""

    width: int
    height: int
    ascii_only: bool = False
    link_age_s: float | None = None  # wall time since the link was lost
    waiting_for: str = "the sensor"
    warning: str | None = None
    hint: str = "Ctrl-C ends"


def draw(state: MachineState, canvas: Canvas) -> Text:
    """Give exactly `height` rows of at most `width` columns."""
    state = state.as_shown()
    wide = canvas.width >= WIDE_COLUMNS and canvas.height >= WIDE_ROWS
    rows = _wide(state, canvas) if wide else _narrow(state, canvas)
    rows = (rows + [Text()] * canvas.height)[: canvas.height]
    for row in rows:
        row.plain = printable(row.plain)
        row.truncate(canvas.width)
    if canvas.ascii_only:
        rows = [_in_ascii(row) for row in rows]
    return Text("\n", no_wrap=True, overflow="crop", end="").join(rows)


def _wide(state: MachineState, canvas: Canvas) -> list[Text]:
    others = 4  # header, sentence, head of the table, foot
    spare = canvas.height - others - PANEL_ROWS
    reps = max(FEWEST_REPS, min(MOST_REPS, spare, canvas.height // 3))
    main_height = canvas.height - others - reps
    most = max(int(canvas.width * 0.38), min(COUNT_CELLS, canvas.width - BANNER_CELLS - 4))
    count = _count(state, canvas, most, main_height)
    left = max(row.cell_len for row in count) + 3
    panel = _panel(state, canvas, canvas.width - left - 1, main_height)
    return [
        _header(state, canvas),
        *_beside(count, panel, left, main_height),
        _sentence(state) or Text(),
        *_table(state, reps, canvas.width),
        _foot(state, canvas),
    ]


def _narrow(state: MachineState, canvas: Canvas) -> list[Text]:
    """Count and phase in a line, bars, and digits where there is room: most important first."""
    width = canvas.width
    word, style = _word(state)
    top = Text(f" {state.count} ", "bold reverse")
    top.append(f" {word} ", _BANNER if headline(state) == "success" else style)
    rows = [top, _hold_bar(state, width, canvas), _rom_bar(state, width, canvas)]
    rows.append(_set_bar(state, width, canvas))
    if said := _sentence(state):
        rows.insert(1, said)
    rows.append(_foot(state, canvas))
    spare = canvas.height - len(rows) - 1
    scale = largest_scale("00", width - 2, spare)
    if headline(state) == "success" and width >= BANNER_CELLS and spare >= 2 * height_of(1):
        rows[1:1] = _banner(state, canvas, width, spare)
        spare = 0
    elif scale:
        digits = letter(str(state.count), scale, ascii_only=canvas.ascii_only)
        rows[1:1] = [Text(" " + row, "bold") for row in digits]
        spare -= len(digits)
    if spare > 1:
        rows[-1:-1] = _table(state, min(spare - 1, MOST_REPS), width)
    return [_header(state, canvas), *rows] if canvas.height > len(rows) else rows


def _header(state: MachineState, canvas: Canvas) -> Text:
    left = Text(" legcurl", "bold")
    if state.sensor:
        name = state.sensor.name or state.sensor.sensor_id
        left.append(f"  {name}", "default")
        left.append(f"  {state.sensor.board} {state.sensor.rate_hz:g} Hz", "dim")
    right = Text()
    for fault in state.faults:
        right.append(f" {fault_words(fault)[0]} ", "bold white on red")
        right.append(" ")
    if state.sensor and not state.faults and state.link == "up":
        right.append("● sensor ok  ", "green")
    age = f" {canvas.link_age_s:.0f} s" if canvas.link_age_s is not None else ""
    match state.link:
        case "up" if state.behind_s >= 1.0:
            right.append(f"◌ catching up {state.behind_s:.0f} s ", "yellow")
        case "up":
            right.append("● link up ", "green")
        case "lost":
            right.append(f" link lost{age} ", "bold white on red")
        case "connecting":
            right.append("○ connecting ", "yellow")
        case "ended":
            right.append("■ end of data ", "dim")
    left.truncate(max(0, canvas.width - right.cell_len - 1))
    return left + Text(" " * (canvas.width - left.cell_len - right.cell_len)) + right


def _count(state: MachineState, canvas: Canvas, width: int, height: int) -> list[Text]:
    """Give the count as tall as fits, on a width that does not change at the tenth rep."""
    text = "-" if state.link == "connecting" else str(state.count)
    roomy = text.rjust(2)
    scale = max(1, largest_scale(roomy, width - 2, height - 1))
    style = "bold green" if headline(state) == "success" else "bold"
    digits = letter(text, scale, ascii_only=canvas.ascii_only)
    cells = width_of(roomy, scale)
    rows = [Text(" " + row.center(cells), style) for row in digits]
    label = "rep" if text == "1" else "reps"
    top = max(0, (height - height_of(scale) - 1) // 2)
    return [Text()] * top + [*rows, Text(" " + label.center(cells), "dim")]


def _panel(state: MachineState, canvas: Canvas, width: int, height: int) -> list[Text]:
    """Beside the count: the word and the bars, or the banner, or the set's summary."""
    if headline(state) == "success":
        return _banner(state, canvas, width, height)
    word, style = _word(state)
    scale = largest_scale(word, width, height - 7)
    lettered = letter(word, scale, ascii_only=canvas.ascii_only) if scale else [word]
    rows = [Text(), *[Text(row, style) for row in lettered]]
    if state.stage == "after" and state.result:
        return [*rows, Text(), *[Text(told, "bold") for told in summary(state.result)]]
    shown = [
        _hold_bar(state, width, canvas),
        _axis(_hold_scale(state.method), width),
        _rom_bar(state, width, canvas),
        _axis(_rom_scale(state.method), width),
        _set_bar(state, width, canvas),
        _axis(_set_scale(state.method), width),
    ]
    return [*rows, *[Text()] * (height - len(rows) - len(shown)), *shown]


def _banner(state: MachineState, canvas: Canvas, width: int, height: int) -> list[Text]:
    """MUSCLE SUCCESS over the whole panel, and below it how the set was, once it is over."""
    lines = ("MUSCLE", "SUCCESS")
    told = summary(state.result)[1:] if state.result else []  # its first line is the banner's
    scale = max(1, largest_scale(lines[1], width, (height - len(told)) // 2))
    lettered = [row for word in lines for row in letter(word, scale, ascii_only=canvas.ascii_only)]
    gap = max(0, height - len(lettered) - len(told))
    rows = [*[""] * (gap // 2), *lettered, *[""] * (gap - gap // 2), *told]
    return [Text(row.center(width), _BANNER) for row in rows[:height]]


def _word(state: MachineState) -> tuple[str, str]:
    """Give the one word that matters now, and its style."""
    key = headline(state)
    met = key == "hold" and state.method.hold_met(state.hold_s)
    return HEADLINES[key], "bold green" if met else _STYLES[key]


def _sentence(state: MachineState) -> Text | None:
    """Give what must be said now, the most pressing only."""
    if state.link == "lost":
        stays = " The set stays open." if state.stage == "during" else ""
        return Text(f" {state.link_reason}.{stays}", "bold red")
    if state.shown_fault:
        what, remedy = fault_words(state.shown_fault, state.referenced_by)
        return Text(f" {what}: {remedy}", "bold red")
    if state.success:
        failure = FAILURE_WORDS[state.success.failure]
        return Text(f" {failure}: {state.success.evidence}", "bold green")
    if state.doubt:
        return Text(f" perhaps failing: {state.doubt.evidence}", "bold yellow")
    if state.cue:
        return Text(f" {CUE_WORDS[state.cue.kind]}", _TONE_STYLES["plain"])
    if state.note:
        return Text(f" {state.note.text}", _TONE_STYLES[state.note.tone])
    if state.stage == "during" and is_rest(state.rest_s):
        return Text(f" resting {tenths(state.rest_s)} s: the method allows no rest", "yellow")
    return None


def _hold_scale(method: TrainingMethod) -> bars.Scale:
    target_s = method.hold_target_s
    return bars.Scale(target_s + 2.0, ((target_s, f"{target_s:g} s"),))  # room to overshoot


def _rom_scale(method: TrainingMethod) -> bars.Scale:
    full = method.full_rom_fraction
    return bars.Scale(1.1, ((full, percent(full)),))


def _set_scale(method: TrainingMethod) -> bars.Scale:
    return bars.Scale(
        1.25 * method.set_window_s[1], tuple((s, _clock(s)) for s in method.set_window_s)
    )


def _hold_bar(state: MachineState, width: int, canvas: Canvas) -> Text:
    met = state.method.hold_met(state.hold_s)
    style = "green" if met else "yellow"
    reading = Text(f"{tenths(state.hold_s):>4} s", f"bold {style}" if state.hold_s else "dim")
    scale = _hold_scale(state.method)
    return _bar_row("hold", state.hold_s, scale, width, style, reading, canvas, beyond="bold green")


def _rom_bar(state: MachineState, width: int, canvas: Canvas) -> Text:
    """Show the range, or while none is known the sensor's angle, which proves it alive."""
    scale = _rom_scale(state.method)
    if state.rom_fraction is None:
        known = "----" if state.angle_deg is None else f"{state.angle_deg:.1f}°"
        return _bar_row("angle", 0.0, scale, width, "dim", Text(f"{known:>6}"), canvas)
    style = "green" if state.method.full(state.rom_fraction) else "cyan"
    reading = Text(f"{percent(state.rom_fraction):>6}")
    return _bar_row(
        "range",
        state.rom_fraction,
        scale,
        width,
        style,
        reading,
        canvas,
        ghost=state.reached_fraction,
    )


def _set_bar(state: MachineState, width: int, canvas: Canvas) -> Text:
    shortest, longest = state.method.set_window_s
    style = "yellow"
    if state.set_s >= shortest:
        style = "green" if state.set_s <= longest else "red"
    reading = Text(f"{_clock(state.set_s):>6}")
    scale = _set_scale(state.method)
    return _bar_row("set", state.set_s, scale, width, style, reading, canvas)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


_LABEL_CELLS = 6
_READING_CELLS = 8


def _bar_row(
    label: str,
    value: float,
    scale: bars.Scale,
    width: int,
    style: str,
    reading: Text,
    canvas: Canvas,
    *,
    beyond: str | None = None,
    ghost: float | None = None,
) -> Text:
    cells = width - _LABEL_CELLS - _READING_CELLS
    row = Text(label.ljust(_LABEL_CELLS), no_wrap=True)
    if cells > 4:
        look = bars.ASCII if canvas.ascii_only else bars.BLOCKS
        row += bars.bar(value, scale, cells, style, beyond=beyond, ghost=ghost, characters=look)
    return row + Text("  ") + reading


def _axis(scale: bars.Scale, width: int) -> Text:
    cells = max(1, width - _LABEL_CELLS - _READING_CELLS)
    return Text(" " * _LABEL_CELLS) + bars.axis(scale, cells)


def _table(state: MachineState, rows: int, width: int) -> list[Text]:
    """Give the head and the last attempts, the newest at the bottom; blank rows fill it up."""
    head = Text("".join(aligned(REP_HEAD)))
    head.pad_right(max(0, width - head.cell_len))
    head.stylize("underline dim")
    shown = [_rep_row(rep, state.method) for rep in state.reps[-rows:]]
    return [head, *shown, *[Text()] * (rows - len(shown))]


def _rep_row(rep: RepResult, method: TrainingMethod) -> Text:
    number, result, up, hold, down, reached, said = aligned(rep_cells(rep, method))
    short_hold = "yellow" if rep.completed else "dim"
    row = Text(number, no_wrap=True)
    row.append(result, _VERDICT_STYLES[verdict(rep)])
    row.append(up)
    row.append(hold, "green" if rep.hold_met else short_hold)
    row.append(down)
    row.append(reached, "" if rep.full_rom else "yellow")
    row.append(said, "yellow" if rep.failure is None else "bold")
    return row


def _foot(state: MachineState, canvas: Canvas) -> Text:
    if canvas.warning is not None:
        left = Text(f" {canvas.warning}", "yellow")
    elif state.link == "connecting":
        left = Text(f" Waiting for {canvas.waiting_for}", "yellow")
    else:
        left = Text(f" Reminder: {REMINDER}", "dim")
    right = Text(f"{canvas.hint} ", "dim")
    gap = canvas.width - left.cell_len - right.cell_len
    return left + Text(" " * gap) + right if gap > 0 else left


def _beside(left: list[Text], right: list[Text], column: int, height: int) -> list[Text]:
    rows = []
    blank = [Text()] * height
    for one, other, _ in zip_longest(left[:height], right[:height], blank, fillvalue=Text()):
        row = one.copy()
        row.pad_right(max(0, column - row.cell_len))
        rows.append(row + other)
    return rows


_PLAIN_CHARACTERS = str.maketrans("●○◌■…°", "*oo#.'")


def _in_ascii(row: Text) -> Text:
    row.plain = row.plain.translate(_PLAIN_CHARACTERS).encode("ascii", "replace").decode()
    return row

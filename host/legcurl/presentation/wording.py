"""Events in words: one plain line for each that matters to someone who reads along.

Used where there is no terminal to draw on, and for the remarks in tables. Times are seconds of
the sensor's clock, as in the events.
"""

from __future__ import annotations

from math import floor

from legcurl.events import (
    CatchingUp,
    Cue,
    Event,
    FailureSuspected,
    FailureWithdrawn,
    LinkChanged,
    MuscleSuccess,
    Outcome,
    Phase,
    RepCorrected,
    RepEnded,
    RepResult,
    SamplesMissing,
    SensorSeen,
    SensorTrouble,
    SetEnded,
    SetResult,
    SetStarted,
    is_worth_telling,
    verdict,
)
from legcurl.gym.machine_state import missing_words
from legcurl.training_method import HOLD_TARGET_S, SET_WINDOW_S, is_rest

PHASE_WORDS: dict[Phase, str] = {
    "unknown": "READY",
    "bottom": "BOTTOM",
    "concentric": "LIFT",
    "hold": "HOLD",
    "eccentric": "LOWER",
}
OUTCOME_WORDS: dict[Outcome, str] = {
    "muscle_success": "Muscle Success",
    "stopped": "stopped before failure",
    "interrupted": "broken off",
}
FAILURE_WORDS = {"mid_lift": "failed mid lift", "in_hold": "failed in the hold"}
CUE_WORDS = {
    "all_the_way": "All the way up!",
    "squeeze": "Squeeze!",
    "slower_down": "Slower on the way down",
    "keep_moving": "Keep moving",
}
REFERENCE_REMEDIES = {  # by SensorTrouble.referenced_by; "": the sensor does not say
    "rest": "let the lever rest at the bottom for 5 s",
    "index": "move the lever up and down once, past its index mark",
    "": "let the lever rest at the bottom for 5 s, then move it up and down once",
}
FAULT_WORDS = {  # what is wrong, and what to do about it
    "no_magnet": ("no magnet", "put the magnet back over the encoder"),
    "weak_magnet": ("magnet too weak", "bring the magnet closer to the encoder"),
    "strong_magnet": ("magnet too strong", "move the magnet away from the encoder"),
    "bus_error": ("encoder does not answer", "check the encoder's wires"),
    "unknown": ("unknown sensor fault", "update this program, it is older than the sensor"),
}
CUT_SLACK = 1e-6  # of the last digit: 0.29 · 100 is a little below 29 in binary


def line(event: Event) -> str | None:
    """Say the event in one line, or None where it is of no interest afterwards."""
    told = _sentence(event)
    if told is None:
        return None
    t_s = getattr(event, "t_s", None)
    return printable(f"{'':10}{told}" if t_s is None else f"{t_s:8.1f}  {told}")


def _sentence(event: Event) -> str | None:
    match event:
        case SensorSeen():
            return f"sensor {sensor_title(event)}"
        case LinkChanged(state="lost"):
            return f"link lost: {event.reason.rstrip('.')}; a set stays open"
        case LinkChanged():
            return "link restored"
        case CatchingUp(behind_s=behind_s) if behind_s:
            return f"catching up {behind_s:.0f} s that the sensor kept"
        case CatchingUp():
            return "caught up: from here on it is the present"
        case SensorTrouble(active=True):
            what, remedy = fault_words(event.fault, event.referenced_by)
            return f"{what}: {remedy}"
        case SensorTrouble():
            return f"{fault_words(event.fault)[0]}: over"
        case SamplesMissing():
            return missing_words(event)
        case SetStarted():
            return f"set began at {event.start_s:.1f}"
        case RepEnded():
            return f"{rep_line(event.rep)} [{event.completed_reps} done]"
        case RepCorrected() if is_worth_telling(event):
            what = _correction(event)
            return f"correction: {what} ({event.reason}) [{event.completed_reps} done]"
        case FailureSuspected():
            return f"failing? {event.evidence}"
        case FailureWithdrawn():
            return f"not failing: {event.reason}"
        case MuscleSuccess():
            return f"MUSCLE SUCCESS: {FAILURE_WORDS[event.failure]}, {event.evidence}"
        case Cue():
            return f"cue: {CUE_WORDS[event.cue]}"
        case SetEnded():
            return f"set ended: {set_line(event.set)}"
        case _:
            return None


def sensor_title(sensor: SensorSeen) -> str:
    """Name the sensor so that a person finds it: its name, its board, its rate."""
    name = sensor.name or sensor.sensor_id
    return f"{name} ({sensor.board}, {sensor.rate_hz:g} Hz, firmware {sensor.firmware})"


def fault_words(fault: str, referenced_by: str | None = None) -> tuple[str, str]:
    """Give the fault in words, and its remedy; `referenced_by` as in `SensorTrouble`."""
    if fault == "not_referenced":
        by = referenced_by or ""
        return "not referenced", REFERENCE_REMEDIES.get(by, REFERENCE_REMEDIES[""])
    return FAULT_WORDS.get(fault, FAULT_WORDS["unknown"])


def remarks(rep: RepResult) -> list[str]:
    """What a coach would say about the attempt, most important first."""
    said = []
    if rep.failure is not None:
        said.append(FAILURE_WORDS[rep.failure])
    elif not rep.full_rom:
        said.append("not the full range")
    if rep.completed and not rep.hold_met:
        short_s = HOLD_TARGET_S - rep.hold_s
        said.append(f"hold {short_s:.1f} s short" if short_s >= 0.05 else "hold just short")
    if is_rest(rep.rest_before_s):
        said.append(f"rested {rep.rest_before_s:.1f} s before")
    if rep.incomplete:
        said.append("samples missing")
    return said


def rep_line(rep: RepResult) -> str:
    """Give the attempt and its measures in one line."""
    stood = "stalled" if rep.failure == "mid_lift" else "hold"
    measures = (
        f"rep {rep.number} {verdict(rep)}: up {rep.concentric_s:.1f} s, "
        f"{stood} {beside_target(rep.hold_s, HOLD_TARGET_S)} s, down {rep.eccentric_s:.1f} s, "
        f"range {percent(rep.rom_fraction)}"
    )
    return ", ".join([measures, *remarks(rep)])


REP_HEAD = ("rep", "result", "up", "hold", "down", "range", "remarks")
_CELLS = ("{:>5}  ", "{:<8}", "{:>7}", "{:>8}", "{:>8}", "{:>8}", "  {}")


def rep_cells(rep: RepResult) -> tuple[str, ...]:
    """Give the attempt as a row of the table under REP_HEAD."""
    return (
        str(rep.number),
        verdict(rep),
        f"{rep.concentric_s:.1f} s",
        "-"
        if rep.failure == "mid_lift"
        else f"{beside_target(rep.hold_s, HOLD_TARGET_S)} s",  # there he stalled
        f"{rep.eccentric_s:.1f} s",
        percent(rep.rom_fraction),
        ", ".join(remarks(rep)),
    )


def aligned(cells: tuple[str, ...]) -> list[str]:
    """Pad a row's cells to the table's columns."""
    return [form.format(cell) for form, cell in zip(_CELLS, cells, strict=True)]


def table_line(cells: tuple[str, ...]) -> str:
    """Give a row of the table as one line."""
    return "".join(aligned(cells)).rstrip()


def window_verdict(result: SetResult) -> str:
    """Compare the set's length to the window that the method asks of a set to failure."""
    shortest, longest = (bound / 60 for bound in SET_WINDOW_S)
    to_failure = result.outcome == "muscle_success"
    if result.time_under_load_s < SET_WINDOW_S[0]:
        return f"under {shortest:.0f} min" + (": take less weight" if to_failure else "")
    if result.time_under_load_s > SET_WINDOW_S[1]:
        return f"over {longest:.0f} min" + (": take more weight" if to_failure else "")
    return f"within {shortest:.0f} to {longest:.0f} min"


def set_line(result: SetResult) -> str:
    """Give the set's outcome and its measures in one line."""
    told = (
        f"{OUTCOME_WORDS[result.outcome]}, {_reps(result.completed_reps)}, "
        f"{result.time_under_load_s:.1f} s under load ({window_verdict(result)})"
    )
    return told + (", samples missing" if result.incomplete else "")


def summary(result: SetResult) -> list[str]:
    """Give the set in a few short lines, for beside the count."""
    minutes, seconds = divmod(round(result.time_under_load_s), 60)
    told = [
        OUTCOME_WORDS[result.outcome],
        f"{_reps(result.completed_reps)} in {minutes}:{seconds:02}, {window_verdict(result)}",
    ]
    held = [rep for rep in result.reps if rep.completed]
    if held:
        met = sum(rep.hold_met for rep in held)
        mean_s = sum(rep.hold_s for rep in held) / len(held)
        told.append(
            f"holds: {met} of {len(held)} met, mean {beside_target(mean_s, HOLD_TARGET_S)} s"
        )
    losses = []
    if result.velocity_loss is not None:
        losses.append(f"speed lost {percent(result.velocity_loss)}")
    if result.rom_loss is not None:
        losses.append(f"range lost {percent(result.rom_loss)}")
    if losses:
        told.append(", ".join(losses))
    if result.incomplete:
        told.append("samples are missing")
    return told


def printable(text: str) -> str:
    """Replace what would move the cursor or worse: names and reasons come from outside."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def beside_target(length_s: float, target_s: float) -> str:
    """Write seconds rounded to 0.1 s, but a length below the target never reads as the target."""
    text = f"{length_s:.1f}"
    if length_s < target_s and text == f"{target_s:.1f}":
        return f"{floor(length_s * 100) / 100:.2f}"
    return text


def percent(fraction: float) -> str:
    """Write a fraction in whole per cent, cut: 89.6 % has not reached 90 %."""
    return f"{int(fraction * 100 + CUT_SLACK)} %"  # an int: there is no "-0 %"


def tenths(seconds: float) -> str:
    """Write a time that still runs, cut to 0.1 s: 2.96 s has not reached 3 s."""
    return f"{floor(seconds * 10 + CUT_SLACK) / 10:.1f}"


def _reps(count: int) -> str:
    return f"{count} rep" if count == 1 else f"{count} reps"


def _correction(event: RepCorrected) -> str:
    if event.new is None:
        return f"rep {event.old.number} was none" if event.old else "nothing changed"
    return rep_line(event.new)

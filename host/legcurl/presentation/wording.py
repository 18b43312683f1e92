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
    RepCorrected,
    RepCounted,
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
from legcurl.training_method import STANDARD, TrainingMethod, is_rest

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


def line(event: Event, method: TrainingMethod = STANDARD) -> str | None:
    """Say the event in one line, or None where it is of no interest afterwards.

    `method` is what the machine's sets are judged by.
    """
    told = _sentence(event, method)
    if told is None:
        return None
    t_s = getattr(event, "t_s", None)
    return printable(f"{'':10}{told}" if t_s is None else f"{t_s:8.1f}  {told}")


def _sentence(event: Event, method: TrainingMethod) -> str | None:
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
            return f"{rep_line(event.rep, method)} [{_counts(event)}]"
        case RepCounted():
            return f"top reached [{_counts(event)}]"
        case RepCorrected() if is_worth_telling(event):
            what = _correction(event, method)
            return f"correction: {what} ({event.reason}) [{_counts(event)}]"
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


def remarks(rep: RepResult, method: TrainingMethod) -> list[str]:
    """What a coach would say about the attempt, most important first."""
    said = []
    if rep.failure is not None:
        said.append(FAILURE_WORDS[rep.failure])
    elif not rep.full_rom:
        said.append("not the full range")
    if rep.completed and not rep.hold_met:
        short_s = method.hold_target_s - rep.hold_s
        said.append(f"hold {short_s:.1f} s short" if short_s >= 0.05 else "hold just short")
    if is_rest(rep.rest_before_s):
        said.append(f"rested {rep.rest_before_s:.1f} s before")
    if rep.incomplete:
        said.append("samples missing")
    return said


def rep_line(rep: RepResult, method: TrainingMethod) -> str:
    """Give the attempt and its measures in one line."""
    stood = "stalled" if rep.failure == "mid_lift" else "hold"
    measures = (
        f"rep {rep.number} {verdict(rep)}: up {rep.concentric_s:.1f} s, "
        f"{stood} {held(rep.hold_s, method)} s, down {rep.eccentric_s:.1f} s, "
        f"range {percent(rep.rom_fraction)}"
    )
    return ", ".join([measures, *remarks(rep, method)])


REP_HEAD = ("rep", "result", "up", "hold", "down", "range", "remarks")
_CELLS = ("{:>5}  ", "{:<8}", "{:>7}", "{:>8}", "{:>8}", "{:>8}", "  {}")


def rep_cells(rep: RepResult, method: TrainingMethod) -> tuple[str, ...]:
    """Give the attempt as a row of the table under REP_HEAD."""
    return (
        str(rep.number),
        verdict(rep),
        f"{rep.concentric_s:.1f} s",
        "-" if rep.failure == "mid_lift" else f"{held(rep.hold_s, method)} s",  # it stalled
        f"{rep.eccentric_s:.1f} s",
        percent(rep.rom_fraction),
        ", ".join(remarks(rep, method)),
    )


def aligned(cells: tuple[str, ...]) -> list[str]:
    """Pad a row's cells to the table's columns."""
    return [form.format(cell) for form, cell in zip(_CELLS, cells, strict=True)]


def table_line(cells: tuple[str, ...]) -> str:
    """Give a row of the table as one line."""
    return "".join(aligned(cells)).rstrip()


def window_verdict(result: SetResult) -> str:
    """Compare the set's length to the window that the method asks of a set to failure."""
    shortest_s, longest_s = result.judged_by.set_window_s
    to_failure = result.outcome == "muscle_success"
    if result.time_under_load_s < shortest_s:
        return f"under {minutes(shortest_s)} min" + (": take less weight" if to_failure else "")
    if result.time_under_load_s > longest_s:
        return f"over {minutes(longest_s)} min" + (": take more weight" if to_failure else "")
    return f"within {minutes(shortest_s)} to {minutes(longest_s)} min"


def set_line(result: SetResult) -> str:
    """Give the set's outcome and its measures in one line."""
    told = (
        f"{OUTCOME_WORDS[result.outcome]}, {reps_words(result)}, "
        f"{result.time_under_load_s:.1f} s under load ({window_verdict(result)})"
    )
    return told + (", samples missing" if result.incomplete else "")


def summary(result: SetResult) -> list[str]:
    """Give the set in a few short lines, for beside the count."""
    whole_minutes, seconds = divmod(round(result.time_under_load_s), 60)
    told = [
        OUTCOME_WORDS[result.outcome],
        f"{reps_words(result)} in {whole_minutes}:{seconds:02}, {window_verdict(result)}",
    ]
    full = [rep for rep in result.reps if rep.completed]
    if full:
        met = sum(rep.hold_met for rep in full)
        mean_s = sum(rep.hold_s for rep in full) / len(full)
        mean = held(mean_s, result.judged_by)
        told.append(f"holds: {met} of {len(full)} met, mean {mean} s")
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


def held(hold_s: float, method: TrainingMethod) -> str:
    """Write a hold in seconds; one that is too short never reads as long enough."""
    return beside_target(hold_s, method.hold_met_from_s)


def minutes(length_s: float) -> str:
    """Write a bound of the set's window in minutes: 1, 1.5."""
    return f"{length_s / 60:.2f}".rstrip("0").rstrip(".")


def percent(fraction: float) -> str:
    """Write a fraction in whole per cent, cut: 89.6 % has not reached 90 %."""
    return f"{int(fraction * 100 + CUT_SLACK)} %"  # an int: there is no "-0 %"


def tenths(seconds: float) -> str:
    """Write a time that still runs, cut to 0.1 s: 2.96 s has not reached 3 s."""
    return f"{floor(seconds * 10 + CUT_SLACK) / 10:.1f}"


def reps_words(result: SetResult) -> str:
    """The reps of a set; where others count than the full ones, both counts."""
    full = result.completed_reps
    if result.counted_reps is None:
        return f"{full} rep" if full == 1 else f"{full} reps"
    return f"{result.counted_reps} counted, {full} full"


def _counts(event: RepEnded | RepCounted | RepCorrected) -> str:
    full = event.completed_reps
    counted = event.counted_reps
    return f"{full} done" if counted is None else f"{counted} counted, {full} full"


def _correction(event: RepCorrected, method: TrainingMethod) -> str:
    if event.new is not None:
        return rep_line(event.new, method)
    return f"rep {event.old.number} was none" if event.old else "the last count is taken back"

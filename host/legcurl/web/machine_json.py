"""A machine's state as the page gets it. What moves with every sample is apart from the rest.

`whole` is all there is to know about a machine, sent when anything but its moving figures changes
and to whoever has just arrived; `moving` is the short list that is sent ten times a second. The
page puts the second into the first; `hello` tells it the order, MOVING.
"""

from __future__ import annotations

from typing import Any

from legcurl.events import plain
from legcurl.gym.machine_state import ViewState
from legcurl.motion.results import velocity_loss
from legcurl.motion.training_method import FULL_ROM, HOLD_TARGET_S, REST_SHOWN_S, SET_WINDOW_S
from legcurl.presentation.wording import fault_words

MOVING = (
    *("t_s", "rom", "phase", "hold_s", "rest_s", "set_s", "count", "reached", "angle_deg"),
    "behind_s",
)
TARGET = {
    "hold_s": HOLD_TARGET_S,
    "full_rom": FULL_ROM,
    "window_s": list(SET_WINDOW_S),
    "rest_s": REST_SHOWN_S,
}


def moving(state: ViewState) -> list[Any]:
    """The moving figures, in the order of MOVING."""
    return [
        round(state.t_s, 3),
        _rounded(state.rom_fraction, 4),
        state.phase,
        round(state.hold_s, 3),
        round(state.rest_s, 1),
        round(state.set_s, 1),
        state.completed_reps,
        _rounded(state.reached_fraction, 4),
        _rounded(state.angle_deg, 2),
        round(state.behind_s, 1),
    ]


def whole(state: ViewState) -> dict[str, Any]:
    """Everything about a machine that its events tell."""
    sensor = state.sensor
    result = state.result
    loss = result.velocity_loss if result is not None else velocity_loss(state.reps)
    return dict(zip(MOVING, moving(state), strict=True)) | {
        "link": state.link,
        "link_reason": state.link_reason,
        "sensor": None
        if sensor is None
        else {
            "sensor_id": sensor.sensor_id,
            "name": sensor.name,
            "board": sensor.board,
            "firmware": sensor.firmware,
            "rate_hz": sensor.rate_hz,
        },
        "faults": list(state.faults),
        "fault": _fault(state),
        "stage": state.stage,
        "doubt": None if state.doubt is None else {"evidence": state.doubt.evidence},
        "success": None
        if state.success is None
        else {"failure": state.success.failure, "evidence": state.success.evidence},
        "cue": None if state.cue is None else state.cue.kind,
        "note": None if state.note is None else {"text": state.note.text, "tone": state.note.tone},
        "reps": plain(state.reps),
        "velocity_loss": _rounded(loss, 4),
        "result": None if result is None else plain(result),
        "target": TARGET,
    }


def _fault(state: ViewState) -> dict[str, Any] | None:
    """The fault to show, in words, and whether the sensor is blind meanwhile."""
    if state.shown_fault is None:
        return None
    what, remedy = fault_words(state.shown_fault, state.referenced_by)
    return {"text": f"{what[0].upper()}{what[1:]}: {remedy}", "blind": state.blind}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

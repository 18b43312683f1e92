"""Sets, clients and machines as the API gives them: JSON for the page, CSV for spreadsheets.

`machine_json` is the whole of a machine: it is sent to a new viewer, and when anything but the
moving figures changes. `moving` is the short list that is sent ten times a second; the page puts
it into the whole, in the order of MOVING.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from legcurl.events import plain
from legcurl.export.csv_injection import escape_formula
from legcurl.motion.results import velocity_loss
from legcurl.presentation.headline import headline
from legcurl.presentation.wording import fault_words
from legcurl.store.records import Client, StoredSet
from legcurl.training_method import REST_SHOWN_S, TrainingMethod

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine
    from legcurl.gym.machine_state import MachineState
    from legcurl.motion import KnownDirection
    from legcurl.store.records import Expected

MOVING = (
    *("t_s", "rom", "phase", "hold_s", "rest_s", "set_s", "count", "reached", "angle_deg"),
    *("behind_s", "headline"),
)


def target_json(method: TrainingMethod) -> dict[str, Any]:
    """What the method asks for, as the page draws it."""
    return {
        "hold_s": method.hold_target_s,
        "hold_met_s": method.hold_met_from_s,
        "full_rom": method.full_rom_fraction,
        "window_s": list(method.set_window_s),
        "rest_s": REST_SHOWN_S,
        "count_at": method.count_at,
    }


def row(stored: StoredSet) -> dict[str, Any]:
    """A set in a list."""
    result = stored.result
    completed = [rep for rep in result.reps if rep.completed]
    return {
        "id": stored.id,
        "gym": stored.machine.gym_id,
        "machine": {"id": stored.machine.id, "name": stored.machine.name},
        "client": None if stored.client is None else client_json(stored.client),
        "load_kg": stored.load_kg,
        "note": stored.note,
        "started": stored.started.astimezone(UTC).isoformat(),
        "outcome": result.outcome,
        "completed_reps": result.completed_reps,
        "count": result.count,
        "time_under_load_s": round(result.time_under_load_s, 1),
        "holds_met": sum(rep.hold_met for rep in completed),
        "reps": len(result.reps),
        "velocity_loss": result.velocity_loss,
        "deleted": stored.deleted,
        "corrected": stored.corrected,
        "incomplete": result.incomplete,
    }


def client_json(client: Client) -> dict[str, Any]:
    """A client."""
    return {"id": client.id, "name": client.name or ""}


def moving(state: MachineState) -> list[Any]:
    """The moving figures, in the order of MOVING."""
    state = state.as_shown()
    return [
        round(state.t_s, 3),
        _rounded(state.rom_fraction, 4),
        state.phase,
        round(state.hold_s, 3),
        round(state.rest_s, 1),
        round(state.set_s, 1),
        state.count,
        _rounded(state.reached_fraction, 4),
        _rounded(state.angle_deg, 2),
        round(state.behind_s, 1),
        headline(state),
    ]


def whole(state: MachineState) -> dict[str, Any]:
    """Everything about a machine that its events tell."""
    state = state.as_shown()
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
        "target": target_json(state.method),
    }


def direction_json(known: KnownDirection) -> dict[str, Any]:
    """What is known of the way that a machine's sensor is mounted."""
    return {"sign": known.sign, "source": known.source, "sure": known.sure}


def machine_json(
    machine: Machine, expected: Expected, *, client_name: str, set_id: str | None
) -> dict[str, Any]:
    """A machine as the page gets it, with what is entered for its next set and its last set."""
    client_id = expected.client_id
    return {
        "id": machine.setup.id,
        "name": machine.name,
        **whole(machine.state),
        "journal_trouble": machine.journal_trouble,
        "direction": direction_json(machine.known_direction),
        "set_id": set_id,
        "client": None if client_id is None else {"id": client_id, "name": client_name},
        "load_kg": expected.load_kg,
    }


def table(sets: Iterable[StoredSet]) -> list[list[Any]]:
    """Sets as lines under a head."""
    head = [
        *("id", "started", "machine", "client", "load_kg", "completed_reps", "time_under_load_s"),
        *("holds_met", "velocity_loss", "outcome", "corrected", "deleted", "incomplete", "note"),
    ]
    rows = []
    for stored in sets:
        one = row(stored)
        one["machine"] = stored.machine.name
        one["client"] = stored.client.id if stored.client else ""
        rows.append([one[name] for name in head])
    return [head, *rows]


def csv_answer(name: str, rows: Iterable[Iterable[Any]]) -> Response:
    """A file for spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text)
    for line in rows:
        writer.writerow([escape_formula(cell) for cell in line])
    return Response(
        text.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _fault(state: MachineState) -> dict[str, Any] | None:
    """The fault to show, in words, and whether the sensor is blind meanwhile."""
    if state.shown_fault is None:
        return None
    what, remedy = fault_words(state.shown_fault, state.referenced_by)
    return {"text": f"{what[0].upper()}{what[1:]}: {remedy}", "blind": state.blind}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

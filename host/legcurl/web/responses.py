"""Sets, clients and machines as the API gives them: JSON for the page, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from legcurl.export.csv_injection import harmless
from legcurl.store.records import Client, StoredSet
from legcurl.web.machine_json import whole

if TYPE_CHECKING:
    from legcurl.service.service import Service


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


def machine_json(service: Service, machine_id: str) -> dict[str, Any]:
    """A machine as the page gets it."""
    machine = service.gym.machines[machine_id]
    expected = service.keeper.expected(machine_id)
    return {
        "id": machine_id,
        "name": machine.name,
        **whole(machine.state),
        "journal_trouble": machine.journal_trouble,
        "set_id": service.last_sets.get(machine_id),
        "client": None
        if expected.client_id is None
        else {"id": expected.client_id, "name": service.client_names.get(expected.client_id, "")},
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
        writer.writerow([harmless(cell) for cell in line])
    return Response(
        text.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )

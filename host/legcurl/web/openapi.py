"""The service's API as an OpenAPI document, for programs that want to use it."""

from __future__ import annotations

from typing import Any

from legcurl._version import __version__

_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_MACHINE = {"name": "machine", "in": "path", "required": True, "schema": {"type": "string"}}
_CSRF = {
    "name": "X-Csrf-Token",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "From /api/session: every change needs it.",
}


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "legcurl",
            "version": __version__,
            "description": "Leg curl machines, live, and the sets that they have seen.",
        },
        "paths": {
            "/api/session": {"get": _op("Who you are", "Session", 401)},
            "/api/login": {"post": _op("Sign in with a PIN", "Session", 401, 429, body="Login")},
            "/api/logout": {"post": _op("Sign out", None, changes=True)},
            "/api/events": {
                "get": _op(
                    "Server-sent events: machine, moving, trace, set, gone, alive",
                    None,
                    404,
                    query=("machine", "last_event_id"),
                )
            },
            "/api/stations": {"get": _op("All machines now", "[Machine]")},
            "/api/stations/{machine}/next": {
                "parameters": [_MACHINE],
                "post": _op(
                    "Who lifts next, and what", "Machine", 400, 404, body="Next", changes=True
                ),
            },
            "/api/stations/{machine}/identify": {
                "parameters": [_MACHINE],
                "post": _op("Let the sensor blink", None, 404, 409, changes=True),
            },
            "/api/stations/{machine}/day": {
                "parameters": [_MACHINE],
                "get": _op("A machine's sets of a day", None, 404, query=("date",)),
            },
            "/api/stations/{machine}/day.csv": {
                "parameters": [_MACHINE],
                "get": _op("The same as CSV", None, 404, query=("date",)),
            },
            "/api/sets": {
                "get": _op(
                    "Sets, newest first, a page at a time",
                    "Sets",
                    400,
                    query=("machine", "client", "from", "to", "limit", "before"),
                )
            },
            "/api/sets/{id}": {
                "parameters": [_ID],
                "get": _op("One set", "Set", 404),
                "patch": _op(
                    "Client, load and note", "Set", 400, 404, body="SetChange", changes=True
                ),
            },
            "/api/sets/{id}/trace": {
                "parameters": [_ID],
                "get": _op("The raw angles of a set", "Trace", 404),
            },
            "/api/sets/{id}.csv": {
                "parameters": [_ID],
                "get": _op("Its reps as CSV", None, 404),
            },
            "/api/sets/{id}.png": {
                "parameters": [_ID],
                "get": _op("Its picture", None, 404),
            },
            "/api/sets/{id}/corrections": {
                "parameters": [_ID],
                "post": _op(
                    "Delete, restore or correct", "Set", 400, 404, body="Correction", changes=True
                ),
            },
            "/api/clients": {
                "get": _op("All clients", None),
                "post": _op("A new client", "Client", 400, body="NewClient", changes=True),
            },
            "/api/clients/{id}/history": {
                "parameters": [_ID],
                "get": _op("A client's sets", None, 400),
            },
            "/api/clients/{id}/sets.csv": {
                "parameters": [_ID],
                "get": _op("The same as CSV", None),
            },
            "/healthz": {"get": _op("Whether all is well (503: it is not)", None, 503)},
        },
        "components": {"schemas": _schemas()},
    }


def _op(
    summary: str,
    schema: str | None,
    *refusals: int,
    body: str | None = None,
    query: tuple[str, ...] = (),
    changes: bool = False,
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Done"}}
    if schema is not None:
        inner = schema.strip("[]")
        shape: dict[str, Any] = {"$ref": f"#/components/schemas/{inner}"}
        if schema.startswith("["):
            shape = {"type": "array", "items": shape}
        responses["200"]["content"] = {"application/json": {"schema": shape}}
    for status in (*refusals, *((401, 403) if changes else ())):
        responses[str(status)] = {
            "description": "Refused",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
        }
    parameters: list[Any] = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in query
    ]
    if changes:
        parameters.append(_CSRF)
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _schemas() -> dict[str, Any]:
    text, number, whole = {"type": "string"}, {"type": "number"}, {"type": "integer"}
    maybe_text: dict[str, Any] = {"type": ["string", "null"]}
    maybe_number: dict[str, Any] = {"type": ["number", "null"]}
    flag = {"type": "boolean"}
    outcome = {"enum": ["muscle_success", "stopped", "interrupted"]}
    client = {"id": text, "name": text}
    row = {
        "id": text,
        "machine": _object(id=text, name=text),
        "client": {"anyOf": [{"$ref": "#/components/schemas/Client"}, {"type": "null"}]},
        "load_kg": maybe_number,
        "note": text,
        "started": {"type": "string", "format": "date-time"},
        "outcome": outcome,
        "completed_reps": whole,
        "time_under_load_s": number,
        "holds_met": whole,
        "reps": whole,
        "velocity_loss": maybe_number,
        "deleted": flag,
        "corrected": flag,
        "incomplete": flag,
    }
    anything = {"type": "object"}
    return {
        "Refusal": _object(error=text, remedy=text),
        "Session": _object(
            rights={"type": "array", "items": text}, csrf=text, signed_in={"type": "boolean"}
        ),
        "Login": _object(pin=text),
        "Machine": _object(
            id=text, name=text, link=text, stage=text, phase=text, count=whole, hold_s=number
        ),
        "Next": _object(client=maybe_text, load_kg=maybe_number),
        "Client": _object(**client),
        "NewClient": _object(name=maybe_text),
        "SetRow": _object(**row),
        "Sets": _object(
            sets={"type": "array", "items": {"$ref": "#/components/schemas/SetRow"}},
            next=maybe_text,
        ),
        "Set": _object(
            **row,
            set=anything,
            original=anything,
            corrections={"type": "array", "items": anything},
            previous={"type": ["object", "null"]},
        ),
        "SetChange": _object(client=maybe_text, load_kg=maybe_number, note=text),
        "Correction": _object(
            kind={"enum": ["delete", "restore", "count", "outcome"]},
            value={"type": ["integer", "string", "null"]},
            reason=text,
        ),
        "Trace": _object(
            t_s={"type": "array", "items": number},
            angle_deg={"type": "array", "items": maybe_number},
        ),
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}

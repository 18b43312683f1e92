"""The service's API as an OpenAPI document, for programs that want to use it.

Written by hand, because what an endpoint promises is decided, not derived; the tests hold it to the
routes and to what the endpoints answer.
"""

from __future__ import annotations

from typing import Any

from legcurl._version import __version__

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_NUMBER: _Schema = {"type": "number"}
_WHOLE: _Schema = {"type": "integer"}
_FLAG: _Schema = {"type": "boolean"}
_MOMENT: _Schema = {"type": "string", "format": "date-time"}
_MAYBE_TEXT: _Schema = {"type": ["string", "null"]}
_MAYBE_NUMBER: _Schema = {"type": ["number", "null"]}
_MAYBE_OBJECT: _Schema = {"type": ["object", "null"]}
_ANY_OBJECT: _Schema = {"type": "object"}

_CSRF: _Schema = {
    "name": "X-Csrf-Token",
    "in": "header",
    "required": True,
    "schema": _TEXT,
    "description": "From /api/session: every change needs it.",
}
_QUERY = {
    "machine": "a machine's id",
    "gym": "a gym's id, in a store of many",
    "client": "a client's id",
    "from": "sets that began then or later; without a zone, in the gym's",
    "to": "sets that began before then",
    "limit": "sets on a page, 1 to 500; 50 if it is not said",
    "before": "`next` of the page before",
    "date": "as 2026-03-02, in the gym's time zone; today if it is not said",
    "last_event_id": "what was seen last, where the header Last-Event-ID cannot be sent",
}
_EVENTS = (
    "Server-sent events. `hello` says which machines there are, and in which order moving figures "
    "come; `machine` is one of them, whole; `moving` has the moving figures of some; `trace` is "
    "the angle of the machine that was asked for; `set` says that a set was stored, `corrected` "
    "that one was changed; `gone` says how many messages a slow viewer lost, after which whole "
    "machines follow; `alive` comes at least every 5 s."
)


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "legcurl",
            "version": __version__,
            "description": "Leg curl machines, live, and the sets that they have seen.",
        },
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }


def _paths() -> dict[str, Any]:
    period = ("from", "to")
    return {
        "/api/session": {"get": _get("Who you are", "Session", 401)},
        "/api/login": {
            "post": _change("Sign in with a PIN", "SignedIn", 400, 401, 429, body="Login")
        },
        "/api/logout": {"post": _change("Sign out", "Nothing", 401, guarded=True)},
        "/api/events": {
            "get": _get(
                _EVENTS,
                "text/event-stream",
                401,
                404,
                503,
                query=_named("machine", "last_event_id"),
            )
        },
        "/api/stations": {"get": _get("All machines now", "[Machine]", 401)},
        "/api/stations/{machine}/next": _of(
            "machine",
            post=_change(
                "Who lifts next, and what", "Machine", 400, 401, 404, body="Next", guarded=True
            ),
        ),
        "/api/stations/{machine}/identify": _of(
            "machine", post=_change("Let the sensor blink", "Nothing", 401, 404, 409, guarded=True)
        ),
        "/api/stations/{machine}/day": _of(
            "machine", get=_get("A day's sets", "Day", 400, 401, 404, query=_named("date"))
        ),
        "/api/stations/{machine}/day.csv": _of(
            "machine", get=_get("A day's sets", "text/csv", 400, 401, 404, query=_named("date"))
        ),
        "/api/sets": {
            "get": _get(
                "Sets, newest first, a page at a time",
                "Sets",
                400,
                401,
                query=_named("machine", "client", "gym", *period, "limit", "before"),
            )
        },
        "/api/sets/{id}": _of(
            "id",
            get=_get("One set", "Set", 401, 404),
            patch=_change(
                "Client, load and note", "Set", 400, 401, 404, 409, body="SetChange", guarded=True
            ),
        ),
        "/api/sets/{id}/trace": _of("id", get=_get("A set's raw angles", "Trace", 401, 404)),
        "/api/sets/{id}.csv": _of("id", get=_get("A set's attempts", "text/csv", 401, 404)),
        "/api/sets/{id}.png": _of("id", get=_get("A set's picture", "image/png", 401, 404, 503)),
        "/api/sets/{id}/corrections": _of(
            "id",
            post=_change(
                "Delete, restore or correct",
                "Set",
                400,
                401,
                404,
                409,
                body="Correction",
                guarded=True,
            ),
        ),
        "/api/gyms": {"get": _get("The gyms of a store of many; none in a gym's own", "Gyms", 401)},
        "/api/clients": {
            "get": _get("All clients", "Clients", 401),
            "post": _change(
                "A new client", "Client", 400, 401, body="NewClient", guarded=True, status=201
            ),
        },
        "/api/clients/{id}/history": _of(
            "id", get=_get("A client's sets", "History", 400, 401, 404, query=_named(*period))
        ),
        "/api/clients/{id}/sets.csv": _of(
            "id", get=_get("A client's sets", "text/csv", 400, 401, 404, query=_named(*period))
        ),
        "/healthz": {"get": _get("Whether all is well", "Health", well=(200, 503))},
        "/metrics": {"get": _get("Figures for Prometheus", "text/plain", 401)},
    }


def _named(*names: str) -> list[_Schema]:
    return [
        {"name": name, "in": "query", "schema": _TEXT, "description": _QUERY[name]}
        for name in names
    ]


def _of(name: str, **operations: Any) -> dict[str, Any]:
    """The operations on what a part of the address names."""
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "schema": _TEXT}],
        **operations,
    }


def _get(
    summary: str,
    answer: str,
    *refusals: int,
    query: list[_Schema] | None = None,
    well: tuple[int, ...] = (200,),
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {str(status): _answer(answer) for status in well} | _refusals(refusals),
    }
    return operation | ({"parameters": query} if query else {})


def _change(
    summary: str,
    answer: str,
    *refusals: int,
    body: str | None = None,
    guarded: bool = False,
    status: int = 200,
) -> dict[str, Any]:
    refusals = (*refusals, 403, *((413, 415) if body else ()))
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {str(status): _answer(answer)} | _refusals(refusals),
    }
    if guarded:
        operation["parameters"] = [_CSRF]
    if body is not None:
        content = {"application/json": {"schema": _reference(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answer(what: str) -> dict[str, Any]:
    """`what` is a schema's name, one in brackets for a list of them, or a media type."""
    if "/" in what:
        return {"description": "Done", "content": {what: {}}}
    schema = _reference(what.strip("[]"))
    if what.startswith("["):
        schema = {"type": "array", "items": schema}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def _refusals(statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference("Refusal")}}
    return {str(status): {"description": "Refused", "content": content} for status in statuses}


def _reference(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, _Schema]:
    outcome: _Schema = {"enum": ["muscle_success", "stopped", "interrupted"]}
    named = _object(id=_TEXT, name=_TEXT)
    maybe_client: _Schema = {"anyOf": [_reference("Client"), {"type": "null"}]}
    row: dict[str, _Schema] = {
        "id": _TEXT,
        "gym": _MAYBE_TEXT,
        "machine": named,
        "client": maybe_client,
        "load_kg": _MAYBE_NUMBER,
        "note": _TEXT,
        "started": _MOMENT,
        "outcome": outcome,
        "completed_reps": _WHOLE,
        "time_under_load_s": _NUMBER,
        "holds_met": _WHOLE,
        "reps": _WHOLE,
        "velocity_loss": _MAYBE_NUMBER,
        "deleted": _FLAG,
        "corrected": _FLAG,
        "incomplete": _FLAG,
    }
    rows = _list(_reference("SetRow"))
    return {
        "Refusal": _object(error=_TEXT, remedy=_TEXT),
        "Nothing": _object(),
        "Session": _object(rights=_list(_TEXT), csrf=_TEXT, signed_in=_FLAG),
        "SignedIn": _object(rights=_list(_TEXT), csrf=_TEXT),
        "Machine": _machine(maybe_client),
        "Gyms": _object(gyms=_list(named)),
        "Client": named,
        "Clients": _object(clients=_list(_reference("Client"))),
        "SetRow": _object(**row),
        "Sets": _object(sets=rows, next=_MAYBE_TEXT),
        "Day": _object(**{"machine": named, "from": _MOMENT, "to": _MOMENT, "sets": rows}),
        "History": _object(client=_reference("Client"), sets=rows),
        "Set": _object(
            **row,
            set=_ANY_OBJECT,
            original=_ANY_OBJECT,
            corrections=_list(
                _object(kind=_TEXT, value={}, who=_TEXT, at=_MOMENT, reason=_TEXT),
            ),
            feedback=_object(good=_list(_TEXT), work=_list(_TEXT)),
            previous={"anyOf": [_reference("SetRow"), {"type": "null"}]},
        ),
        "Trace": _object(t_s=_list(_NUMBER), angle_deg=_list(_MAYBE_NUMBER)),
        "Health": _object(
            *("ok", "status"),
            ok=_FLAG,
            status={"enum": ["ok", "degraded", "failing"]},
            reasons=_list(_TEXT),
            store=_TEXT,
            sets_waiting=_WHOLE,
            viewers=_WHOLE,
        ),
        "Login": _object(pin=_TEXT),
        "Next": _object("", client=_MAYBE_TEXT, load_kg=_MAYBE_NUMBER),
        "NewClient": _object("", name=_MAYBE_TEXT),
        "SetChange": _object("", client=_MAYBE_TEXT, load_kg=_MAYBE_NUMBER, note=_TEXT),
        "Correction": _object(
            "kind",
            kind={"enum": ["delete", "restore", "count", "outcome"]},
            value={"type": ["integer", "string", "null"]},
            reason=_TEXT,
        ),
    }


def _machine(maybe_client: _Schema) -> _Schema:
    return _object(
        id=_TEXT,
        name=_TEXT,
        t_s=_NUMBER,
        rom=_MAYBE_NUMBER,
        phase={"enum": ["unknown", "bottom", "concentric", "hold", "eccentric"]},
        hold_s=_NUMBER,
        rest_s=_NUMBER,
        set_s=_NUMBER,
        count=_WHOLE,
        reached=_MAYBE_NUMBER,
        angle_deg=_MAYBE_NUMBER,
        behind_s=_NUMBER,
        link={"enum": ["connecting", "up", "lost", "ended"]},
        link_reason=_TEXT,
        sensor=_MAYBE_OBJECT,
        faults=_list(_TEXT),
        fault={"anyOf": [_object(text=_TEXT, blind=_FLAG), {"type": "null"}]},
        stage={"enum": ["before", "during", "after"]},
        doubt=_MAYBE_OBJECT,
        success=_MAYBE_OBJECT,
        cue=_MAYBE_TEXT,
        note=_MAYBE_OBJECT,
        reps=_list(_ANY_OBJECT),
        velocity_loss=_MAYBE_NUMBER,
        result=_MAYBE_OBJECT,
        target=_ANY_OBJECT,
        journal_trouble=_TEXT,
        set_id=_MAYBE_TEXT,
        client=maybe_client,
        load_kg=_MAYBE_NUMBER,
    )


def _list(items: _Schema) -> _Schema:
    return {"type": "array", "items": items}


def _object(*required: str, **properties: _Schema) -> _Schema:
    """An object; all of its members are there, or only those that are named first ("": none)."""
    needed = [name for name in required if name] if required else list(properties)
    schema: _Schema = {"type": "object", "properties": properties}
    return schema | ({"required": needed} if needed else {})

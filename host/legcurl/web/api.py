"""The service's JSON: machines, sets, clients, and what a coach adds to them.

Each endpoint is a small function from a request to an answer. What cannot be meant is an
`InputError` of the store or an `ApiError` from here, and app.py makes an answer of either. Every
write needs the right to change and the page's CSRF token: see `writing`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from legcurl.errors import InputError
from legcurl.events import plain
from legcurl.store.records import Client, Expected, SetQuery, StoredSet
from legcurl.web.access import COOKIE, SESSION_S, Session, TooManyTriesError, same
from legcurl.web.machine_json import whole

if TYPE_CHECKING:
    from legcurl.web.app import Service

BODY_MAX = 64 * 1024
IDENTIFY_S = 10
HISTORY_MAX = 500

Endpoint = Callable[[Request], Awaitable[Response]]


class ApiError(Exception):
    """An answer other than 200, in words."""

    def __init__(self, status: int, error: str, remedy: str = "", **headers: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.remedy = remedy
        self.headers = headers


def routes() -> list[Route]:
    """All endpoints under /api."""
    return [
        Route("/api/session", _session, methods=["GET"]),
        Route("/api/login", _login, methods=["POST"]),
        Route("/api/logout", _writing(_logout, right="view"), methods=["POST"]),
        Route("/api/events", _reading(_events), methods=["GET"]),
        Route("/api/stations", _reading(_stations), methods=["GET"]),
        Route("/api/stations/{machine}/next", _writing(_next), methods=["POST"]),
        Route("/api/stations/{machine}/identify", _writing(_identify), methods=["POST"]),
        Route("/api/stations/{machine}/day", _reading(_day), methods=["GET"]),
        Route("/api/stations/{machine}/day.csv", _reading(_day_csv), methods=["GET"]),
        Route("/api/sets", _reading(_sets), methods=["GET"]),
        Route("/api/sets/{id}.csv", _reading(_set_csv), methods=["GET"]),
        Route("/api/sets/{id}.png", _reading(_set_png), methods=["GET"]),
        Route("/api/sets/{id}/trace", _reading(_set_trace), methods=["GET"]),
        Route("/api/sets/{id}/corrections", _writing(_correct), methods=["POST"]),
        Route("/api/sets/{id}", _reading(_set), methods=["GET"]),
        Route("/api/sets/{id}", _writing(_change_set), methods=["PATCH"]),
        Route("/api/clients", _reading(_clients), methods=["GET"]),
        Route("/api/clients", _writing(_add_client), methods=["POST"]),
        Route("/api/clients/{id}/history", _reading(_history), methods=["GET"]),
        Route("/api/clients/{id}/sets.csv", _reading(_history_csv), methods=["GET"]),
    ]


# Who


def session_of(request: Request) -> Session | None:
    """The session of a request, or None."""
    return _service(request).access.who(request.cookies.get(COOKIE))


def _reading(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        session = session_of(request)
        if session is None or "view" not in session.rights:
            raise ApiError(401, "You are not signed in.", "Enter the PIN.")
        return await endpoint(request)

    return guarded


def _writing(endpoint: Endpoint, right: str = "change") -> Endpoint:
    async def guarded(request: Request) -> Response:
        session = session_of(request)
        if session is None:
            raise ApiError(401, "You are not signed in.", "Enter the PIN.")
        if right not in session.rights:
            raise ApiError(403, "You may look, not change.", "Sign in with the coach's PIN.")
        if not same(request.headers.get("x-csrf-token", ""), session.csrf):
            raise ApiError(403, "This change did not come from the page.", "Load the page again.")
        return await endpoint(request)

    return guarded


async def _session(request: Request) -> Response:
    session = session_of(request)
    if session is None:
        raise ApiError(401, "You are not signed in.", "Enter the PIN.")
    return JSONResponse(
        {
            "rights": sorted(session.rights),
            "csrf": session.csrf,
            "signed_in": _service(request).access.needs_pin,
        }
    )


async def _login(request: Request) -> Response:
    body = await _body(request)
    pin = body.get("pin")
    if not isinstance(pin, str):
        raise ApiError(400, "A PIN is a text.")
    try:
        signed_in = await _service(request).access.sign_in(pin)
    except TooManyTriesError as error:
        seconds = max(1, round(error.wait_s))
        raise ApiError(
            429, "Too many wrong PINs.", f"Wait {seconds} s.", **{"Retry-After": str(seconds)}
        ) from error
    if signed_in is None:
        raise ApiError(401, "Wrong PIN.")
    token, session = signed_in
    answer = JSONResponse({"rights": sorted(session.rights), "csrf": session.csrf})
    answer.set_cookie(
        COOKIE,
        token,
        max_age=SESSION_S,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


async def _logout(request: Request) -> Response:
    _service(request).access.sign_out(request.cookies.get(COOKIE))
    answer = JSONResponse({})
    answer.delete_cookie(COOKIE, path="/")
    return answer


# Machines


async def _events(request: Request) -> Response:
    service = _service(request)
    machine = request.query_params.get("machine")
    if machine is not None and machine not in service.gym.machines:
        raise ApiError(404, f"There is no machine {machine!r}.")
    last = request.headers.get("last-event-id") or request.query_params.get("last_event_id") or ""
    number = int(last) if last.isdecimal() and len(last) < 19 else None
    return StreamingResponse(
        service.broadcast.follow(machine, number),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stations(request: Request) -> Response:
    service = _service(request)
    return JSONResponse([service.snapshot(machine) for machine in service.gym.machines])


async def _next(request: Request) -> Response:
    service, machine = _service(request), _machine_id(request)
    body = await _body(request)
    before = service.keeper.expected(machine)
    expected = Expected(
        client_id=body.get("client", before.client_id), load_kg=body.get("load_kg", before.load_kg)
    )
    await service.expect(machine, expected)
    return JSONResponse(service.snapshot(machine))


async def _identify(request: Request) -> Response:
    service, machine = _service(request), _machine_id(request)
    station = service.gym.machines[machine].station
    if station is None:
        raise ApiError(409, "The sensor is not connected.", "Try again when it is.")
    await station.identify(IDENTIFY_S)
    return JSONResponse({})


async def _day(request: Request) -> Response:
    service, machine = _service(request), _machine_id(request)
    sets = await _sets_of_day(request)
    name = service.gym.machines[machine].name
    return JSONResponse(
        {"machine": {"id": machine, "name": name}, "sets": [row(stored) for stored in sets]}
    )


async def _day_csv(request: Request) -> Response:
    return _csv(f"{_machine_id(request)}-day.csv", _table(await _sets_of_day(request)))


async def _sets_of_day(request: Request) -> list[StoredSet]:
    text = request.query_params.get("date")
    try:
        day = date.fromisoformat(text) if text else datetime.now().astimezone().date()
    except ValueError as error:
        raise ApiError(400, f"{text!r} is no date.", "Write it as 2026-03-02.") from error
    begin = datetime.combine(day, time()).astimezone()
    query = SetQuery(machine_id=_machine_id(request), since=begin, until=begin + timedelta(days=1))
    return await _all(request, query)


# Sets


async def _sets(request: Request) -> Response:
    asked = request.query_params
    limit = asked.get("limit", "50")
    if not limit.isdecimal():
        raise ApiError(400, f"limit={limit}: must be a whole number.")
    query = SetQuery(
        machine_id=asked.get("machine"),
        client_id=asked.get("client"),
        since=_moment(asked.get("from")),
        until=_moment(asked.get("to")),
        before=asked.get("before"),
        limit=int(limit[:6]),
    )
    page = await _service(request).keeper.ask(lambda store: store.find_sets(query))
    return JSONResponse({"sets": [row(stored) for stored in page.sets], "next": page.next})


async def _set(request: Request) -> Response:
    stored = await _stored(request)
    previous = None
    if stored.client is not None:
        query = SetQuery(client_id=stored.client.id, until=stored.started, limit=10)
        page = await _service(request).keeper.ask(lambda store: store.find_sets(query))
        previous = next((row(other) for other in page.sets if not other.deleted), None)
    corrections = [
        {
            "kind": correction.kind,
            "value": correction.value,
            "who": correction.who,
            "at": correction.at.isoformat(),
            "reason": correction.reason,
        }
        for correction in stored.corrections
    ]
    return JSONResponse(
        row(stored)
        | {
            "set": plain(stored.result),
            "original": plain(stored.original),
            "corrections": corrections,
            "previous": previous,
        }
    )


async def _set_trace(request: Request) -> Response:
    set_id = request.path_params["id"]
    trace = await _service(request).keeper.ask(lambda store: store.trace(set_id))
    if trace is None:
        raise ApiError(404, "No trace of this set was kept.")
    angles = [None if angle != angle else round(angle, 3) for angle in trace.angle_deg]
    return JSONResponse({"t_s": [t / 1e6 for t in trace.t_us], "angle_deg": angles})


async def _set_csv(request: Request) -> Response:
    stored = await _stored(request)
    reps = [plain(rep) for rep in stored.result.reps]
    head = list(reps[0]) if reps else ["number"]
    return _csv(f"set-{stored.id}.csv", [head, *([rep[name] for name in head] for rep in reps)])


async def _set_png(request: Request) -> Response:
    service = _service(request)
    picture = await service.picture(await _stored(request))
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-cache"})


async def _change_set(request: Request) -> Response:
    body = await _body(request)
    changes = {"client_id" if name == "client" else name: value for name, value in body.items()}
    set_id = request.path_params["id"]
    await _service(request).keeper.ask(lambda store: store.change_set(set_id, changes))
    return await _set(request)


async def _correct(request: Request) -> Response:
    body = await _body(request)
    session = session_of(request)
    who = session.who if session is not None else ""
    set_id = request.path_params["id"]
    kind, value, reason = body.get("kind"), body.get("value"), body.get("reason", "")
    await _service(request).keeper.ask(
        lambda store: store.correct(set_id, kind, value, who=who, reason=reason)  # type: ignore[arg-type]
    )
    return await _set(request)


# Clients


async def _clients(request: Request) -> Response:
    clients = await _service(request).keeper.ask(lambda store: store.clients())
    return JSONResponse({"clients": [_client(client) for client in clients]})


async def _add_client(request: Request) -> Response:
    name = (await _body(request)).get("name")
    service = _service(request)
    client = await service.keeper.ask(lambda store: store.add_client(name))
    service.client_names[client.id] = client.name or ""
    return JSONResponse(_client(client), status_code=201)


async def _history(request: Request) -> Response:
    client_id = request.path_params["id"]
    client = await _service(request).keeper.ask(lambda store: store.client(client_id))
    sets = await _all(request, SetQuery(client_id=client_id))
    return JSONResponse({"client": _client(client), "sets": [row(stored) for stored in sets]})


async def _history_csv(request: Request) -> Response:
    client_id = request.path_params["id"]
    return _csv(
        f"client-{client_id}.csv", _table(await _all(request, SetQuery(client_id=client_id)))
    )


# Shapes


def row(stored: StoredSet) -> dict[str, Any]:
    """A set in a list."""
    result = stored.result
    completed = [rep for rep in result.reps if rep.completed]
    return {
        "id": stored.id,
        "machine": {"id": stored.machine.id, "name": stored.machine.name},
        "client": None if stored.client is None else _client(stored.client),
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


def _client(client: Client) -> dict[str, Any]:
    return {"id": client.id, "name": client.name or ""}


def machine_json(service: Service, machine_id: str) -> dict[str, Any]:
    """A machine as the page gets it."""
    machine = service.gym.machines[machine_id]
    expected = service.keeper.expected(machine_id)
    return {
        "id": machine_id,
        "name": machine.name,
        **whole(machine.state),
        "set_id": service.last_sets.get(machine_id),
        "client": None
        if expected.client_id is None
        else {"id": expected.client_id, "name": service.client_names.get(expected.client_id, "")},
        "load_kg": expected.load_kg,
    }


# Pieces


def _service(request: Request) -> Service:
    return request.app.state.service


def _machine_id(request: Request) -> str:
    machine = request.path_params["machine"]
    if machine not in _service(request).gym.machines:
        raise ApiError(404, f"There is no machine {machine!r}.")
    return machine


async def _stored(request: Request) -> StoredSet:
    set_id = request.path_params["id"]
    try:
        return await _service(request).keeper.ask(lambda store: store.get_set(set_id))
    except InputError as error:
        raise ApiError(404, str(error)) from error


async def _all(request: Request, query: SetQuery) -> list[StoredSet]:
    query = replace(query, limit=HISTORY_MAX)
    page = await _service(request).keeper.ask(lambda store: store.find_sets(query))
    return list(page.sets)


async def _body(request: Request) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise ApiError(415, "Send JSON.", "Set Content-Type: application/json.")
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY_MAX:
            raise ApiError(413, f"That is more than {BODY_MAX} bytes.")
    import json

    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "That is no JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "A JSON object is wanted.")
    return body


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(400, f"{text!r} is no time.", "Write it as 2026-03-02T09:30.") from error
    return moment.astimezone()


def _table(sets: Iterable[StoredSet]) -> list[list[Any]]:
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


def _csv(name: str, rows: Iterable[Iterable[Any]]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    for line in rows:
        writer.writerow([_harmless(cell) for cell in line])
    return Response(
        text.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula is no formula."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return "" if cell is None else cell

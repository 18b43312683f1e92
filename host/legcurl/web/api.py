"""The service's JSON: machines, sets, clients, and what a coach adds to them.

Each endpoint is a small function from a request to an answer. An invalid request is an
`InputError` of the store or an `ApiError`, and app.py makes an answer of either.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from legcurl.events import plain
from legcurl.presentation.coach_feedback import praise
from legcurl.store.records import Client, SetQuery, StoredSet, entered
from legcurl.web.authentication import COOKIE, SESSION_S, TooManyTriesError
from legcurl.web.requests import (
    ApiError,
    body_of,
    day_of,
    machine_of,
    moment_of,
    page_of,
    reading,
    service_of,
    session_of,
    writing,
)
from legcurl.web.responses import client_json, csv_answer, row, table, target_json

IDENTIFY_S = 10
EVENT_STREAM = "text/event-stream"


def routes() -> list[Route]:
    """All endpoints under /api."""
    return [
        Route("/api/session", _session, methods=["GET"]),
        Route("/api/login", _login, methods=["POST"]),
        Route("/api/logout", writing(_logout, right="view"), methods=["POST"]),
        Route("/api/events", reading(_events), methods=["GET"]),
        Route("/api/stations", reading(_stations), methods=["GET"]),
        Route("/api/stations/{machine}/next", writing(_next), methods=["POST"]),
        Route("/api/stations/{machine}/identify", writing(_identify), methods=["POST"]),
        Route("/api/stations/{machine}/day", reading(_day), methods=["GET"]),
        Route("/api/stations/{machine}/day.csv", reading(_day_csv), methods=["GET"]),
        Route("/api/sets", reading(_sets), methods=["GET"]),
        Route("/api/sets/{id}.csv", reading(_set_csv), methods=["GET"]),
        Route("/api/sets/{id}.png", reading(_set_png), methods=["GET"]),
        Route("/api/sets/{id}/trace", reading(_set_trace), methods=["GET"]),
        Route("/api/sets/{id}/corrections", writing(_correct), methods=["POST"]),
        Route("/api/sets/{id}", reading(_set), methods=["GET"]),
        Route("/api/sets/{id}", writing(_change_set), methods=["PATCH"]),
        Route("/api/gyms", reading(_gyms), methods=["GET"]),
        Route("/api/clients", reading(_clients), methods=["GET"]),
        Route("/api/clients", writing(_add_client), methods=["POST"]),
        Route("/api/clients/{id}/history", reading(_history), methods=["GET"]),
        Route("/api/clients/{id}/sets.csv", reading(_history_csv), methods=["GET"]),
    ]


async def _session(request: Request) -> Response:
    session = session_of(request)
    if session is None:
        raise ApiError(401, "You are not signed in.", "Enter the PIN.")
    return JSONResponse(
        {
            "rights": sorted(session.rights),
            "csrf": session.csrf,
            "signed_in": page_of(request).access.needs_pin,
        }
    )


async def _login(request: Request) -> Response:
    body = await body_of(request)
    pin = body.get("pin")
    if not isinstance(pin, str):
        raise ApiError(400, "A PIN is a text.")
    try:
        signed_in = await page_of(request).access.sign_in(pin)
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
    page_of(request).access.sign_out(request.cookies.get(COOKIE))
    answer = JSONResponse({})
    answer.delete_cookie(COOKIE, path="/")
    return answer


# Machines


async def _events(request: Request) -> Response:
    page = page_of(request)
    machine = request.query_params.get("machine")
    if machine is not None and machine not in page.service.gym.machines:
        raise ApiError(404, f"There is no machine {machine!r}.")
    if page.broadcast.full:
        raise ApiError(503, "Too many pages are open.", "Close some.", **{"Retry-After": "30"})
    if request.method == "HEAD":
        return Response(media_type=EVENT_STREAM)
    last = request.headers.get("last-event-id") or request.query_params.get("last_event_id") or ""
    number = int(last) if last.isascii() and last.isdecimal() and len(last) < 19 else None
    return _EventStream(
        page.broadcast.follow(machine, number),
        media_type=EVENT_STREAM,
        headers={"X-Accel-Buffering": "no"},
    )


class _EventStream(StreamingResponse):
    """Ends what it sends when the viewer has gone."""

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.body_iterator):  # type: ignore[type-var]
            await super().stream_response(send)


async def _stations(request: Request) -> Response:
    page = page_of(request)
    return JSONResponse([page.snapshot(machine) for machine in page.service.gym.machines])


async def _next(request: Request) -> Response:
    service, machine = service_of(request), machine_of(request)
    body = await body_of(request)
    fields = {"client_id" if name == "client" else name: value for name, value in body.items()}
    unknown = fields.keys() - {"client_id", "load_kg"}
    if unknown:
        raise ApiError(400, f"The next set has no field {min(unknown)!r}.")
    await service.expect(machine, entered(service.writer.expected(machine), **fields))
    return JSONResponse(page_of(request).snapshot(machine))


async def _identify(request: Request) -> Response:
    machine = machine_of(request)
    station = service_of(request).gym.machines[machine].station
    if station is None:
        raise ApiError(409, "The sensor is not connected.", "Try again when it is.")
    await station.identify(IDENTIFY_S)
    return JSONResponse({})


async def _day(request: Request) -> Response:
    machine, (begin, end) = machine_of(request), day_of(request)
    query = SetQuery(machine_id=machine, since=begin, until=end)
    return JSONResponse(
        {
            "machine": {"id": machine, "name": service_of(request).gym.machines[machine].name},
            "from": begin.isoformat(),
            "to": end.isoformat(),
            "sets": [row(stored) for stored in await _all(request, query)],
        }
    )


async def _day_csv(request: Request) -> Response:
    machine, (begin, end) = machine_of(request), day_of(request)
    sets = await _all(request, SetQuery(machine_id=machine, since=begin, until=end))
    return csv_answer(f"{machine}-{begin.date()}.csv", table(sets))


# Sets


async def _sets(request: Request) -> Response:
    asked = request.query_params
    limit = asked.get("limit", "50")
    if not (limit.isascii() and limit.isdecimal()):
        raise ApiError(400, f"limit={limit}: must be a whole number.")
    query = SetQuery(
        machine_id=asked.get("machine"),
        client_id=asked.get("client"),
        gym_id=asked.get("gym"),
        since=moment_of(asked.get("from")),
        until=moment_of(asked.get("to")),
        before=asked.get("before"),
        limit=int(limit[:6]),
    )
    page = await service_of(request).writer.ask(lambda store: store.find_sets(query))
    return JSONResponse({"sets": [row(stored) for stored in page.sets], "next": page.next})


async def _set(request: Request) -> Response:
    stored = await _stored(request)
    previous = None
    if stored.client is not None:
        query = SetQuery(client_id=stored.client.id, until=stored.started, limit=10)
        page = await service_of(request).writer.ask(lambda store: store.find_sets(query))
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
            "target": target_json(stored.result.judged_by),
            "original": plain(stored.original),
            "corrections": corrections,
            "previous": previous,
            "feedback": plain(praise(stored.result)),
        }
    )


async def _set_trace(request: Request) -> Response:
    set_id = request.path_params["id"]
    trace = await service_of(request).writer.ask(lambda store: store.trace(set_id))
    if trace is None:
        raise ApiError(404, "No trace of this set was kept.")
    angles = [None if angle != angle else round(angle, 3) for angle in trace.angle_deg]
    return JSONResponse({"t_s": [t / 1e6 for t in trace.t_us], "angle_deg": angles})


async def _set_csv(request: Request) -> Response:
    stored = await _stored(request)
    reps = [plain(rep) for rep in stored.result.reps]
    head = list(reps[0]) if reps else ["number"]
    return csv_answer(
        f"set-{stored.id}.csv", [head, *([rep[name] for name in head] for rep in reps)]
    )


async def _set_png(request: Request) -> Response:
    picture = await page_of(request).picture(await _stored(request))
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-cache"})


async def _change_set(request: Request) -> Response:
    body = await body_of(request)
    changes = {"client_id" if name == "client" else name: value for name, value in body.items()}
    set_id = (await _own_set(request)).id
    page = page_of(request)
    await page.service.writer.ask(lambda store: store.change_set(set_id, changes))
    if changes.keys() - {
        "note"
    }:  # it is kept while a coach types: no page wants it letter by letter
        page.broadcast.corrected(set_id)
    return await _set(request)


async def _correct(request: Request) -> Response:
    body = await body_of(request)
    session = session_of(request)
    who = session.who if session is not None else ""
    set_id = (await _own_set(request)).id
    kind, value, reason = body.get("kind"), body.get("value"), body.get("reason", "")
    page = page_of(request)
    await page.service.writer.ask(
        lambda store: store.correct(set_id, kind, value, who=who, reason=reason)  # type: ignore[arg-type]
    )
    page.broadcast.corrected(set_id)
    return await _set(request)


# Gyms and clients


async def _gyms(request: Request) -> Response:
    gyms = await service_of(request).writer.ask(lambda store: store.gyms())
    return JSONResponse({"gyms": [{"id": gym.id, "name": gym.name} for gym in gyms]})


async def _clients(request: Request) -> Response:
    clients = await service_of(request).writer.ask(lambda store: store.clients())
    return JSONResponse({"clients": [client_json(client) for client in clients]})


async def _add_client(request: Request) -> Response:
    name = (await body_of(request)).get("name")
    page = page_of(request)
    client = await page.service.writer.ask(lambda store: store.add_client(name))
    page.client_names[client.id] = client.name or ""
    return JSONResponse(client_json(client), status_code=201)


async def _history(request: Request) -> Response:
    client, query = await _client_asked(request)
    sets = await _all(request, query)
    return JSONResponse({"client": client_json(client), "sets": [row(stored) for stored in sets]})


async def _history_csv(request: Request) -> Response:
    client, query = await _client_asked(request)
    return csv_answer(f"client-{client.id}.csv", table(await _all(request, query)))


async def _client_asked(request: Request) -> tuple[Client, SetQuery]:
    client_id, asked = request.path_params["id"], request.query_params
    client = await service_of(request).writer.ask(lambda store: store.client(client_id))
    since, until = moment_of(asked.get("from")), moment_of(asked.get("to"))
    return client, SetQuery(client_id=client_id, since=since, until=until)


async def _stored(request: Request) -> StoredSet:
    set_id = request.path_params["id"]
    return await service_of(request).writer.ask(lambda store: store.get_set(set_id))


async def _own_set(request: Request) -> StoredSet:
    """The set that shall be changed: a gym's sets are changed there, and then told here."""
    stored = await _stored(request)
    if stored.machine.gym_id is not None:
        raise ApiError(409, "This set is kept by its gym.", "Change it on that gym's own page.")
    return stored


async def _all(request: Request, query: SetQuery) -> list[StoredSet]:
    """All sets of a query, a page at a time: others have their turn at the store in between."""
    found: list[StoredSet] = []
    while True:
        page = await service_of(request).writer.ask(
            lambda store, asked=query: store.find_sets(asked)
        )
        found += page.sets
        if page.next is None:
            return found
        query = replace(query, before=page.next)

"""What a request asks, who asks it, and how it is refused.

Every write needs the right to change and the page's CSRF token: see `writing`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from legcurl.web.authentication import COOKIE, Session, same

if TYPE_CHECKING:
    from legcurl.service.service import Service
    from legcurl.web.live_page import LivePage

BODY_MAX = 64 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


class ApiError(Exception):
    """An answer other than 200, in words."""

    def __init__(self, status: int, error: str, remedy: str = "", **headers: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.remedy = remedy
        self.headers = headers


def session_of(request: Request) -> Session | None:
    """The session of a request, or None."""
    return page_of(request).access.who(request.cookies.get(COOKIE))


def reading(endpoint: Endpoint) -> Endpoint:
    """An endpoint for those who may look."""

    async def guarded(request: Request) -> Response:
        session = session_of(request)
        if session is None or "view" not in session.rights:
            raise ApiError(401, "You are not signed in.", "Enter the PIN.")
        return await endpoint(request)

    return guarded


def writing(endpoint: Endpoint, right: str = "change") -> Endpoint:
    """An endpoint that changes something: for those who may, and only from our page."""

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


def page_of(request: Request) -> LivePage:
    """The page of this application."""
    return request.app.state.page


def service_of(request: Request) -> Service:
    """The service that the page shows."""
    return page_of(request).service


def machine_of(request: Request) -> str:
    """The id of the machine in the address."""
    machine = request.path_params["machine"]
    if machine not in service_of(request).gym.machines:
        raise ApiError(404, f"There is no machine {machine!r}.")
    return machine


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that came with a request."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise ApiError(415, "Send JSON.", "Set Content-Type: application/json.")
    content = b""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:12]) > BODY_MAX:
        raise ApiError(413, f"That is more than {BODY_MAX} bytes.")
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY_MAX:
            raise ApiError(413, f"That is more than {BODY_MAX} bytes.")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "That is no JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "A JSON object is wanted.")
    return body


def moment_of(text: str | None) -> datetime | None:
    """A moment of a query; without a zone it is the gym's, which is this computer's."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise ApiError(400, f"{text!r} is no time.", "Write it as 2026-03-02T09:30.") from error


def day_of(request: Request) -> tuple[datetime, datetime]:
    """A day of the gym's calendar, 23 to 25 hours of it, in the time zone of this computer."""
    text = request.query_params.get("date")
    try:
        day = date.fromisoformat(text) if text else datetime.now().astimezone().date()
        begin, end = (datetime.combine(one, time()) for one in (day, day + timedelta(days=1)))
        return begin.astimezone(), end.astimezone()
    except (ValueError, OverflowError) as error:
        raise ApiError(400, f"{text!r} is no date.", "Write it as 2026-03-02.") from error

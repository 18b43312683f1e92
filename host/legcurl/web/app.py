"""The page of a service as an ASGI application.

`create_app` puts together the endpoints (api.py), the page's files and the headers that keep other
sites out. The page (live_page.py) must run while requests are served.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from legcurl._version import __version__
from legcurl.errors import InputError, LegCurlError, LinkError, NoSuchRecordError, StoreError
from legcurl.service.metrics import CONTENT_TYPE
from legcurl.web import api
from legcurl.web.chart_worker import PainterBusyError, PainterFailedError
from legcurl.web.live_page import LivePage
from legcurl.web.requests import ApiError, page_of, service_of, session_of
from legcurl.web.security_headers import Guarded

PAGE = Path(__file__).parent / "page"
OPENAPI = Path(__file__).with_name("openapi.json")  # for programs; tests hold it to the routes


class PageFiles(StaticFiles):
    """The page's files, asked for anew each time (an ETag makes that cheap): no file is old."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, or that it has not changed."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def create_app(page: LivePage, *, hosts: Sequence[str]) -> Starlette:
    """The application. `hosts` are the names under which browsers may ask for it."""
    app = Starlette(
        routes=[
            *api.routes(),
            Route("/api/openapi.json", _openapi),
            Route("/healthz", _health),
            Route("/metrics", _metrics),
            Route("/", _page),
            Mount("/", PageFiles(directory=PAGE)),
        ],
        exception_handlers={
            ApiError: _refused,
            NoSuchRecordError: _not_there,
            InputError: _not_meant,
            StoreError: _store_failed,
            LinkError: _sensor_away,
            PainterBusyError: _busy,
            PainterFailedError: _failed,
            LegCurlError: _not_meant,
            HTTPException: _http_error,
        },
    )
    app.state.page = page
    app.add_middleware(Guarded, hosts=tuple(hosts))
    return app


async def _page(_request: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})


async def _openapi(_request: Request) -> Response:
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    document["info"]["version"] = __version__
    return JSONResponse(document)


async def _health(request: Request) -> Response:
    """Whether all is well, for a monitor; what is not, for who may look."""
    service, broadcast = service_of(request), page_of(request).broadcast
    verdict = await service.health.judge()
    well = verdict.status != "failing"
    told: dict[str, Any] = {"ok": well, "status": verdict.status}
    if session_of(request) is not None:
        told |= {
            "reasons": verdict.reasons,
            "machines": {
                name: machine.state.link for name, machine in service.gym.machines.items()
            },
            "sets_waiting": service.writer.pending,
            "store": service.writer.trouble or service.health.store_trouble or "ok",
            "journals": {
                name: machine.journal_trouble or "ok"
                for name, machine in service.gym.machines.items()
            },
            "viewers": broadcast.viewers,
            "skipped_messages": broadcast.skipped,
        }
        if service.publisher is not None:
            told["mqtt"] = asdict(service.publisher.figures)
    return JSONResponse(told, status_code=200 if well else 503)


async def _metrics(request: Request) -> Response:
    """The service's figures, for who may look and for a monitor that has the token."""
    if session_of(request) is None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not page_of(request).access.may_measure(token.strip()):
            raise ApiError(
                401,
                "Figures are for who may look.",
                "Sign in, or send the metrics token as a bearer token.",
                **{"WWW-Authenticate": "Bearer"},
            )
    return Response(service_of(request).metrics.text(), media_type=CONTENT_TYPE)


def _answer(status: int, error: str, remedy: str = "", headers: Any = None) -> Response:
    return JSONResponse({"error": error, "remedy": remedy}, status_code=status, headers=headers)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _answer(error.status, error.error, error.remedy, error.headers)


async def _not_there(_request: Request, error: Exception) -> Response:
    return _answer(404, str(error))


async def _not_meant(_request: Request, error: Exception) -> Response:
    return _answer(400, str(error))


async def _store_failed(_request: Request, error: Exception) -> Response:
    return _answer(503, str(error))


async def _sensor_away(_request: Request, error: Exception) -> Response:
    return _answer(409, str(error))


async def _busy(_request: Request, error: Exception) -> Response:
    return _answer(503, str(error), headers={"Retry-After": "2"})


async def _failed(_request: Request, error: Exception) -> Response:
    return _answer(500, str(error))


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, headers=error.headers)

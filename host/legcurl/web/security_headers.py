"""What every answer carries and every request must: the defences of the browser.

A page of another site must not read or change anything here, and a name that points at this host
(DNS rebinding) must not make it one of ours. So the Host header must be a name that we go by,
writes must come from a page of the same origin, and the policy lets the page load nothing but its
own files: no inline script or style, no frame, no form to elsewhere. Errors carry the same headers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), fullscreen=(self)",
}
ANY_HOST = "*"
OUR_PAGE = ("same-origin", "none")  # Sec-Fetch-Site: our page asks, or the address was typed


class Guarded:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is not ours, and put the headers on what is."""
        if scope["type"] == "websocket":  # there are none: closing it refuses it
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        app = self._app if refusal is None else refusal
        try:
            await app(scope, receive, with_headers)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if begun:
                raise
            await _failed(scope, receive, with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> ASGIApp | None:
        host = headers.get("host", "")
        if ANY_HOST not in self._hosts and _name_of(f"//{host}") not in self._hosts:
            return _refuse(
                421,
                f"This service does not go by the name {host!r}.",
                "Start it with --allow-host NAME to let it.",
            )
        other_site = headers.get("sec-fetch-site", "none") not in OUR_PAGE
        if method in SAFE_METHODS:
            if other_site and path.startswith("/api/"):
                return _refuse(403, "This question did not come from our page.")
            return None
        origin = headers.get("origin")
        if other_site or (origin is not None and _place_of(origin) != host.lower()):
            return _refuse(403, "This change did not come from our page.")
        return None


_failed = JSONResponse(
    {
        "error": "legcurl itself failed at this.",
        "remedy": "Its log says how: please report it.",
    },
    status_code=500,
)


def _refuse(status: int, error: str, remedy: str = "") -> ASGIApp:
    return JSONResponse({"error": error, "remedy": remedy}, status_code=status)


def _place_of(origin: str) -> str:
    """Name and port, as the Host header has them."""
    return origin.partition("://")[2].lower()


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""

"""What every answer carries and every request must: the defences of the browser.

A page of another site must not read or change anything here, and a name that points at this host
(DNS rebinding) must not make it one of ours. So the Host header must be a name that we go by,
writes must come from a page of the same origin, and the policy lets the page load nothing but its
own files: no inline script or style, no frame, no form to elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class Guarded:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is not ours, and put the headers on what is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        app = self._app if refusal is None else refusal
        await app(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers) -> ASGIApp | None:
        host = headers.get("host", "")
        if ANY_HOST not in self._hosts and _name_of(f"//{host}") not in self._hosts:
            return JSONResponse(
                {
                    "error": f"This service does not go by the name {host!r}.",
                    "remedy": "Start it with --allow-host NAME to let it.",
                },
                status_code=421,
            )
        if method in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        ours = origin is None or urlsplit(origin).netloc.lower() == host.lower()
        if not ours or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return JSONResponse(
                {"error": "This change did not come from our page.", "remedy": ""}, status_code=403
            )
        return None


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""

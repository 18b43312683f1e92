"""Runs the application on a socket until it is cancelled, and then ends it in order.

uvicorn would take over the process's signals and end it by exits of its own; here the command line
does both, so the server runs as one task among others.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from legcurl.errors import PortBusyError

GRACEFUL_S = 1  # for requests that are being answered, at the end
# A tablet that went out of range says nothing: who takes nothing for so long is gone.
TAKES_NOTHING_MS = 60_000
BACKLOG = 128


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command line."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. PortBusyError says what is in the way."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortBusyError(
            f"{host}:{port} cannot be served ({error.strerror or error}): choose another with "
            "--port, or end the program that has this one."
        ) from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; its connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TAKES_NOTHING_MS)
    return listener


async def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until cancelled; then close viewers' streams and give open requests GRACEFUL_S."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="web server")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        app.state.page.end()
        server.should_exit = True
        await task
        raise

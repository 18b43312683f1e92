"""`serve`: the coach's page, and everything behind it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.ending import run_until_ended

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

    from legcurl.gym import MachineSetup
    from legcurl.web.access import Access

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PIN_VARIABLE = "LEGCURL_PIN"
VIEW_PIN_VARIABLE = "LEGCURL_VIEW_PIN"


@click.command(short_help="Run the coach's page.")
@click.option(
    "--station",
    "stations",
    metavar="[NAME=]ADDRESS",
    multiple=True,
    help="A machine: its sensor's address, after a name if it shall have one. Repeat for more.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--store", metavar="URL", help="Where sets are kept. [default: the user's own]")
@click.option(
    "--allow-host", "names", metavar="NAME", multiple=True, help="A name that browsers may use."
)
def serve(
    stations: tuple[str, ...], host: str, port: int, store: str | None, names: tuple[str, ...]
) -> None:
    """Show every machine live in the browser, and keep every set.

    Beyond this computer (--host 0.0.0.0) a PIN is needed: put it into the environment as
    LEGCURL_PIN, and as LEGCURL_VIEW_PIN one that may only look.
    """
    from legcurl.errors import ConfigError

    access = _access(host)
    setups = _setups(stations)
    if not setups:
        raise ConfigError("Name at least one machine: legcurl serve --station serial:/dev/ttyACM0")
    hosts = {*LOOPBACK, host, *names}
    if host in ("0.0.0.0", "::"):
        hosts |= _own_names()
    try:
        from legcurl.store import open_store
        from legcurl.web.app import Service, create_app
        from legcurl.web.server import listen
    except ImportError as error:
        raise ConfigError(
            f"legcurl serve needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error
    with (
        open_store(store or f"sqlite:///{_own_store()}") as opened,
        listen(host, port) as opened_port,
    ):
        app = create_app(Service(setups, opened, access), hosts=sorted(hosts))
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        click.echo(f"http://{shown}:{opened_port.getsockname()[1]}/")
        run_until_ended(_serve(app, opened_port))


async def _serve(app: Starlette, listener: socket.socket) -> None:
    from legcurl.web.server import serve as serve_app

    await serve_app(app, listener)


def _access(host: str) -> Access:
    from legcurl.errors import ConfigError
    from legcurl.web.access import Access, hashed

    pins = {"change": os.environ.get(PIN_VARIABLE), "view": os.environ.get(VIEW_PIN_VARIABLE)}
    if host not in LOOPBACK and not pins["change"]:
        raise ConfigError(
            f"Beyond this computer ({host}) a PIN is needed: put one into the environment as "
            f"{PIN_VARIABLE}."
        )
    return Access({right: hashed(pin) for right, pin in pins.items() if pin})  # type: ignore[misc]


def _setups(stations: tuple[str, ...]) -> list[MachineSetup]:
    from legcurl.address import parse
    from legcurl.gym import MachineSetup

    setups = []
    for number, text in enumerate(stations, 1):
        name, equals, address = text.partition("=")
        if not equals or ":" in name:
            name, address = "", text
        parse(address)  # an address that cannot be meant is said before anything starts
        setups.append(MachineSetup(f"machine-{number}", name.strip(), address))
    return setups


def _own_store() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    folder = Path(base) / "legcurl"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "legcurl.db"


def _own_names() -> set[str]:
    import socket

    names = {socket.gethostname(), f"{socket.gethostname()}.local"}
    try:
        names |= {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:  # a host that does not know its own name is reached by --allow-host
        return names
    return names

"""`serve`: the coach's page, and everything behind it.

On a terminal it draws the first machine, from the same station as the page; elsewhere it says what
matters of each machine, a line at a time.
"""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.ending import run_until_ended
from legcurl.cli.options import store_option
from legcurl.cli.output import Picture, PlainLines, can_draw, logged_warnings_to, write_line

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine

    from legcurl.cli.output import EventOutput
    from legcurl.gym import Machine, MachineSetup
    from legcurl.hub import Reader
    from legcurl.mqtt.publisher import Publishing
    from legcurl.store.claim import Claim
    from legcurl.web.access import Access
    from legcurl.web.app import Service

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
@store_option
@click.option(
    "--allow-host", "names", metavar="NAME", multiple=True, help="A name that browsers may use."
)
@click.option("--broker", metavar="URL", help="Publish to it: mqtt[s]://[USER@]HOST[:PORT].")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Who signed the broker's name.")
@click.option("--gym", metavar="ID", help="This gym's id there.")
@click.option("--quiet", is_flag=True, help="Print nothing but the page's address.")
def serve(
    stations: tuple[str, ...],
    host: str,
    port: int,
    url: str | None,
    names: tuple[str, ...],
    broker: str | None,
    ca_file: Path | None,
    gym: str | None,
    quiet: bool,
) -> None:
    """Show every machine live in the browser, and keep every set.

    Beyond this computer (--host 0.0.0.0) a PIN is needed: put it into the environment as
    LEGCURL_PIN, and as LEGCURL_VIEW_PIN one that may only look. On a terminal the first machine
    is drawn live; elsewhere a line is printed for each event that matters. Ctrl-C ends it.
    """
    from legcurl.errors import ConfigError

    access = _access(host)
    setups = _setups(stations)
    if not setups and not (url or "").startswith("postgres"):  # a store of many gyms has its own
        raise ConfigError("Name at least one machine: legcurl serve --station serial:/dev/ttyACM0")
    hosts = {*LOOPBACK, host, *names}
    if host in ("0.0.0.0", "::"):
        hosts |= _own_names()
    try:
        from legcurl.store import open_store
        from legcurl.store.claim import claim
        from legcurl.store.places import own_store
        from legcurl.web.app import Service
        from legcurl.web.server import listen
    except ImportError as error:
        raise ConfigError(
            f"legcurl serve needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error
    publishing = _publishing(broker, ca_file, gym)
    place = url or own_store()
    with (
        # Before it is opened, because opening may upgrade it; who only shows sets needs none.
        claim(place, "legcurl serve") if setups else nullcontext() as held,
        open_store(place, publishing=publishing is not None) as opened,
        listen(host, port) as opened_port,
    ):
        service = Service(setups, opened, access, _journals_of(place), publishing=publishing)
        run_until_ended(_serve(service, sorted(hosts), opened_port, held, quiet=quiet))


async def _serve(
    service: Service,
    hosts: list[str],
    listener: socket.socket,
    held: Claim | None,
    *,
    quiet: bool,
) -> None:
    from legcurl.housekeeping import keep_house
    from legcurl.store.pruning import Retention
    from legcurl.web.app import create_app
    from legcurl.web.server import serve as serve_app

    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{shown}:{port}/"
    write_line(url)
    machines = list(service.gym.machines.values())
    output: EventOutput = PlainLines()
    settle: Callable[[], None] | None = None
    if machines and can_draw() and not quiet:
        output, settle = _picture(machines[0], url)
        machines[0].hub.attach("terminal", partial(_show, output))
    elif not quiet:
        settle = _say_what_matters(machines)
    house = None if held is None else keep_house(service.keeper.ask, held, Retention())
    try:
        with output, logged_warnings_to(output, "legcurl", "uvicorn"):
            async with running_beside(house):
                await serve_app(create_app(service, hosts=hosts), listener)
    finally:
        if settle is not None:
            settle()


@asynccontextmanager
async def running_beside(work: Coroutine[Any, Any, None] | None) -> AsyncIterator[None]:
    """Run something, if there is anything to run, while the block does."""
    import asyncio

    task = None if work is None else asyncio.ensure_future(work)
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _picture(machine: Machine, url: str) -> tuple[Picture, Callable[[], None]]:
    """The live view of a machine, and what to call at the end."""
    from rich.console import Console

    from legcurl.cli.unhurried import FRAMES_ROOM, UnhurriedFile

    file = UnhurriedFile(sys.stdout, FRAMES_ROOM)
    console = Console(file=file, highlight=False)  # type: ignore[arg-type]
    return Picture(machine.setup.address, f"{url}  Ctrl-C ends", console), file.settle


async def _show(output: EventOutput, reader: Reader) -> None:
    async for event in reader:
        output.show(event)
    output.end_of_events()


def _say_what_matters(machines: list[Machine]) -> Callable[[], None]:
    """Have each machine's events told in lines; gives what to call at the end."""
    from legcurl.cli.unhurried import GymLines

    lines = GymLines(sys.stdout)
    for machine in machines:
        machine.hub.listen("lines", partial(lines.hear, partial(getattr, machine, "name")))
    return lines.settle


def _publishing(broker: str | None, ca_file: Path | None, gym: str | None) -> Publishing | None:
    from legcurl.errors import ConfigError

    if broker is None:
        return None
    try:
        from legcurl.mqtt.messages import GymName
        from legcurl.mqtt.publisher import Publishing
        from legcurl.mqtt.settings import broker_of
        from legcurl.store.set_document import GYM_ID
    except ImportError as error:
        raise ConfigError(
            f"--broker needs more packages ({error.name}): pip install 'legcurl[mqtt]'"
        ) from error
    if gym is None or not GYM_ID.fullmatch(gym):
        raise ConfigError(
            f"{gym!r} is no gym's id: give --gym ID, up to 31 letters, digits, dots and dashes."
        )
    return Publishing(broker_of(broker, ca_file=ca_file), GymName(gym, gym))


def _access(host: str) -> Access:
    from legcurl.errors import ConfigError
    from legcurl.web.access import Access, hashed

    # Taken out of the environment: no process that we start needs to know them.
    pins = {
        "change": os.environ.pop(PIN_VARIABLE, None),
        "view": os.environ.pop(VIEW_PIN_VARIABLE, None),
    }
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


def _journals_of(store: str) -> Path:
    """The folder for the machines' journals: beside the database, or with the user's own things."""
    from legcurl.store.database import url_of
    from legcurl.store.places import file_of, own_folder

    file = file_of(url_of(store))
    return own_folder() / "journal" if file is None else file.with_name(f"{file.name}.journal")


def _own_names() -> set[str]:
    import socket

    names = {socket.gethostname(), f"{socket.gethostname()}.local"}
    try:
        names |= {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:  # a host that does not know its own name is reached by --allow-host
        return names
    return names

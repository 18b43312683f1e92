"""`serve`: the coach's page, and everything behind it.

On a terminal it draws the first machine, from the same station as the page; elsewhere it says what
matters of each machine, a line at a time.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.ending import ENDS_WITHIN_S, run_until_ended
from legcurl.cli.logged import Logging, log_options
from legcurl.cli.output import Picture, PlainLines, can_draw, write_line
from legcurl.logs import hide

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from legcurl.cli.output import EventOutput
    from legcurl.gym import Machine, MachineSetup
    from legcurl.hub import Reader
    from legcurl.logs import LogFormat
    from legcurl.mqtt.publisher import Publishing
    from legcurl.notify import Notifier
    from legcurl.web.access import Access
    from legcurl.web.app import Service

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PIN_VARIABLE = "LEGCURL_PIN"
VIEW_PIN_VARIABLE = "LEGCURL_VIEW_PIN"
METRICS_TOKEN_VARIABLE = "LEGCURL_METRICS_TOKEN"


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
@click.option("--broker", metavar="URL", help="Publish to it: mqtt[s]://[USER@]HOST[:PORT].")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Who signed the broker's name.")
@click.option("--gym", metavar="ID", help="This gym's id there.")
@log_options
@click.option("--quiet", is_flag=True, help="Print nothing but the page's address.")
def serve(
    stations: tuple[str, ...],
    host: str,
    port: int,
    store: str | None,
    names: tuple[str, ...],
    broker: str | None,
    ca_file: Path | None,
    gym: str | None,
    log_format: LogFormat,
    log_level: str,
    quiet: bool,
) -> None:
    """Show every machine live in the browser, and keep every set.

    Beyond this computer (--host 0.0.0.0) a PIN is needed: put it into the environment as
    LEGCURL_PIN, and as LEGCURL_VIEW_PIN one that may only look. On a terminal the first machine
    is drawn live; elsewhere a line is printed for each event that matters. Ctrl-C ends it.
    """
    from legcurl.notify import Notifier

    notifier = Notifier.from_environment()
    log = Logging(log_format, log_level)
    with log.errors():
        publishing = _publishing(broker, ca_file, gym)
        _serve_all(
            stations, host, port, store, names, notifier, log, publishing=publishing, quiet=quiet
        )


def _serve_all(
    stations: tuple[str, ...],
    host: str,
    port: int,
    store: str | None,
    names: tuple[str, ...],
    notifier: Notifier,
    log: Logging,
    *,
    publishing: Publishing | None,
    quiet: bool,
) -> None:
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
        from legcurl.web.app import Service
        from legcurl.web.server import listen
    except ImportError as error:
        raise ConfigError(
            f"legcurl serve needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error
    url = store or f"sqlite:///{_own_store()}"
    with (
        open_store(url, publishing=publishing is not None) as opened,
        listen(host, port) as opened_port,
    ):
        service = Service(setups, opened, access, _journals_of(url), publishing=publishing)
        work = _serve(service, sorted(hosts), opened_port, notifier, log, quiet=quiet)
        run_until_ended(work, ENDS_WITHIN_S)


async def _serve(
    service: Service,
    hosts: list[str],
    listener: socket.socket,
    notifier: Notifier,
    log: Logging,
    *,
    quiet: bool,
) -> None:
    from legcurl.cli.supervised import supervised
    from legcurl.web.app import create_app
    from legcurl.web.server import serve as serve_app

    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{shown}:{port}/"
    write_line(url)
    first, *_ = machines = list(service.gym.machines.values())
    output: EventOutput = PlainLines()
    settle: Callable[[], None] | None = None
    if can_draw() and not quiet:
        output, settle = _picture(first, url)
        first.hub.attach("terminal", partial(_show, output))
    elif not quiet:
        settle = _say_what_matters(machines)
    try:
        with output, log.to(output):
            async with supervised(service, notifier):
                await serve_app(create_app(service, hosts=hosts), listener)
    finally:
        if settle is not None:
            settle()


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
        "change": _secret(PIN_VARIABLE),
        "view": _secret(VIEW_PIN_VARIABLE),
    }
    token = _secret(METRICS_TOKEN_VARIABLE) or ""
    hide(*pins.values(), token)
    if host not in LOOPBACK and not pins["change"]:
        raise ConfigError(
            f"Beyond this computer ({host}) a PIN is needed: put one into the environment as "
            f"{PIN_VARIABLE}."
        )
    hashes = {right: hashed(pin) for right, pin in pins.items() if pin}
    return Access(hashes, metrics_token=token)  # type: ignore[arg-type]


def _secret(variable: str) -> str | None:
    """A secret from the environment, or from the file that VARIABLE_FILE names there."""
    from legcurl.errors import ConfigError

    said = os.environ.pop(variable, None)
    file = os.environ.pop(f"{variable}_FILE", None)
    if said or not file:
        return said
    try:
        return Path(file).read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{variable}_FILE: {file} cannot be read ({reason}).") from error


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
    return _own_folder() / "legcurl.db"


def _own_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    folder = Path(base) / "legcurl"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _journals_of(store: str) -> Path:
    """The folder for the machines' journals: beside the database, or with the user's own things."""
    kind, _, path = store.partition(":///")
    return Path(f"{path}.journal") if kind == "sqlite" and path else _own_folder() / "journal"


def _own_names() -> set[str]:
    import socket

    names = {socket.gethostname(), f"{socket.gethostname()}.local"}
    try:
        names |= {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:  # a host that does not know its own name is reached by --allow-host
        return names
    return names

"""`serve`: the coach's page, and everything behind it.

On a terminal it draws the first machine, from the same station as the page; elsewhere it says what
matters of each machine, a line at a time.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from legcurl.cli.shared.options import LogOptions, log_options, store_option
from legcurl.cli.shared.output import Picture, PlainLines, can_draw, write_line
from legcurl.cli.shared.signals import ENDS_WITHIN_S, run_until_ended
from legcurl.store.service_lock import ServiceLock

if TYPE_CHECKING:
    import socket

    from legcurl.cli.serve_config import Wanted
    from legcurl.cli.serve_reload import Reloader
    from legcurl.cli.shared.output import EventOutput
    from legcurl.config import Config
    from legcurl.events import Event
    from legcurl.gym.machine import Machine
    from legcurl.service.service import Service
    from legcurl.service.systemd import Notifier
    from legcurl.web.live_page import LivePage


@click.command(short_help="Run the coach's page.")
@click.option(
    "--station",
    "stations",
    metavar="[NAME=]ADDRESS",
    multiple=True,
    help="A machine: its sensor's address, after a name if it shall have one. Repeat for more.",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="A gym's configuration: see 'legcurl config'. Options stand over it.",
)
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: 8080]")
@store_option
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
    file: Path | None,
    host: str | None,
    port: int | None,
    url: str | None,
    names: tuple[str, ...],
    broker: str | None,
    ca_file: Path | None,
    gym: str | None,
    log_format: str | None,
    log_level: str | None,
    quiet: bool,
) -> None:
    """Show every machine live in the browser, and keep every set.

    Beyond this computer (--host 0.0.0.0) a PIN is needed: put it into the environment as
    LEGCURL_PIN, and as LEGCURL_VIEW_PIN one that may only look. On a terminal the first machine
    is drawn live; elsewhere a line is printed for each event that matters. Ctrl-C ends it; with
    --config, SIGHUP has the file read again.
    """
    from legcurl.cli.serve_config import Options, Wanted
    from legcurl.config import ConfigSource
    from legcurl.service.systemd import Notifier

    notifier = Notifier.from_environment()
    options = Options(stations, host, port, url, names, broker, ca_file, gym, log_format, log_level)
    with LogOptions.of(log_format, log_level).errors():  # until the configuration says how
        wanted = Wanted(ConfigSource(file, os.environ), options)
        config = wanted.read()
    log = LogOptions(config.log.format, config.log.level)
    with log.errors():
        _serve_all(wanted, config, _Around(notifier, log, quiet))


@dataclass(frozen=True, slots=True)
class _Around:
    """What is around a service: who is told how it is, and how."""

    notifier: Notifier
    log: LogOptions
    quiet: bool


def _serve_all(wanted: Wanted, config: Config, around: _Around) -> None:
    from legcurl.cli.serve_config import access_of, journals_of, publishing_of, setups_of
    from legcurl.cli.serve_reload import Reloader
    from legcurl.errors import ConfigError

    place = config.store.url
    try:
        from legcurl.gym.gym import Gym
        from legcurl.service.gc_tuning import tend_garbage
        from legcurl.service.service import Service
        from legcurl.store import open_store
        from legcurl.store.locations import own_store
        from legcurl.store.service_lock import service_lock
        from legcurl.web.live_page import LivePage
        from legcurl.web.server import listen
    except ImportError as error:
        raise ConfigError(
            f"legcurl serve needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error
    access, publishing = access_of(config), publishing_of(config)
    place = place or own_store()
    mine = (
        service_lock(place, "legcurl serve", gym_id=config.gym.id)
        if config.machines
        else nullcontext()
    )
    with (
        mine as held,  # before it is opened, because opening may upgrade it
        open_store(place, publishing=publishing is not None) as store,
        listen(config.web.host, config.web.port) as listener,
    ):
        gym = Gym(setups_of(config), journals=journals_of(config, place))
        service = Service(gym, store, publishing=publishing)
        page = LivePage(service, access)
        reloader = Reloader(page, wanted, config, around.notifier)
        on_hang_up = reloader.ask if wanted.has_file else None
        beside = (reloader.run(), tend_garbage(), *_keeping_house(service, held, config))
        work = _serve(page, listener, config, reloader, beside, around)
        run_until_ended(work, ENDS_WITHIN_S, on_hang_up)


async def _serve(
    page: LivePage,
    listener: socket.socket,
    config: Config,
    reloader: Reloader,
    beside: Sequence[Coroutine[Any, Any, None]],
    around: _Around,
) -> None:
    from legcurl.cli.serve_config import hosts_of
    from legcurl.service.systemd import supervised
    from legcurl.web.app import create_app
    from legcurl.web.server import serve as serve_app

    service, app = page.service, create_app(page, hosts=hosts_of(config))
    url = _url_of(listener)
    write_line(url)
    output: EventOutput = PlainLines()
    settle: Callable[[], None] = _nothing
    if service.gym.machines and can_draw() and not around.quiet:
        output, reloader.changed, settle = _draw_first(service, url)
    elif not around.quiet:
        reloader.changed, settle = _say_what_matters(service)
    try:
        with output, around.log.to(output):
            _warn(config)
            async with (
                page.running(),
                supervised(service, around.notifier),
                running_beside(beside),
            ):
                await serve_app(app, listener)
    finally:
        settle()


def _keeping_house(
    service: Service, held: ServiceLock | None, config: Config
) -> list[Coroutine[Any, Any, None]]:
    """What the store needs of its service; who only shows it does nothing to it."""
    from legcurl.service.maintenance import keep_house
    from legcurl.store.maintenance.retention import Retention

    if held is None:
        return []
    kept = Retention(config.store.keep_traces_days, config.store.keep_sets_days)
    return [keep_house(service.writer.ask, held, kept)]


def _warn(config: Config) -> None:
    import logging

    for warning in config.warnings:
        logging.getLogger(__name__).warning("%s.", warning)


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


@asynccontextmanager
async def running_beside(works: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these while the block runs."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _draw_first(
    service: Service, url: str
) -> tuple[Picture, Callable[[], None], Callable[[], None]]:
    """Have the first machine drawn; when that is taken out, the one that is first then.

    Gives the picture, and what to call when there are other machines, and at the end.
    """
    drawn = next(iter(service.gym.machines.values()))
    output, settle = _picture(drawn, url)
    _listen(output, drawn)

    def follow() -> None:
        nonlocal drawn
        machines = list(service.gym.machines.values())
        if drawn not in machines:
            drawn = machines[0]
            output.turn_to(drawn.setup.address, drawn.state)
            _listen(output, drawn)

    return output, follow, settle


def _listen(output: Picture, machine: Machine) -> None:
    def show(event: Event) -> None:
        output.judge_by(machine.state.method)  # a reload may have changed it
        output.show(event)

    machine.bus.listen("terminal", show, output.end_of_events)


def _picture(machine: Machine, url: str) -> tuple[Picture, Callable[[], None]]:
    """The live view of a machine, and what to call at the end."""
    from rich.console import Console

    from legcurl.cli.shared.nonblocking_output import FRAMES_ROOM, UnhurriedFile

    file = UnhurriedFile(sys.stdout, FRAMES_ROOM)
    console = Console(file=file, highlight=False)  # type: ignore[arg-type]
    return Picture(machine.setup.address, f"{url}  Ctrl-C ends", console), file.settle


def _say_what_matters(service: Service) -> tuple[Callable[[], None], Callable[[], None]]:
    """Have each machine's events told in lines.

    Gives what to call when there are other machines, and at the end.
    """
    from legcurl.cli.shared.gym_lines import GymLines

    lines = GymLines(sys.stdout)

    def follow_all() -> None:
        for machine in service.gym.machines.values():
            machine.bus.listen("lines", partial(lines.hear, machine))

    follow_all()
    return follow_all, lines.settle


def _nothing() -> None:
    pass

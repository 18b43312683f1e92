"""What `serve` is told: options over variables over the file, and the parts that follow from it.

Read once at the start, and again whenever the service is told to (SIGHUP): the options and the
environment are those of the start, the files are read anew.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from legcurl.config import Config, ConfigSource, MachineConfig, Secret
from legcurl.config.model import without_password
from legcurl.errors import ConfigError
from legcurl.gym.machine import MachineSetup
from legcurl.identifiers import GYM_ID, GYM_ID_MAX, id_rule
from legcurl.logs import hide
from legcurl.training_method import TrainingMethod

if TYPE_CHECKING:
    from legcurl.mqtt.publisher import Publishing
    from legcurl.web.authentication import Access, Right

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ALL_ADDRESSES = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line; None or empty: not said."""

    stations: tuple[str, ...] = ()  # [NAME=]ADDRESS
    host: str | None = None
    port: int | None = None
    store: str | None = None
    allow_hosts: tuple[str, ...] = ()
    broker: str | None = None
    ca_file: Path | None = None
    gym: str | None = None
    log_format: str | None = None
    log_level: str | None = None


class Wanted:
    """Where the service's configuration comes from, as often as it is asked for."""

    def __init__(self, source: ConfigSource, options: Options) -> None:
        self.has_file = source.path is not None
        self._source = source
        self._options = options

    def read(self) -> Config:
        """The configuration as it stands now. Raises ConfigError."""
        config = _with_options(self._source.read(), self._options)
        if self._options.broker is not None:
            config = _with_broker(config, self._options, self._source.broker_password())
        web = config.web
        secrets = (web.pin, web.view_pin, web.metrics_token, config.mqtt and config.mqtt.password)
        hide(*(secret.value for secret in secrets if secret))
        url = config.store.url
        hide(None if url is None or url == without_password(url) else url)
        for refusal in refusals(config):
            raise ConfigError(refusal)
        return config


def refusals(config: Config) -> list[str]:
    """Why a service would not start with a configuration that is well in itself.

    A check of a file does not know the options and the environment that the service will have.
    """
    found = []
    if config.web.host not in LOOPBACK and config.web.pin is None:
        found.append(
            f"Beyond this computer ({config.web.host}) a PIN is needed: put one into the "
            "environment as LEGCURL_PIN, or name a file that holds it as pin_file in [web]."
        )
    # A store of many gyms has sets of its own to show.
    if not config.machines and not (config.store.url or "").startswith("postgres"):
        found.append(
            "Name at least one machine: as [[machine]] in the configuration, or with --station "
            "serial:/dev/ttyACM0"
        )
    return found


def _with_options(config: Config, options: Options) -> Config:
    web, store, log, gym = config.web, config.store, config.log, config.gym
    if options.host is not None:
        web = replace(web, host=options.host)
    if options.port is not None:
        web = replace(web, port=options.port)
    if options.store is not None:
        store = replace(store, url=options.store)
    if options.log_format is not None:
        log = replace(log, format=options.log_format)
    if options.log_level is not None:
        log = replace(log, level=options.log_level)
    web = replace(web, allow_hosts=(*web.allow_hosts, *options.allow_hosts))
    machines = _machines(options.stations, config.method) if options.stations else config.machines
    config = replace(config, web=web, store=store, log=log, machines=machines)
    if options.gym is not None:
        config = replace(config, gym=replace(gym, id=options.gym))
    return config


def _machines(stations: tuple[str, ...], method: TrainingMethod) -> tuple[MachineConfig, ...]:
    from legcurl.links.address import parse

    machines = []
    for number, text in enumerate(stations, 1):
        name, equals, address = text.partition("=")
        if not equals or ":" in name:
            name, address = "", text
        parse(address)  # a wrong address is an error before anything starts
        machines.append(MachineConfig(f"machine-{number}", address, name.strip(), method=method))
    return tuple(machines)


def _with_broker(config: Config, options: Options, given: Secret | None) -> Config:
    """The broker of the command line, with what its URL does not say as it was said elsewhere."""
    from legcurl.config.broker_url import broker_of

    assert options.broker is not None
    if not GYM_ID.fullmatch(config.gym.id):
        raise ConfigError(
            f"{config.gym.id!r} is no gym's id: give --gym ID, {id_rule(GYM_ID_MAX)}."
        )
    broker = broker_of(options.broker, ca_file=options.ca_file)
    before = config.mqtt or broker
    broker = replace(
        broker,
        username=broker.username or before.username,
        password=broker.password or before.password or given,
        home_assistant=before.home_assistant,
        traces=before.traces,
    )
    if broker.password is not None and broker.username is None:
        raise ConfigError(f"A password needs a user name: mqtt://USER@{broker.host}")
    return replace(config, mqtt=broker)


def setups_of(config: Config) -> list[MachineSetup]:
    """The machines to follow."""
    return [
        MachineSetup(machine.id, machine.name, machine.address, machine.calibration, machine.method)
        for machine in config.machines
    ]


def hashes_of(config: Config) -> dict[Right, str]:
    """The PINs as they are kept: hashed."""
    from legcurl.web.authentication import hashed

    pins: dict[Right, object] = {"change": config.web.pin, "view": config.web.view_pin}
    return {right: hashed(pin.value) for right, pin in pins.items() if pin}  # type: ignore[attr-defined]


def access_of(config: Config) -> Access:
    """Who may look, and who may change."""
    from legcurl.web.authentication import Access

    return Access(hashes_of(config), metrics_token=token_of(config))


def token_of(config: Config) -> str:
    """What a monitor shows to read the figures; empty: none can."""
    token = config.web.metrics_token
    return "" if token is None else token.value


def publishing_of(config: Config) -> Publishing | None:
    """To whom the gym publishes; None without a broker. ConfigError if that takes a package."""
    if config.mqtt is None:
        return None
    try:
        from legcurl.mqtt import publisher
    except ImportError as error:
        raise ConfigError(
            f"A broker needs more packages ({error.name}): pip install 'legcurl[mqtt]'"
        ) from error
    return publisher.publishing_of(config)


def hosts_of(config: Config) -> list[str]:
    """The names under which browsers may ask for the page."""
    host = config.web.host
    hosts = {*LOOPBACK, host, *config.web.allow_hosts}
    if host in ALL_ADDRESSES:
        hosts |= _own_names()
    return sorted(hosts)


def journals_of(config: Config, store: str) -> Path:
    """The folder for the machines' journals: as said, else beside the database, else one's own."""
    from legcurl.store.database import file_of, url_of
    from legcurl.store.locations import own_folder

    if config.store.journal is not None:
        return config.store.journal
    file = file_of(url_of(store))
    return own_folder() / "journal" if file is None else file.with_name(f"{file.name}.journal")


def _own_names() -> set[str]:
    names = {socket.gethostname(), f"{socket.gethostname()}.local"}
    try:
        names |= {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:  # a host that does not know its own name is reached by --allow-host
        return names
    return names

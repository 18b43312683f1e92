"""Where the broker is and how to be let in: `[mqtt]` of the configuration, or `--broker URL`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from legcurl.errors import ConfigError

PORT = 1883
TLS_PORT = 8883
PASSWORD_VARIABLE = "LEGCURL_MQTT_PASSWORD"
_HOW = "Write mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS."


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """A broker, and what to tell it. The password is in no repr and no message."""

    host: str
    port: int = PORT
    tls: bool = False
    ca_file: Path | None = None  # None: what the system trusts
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    home_assistant: bool = False
    traces: bool = True  # send the raw angles with each set

    @property
    def where(self) -> str:
        """The broker as messages name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def broker_of(url: str, *, ca_file: Path | None = None) -> MqttConfig:
    """The broker at a URL. ConfigError for what cannot be meant, without repeating a password.

    A password is best put into the environment (LEGCURL_MQTT_PASSWORD), where no list of processes
    shows it; it is taken out of there, because nothing that we start needs to know it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"The broker's URL has no port that can be meant. {_HOW}") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigError(f"That is no URL of a broker. {_HOW}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(f"A broker's URL ends with its port. {_HOW}")
    tls = parts.scheme == "mqtts"
    if ca_file is not None and not tls:
        raise ConfigError("A CA file is for TLS: write mqtts:// instead of mqtt://.")
    password = os.environ.pop(PASSWORD_VARIABLE, None)
    if parts.password is not None:
        password = unquote(parts.password)
    if password is not None and not parts.username:
        raise ConfigError(f"A password needs a user name: mqtt://USER@{parts.hostname}")
    return MqttConfig(
        host=parts.hostname,
        port=port or (TLS_PORT if tls else PORT),
        tls=tls,
        ca_file=ca_file,
        username=unquote(parts.username) if parts.username else None,
        password=password,
    )


def with_choices(broker: MqttConfig, *, home_assistant: bool, traces: bool) -> MqttConfig:
    """The same broker, told more or less."""
    return replace(broker, home_assistant=home_assistant, traces=traces)

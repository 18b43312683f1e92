"""A broker from a URL, without a configuration file: `--broker mqtts://USER@HOST:PORT`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from legcurl.config.model import MQTT_PORT, MQTT_TLS_PORT, MqttConfig, Secret
from legcurl.errors import ConfigError
from legcurl.logs import hide

_HOW = "Write mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS."


def broker_of(
    url: str, *, ca_file: Path | None = None, password: Secret | None = None
) -> MqttConfig:
    """The broker at a URL; `password` is used where the URL has none.

    Raises ConfigError for an invalid URL; the message holds no password. Lists of processes show a
    password in a URL: `ConfigSource.broker_password` takes one from the environment instead.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"The broker's URL has an invalid port. {_HOW}") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigError(f"That is no URL of a broker. {_HOW}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(f"A broker's URL ends with its port. {_HOW}")
    tls = parts.scheme == "mqtts"
    if ca_file is not None and not tls:
        raise ConfigError("A CA file is for TLS: write mqtts:// instead of mqtt://.")
    if parts.password is not None:
        password = Secret(unquote(parts.password))
    if password is not None:
        hide(password.value)
    if password is not None and not parts.username:
        raise ConfigError(f"A password needs a user name: mqtt://USER@{parts.hostname}")
    return MqttConfig(
        host=parts.hostname,
        port=port or (MQTT_TLS_PORT if tls else MQTT_PORT),
        tls=tls,
        ca_file=ca_file,
        username=unquote(parts.username) if parts.username else None,
        password=password,
    )

"""A broker from a URL, for who has no configuration file: `--broker mqtts://USER@HOST:PORT`."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from legcurl.config.model import MQTT_PORT, MQTT_TLS_PORT, MqttConfig, Secret
from legcurl.errors import ConfigError
from legcurl.logs import hide

PASSWORD_VARIABLE = "LEGCURL_MQTT_PASSWORD"
_HOW = "Write mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS."


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
    password = _given_password()
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


def _given_password() -> Secret | None:
    """The password in the environment, or in the file that it names."""
    said = os.environ.pop(PASSWORD_VARIABLE, None)
    file = os.environ.pop(f"{PASSWORD_VARIABLE}_FILE", None)
    if file and not said:
        try:
            said = Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(
                f"{PASSWORD_VARIABLE}_FILE: {file} cannot be read ({reason})."
            ) from error
    return Secret(said) if said else None

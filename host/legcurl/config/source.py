"""Reads a configuration from a file, the environment, and files of secrets.

The environment is copied once, at the start, and its secrets are removed from it, so that child
processes do not inherit them. Each `read` reads the files again.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

from legcurl.config.model import Config, Secret, without_password
from legcurl.config.parser import InvalidConfigError, Problem, read_broker_password, read_config
from legcurl.config.schema import PREFIX, SECRETS
from legcurl.errors import ConfigError

LONGEST_BYTES = 1 << 20  # a gym of 500 machines has 60 kB
STORE_URL = f"{PREFIX}STORE_URL"  # a secret, if there is a password in it
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd's LoadCredential= puts files there


class ConfigSource:
    """A file, or None, and the environment, from which this removes the secrets."""

    def __init__(self, path: Path | None, environment: MutableMapping[str, str]) -> None:
        self.path = path
        self._variables = {
            name: value for name, value in environment.items() if name.startswith(PREFIX)
        }
        self._credentials = environment.get(CREDENTIALS)
        for variable in SECRETS.values():
            environment.pop(variable, None)
            environment.pop(f"{variable}_FILE", None)
        store = environment.get(STORE_URL, "")
        if store != without_password(store):
            del environment[STORE_URL]
        self._open_to_others: list[str] = []

    def read(self) -> Config:
        """The configuration of now. Raises ConfigError with all problems at once."""
        self._open_to_others = []
        text = "" if self.path is None else _text_of(self.path)
        name = "the environment" if self.path is None else str(self.path)
        config = read_config(
            text,
            name=name,
            variables=self._variables,
            read_secret=self._read_secret,
            find_file=self._find_readable,
        )
        warnings = tuple(
            f"{path} holds a secret and others may read it: chmod 600 {path}"
            for path in self._open_to_others
        )
        return replace(config, warnings=config.warnings + warnings)

    def broker_password(self) -> Secret | None:
        """The environment's password for a broker that is named elsewhere. Raises ConfigError."""
        return read_broker_password(self._variables, self._read_secret)

    def _find_readable(self, named: Path) -> Path:
        path = self._find(str(named))
        try:
            with open(path, "rb"):
                return path
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error

    def _read_secret(self, named: str) -> str:
        path = self._find(named)
        try:
            with open(path, "rb") as file:
                content = file.read(LONGEST_BYTES)
            if path.stat().st_mode & 0o077 and not self._is_credential(path):
                self._open_to_others.append(str(path))
            return content.decode()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is no text in UTF-8.") from error

    def _find(self, named: str) -> Path:
        """A file's path; relative ones are systemd's credentials, or beside the configuration."""
        try:
            path = Path(named).expanduser()
        except RuntimeError as error:
            raise ConfigError(f"{named}: there is no user of that name.") from error
        if not path.is_absolute():
            if self._credentials and (Path(self._credentials) / path).exists():
                return Path(self._credentials) / path
            if self.path is not None:
                return self.path.parent / path
        return path

    def _is_credential(self, path: Path) -> bool:
        return self._credentials is not None and path.is_relative_to(self._credentials)


def _text_of(path: Path) -> str:
    def wrong(text: str) -> InvalidConfigError:
        return InvalidConfigError((Problem(str(path), text),))

    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        hint = " Make one with: legcurl config init" if isinstance(error, FileNotFoundError) else ""
        raise wrong(f"it cannot be read: {error.strerror}.{hint}") from error
    if len(content) > LONGEST_BYTES:
        raise wrong("it is longer than 1 MB, and no configuration: name another file.")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidConfigError(
            (Problem(f"{path}, line {line}", "it is no text in UTF-8: save it as that."),)
        ) from error

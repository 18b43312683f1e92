"""The keys of a configuration and the checks of their values.

Checks, hints and variables all follow from `SECTIONS` (parser.py). A check gives the value as the
service uses it, or raises WrongValueError with what is valid. These checks are written by hand,
because a problem names its line and remedy, and all problems are listed at once; msgspec stops at
the first, and its messages give types.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from legcurl.config.model import PIN_MAX, PIN_MIN, TOKEN_MIN
from legcurl.errors import ConfigError
from legcurl.identifiers import GYM_ID, GYM_ID_MAX, MACHINE_ID, MACHINE_ID_MAX, id_rule
from legcurl.links.address import parse
from legcurl.training_method import TrainingMethod, read_method

PREFIX = "LEGCURL_"
NAME_MAX = 80
MACHINES_MAX = 500
DAYS_MAX = 100 * 366
PORT_MAX = 65535
SECRET_MAX = 1024
NEAR = 0.75  # similarity of variables without their prefix; 1 is equal
HOST = re.compile(r"[^\s/@?#,\"'\[\]]{1,253}")
SQLITE = ("sqlite", "sqlite+pysqlite")
POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")
SERVER = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
PINS = ("LEGCURL_PIN", "LEGCURL_VIEW_PIN")
METRICS_TOKEN = "LEGCURL_METRICS_TOKEN"
# Variables of secrets, by section and key of the file that may hold one instead.
SECRETS = {
    ("web", "pin_file"): PINS[0],
    ("web", "view_pin_file"): PINS[1],
    ("web", "metrics_token_file"): METRICS_TOKEN,
    ("mqtt", "password_file"): "LEGCURL_MQTT_PASSWORD",
}


# Likely wrong names of variables, and the right ones.
ALIASES = {
    f"{PREFIX}{section}_{key.removesuffix('_file')}".upper(): variable
    for (section, key), variable in SECRETS.items()
}


class WrongValueError(Exception):
    """An invalid value; the message says what is valid."""


Check = Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongValueError("a text in quotes")
    if len(value) > NAME_MAX or not value.isprintable():
        raise WrongValueError(f"a text of at most {NAME_MAX} characters, on one line")
    return value.strip()


def _long_text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 500 or not value.isprintable():
        raise WrongValueError("a text in quotes, on one line")
    return value


def _secret_file(value: Any) -> str:
    try:
        return _long_text(value)
    except WrongValueError as error:
        raise WrongValueError("the path of a file that holds it, in quotes") from error


def _path(value: Any) -> Path:
    try:
        return Path(_long_text(value)).expanduser()
    except RuntimeError as error:
        raise WrongValueError("a path; there is no user of that name") from error


@dataclass(frozen=True, slots=True)
class _Integer:
    """Checks an integer's range."""

    lowest: int
    highest: int

    def __call__(self, value: Any) -> int:
        if type(value) is not int or not self.lowest <= value <= self.highest:
            raise WrongValueError(f"a whole number from {self.lowest} to {self.highest}")
        return value


def _degrees(value: Any) -> float:
    if type(value) not in (int, float) or not -360 <= value <= 720:  # as no nan is
        raise WrongValueError("an angle in degrees, as the sensor gives it")
    return float(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongValueError(
            "a section: write [machine.method] on a line after the machine's keys"
        )
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError("true or false, without quotes")
    return value


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise WrongValueError(" or ".join(f'"{choice}"' for choice in choices))
        return value

    return check


def _id(pattern: re.Pattern[str], longest: int) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise WrongValueError(id_rule(longest))
        return value

    return check


def _address(value: Any) -> str:
    text = _long_text(value)
    try:
        parse(text)
    except ConfigError as error:
        raise WrongValueError(f"the way to a sensor. {str(error).rstrip('.')}") from error
    return text


def _host(value: Any) -> str:
    if not isinstance(value, str) or not HOST.fullmatch(value) or not value.isprintable():
        raise WrongValueError("a host's name or address alone")
    return value


def _store(value: Any) -> str:
    text = _long_text(value)
    scheme, _, rest = text.partition("://")
    if scheme in SQLITE and rest[:1] == "/" != rest and "memory" not in re.split("[:?&=]", rest):
        return text  # a store in memory would end with the service
    server = re.split("[/?]", rest.rpartition("@")[2], maxsplit=1)[0]
    at_port = SERVER.fullmatch(server)
    if scheme in POSTGRESQL and at_port and int(at_port[2] or 1) <= PORT_MAX:
        return text
    raise WrongValueError('"sqlite:///FILE" or "postgresql://USER@HOST/DATABASE"')


def _hosts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 50:
        raise WrongValueError('a list of names, such as ["gym.example"]')
    return tuple(_host(one) for one in value)


def _field_of_method(name: str) -> Check:
    def check(value: Any) -> Any:
        try:
            return getattr(read_method({name: value}), name)
        except ConfigError as error:
            raise WrongValueError(str(error).partition(": give ")[2].rstrip(".")) from error

    return check


METHOD = {field.name: _field_of_method(field.name) for field in fields(TrainingMethod)}

SECTIONS: dict[str, dict[str, Check]] = {
    "gym": {"id": _id(GYM_ID, GYM_ID_MAX), "name": _text},
    "method": METHOD,
    "machine": {
        "id": _id(MACHINE_ID, MACHINE_ID_MAX),
        "name": _text,
        "address": _address,
        "extended_deg": _degrees,
        "flexed_deg": _degrees,
        "method": _table,
    },
    "store": {
        "url": _store,
        "journal": _path,
        "keep_traces_days": _Integer(1, DAYS_MAX),
        "keep_sets_days": _Integer(1, DAYS_MAX),
    },
    "web": {
        "host": _host,
        "port": _Integer(0, PORT_MAX),
        "allow_hosts": _hosts,
        "pin_file": _secret_file,
        "view_pin_file": _secret_file,
        "metrics_token_file": _secret_file,
    },
    "mqtt": {
        "host": _host,
        "port": _Integer(1, PORT_MAX),
        "tls": _boolean,
        "ca_file": _path,
        "username": _long_text,
        "password_file": _secret_file,
        "home_assistant": _boolean,
        "traces": _boolean,
    },
    "log": {
        "format": _one_of("text", "json"),
        "level": _one_of("debug", "info", "warning", "error"),
    },
}


def as_toml(said: str, check: Check) -> Any:
    """The text of a variable as the TOML value that `check` expects."""
    if check is _hosts:
        return [name.strip() for name in said.split(",") if name.strip()]
    if check is _boolean:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            said.lower(), said
        )
    if check in METHOD.values():
        try:
            return tomllib.loads(f"value = {said}")["value"]
        except (ValueError, RecursionError):  # no TOML, or none that can be read
            return said
    if isinstance(check, _Integer) and re.fullmatch(r"-?[0-9]{1,12}", said):
        return int(said)
    return said


def check_secret(variable: str, content: str) -> None:
    """WrongValueError, which does not quote it, if a secret is invalid for its variable."""
    if not content or len(content) > SECRET_MAX or not content.isprintable():
        raise WrongValueError(f"one line of text, {SECRET_MAX} characters at most")
    if variable in PINS and not PIN_MIN <= len(content) <= PIN_MAX:
        raise WrongValueError(f"a PIN, and a PIN has {PIN_MIN} to {PIN_MAX} characters")
    if variable == METRICS_TOKEN and not (len(content) >= TOKEN_MIN and content.isascii()):
        raise WrongValueError(f"a token of at least {TOKEN_MIN} plain characters")


def variables_of(section: str) -> dict[str, Check]:
    """The variables that override a section's keys, with their checks."""
    if section == "machine":
        return {}
    return {f"{PREFIX}{section}_{key}".upper(): check for key, check in SECTIONS[section].items()}


def unknown_variables(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Variables that resemble known ones and are unknown, each with a remedy.

    Other variables with the prefix, of the simulator and of tests, are ignored.
    """
    known = {name for section in SECTIONS for name in variables_of(section)}
    known |= {*SECRETS.values(), *(f"{name}_FILE" for name in SECRETS.values())}
    tails = sorted(name.removeprefix(PREFIX) for name in known)
    starts = tuple(f"{PREFIX}{section}_".upper() for section in SECTIONS)
    for name in sorted(set(names) - known):
        if name.startswith(f"{PREFIX}MACHINE_"):
            yield name, "machines have no variables: name them in the file, or with --station."
            continue
        near = get_close_matches(name.removeprefix(PREFIX), tails, 1, NEAR)
        if near or name in ALIASES or name.startswith(starts):
            meant = ALIASES.get(name) or (f"{PREFIX}{near[0]}" if near else "")
            yield name, f"there is no such variable.{f' Did you mean {meant}?' if meant else ''}"

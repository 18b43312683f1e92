"""Parses a TOML text and variables to a configuration, or to all of its problems at once.

schema.py has the keys and their checks. A variable LEGCURL_WEB_PORT overrides `port` in `[web]`,
and so on for every key except those of machines. The text holds no secrets: a key that ends in
`_file` names a file that holds one, or a variable holds it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from legcurl.config.model import (
    MQTT_PORT,
    MQTT_TLS_PORT,
    Config,
    GymConfig,
    LogConfig,
    MachineConfig,
    MqttConfig,
    Secret,
    StoreConfig,
    WebConfig,
    without_password,
)
from legcurl.config.schema import (
    MACHINES_MAX,
    METHOD,
    PREFIX,
    SECRETS,
    SECTIONS,
    Check,
    WrongValueError,
    as_toml,
    check_secret,
    unknown_variables,
    variables_of,
)
from legcurl.config.toml_positions import Place, lines_of
from legcurl.errors import CalibrationError, ConfigError
from legcurl.training_method import read_method

ONE_HOST = ("serial:", "ble:", "tcp:")  # a sensor streams to one at a time


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: where it is, and its remedy."""

    where: str  # "gym.toml, line 7" or a variable
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


class InvalidConfigError(ConfigError):
    """An invalid configuration; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        more = len(problems) - 1
        others = f" ({more} more: legcurl config check lists them)" if more else ""
        super().__init__(f"{problems[0]}{others}")
        self.problems = problems


ReadSecret = Callable[[str], str]  # a file's path to its content; ConfigError if it cannot be read
FindFile = Callable[[Path], Path]  # a file as it is named to where it is; ConfigError likewise


def read_config(
    text: str,
    *,
    name: str = "the configuration",
    variables: Mapping[str, str] | None = None,
    read_secret: ReadSecret | None = None,
    find_file: FindFile | None = None,
) -> Config:
    """The configuration of a TOML text and variables. Raises InvalidConfigError.

    `name` names the file in messages; `read_secret` reads files of secrets, and `find_file` gives
    the paths of other files that must exist.
    """
    parser = _Parser(text, name, variables or {}, read_secret or _no_files, find_file or _as_named)
    return parser.config()


def read_broker_password(
    variables: Mapping[str, str], read_secret: ReadSecret | None = None
) -> Secret | None:
    """The password for a broker that is named elsewhere. Raises InvalidConfigError."""
    parser = _Parser("", "", variables, read_secret or _no_files, _as_named)
    return parser.broker_password()


def _no_files(path: str) -> str:
    raise ConfigError(f"{path} cannot be read here.")


def _as_named(path: Path) -> Path:
    return path


class _Parser:
    """One pass over a text that keeps valid values and lists problems."""

    def __init__(
        self,
        text: str,
        name: str,
        variables: Mapping[str, str],
        read_secret: ReadSecret,
        find_file: FindFile,
    ) -> None:
        self._name = name
        self._variables = variables
        self._read_secret = read_secret
        self._find_file = find_file
        self._problems: list[Problem] = []
        self._lines: dict[Place, int] = {}
        self._tables: dict[str, Any] = {}
        try:
            self._tables = tomllib.loads(text)
            self._lines = lines_of(text)
        except ValueError as error:
            if not isinstance(error, tomllib.TOMLDecodeError):  # a number of thousands of digits
                error = ValueError("a number is too long")
            self._add_problem((), f"this is no TOML: {error}.")
        except RecursionError:
            self._add_problem((), "this is no TOML that can be read: it is nested too deeply.")

    def config(self) -> Config:
        """The configuration. Raises InvalidConfigError."""
        self._refuse_unknown((), self._tables, list(SECTIONS), "section")
        for variable, text in unknown_variables(self._variables):
            self._problems.append(Problem(variable, text))
        gym = self._section("gym")
        method = self._section("method")
        machines = self._machines(method)
        store, web, log = (self._section(name) for name in ("store", "web", "log"))
        self._refuse_password()
        mqtt = self._section("mqtt")
        secrets = {key: self._secret(section, key) for section, key in SECRETS}
        self._refuse_same_pins(secrets["pin_file"], secrets["view_pin_file"])
        config = Config(
            gym=GymConfig(**gym),
            method=read_method(method),
            machines=machines,
            store=StoreConfig(**store),
            web=WebConfig(
                **{key: value for key, value in web.items() if not key.endswith("_file")},
                pin=secrets["pin_file"],
                view_pin=secrets["view_pin_file"],
                metrics_token=secrets["metrics_token_file"],
            ),
            mqtt=self._broker(mqtt, gym, secrets["password_file"]),
            log=LogConfig(**log),
        )
        self._refuse()
        return config

    def broker_password(self) -> Secret | None:
        """The broker's password alone. Raises InvalidConfigError."""
        password = self._secret("mqtt", "password_file")
        self._refuse()
        return password

    def _refuse(self) -> None:
        if self._problems:
            raise InvalidConfigError(tuple(sorted(self._problems, key=_by_line)))

    def _section(self, section: str) -> dict[str, Any]:
        """The valid keys of a section, overridden by its variables."""
        table = self._tables.get(section, {})
        if not isinstance(table, dict):
            self._add_problem((section,), f"[{section}] is a section: write [{section}] on a line.")
            table = {}
        values = self._checked((section,), table, SECTIONS[section])
        for variable, check in variables_of(section).items():
            said = self._variables.get(variable)
            if not said:  # container tools pass an empty variable for one that is not set
                continue
            key = variable.removeprefix(f"{PREFIX}{section}_".upper()).lower()
            try:
                values[key] = check(as_toml(said, check))
            except WrongValueError as error:
                shown = "it" if (section, key) in SECRETS else _short(said)
                self._problems.append(Problem(variable, f"{shown} must be {error}."))
        return values

    def _checked(self, place: Place, table: dict[str, Any], keys: Mapping[str, Check]) -> Any:
        self._refuse_unknown(place, table, list(keys), "key")
        values: dict[str, Any] = {}
        for key, check in keys.items():
            if key not in table:
                continue
            try:
                values[key] = check(table[key])
            except WrongValueError as error:
                is_secret = (place[0], key) in SECRETS  # or a secret in the wrong key
                shown = "" if is_secret else f" = {_short(table[key])}"
                self._add_problem((*place, key), f"{key}{shown}: must be {error}.")
        return values

    def _machines(self, method: dict[str, Any]) -> tuple[MachineConfig, ...]:
        tables = self._tables.get("machine", [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._add_problem(
                ("machine",), "write [[machine]], with two brackets, before each machine."
            )
            return ()
        if len(tables) > MACHINES_MAX:
            self._add_problem(("machine", MACHINES_MAX), f"more than {MACHINES_MAX} machines.")
            return ()
        machines: list[MachineConfig] = []
        ids: dict[str, int] = {}
        addresses: dict[str, int] = {}
        for number, table in enumerate(tables):
            place = ("machine", number)
            values = self._checked(place, table, SECTIONS["machine"])
            own = self._checked((*place, "method"), values.get("method", {}), METHOD)
            values["method"] = read_method(method | own)
            lacking = [key for key in ("id", "address") if key not in table]
            for key in lacking:
                self._add_problem(place, f"this machine has no {key}: add {key} = … to it.")
            # The id names the journal's folder, and some file systems ignore case.
            self._refuse_twice(ids, number, "id", values.get("id", "").lower())
            if values.get("address", "").startswith(ONE_HOST):
                self._refuse_twice(addresses, number, "address", values["address"])
            if "id" in values and "address" in values:
                self._note_range(place, table, machine := MachineConfig(**values))
                machines.append(machine)
        return tuple(machines)

    def _refuse_twice(self, seen: dict[str, int], number: int, key: str, value: str) -> None:
        known = seen.setdefault(value, number) if value else number
        if known != number:
            line = self._line(("machine", known, key))
            self._add_problem(
                ("machine", number, key),
                f"the machine on line {line} has this {key} already: give each its own.",
            )

    def _note_range(self, place: Place, table: dict[str, Any], machine: MachineConfig) -> None:
        ends = [key for key in ("extended_deg", "flexed_deg") if key in table]
        if len(ends) == 1:
            self._add_problem(
                (*place, ends[0]), "a range has two ends: extended_deg and flexed_deg."
            )
            return
        try:
            _ = machine.calibration
        except CalibrationError as error:
            self._add_problem((*place, "flexed_deg"), str(error))

    def _broker(
        self, values: dict[str, Any], gym: dict[str, Any], password: Secret | None
    ) -> MqttConfig | None:
        values = {key: value for key, value in values.items() if key != "password_file"}
        if not values and "mqtt" not in self._tables:  # a password alone is for --broker
            return None
        if "host" not in values:
            if "host" not in self._tables.get("mqtt", {}):
                self._add_problem(
                    ("mqtt",), "there is no host: add the broker's, or take [mqtt] out."
                )
            return None
        if not gym.get("id"):
            self._add_problem(
                ("gym",), "a broker needs to know which gym this is: add id = … to [gym]."
            )
        if password is not None and "username" not in values:
            self._add_problem(("mqtt", "password_file"), "a password needs a username beside it.")
        if "ca_file" in values:
            variable = f"{PREFIX}MQTT_CA_FILE"
            where = variable if self._variables.get(variable) else None
            if not values.get("tls"):
                self._add_problem(("mqtt", "ca_file"), "a CA is for TLS: add tls = true.", where)
            try:
                values["ca_file"] = self._find_file(values["ca_file"])
            except ConfigError as error:
                self._add_problem(("mqtt", "ca_file"), str(error), where)
        values.setdefault("port", MQTT_TLS_PORT if values.get("tls") else MQTT_PORT)
        return MqttConfig(**values, password=password)

    def _secret(self, section: str, key: str) -> Secret | None:
        """A secret from its variable, or from the file that a variable or the text names."""
        variable = SECRETS[section, key]
        said = self._variables.get(variable)
        if said:
            try:
                check_secret(variable, said)
            except WrongValueError as error:
                self._problems.append(Problem(variable, f"must be {error}."))
            return Secret(said)
        table = self._tables.get(section)
        written = table.get(key) if isinstance(table, dict) else None
        over = self._variables.get(f"{variable}_FILE") or self._variables.get(
            f"{PREFIX}{section}_{key}".upper()
        )
        path = over or written
        if not isinstance(path, str) or not path:
            return None
        where = f"{variable}_FILE" if over else None
        try:
            content = self._read_secret(path).strip()
        except ConfigError as error:
            self._add_problem((section, key), str(error), where)
            return None
        try:
            check_secret(variable, content)
        except WrongValueError as error:
            self._add_problem((section, key), f"{path} must hold {error}.", where)
            return None
        return Secret(content)

    def _refuse_password(self) -> None:
        """Refuse a store's URL with a password in the text."""
        store = self._tables.get("store")
        url = store.get("url") if isinstance(store, dict) else None
        if isinstance(url, str) and url != without_password(url):
            self._add_problem(
                ("store", "url"),
                "the password in this URL is a secret and does not belong into this file: put the "
                "whole URL into the environment as LEGCURL_STORE_URL, or the password into "
                "~/.pgpass.",
            )

    def _refuse_same_pins(self, pin: Secret | None, view_pin: Secret | None) -> None:
        if pin is not None and pin == view_pin:
            self._add_problem(
                ("web", "view_pin_file"),
                "the two PINs are the same, so the read-only PIN would allow changes: give viewers "
                "another.",
            )

    def _refuse_unknown(
        self, place: Place, table: dict[str, Any], known: list[str], kind: str
    ) -> None:
        for key in table:
            if key in known:
                continue
            if place and (place[0], f"{key}_file") in SECRETS:
                variable = SECRETS[str(place[0]), f"{key}_file"]
                self._add_problem(
                    (*place, key),
                    f"{key} is a secret and does not belong into this file: put it into a file of "
                    f"its own and write {key}_file = …, or into the environment as {variable}.",
                )
                continue
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            self._add_problem((*place, key), f"there is no {kind} {key[:40]!r}: {hint}")

    def _add_problem(self, place: Place, text: str, where: str | None = None) -> None:
        self._problems.append(Problem(where or self._where(place), text))

    def _where(self, place: Place) -> str:
        line = self._line(place)
        return self._name if line is None else f"{self._name}, line {line}"

    def _line(self, place: Place) -> int | None:
        """The line of a place, or of the innermost table around it that has one."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._lines:
                return self._lines[place[:length]]
        return None


def _by_line(problem: Problem) -> tuple[int, int]:
    """The order of problems: by line; those without a line last."""
    line = re.search(r", line ([0-9]+)$", problem.where)
    return (0, int(line[1])) if line else (1, 0)


def _short(value: Any) -> str:
    """A value for a message, with possible passwords hidden."""
    if isinstance(value, str):
        value = without_password(value)
        if "://" not in value:  # USER:PASSWORD@HOST, where a host alone belongs
            value = re.sub(r":.*@", ":***@", value)
    if isinstance(value, date | time):
        return str(value)
    try:
        text = repr(value) if not isinstance(value, bool) else str(value).lower()
    except ValueError:  # a hexadecimal number may have more digits than Python prints
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}…"

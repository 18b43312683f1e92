"""The configuration as the service uses it: frozen values, no files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from legcurl.motion import Calibration
from legcurl.training_method import STANDARD, TrainingMethod

PIN_MIN = 4
PIN_MAX = 64
TOKEN_MIN = 16  # of the metrics token: too long to guess, so tries are not limited

HIDDEN = "(set, not shown)"
MQTT_PORT = 1883
MQTT_TLS_PORT = 8883


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that no message, log or repr shows."""

    value: str

    def __repr__(self) -> str:
        return "Secret()"

    def __str__(self) -> str:
        return HIDDEN


@dataclass(frozen=True, slots=True)
class GymConfig:
    """The gym's id and name, for a store of many gyms."""

    id: str = ""  # needed where there is a broker
    name: str = ""  # empty: the id


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """A machine and the address of its sensor."""

    id: str
    address: str
    name: str = ""  # empty: the sensor's own
    extended_deg: float | None = None
    flexed_deg: float | None = None
    method: TrainingMethod = STANDARD  # the gym's, with what this machine has of its own

    @property
    def calibration(self) -> Calibration | None:
        """The operator's range; None: the sensor's own, else it is learnt live."""
        if self.extended_deg is None or self.flexed_deg is None:
            return None
        return Calibration(self.extended_deg, self.flexed_deg)


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where sets are stored, and for how long."""

    url: str | None = field(default=None, repr=False)  # None: the user's own; may hold a password
    journal: Path | None = None  # None: beside the database
    keep_traces_days: int | None = None  # None: for ever
    keep_sets_days: int | None = None


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The coach's page and its access."""

    host: str = "127.0.0.1"
    port: int = 8080
    allow_hosts: tuple[str, ...] = ()
    pin: Secret | None = None
    view_pin: Secret | None = None
    metrics_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """A broker, and what is published to it."""

    host: str
    port: int = MQTT_PORT
    tls: bool = False
    ca_file: Path | None = None  # None: what the system trusts
    username: str | None = None
    password: Secret | None = None
    home_assistant: bool = False
    traces: bool = True  # send the raw angles with each set

    @property
    def where(self) -> str:
        """The broker as messages name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How the service logs."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "warning"


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. `warnings` are shown and stop nothing."""

    gym: GymConfig = GymConfig()
    method: TrainingMethod = STANDARD  # of machines that have none of their own
    machines: tuple[MachineConfig, ...] = ()
    store: StoreConfig = StoreConfig()
    web: WebConfig = WebConfig()
    mqtt: MqttConfig | None = None
    log: LogConfig = LogConfig()
    warnings: tuple[str, ...] = ()


def without_password(url: str) -> str:
    """A URL with its password hidden, before the host or in the query."""
    url = re.sub(r"(?<=://)([^:/]*):.*@", r"\1:***@", url, count=1)
    return re.sub(r"(?i)([?&](?:ssl)?password=)[^&]*", r"\1***", url)


def shown(value: Any) -> Any:
    """A configuration as JSON values, with secrets hidden."""
    if isinstance(value, Secret | Path):
        return str(value)
    if isinstance(value, str):
        return without_password(value)
    if isinstance(value, tuple):
        return [shown(one) for one in value]
    if is_dataclass(value):
        return {one.name: shown(getattr(value, one.name)) for one in fields(value)}
    return value

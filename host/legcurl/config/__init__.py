"""The operator's configuration: a TOML file, overridden by the environment, and files of secrets.

`read_config` is pure: it takes a text and variables and gives a `Config`, or raises all problems,
each with its line and remedy. `ConfigSource` reads the files, at the start and at each reload.
"""

from legcurl.config.model import (
    Config,
    GymConfig,
    LogConfig,
    MachineConfig,
    MqttConfig,
    Secret,
    StoreConfig,
    WebConfig,
)
from legcurl.config.parser import InvalidConfigError, Problem, read_config
from legcurl.config.source import ConfigSource

__all__ = [
    "Config",
    "ConfigSource",
    "GymConfig",
    "InvalidConfigError",
    "LogConfig",
    "MachineConfig",
    "MqttConfig",
    "Problem",
    "Secret",
    "StoreConfig",
    "WebConfig",
    "read_config",
]

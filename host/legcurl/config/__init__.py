"""What the operator wants: one TOML file, the environment over it, and secrets from elsewhere.

`read_config` is pure: a text and variables in, a `Config` out, or all that is wrong with them, each
with its line and what to write instead. `ConfigSource` does the reading of files, once at the start
and again whenever the service is told to.
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

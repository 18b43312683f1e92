"""Where the firmware's files are: inside the wheel, or beside the host in a checkout.

The simulator runs these very files, the installer copies them to a board. There is one copy in
the repository, and one function that finds it.
"""

from __future__ import annotations

import re
from pathlib import Path

import legcurl
from legcurl.errors import ConfigError

IN_WHEEL = "_firmware"  # host/pyproject.toml puts ../firmware there
ENTRY = "main.py"

_VERSION = re.compile(r'^FIRMWARE_VERSION = "([^"]+)"$', re.MULTILINE)


def firmware_directory() -> Path:
    """The folder that holds the firmware's main.py."""
    package = Path(legcurl.__file__).resolve().parent
    places = (package / IN_WHEEL, package.parents[1] / "firmware")
    for place in places:
        if (place / ENTRY).is_file():
            return place
    raise ConfigError(
        f"The sensor's firmware is not where it should be ({' or '.join(map(str, places))}): "
        "install legcurl again."
    )


def firmware_version() -> str:
    """The version that the firmware says it is."""
    file = firmware_directory() / "sensor" / "__init__.py"
    found = _VERSION.search(file.read_text(encoding="utf-8"))
    if found is None:
        raise ConfigError(f"{file} has no FIRMWARE_VERSION: install legcurl again.")
    return found[1]


def shims_directory() -> Path:
    """The folder of the modules that stand in for a board's (machine, time, …)."""
    return Path(legcurl.__file__).resolve().parent / "simulator" / "shims"

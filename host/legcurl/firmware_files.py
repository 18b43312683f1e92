"""Where the firmware's files are: inside the wheel, or beside the host in a checkout.

The simulator runs these files; the installer copies them to a board.
"""

from __future__ import annotations

import re
from pathlib import Path

from legcurl.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent
IN_WHEEL = "_firmware"  # host/pyproject.toml puts ../firmware there
ENTRY = "main.py"

_VERSION = re.compile(r'^FIRMWARE_VERSION = "([^"]+)"$', re.MULTILINE)


def firmware_directory() -> Path:
    """The folder that holds the firmware's main.py."""
    places = (PACKAGE / IN_WHEEL, PACKAGE.parents[1] / "firmware")
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
    return PACKAGE / "simulator" / "shims"

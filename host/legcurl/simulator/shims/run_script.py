"""Starts any MicroPython program on a board with a radio: `run_script.py FILE`.

For programs that are not this sensor's firmware: no board file, no settings, no world. The
environment's LEGCURL_RADIO_FD and LEGCURL_PACE are as in boot.py; see docs/virtual-radio.md.
"""

import sys


def main():
    """Run the program; the exit code."""
    shims = sys.argv[0].rpartition("/")[0] or "."
    path = sys.argv[1]
    sys.path.insert(0, shims)
    import simimports

    simimports.install(shims, path.rpartition("/")[0] or ".")
    import uos
    from simclock import Restart, WorldEnded, clock

    clock.set_pace(uos.getenv("LEGCURL_PACE") or "1")
    with open(path) as file:
        program = compile(file.read(), path, "exec")
    try:
        exec(program, {"__name__": "__main__", "__file__": path})
    except (WorldEnded, Restart):
        return 0
    return 0


sys.exit(main())

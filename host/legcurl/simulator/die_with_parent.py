"""Runs a module as a program that ends when its parent does, however the parent ended.

    python -m legcurl.simulator.die_with_parent MODULE [ARGUMENT…]

The parent holds the other end of this process's standard input and never writes to it. When the
parent is gone, be it by SIGKILL, the kernel closes that end, reading gives end of file, and the
process kills its process group, of which it must be the leader: itself and what the parent put
beside it. That works wherever there are pipes; Linux's PR_SET_PDEATHSIG does not, and it follows
the thread that forked, not the process.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _leave_with_parent() -> None:
    while os.read(0, 1):  # a parent that writes anyway is ignored
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Watch standard input from a thread of its own and run the module."""
    if os.getpgrp() != os.getpid():
        sys.exit("legcurl.simulator.die_with_parent must lead a process group: it kills all of it.")
    del sys.argv[0]
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

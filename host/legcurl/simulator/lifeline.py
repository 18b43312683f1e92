"""Runs a module as a program that ends when its parent does, however the parent ended.

    python -m legcurl.simulator.lifeline MODULE [ARGUMENT…]

The parent holds the other end of this process's standard input and never writes to it. When the
parent is gone, be it by SIGKILL, the kernel closes that end, reading gives end of file, and the
process leaves at once. That works wherever there are pipes; Linux's PR_SET_PDEATHSIG does not,
and it follows the thread that forked, not the process.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading

PARENT_GONE = 75  # EX_TEMPFAIL of sysexits.h; nobody is left to read it


def _leave_with_parent() -> None:
    while os.read(0, 1):  # a parent that writes anyway is ignored
        pass
    os._exit(PARENT_GONE)


def main() -> None:
    """Watch standard input from a thread of its own and run the module."""
    module = sys.argv[1]
    del sys.argv[0]
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""The command line: one file a group of verbs, loaded when its verb is called.

`main` is the only place where a command ends: it turns errors into one line on stderr and an
exit code, and signals into the codes that shells know. Commands raise; they never print errors.
"""

from __future__ import annotations

import sys

EXIT_CTRL_C = 130  # as shells know it: 128 + SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code (see README, "Exit codes")."""
    try:
        from legcurl.cli.app import run
    except KeyboardInterrupt:  # before it could be arranged for
        return EXIT_CTRL_C
    return run(sys.argv[1:] if arguments is None else arguments)

"""`legcurl`, whose sensors on TCP live faster than it does, and which may die while it stores.

    python hurried.py PACE STEP serve ...

With the pace known, wall times mean something although a sensor's minute takes some seconds. STEP
is where `kill -9` comes in the first set that is stored: `before` its transaction, `inside` it, or
`after` it; empty: nowhere.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def die(*_: Any) -> None:
    """End as if somebody had killed this process from outside."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Change what the arguments say, and be `legcurl`."""
    pace, step = float(sys.argv[1]), sys.argv[2]
    sys.argv[:3] = ["legcurl"]
    from legcurl.links.tcp import TcpRoute
    from legcurl.store import Store, traces

    TcpRoute.pace = pace
    if step == "inside":
        traces.pack = die
    elif step:
        add_set = Store.add_set

        def add_and_die(store: Store, new: Any) -> None:
            if step == "after":
                add_set(store, new)
            die()

        Store.add_set = add_and_die  # type: ignore[method-assign,assignment]
    from legcurl.cli import main as legcurl

    legcurl()


if __name__ == "__main__":
    main()

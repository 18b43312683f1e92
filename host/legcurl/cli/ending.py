"""How a command ends other than by finishing: signals and a closed output."""

from __future__ import annotations

import signal
from collections.abc import Coroutine
from typing import Any

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedBySignal(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP; like KeyboardInterrupt it unwinds everything."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class OutputClosedError(Exception):
    """Whoever read our output stopped reading (`legcurl ... | head`)."""


def run_until_ended(work: Coroutine[Any, Any, None]) -> None:
    """Run an async command; one of ENDING_SIGNALS cancels it, and it tidies up before it ends.

    A second one interrupts the tidying-up too. Raises EndedBySignal.
    """
    import asyncio

    asyncio.run(_cancelled_by_signals(work))


async def _cancelled_by_signals(work: Coroutine[Any, Any, None]) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    arrived: list[int] = []

    def end(number: int) -> None:
        arrived.append(number)
        task.cancel()

    before = {
        number: handler
        for number in ENDING_SIGNALS
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in before:
        loop.add_signal_handler(number, end, number)
    try:
        await task
    except asyncio.CancelledError:
        if arrived:
            raise EndedBySignal(arrived[0]) from None
        raise
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

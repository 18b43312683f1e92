"""How a command ends other than by finishing: signals and a closed output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TERMINAL_GOES_S = 0.2  # a terminal that is closed may send its SIGHUP before it is gone
ENDS_WITHIN_S = 5.0  # of a service, whatever hangs: a set is in the journal and the sensor's log


class EndedBySignal(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP; like KeyboardInterrupt it unwinds everything."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class OutputClosedError(Exception):
    """The reader of our output stopped reading (`legcurl ... | head`)."""


def run_until_ended(
    work: Coroutine[Any, Any, None],
    within_s: float | None = None,
    on_hang_up: Callable[[], None] | None = None,
) -> None:
    """Run an async command; one of ENDING_SIGNALS cancels it, and it tidies up before it ends.

    A second one interrupts the tidying-up too. With `within_s` none does, and the process is over
    so long after the first, whatever still hangs in it. `on_hang_up` is called for SIGHUP instead,
    unless it says that the terminal is gone on which the command was started: a service in a window
    ends with it. Raises EndedBySignal.
    """
    import asyncio

    asyncio.run(_cancelled_by_signals(work, within_s, on_hang_up))


def _end_by_force(number: int, within_s: float) -> None:
    """End the process from a thread of its own, when its time is up and something hangs.

    The thread does not keep the process: one that ends in time takes it along.
    """

    def end() -> None:
        threads = ", ".join(sorted({thread.name for thread in threading.enumerate()} - {name}))
        os.write(
            sys.__stderr__.fileno() if sys.__stderr__ is not None else 2,
            f"legcurl: Something hangs after {within_s:g} s ({threads}): ended by force. What "
            "was not stored is still in the sensors' logs.\n".encode(),
        )
        os._exit(128 + number)

    name = "end by force"
    timer = threading.Timer(within_s, end)
    timer.name, timer.daemon = name, True
    timer.start()


def _has_terminal() -> bool:
    """Whether there is a terminal that this process belongs to."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def _cancelled_by_signals(
    work: Coroutine[Any, Any, None], within_s: float | None, on_hang_up: Callable[[], None] | None
) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    arrived: list[int] = []

    def end(number: int) -> None:
        if within_s is not None:
            if arrived:
                return  # sets are being stored, and that has an end
            _end_by_force(number, within_s)
        arrived.append(number)
        task.cancel()

    before = {
        number: handler
        for number in ENDING_SIGNALS
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in before:
        loop.add_signal_handler(number, end, number)
    if on_hang_up is not None:
        # Who had SIGHUP ignored (nohup) wants to outlive the terminal.
        on_terminal = signal.SIGHUP in before and _has_terminal()

        def hang_up() -> None:
            if on_terminal and not _has_terminal():
                end(signal.SIGHUP)
            else:
                on_hang_up()

        before.setdefault(signal.SIGHUP, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGHUP, loop.call_later, TERMINAL_GOES_S, hang_up)
    try:
        await task
    except asyncio.CancelledError:
        if arrived:
            raise EndedBySignal(arrived[0]) from None
        raise
    finally:
        ends = bool(arrived) and within_s is not None  # then no further signal interrupts it
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if ends else handler)

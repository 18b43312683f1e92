"""An event loop whose clock jumps: what takes seconds of a radio takes none here, to the µs."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any


class JumpingSelector(selectors.DefaultSelector):
    """Never waits: it moves `now` instead. Only for loops whose other ends are in this process."""

    now = 0.0

    def select(self, timeout: float | None = None):
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class RadioTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def stall(self, seconds: float) -> None:
        """The process gets no computing time for so long, as on a busy computer."""
        self._jumping.now += seconds


def in_radio_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on such a loop."""

    @wraps(test)
    def run(*arguments: Any, **options: Any) -> None:
        with asyncio.Runner(loop_factory=RadioTimeLoop) as runner:
            runner.run(test(*arguments, **options))

    return run


def now() -> float:
    return asyncio.get_running_loop().time()

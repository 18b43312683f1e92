"""Tests in virtual time: hours pass in milliseconds, and a busy computer is no slower."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from radio_time import RadioTimeLoop

BEGAN_S = 1_700_000_000.0  # what the wall clock shows when the loop's clock shows zero


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test, and every clock that it and legcurl read, on a loop whose time jumps."""

    @wraps(test)
    def run(*arguments: Any, **options: Any) -> None:
        with (
            pytest.MonkeyPatch.context() as patch,
            asyncio.Runner(loop_factory=RadioTimeLoop) as runner,
        ):
            now_s = runner.get_loop().time
            monotonic = time.monotonic
            for module in list(sys.modules.values()):
                if getattr(module, "monotonic", None) is monotonic:
                    patch.setattr(module, "monotonic", now_s)
            patch.setattr(time, "time", lambda: BEGAN_S + now_s())
            runner.run(test(*arguments, **options))

    return run

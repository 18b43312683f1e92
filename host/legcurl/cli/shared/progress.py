"""How far a long piece of work is, on stderr if that is a terminal, else nowhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

SOON_S = 2.0  # what is done by then needs no bar


@contextmanager
def progress_if_long(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """The same, but nothing is shown of what takes less than two seconds."""
    began_s = monotonic()
    with ExitStack() as stack:
        tell: Callable[[int], None] | None = None

        def done(part: int) -> None:
            nonlocal tell
            if tell is None and monotonic() - began_s >= SOON_S:
                tell = stack.enter_context(progress(what, total))
            if tell is not None:
                tell(part)

        yield done


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the part of `total` that is done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)

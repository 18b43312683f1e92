"""The store that a command reads, and days as somebody types them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from legcurl.store import Store


@contextmanager
def store_to_read(url: str | None) -> Iterator[Store]:
    """Open a store that there is. StoreError for a file that does not exist: reading makes none."""
    from legcurl.errors import ConfigError

    try:
        from legcurl.store.locations import open_needed
    except ImportError as error:
        raise ConfigError(
            f"The store needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error
    with open_needed(url) as store:
        yield store


class Day(click.ParamType):
    """A day or a moment, in this computer's time zone; `end` takes the whole day in."""

    name = "day"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment that a text means."""
        try:
            if len(value) == len("2026-03-02"):
                day = date.fromisoformat(value)
                if self._end:
                    day += timedelta(days=1)
                return datetime.combine(day, time()).astimezone()
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no day: write it as 2026-03-02 or 2026-03-02T09:30.")

"""Which tests `make test` leaves to `make test-all`: those marked `long`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def first_short(cases: Iterable[Any], short: int = 1) -> list[Any]:
    """Cases for `parametrize`: `make test` runs the first ones, `make test-all` runs all."""
    listed = list(cases)
    return [*listed[:short], *map(_long, listed[short:])]


def _long(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.long)

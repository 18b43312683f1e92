"""Guards spreadsheet cells: a user's text must not run as a formula."""

from __future__ import annotations

from typing import Any

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def escape_formula(cell: Any) -> Any:
    """Quote a text that a spreadsheet would run as a formula; None becomes an empty cell."""
    if isinstance(cell, str) and cell[:1] in _FORMULA_SIGNS:
        return f"'{cell}"
    return "" if cell is None else cell

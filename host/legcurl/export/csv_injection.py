"""Cells for spreadsheets: what somebody wrote must not become a formula that is run."""

from __future__ import annotations

from typing import Any

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula is no formula; nothing is empty."""
    if isinstance(cell, str) and cell[:1] in _FORMULA_SIGNS:
        return f"'{cell}"
    return "" if cell is None else cell

"""Identifiers of gyms, machines, clients and sets, as configuration, store and broker take them.

The lengths follow from the columns of the store. A store of many gyms keeps an id as GYM:ID, in 64
characters for a machine or a client and 96 for a set (store/tables.py). A longer machine id fits a
gym's own store, but PostgreSQL refuses it in the store of many gyms. Stored ids are not checked, so
a store that has longer ones can still be read.
"""

from __future__ import annotations

import re

GYM_ID_MAX = 31  # characters
MACHINE_ID_MAX = 32
CLIENT_ID_MAX = 31
SET_ID_MAX = 64


def _pattern(length: int, first: str = "A-Za-z0-9") -> re.Pattern[str]:
    return re.compile(rf"[{first}][A-Za-z0-9._-]{{0,{length - 1}}}")


GYM_ID = _pattern(GYM_ID_MAX)
MACHINE_ID = _pattern(MACHINE_ID_MAX)
CLIENT_ID = _pattern(CLIENT_ID_MAX)
SET_ID = _pattern(SET_ID_MAX, "A-Za-z0-9_-")


def id_rule(length: int) -> str:
    """What an id of at most `length` characters may hold, for messages."""
    return f"letters, digits, dots and dashes, {length} at most, a letter or digit first"

"""The store: machines, clients, sets, reps, corrections and raw traces, kept for years.

`open_store("sqlite:///path")` gives a `Store`, and so does `open_store("postgresql://...")`. What a
set was measured as never changes; what a coach says about it afterwards (it was deleted, the count
was another) is a correction beside it, with who and when, and whoever reads sees the corrected set
and can see the original.

Everything here is synchronous and used by one thread at a time (service/set_writer.py has one for
it): a database on a full or slow disk never holds up a station.
"""

from legcurl.store.records import (
    Client,
    Correction,
    CorrectionKind,
    Expected,
    Gym,
    Machine,
    NewSet,
    SetPage,
    SetQuery,
    StoredSet,
)
from legcurl.store.store import Store, open_store

__all__ = [
    "Client",
    "Correction",
    "CorrectionKind",
    "Expected",
    "Gym",
    "Machine",
    "NewSet",
    "SetPage",
    "SetQuery",
    "Store",
    "StoredSet",
    "open_store",
]

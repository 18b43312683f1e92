"""The store: machines, clients, sets, reps, corrections and raw traces, kept for years.

`open_store("sqlite:///path")` and `open_store("postgresql://...")` give a `Store`. A stored
measurement never changes. A coach's correction (deleted, another count) is stored beside it with
name and time; readers get the corrected set and the original.

All calls are synchronous, from one thread at a time. The service has a thread for them
(service/set_writer.py), so a slow or full disk never blocks a station.
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

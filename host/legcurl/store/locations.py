"""The location of the user's own store, and of a store that a command expects to exist."""

from __future__ import annotations

import os
from pathlib import Path

from legcurl.errors import StoreError
from legcurl.store.database import file_of, url_of
from legcurl.store.replication import outbox
from legcurl.store.store import Store, open_store

OWN_FILE = "legcurl.db"


def own_folder() -> Path:
    """The folder of the user's own store, journal and keys."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "legcurl"


def own_store() -> str:
    """The URL of the user's own store; makes its folder."""
    own_folder().mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{own_folder() / OWN_FILE}"


def own_journals() -> Path:
    """The folder of the journals beside the user's own store."""
    return own_folder() / f"{OWN_FILE}.journal"


def needed_store(url: str | None) -> str:
    """The URL of an existing store: `url`, else the user's own.

    StoreError if its file does not exist: a command that reads makes no store.
    """
    asked = url or f"sqlite:///{own_folder() / OWN_FILE}"
    file = file_of(url_of(asked))
    if file is not None and not file.exists():
        raise StoreError(f"There is no store at {file}: name it with --store sqlite:///FILE.")
    return asked


def open_needed(url: str | None) -> Store:
    """Open an existing store: see `needed_store`.

    If the outbox has rows, the store's service publishes, so changes made here are announced too.
    """
    store = open_store(needed_store(url))
    store.publishing = store.within(outbox.in_use)
    return store

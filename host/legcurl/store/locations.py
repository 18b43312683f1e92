"""Where stores are: the user's own, and what must be there before a command looks into it."""

from __future__ import annotations

import os
from pathlib import Path

from legcurl.errors import StoreError
from legcurl.store.database import file_of, url_of
from legcurl.store.replication import outbox
from legcurl.store.store import Store, open_store

OWN_FILE = "legcurl.db"


def own_folder() -> Path:
    """Where the user's own store and what belongs to it are."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "legcurl"


def own_store() -> str:
    """The URL of the user's own store; its folder is made."""
    own_folder().mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{own_folder() / OWN_FILE}"


def needed_store(url: str | None) -> str:
    """The URL of a store that is there: the one asked for, else the user's own.

    StoreError if it is a file and there is none: to look is no reason to make one.
    """
    asked = url or f"sqlite:///{own_folder() / OWN_FILE}"
    file = file_of(url_of(asked))
    if file is not None and not file.exists():
        raise StoreError(f"There is no store at {file}: name it with --store sqlite:///FILE.")
    return asked


def open_needed(url: str | None) -> Store:
    """Open a store that is there already: see `needed_store`.

    It publishes if its service does, which the outbox knows: what is changed here is told too.
    """
    store = open_store(needed_store(url))
    store.publishing = store.within(outbox.in_use)
    return store

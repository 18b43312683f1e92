"""What `add_set` has returned from is on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from legcurl.store import open_store
from made_sets import new_set


def test_every_transaction_is_synced_before_it_is_over(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'gym.db'}") as store:
        for _ in range(2):
            with store.engine.connect() as connection:
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL"
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_an_added_set_is_in_the_files_at_once(tmp_path: Path):
    """As the next program finds them, should this one be killed now; -shm is made anew."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    with open_store(f"sqlite:///{before / 'gym.db'}") as store:
        set_id = store.add_set(new_set())
        for name in ("gym.db", "gym.db-wal"):
            shutil.copy(before / name, after / name)
        with open_store(f"sqlite:///{after / 'gym.db'}") as found:
            assert found.get_set(set_id) == store.get_set(set_id)
            assert found.trace(set_id) == store.trace(set_id)

"""What a service does for its store in the background: retention, and the claim."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from legcurl.errors import StoreError
from legcurl.service import maintenance
from legcurl.service.maintenance import keep_house
from legcurl.store import SetQuery
from legcurl.store.maintenance.retention import Retention
from made_sets import new_set
from timings import until


class Held:
    """A claim that is lost, and comes back."""

    def __init__(self) -> None:
        self.lost = False
        self.asked = 0

    def keep(self) -> None:
        self.asked += 1
        if self.lost:
            raise StoreError("The store is in use by another.")

    def release(self) -> None:
        """Nothing to do."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Minutes and days are milliseconds here."""
    for name in ("LOCK_CHECK_S", "FIRST_PRUNE_S", "PRUNE_S"):
        monkeypatch.setattr(maintenance, name, 0.005)


async def test_old_sets_are_removed_and_a_lost_lock_is_reported_once(store, caplog):
    now = datetime.now(UTC)
    store.add_set(new_set(0, started=now - timedelta(days=40)))
    store.add_set(new_set(1, started=now - timedelta(days=1)))

    def kept() -> list[str]:
        return [stored.id for stored in store.find_sets(SetQuery()).sets]

    troubles = 0

    async def ask(work):
        nonlocal troubles
        if troubles < 2:  # a disk that is full for a while
            troubles += 1
            raise StoreError("The disk is full.")
        return work(store)

    held = Held()
    task = asyncio.create_task(keep_house(ask, held, Retention(sets_days=30)))
    await until(lambda: kept() == ["set-0001"])
    held.lost = True
    asked = held.asked
    await until(lambda: held.asked > asked + 3)
    held.lost = False
    await until(lambda: "holds again" in caplog.text)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert caplog.text.count("in use by another") == 1
    assert caplog.text.count("were not deleted: The disk is full.") == 2


async def test_an_unexpected_error_is_logged(caplog):
    async def ask(_work):
        raise RuntimeError("nobody thought of this")

    await keep_house(ask, Held(), Retention())
    assert "nobody thought of this" in caplog.text

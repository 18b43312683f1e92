"""Collectors and a store on a real PostgreSQL server, several at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from random import Random

import pytest
from brokers import Mosquitto
from collectors import kill_collectors, revisions, set_message
from legcurl.store import SetQuery, Store, open_store
from legcurl.store.replication import merge
from legcurl.store.replication.set_document import ForgetDocument, SetDocument, set_of
from postgres_server import PostgresServer, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(server: PostgresServer) -> str:
    """An empty database."""
    return server.url(server.new_database())


def documents(count: int, revisions: int) -> list[SetDocument]:
    from json import loads

    return [
        set_of(
            loads(set_message(n, gym_id=f"gym-{n % 3}", revision=revision, client=f"c{n % 5}")[1])
        )
        for n in range(count)
        for revision in range(1, revisions + 1)
    ]


@pytest.mark.long
async def test_collectors_into_postgres_may_be_killed(mosquitto: Mosquitto, postgres: str) -> None:
    with open_store(postgres) as center:
        await kill_collectors(mosquitto, center, postgres, sets=60, kills=4, seed=2)


def test_collectors_that_merge_the_same_sets_at_once_agree(postgres: str) -> None:
    """In all orders, a person erased among them: no deadlock, the newest, and none of hers."""
    told = documents(24, 3)
    erased = ForgetDocument("gym-0", "gym-0", "c0", ())

    def collect(seed: int, store: Store) -> None:
        mine: list[merge.Document] = list(told)
        Random(seed).shuffle(mine)
        for first in range(0, len(mine), 9):
            batch = mine[first : first + 9]
            if seed == 1 and first == 27:
                batch.append(erased)
            store.within(partial(merge.merge, documents=batch))

    with ExitStack() as opened, ThreadPoolExecutor(4) as pool:
        stores = [opened.enter_context(open_store(postgres)) for _ in range(4)]
        list(pool.map(collect, range(4), stores))
    with open_store(postgres) as store:
        found = {one.id: one for one in store.find_sets(SetQuery(limit=500)).sets}
        hers = {f"gym-0:set-{n:04}" for n in range(24) if n % 3 == 0 and n % 5 == 0}
        mine = {f"gym-{n % 3}:set-{n:04}" for n in range(24)}
        assert mine - found.keys() == hers
        assert revisions(store)[3] == len(mine) - len(hers)
        assert not any(client.id == "gym-0:c0" for client in store.clients())

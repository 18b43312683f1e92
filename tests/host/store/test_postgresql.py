"""What is PostgreSQL's alone: a server that is away, refuses, or restarts in between."""

from __future__ import annotations

import sys
import threading

import pytest
from legcurl.errors import StoreError
from legcurl.store import SetQuery, open_store
from legcurl.store.database import shown, url_of
from legcurl.store.upgrade import version
from made_sets import new_set
from postgres_server import PASSWORD, PASSWORD_IN_URL, USER, postgres_server


def refused(url: str) -> str:
    with pytest.raises(StoreError) as refusal:
        open_store(url)
    said = str(refusal.value)
    for secret in (PASSWORD, PASSWORD_IN_URL, "hunter2"):
        assert secret not in said
    return said


def test_a_server_that_is_not_there_is_told():
    assert "Does the server run" in refused("postgresql://legcurl:hunter2@127.0.0.1:1/legcurl")


def test_a_wrong_password_is_told_and_not_repeated(postgres):
    url = f"postgresql://{USER}:hunter2@127.0.0.1:{postgres.port}/postgres"
    assert "Check user and password" in refused(url)


def test_a_database_that_is_not_there_is_told(postgres):
    assert "createdb" in refused(postgres.url("nowhere"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host:port/db",
        "postgresql://me:hunter2@[::1/db",
        "mysql://me:hunter2@host/db",
        "hunter2@host",
        "what",
        "",
    ],
)
def test_an_invalid_url_is_refused_without_repeating_it(url):
    assert "no such store" in refused(url) if url != "hunter2@host" else "hunter2@host"


def test_a_password_is_never_shown_wherever_it_stands():
    url = url_of("postgresql://me:hunter2@host/db?password=hunter2&sslmode=require")
    assert shown(url) == "postgresql://me:***@host/db"


def test_a_missing_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "legcurl[postgres]" in refused("postgresql://me:hunter2@127.0.0.1/legcurl")


def test_a_read_only_user_is_reported(postgres, postgres_url):
    with open_store(postgres_url) as store, store.transaction() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {USER} IN DATABASE {store.engine.url.database}"
                                   " SET default_transaction_read_only = on")  # fmt: skip
    with open_store(postgres_url) as store, pytest.raises(StoreError, match="allowed to write"):
        store.add_set(new_set())


def test_services_that_start_together_upgrade_once(postgres):
    url = postgres.url(postgres.new_database())
    opened, failed = [], []

    def start() -> None:
        try:
            store = open_store(url)
            opened.append(version(store.engine))
            store.close()
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(opened) == 3


def test_a_store_goes_on_when_its_server_has_restarted():
    with postgres_server() as server, open_store(server.url(server.new_database())) as store:
        store.add_set(new_set(0))
        server.stop()
        with pytest.raises(StoreError, match="Does the server run"):
            store.add_set(new_set(1))
        server.start()
        assert store.add_set(new_set(1)) == "set-0001"
        assert len(store.find_sets(SetQuery()).sets) == 2

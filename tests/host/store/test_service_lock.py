"""One service at a time on a store: the second is told the first's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psycopg
import pytest
from legcurl.errors import StoreError
from legcurl.store.database import url_of
from legcurl.store.locations import file_of
from legcurl.store.service_lock import service_lock
from timings import LIMIT_S, wait_until

HOLDS = """
import sys
from legcurl.store.service_lock import service_lock
with service_lock(sys.argv[1], "legcurl serve"):
    print("held", flush=True)
    sys.stdin.read()
"""


def refused_with(words: str, url: str, gym_id: str = "") -> None:
    with pytest.raises(StoreError, match=words), service_lock(url, "another", gym_id=gym_id):
        pass


@pytest.fixture
def holder(url):
    """Another process that has the store."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_told_the_process_of_the_first(url, holder):
    refused_with(f"legcurl serve, process {holder.pid} on", url)


def test_any_end_of_the_first_frees_the_store(url, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait(LIMIT_S)
    wait_until(lambda: is_free(url))  # a server has to notice the end of its client
    with service_lock(url, "legcurl serve") as held:
        held.keep()


def is_free(url: str) -> bool:
    try:
        with service_lock(url, "legcurl serve"):
            return True
    except StoreError:
        return False


def test_a_claim_is_let_go_of_with_its_block(url):
    for _ in range(2):
        with service_lock(url, "legcurl serve"):
            pass


def test_one_store_has_one_lock_under_any_name(sqlite_url, tmp_path):
    (tmp_path / "other").symlink_to(tmp_path)
    alias = sqlite_url.replace(str(tmp_path), f"{tmp_path}/other")
    with service_lock(sqlite_url, "first"):
        refused_with("first, process", alias)


def test_a_stale_lock_does_not_block(sqlite_url):
    file = file_of(url_of(sqlite_url))
    assert file is not None
    file.with_name(f"{file.name}.lock").write_text("legcurl serve, process 1 on elsewhere\n")
    with service_lock(sqlite_url, "legcurl serve"):
        assert f"process {os.getpid()}" in file.with_name(f"{file.name}.lock").read_text()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    refused_with("Does its folder exist", f"sqlite:///{tmp_path}/nowhere/legcurl.db")


def test_gyms_share_a_server_and_not_a_claim(postgres_url):
    with (
        service_lock(postgres_url, "one", gym_id="north"),
        service_lock(postgres_url, "two", gym_id="south"),
    ):
        refused_with("in use by two", postgres_url, gym_id="south")


def test_a_claim_that_its_server_forgot_is_taken_again_or_lost_aloud(postgres_url):
    with service_lock(postgres_url, "first") as first:
        forget_all(postgres_url)
        first.keep()
        refused_with("in use by first", postgres_url)
        forget_all(postgres_url)
        with (
            service_lock(postgres_url, "second"),
            pytest.raises(StoreError, match="in use by second"),
        ):
            first.keep()


def forget_all(url: str) -> None:
    """What a server that restarts does to everybody's connections."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

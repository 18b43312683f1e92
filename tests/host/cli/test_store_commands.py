"""`legcurl store` and `legcurl reanalyze`, as somebody at a terminal or a script uses them."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from legcurl.store import Expected, SetQuery, open_store, tables
from made_sets import FIRST, new_set
from running import Running, run
from timings import wait_until


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a client, four sets of an older detection, and one without a trace."""
    place = f"sqlite:///{tmp_path}/legcurl.db"
    with open_store(place) as store:
        client = store.add_client("Wilhelmina Trout")
        for number in range(5):
            new = new_set(number, detection="0.1")
            expected = Expected(client.id if number < 2 else None, 40.0, FIRST)
            trace = None if number == 4 else new.trace
            store.add_set(replace(new, expected=expected, trace=trace))
    return place


def client_of(url: str) -> str:
    listed = run("store", "clients", "--store", url, "--json")
    (client,) = json.loads(listed.stdout)["clients"]
    assert client["name"] == "Wilhelmina Trout"
    return client["id"]


def test_a_backup_is_one_file_that_opens_as_a_store(url: str, tmp_path: Path) -> None:
    made = run("store", "backup", tmp_path / "monday.db", "--store", url)
    assert (made.returncode, made.stderr) == (0, "")
    assert "checked" in made.stdout
    found = run("store", "info", "--store", f"sqlite:///{tmp_path}/monday.db", "--json")
    assert json.loads(found.stdout)["counts"]["sets"] == 5


@pytest.mark.long
def test_a_damaged_store_is_told_line_by_line_with_exit_code_7(url: str) -> None:
    assert run("store", "verify", "--store", url).returncode == 0
    with open_store(url) as store, store.transaction() as connection:
        connection.execute(sa.update(tables.traces).values(samples=b"no trace"))
    broken = run("store", "verify", "--store", url)
    assert broken.returncode == 7
    assert len(broken.stdout.splitlines()) == 4
    assert "4 problems" in broken.stderr
    told = json.loads(run("store", "verify", "--store", url, "--json").stdout)
    assert len(told["problems"]) == 4


@pytest.mark.long
def test_pruning_lists_the_sets_first(url: str) -> None:
    would = run("store", "prune", "--traces-days", "30", "--dry-run", "--store", url)
    assert would.stdout == "4 traces, 0 sets and 0 sent events would go.\n"
    did = run("store", "prune", "--traces-days", "30", "--store", url, "--json")
    assert json.loads(did.stdout)["traces"] == 4
    assert run("store", "vacuum", "--store", url).returncode == 0
    assert run("store", "prune", "--traces-days", "0", "--store", url).returncode == 2


@pytest.mark.long
def test_erasing_a_client_needs_confirmation(url: str, tmp_path: Path) -> None:
    client = client_of(url)
    asked = run("store", "forget", client, "--store", url)
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    would = run("store", "forget", client, "--dry-run", "--store", url)
    assert would.stdout == f"Client {client}: 2 sets and 2 traces would be erased.\n"
    did = run("store", "forget", client, "--yes", "--store", url)
    assert did.returncode == 0
    assert "Backups still have them" in did.stdout
    assert run("store", "forget", client, "--yes", "--store", url).returncode == 6
    with open_store(url) as store:
        assert len(store.find_sets(SetQuery()).sets) == 3
    assert b"Wilhelmina" not in b"".join(path.read_bytes() for path in tmp_path.glob("legcurl*"))


def test_reanalysis_measures_again_and_names_failures(url: str) -> None:
    done = run("reanalyze", "--store", url)
    assert done.returncode == 0
    assert done.stdout.startswith("4 sets measured again")
    assert "set-0004 is as it was: its trace was not kept" in done.stderr
    again = json.loads(run("reanalyze", "--store", url, "--json").stdout)
    assert (again["sets"], again["measured"], again["no_trace"]) == (1, 0, 1)


@pytest.mark.long
def test_an_ended_reanalysis_resumes(url: str) -> None:
    with open_store(url) as store:
        for number in range(10, 40):
            store.add_set(new_set(number, detection="0.1"))
    with Running("reanalyze", "--store", url) as first:
        wait_until(lambda: waiting(url) <= 33)
        first.send(signal.SIGINT)
        assert first.end() == 130
        assert first.complaints() == ""
    left = waiting(url)
    assert 1 < left < 35
    second = json.loads(run("reanalyze", "--store", url, "--json").stdout)
    assert second["sets"] == left
    assert waiting(url) == 1
    assert json.loads(run("store", "verify", "--store", url, "--json").stdout)["problems"] == []


def waiting(url: str) -> int:
    from legcurl.store.maintenance.reanalyze import waiting as sets_waiting

    with open_store(url) as store:
        return sets_waiting(store)


@pytest.mark.long
def test_to_look_at_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    for verb in ("info", "verify", "vacuum", "prune", "clients"):
        looked = run("store", verb, "--store", f"sqlite:///{tmp_path}/none.db")
        assert looked.returncode == 7
        assert "no store at" in looked.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_users_own_store_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "legcurl").mkdir()
    open_store(f"sqlite:///{tmp_path}/legcurl/legcurl.db").close()
    found = run("store", "info", "--json", XDG_DATA_HOME=str(tmp_path))
    assert json.loads(found.stdout)["place"] == f"{tmp_path}/legcurl/legcurl.db"


def test_an_unreachable_server_is_one_line_without_the_password() -> None:
    ended = run("store", "info", "--store", "postgresql://me:hunter2@127.0.0.1:1/db")
    assert ended.returncode == 7
    assert len(ended.stderr.splitlines()) == 1
    assert "hunter2" not in ended.stderr

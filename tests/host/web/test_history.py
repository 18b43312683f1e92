"""A client's sets and a machine's day, in the time zone of the gym."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from legcurl.store import Client, Expected, Machine
from made_sets import new_set
from room import Room, room

CURL_1 = Machine("machine-1", "Leg curl 1")


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The gym is where clocks change on 29 March and 25 October 2026."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        yield made


@pytest.fixture
def anna(here: Room) -> Client:
    return here.store.add_client("Anna")


def add(here: Room, number: int, started: str, client: Client | None = None) -> None:
    expected = Expected(None if client is None else client.id, 40.0)
    at = datetime.fromisoformat(started).astimezone(UTC)
    here.store.add_set(new_set(number, trace=None, started=at, machine=CURL_1, expected=expected))


async def ids_of(here: Room, path: str, **query: str) -> list[str]:
    answer = await here.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["sets"]]


async def test_a_day_is_the_gyms_from_midnight_to_midnight(here: Room) -> None:
    add(here, 0, "2026-03-01T23:59:59+01:00")
    add(here, 1, "2026-03-02T00:00:00+01:00")
    add(here, 2, "2026-03-02T23:59:59+01:00")
    add(here, 3, "2026-03-03T00:00:00+01:00")
    day = "/api/stations/machine-1/day"
    assert await ids_of(here, day, date="2026-03-02") == ["set-0002", "set-0001"]
    told = (await here.get(f"{day}?date=2026-03-02")).json()
    assert told["machine"] == {"id": "machine-1", "name": "Leg curl 1"}
    assert told["from"] == "2026-03-02T00:00:00+01:00"
    assert told["to"] == "2026-03-03T00:00:00+01:00"


@pytest.mark.parametrize(("date", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
async def test_a_day_on_which_clocks_change_is_whole(here: Room, date: str, hours: int) -> None:
    told = (await here.get(f"/api/stations/machine-1/day?date={date}")).json()
    begin, end = (datetime.fromisoformat(told[name]) for name in ("from", "to"))
    assert end - begin == timedelta(hours=hours)
    add(here, 0, (end - timedelta(seconds=1)).isoformat())
    add(here, 1, end.isoformat())
    assert await ids_of(here, "/api/stations/machine-1/day", date=date) == ["set-0000"]


async def test_without_a_date_the_day_is_today(here: Room) -> None:
    add(here, 0, datetime.now(UTC).isoformat())
    add(here, 1, (datetime.now(UTC) - timedelta(days=2)).isoformat())
    assert await ids_of(here, "/api/stations/machine-1/day") == ["set-0000"]


@pytest.mark.parametrize("date", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01", "²"])
async def test_a_date_that_is_none_is_refused(here: Room, date: str) -> None:
    for path in ("day", "day.csv"):
        answer = await here.get(f"/api/stations/machine-1/{path}", params={"date": date})
        assert answer.status_code == 400, answer.text
        assert "2026-03-02" in answer.json()["remedy"]


async def test_a_day_is_of_one_machine(here: Room) -> None:
    add(here, 0, "2026-03-02T09:00:00+01:00")
    assert await ids_of(here, "/api/stations/machine-2/day", date="2026-03-02") == []


async def test_a_clients_history_is_complete_however_long(here: Room, anna: Client) -> None:
    for number in range(0, 1001, 50):  # a set a page at most, if pages were that short
        add(here, number, f"2026-01-{1 + number // 50:02}T09:00:00+01:00", anna)
    add(here, 9999, "2026-03-02T09:00:00+01:00")
    seen = await ids_of(here, f"/api/clients/{anna.id}/history")
    assert seen == [f"set-{number:04}" for number in range(1000, -1, -50)]


async def test_a_history_longer_than_a_page_is_not_cut(
    here: Room, anna: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("legcurl.store.store.PAGE_MAX", 3)
    for number in range(10):
        add(here, number, f"2026-03-0{1 + number % 9}T09:00:00+01:00", anna)
    assert len(await ids_of(here, f"/api/clients/{anna.id}/history")) == 10
    answer = await here.get(f"/api/clients/{anna.id}/sets.csv")
    assert len(list(csv.reader(io.StringIO(answer.text)))) == 11


async def test_a_history_can_be_a_part(here: Room, anna: Client) -> None:
    add(here, 0, "2026-03-01T23:30:00+01:00", anna)
    add(here, 1, "2026-03-02T00:30:00+01:00", anna)
    add(here, 2, "2026-03-03T00:30:00+01:00", anna)
    path = f"/api/clients/{anna.id}/history"
    assert await ids_of(here, path, **{"from": "2026-03-02"}) == ["set-0002", "set-0001"]
    assert await ids_of(here, path, to="2026-03-02") == ["set-0000"]
    assert await ids_of(here, path, **{"from": "2026-03-02", "to": "2026-03-03"}) == ["set-0001"]
    utc = {"from": "2026-03-01T23:30:00+00:00"}  # half past midnight in Berlin
    assert await ids_of(here, path, **utc) == ["set-0002", "set-0001"]
    assert await ids_of(here, path, **{"from": "2026-03-01T23:30:00Z"}) == ["set-0002", "set-0001"]
    refused = await here.get(path, params={"from": "March"})
    assert refused.status_code == 400


async def test_times_are_told_in_utc_and_csv_has_what_the_page_has(
    here: Room, anna: Client
) -> None:
    add(here, 0, "2026-03-02T09:30:00+01:00", anna)
    (row,) = (await here.get(f"/api/clients/{anna.id}/history")).json()["sets"]
    assert row["started"] == "2026-03-02T08:30:00+00:00"
    answer = await here.get("/api/stations/machine-1/day.csv?date=2026-03-02")
    assert 'filename="machine-1-2026-03-02.csv"' in answer.headers["content-disposition"]
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert line["id"] == row["id"]
    assert line["started"] == row["started"]
    assert line["client"] == anna.id
    assert line["load_kg"] == "40.0"
    assert line["completed_reps"] == str(row["completed_reps"])
    assert line["outcome"] == row["outcome"]
    assert line["deleted"] == "False"


async def test_a_deleted_set_stays_in_a_history_and_says_so(here: Room, anna: Client) -> None:
    add(here, 0, "2026-03-02T09:30:00+01:00", anna)
    here.store.correct("set-0000", "delete", None, who="coach")
    (row,) = (await here.get(f"/api/clients/{anna.id}/history")).json()["sets"]
    assert row["deleted"]

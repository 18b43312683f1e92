"""Every endpoint: what it gives, and what it says to an invalid request."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from legcurl.presentation.coach_feedback import praise
from legcurl.store import Expected
from made_sets import FIRST, new_set
from room import Room, room

MACHINE = "/api/stations/machine-1"
HALF = "half a \ud83d"  # JSON can say half of a character; no database takes it


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        yield made


@pytest.fixture
async def with_set(here: Room):
    here.store.add_set(new_set())
    return here


async def test_machines_are_listed_whole(here: Room):
    machines = (await here.get("/api/stations")).json()
    assert [machine["id"] for machine in machines] == ["machine-1", "machine-2"]
    assert machines[0]["name"] == "Leg curl 1"
    assert machines[0]["link"] == "connecting"
    assert machines[0]["reps"] == []
    assert machines[0]["client"] is None


async def test_the_next_client_is_kept_with_the_machine(here: Room):
    anna = (await here.post("/api/clients", {"name": "Anna"})).json()
    told = await here.post(f"{MACHINE}/next", {"client": anna["id"], "load_kg": 42.5})
    assert told.status_code == 200
    assert told.json()["client"] == {"id": anna["id"], "name": "Anna"}
    assert told.json()["load_kg"] == 42.5
    lighter = await here.post(f"{MACHINE}/next", {"load_kg": 40})
    assert lighter.json()["client"]["id"] == anna["id"]
    nobody = await here.post(f"{MACHINE}/next", {"client": None, "load_kg": None})
    assert nobody.json()["client"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"client": "nobody"},
        {"client": 7},
        {"client": ["a"]},
        {"client": {"id": "a"}},
        {"client": HALF},
        {"load_kg": -1},
        {"load_kg": 501},
        {"load_kg": "40"},
        {"load_kg": True},
        {"load_kg": float("nan")},
        {"load_kg": 10**30},
        {"weight": 40},
    ],
)
async def test_an_invalid_next_client_is_refused_and_changes_nothing(here: Room, body: dict):
    answer = await here.client.post(
        f"{MACHINE}/next",
        content=json.dumps(body),
        headers={"x-csrf-token": here.csrf, "content-type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert here.service.writer.expected("machine-1") == Expected()
    assert here.store.expected("machine-1") == Expected()


async def test_a_sensor_that_is_away_cannot_blink(here: Room):
    answer = await here.post(f"{MACHINE}/identify")
    assert answer.status_code == 409
    assert answer.json()["remedy"]


async def test_sets_come_in_pages_newest_first(here: Room):
    for number in range(7):
        here.store.add_set(new_set(number, trace=None))
    seen: list[str] = []
    query = "limit=3"
    while query:
        page = (await here.get(f"/api/sets?{query}")).json()
        assert len(page["sets"]) <= 3
        seen += [one["id"] for one in page["sets"]]
        query = f"limit=3&before={page['next']}" if page["next"] else ""
    assert seen == [f"set-{number:04}" for number in reversed(range(7))]


async def test_a_page_is_never_longer_than_the_longest(here: Room):
    for number in range(3):
        here.store.add_set(new_set(number, trace=None))
    assert len((await here.get("/api/sets?limit=0")).json()["sets"]) == 1
    assert len((await here.get("/api/sets?limit=99999999999")).json()["sets"]) == 3


async def test_sets_are_found_by_machine_client_and_time(here: Room):
    anna = here.store.add_client("Anna")
    here.store.add_set(new_set(0, trace=None))
    here.store.add_set(new_set(1, trace=None, expected=Expected(anna.id)))
    found = (await here.get("/api/sets", params={"client": anna.id})).json()["sets"]
    assert [one["id"] for one in found] == ["set-0001"]
    assert (await here.get("/api/sets?machine=curl-9")).json()["sets"] == []
    later = (FIRST + timedelta(minutes=1)).isoformat()
    found = (await here.get("/api/sets", params={"from": later})).json()["sets"]
    assert [one["id"] for one in found] == ["set-0001"]
    found = (await here.get("/api/sets", params={"to": later})).json()["sets"]
    assert [one["id"] for one in found] == ["set-0000"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "many"},
        {"limit": "-1"},
        {"limit": "²"},
        {"before": "yesterday"},
        {"before": "²~a"},
        {"before": f"{10**30}~a"},
        {"before": "5"},
        {"from": "yesterday"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31T23:59:59-12:00"},
        {"to": "\ud83d"},
    ],
)
async def test_an_invalid_query_is_refused(here: Room, query: dict[str, str]):
    answer = await here.get(
        "/api/sets", params={k: v.encode("utf-8", "surrogatepass") for k, v in query.items()}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


async def test_a_set_has_its_measures_and_corrections(with_set: Room):
    told = (await with_set.get("/api/sets/set-0000")).json()
    assert told["set"] == told["original"]
    assert told["completed_reps"] == told["set"]["completed_reps"]
    assert told["corrections"] == []
    assert told["previous"] is None
    assert datetime.fromisoformat(told["started"]) == FIRST


async def test_a_set_has_the_feedback_that_the_printed_report_has(with_set: Room):
    told = (await with_set.get("/api/sets/set-0000")).json()
    feedback = praise(with_set.store.get_set("set-0000").result)
    assert told["feedback"] == {"good": list(feedback.good), "work": list(feedback.work)}
    assert feedback.good


async def test_a_set_is_compared_with_the_clients_last_that_counts(here: Room):
    anna = Expected(here.store.add_client("Anna").id)
    for number in range(3):
        here.store.add_set(new_set(number, trace=None, expected=anna))
    here.store.correct("set-0001", "delete", None, who="coach")
    told = (await here.get("/api/sets/set-0002")).json()
    assert told["previous"]["id"] == "set-0000"


async def test_client_load_and_note_of_a_set_can_be_changed(with_set: Room):
    anna = (await with_set.post("/api/clients", {"name": "Anna"})).json()
    body = {"client": anna["id"], "load_kg": 42.5, "note": "slow down"}
    told = (await with_set.patch("/api/sets/set-0000", body)).json()
    assert told["client"] == anna
    assert told["load_kg"] == 42.5
    assert told["note"] == "slow down"
    assert not told["corrected"]
    told = (await with_set.patch("/api/sets/set-0000", {"client": None})).json()
    assert told["client"] is None
    assert told["note"] == "slow down"


@pytest.mark.parametrize(
    "body",
    [
        {"client": "nobody"},
        {"client": 7},
        {"client": {}},
        {"load_kg": -0.1},
        {"load_kg": []},
        {"note": 7},
        {"note": "x" * 2001},
        {"note": HALF},
        {"note": "a\0b"},
        {"outcome": "stopped"},
        {"id": "other"},
    ],
)
async def test_an_invalid_change_is_refused_whole(with_set: Room, body: dict):
    answer = await with_set.client.patch(
        "/api/sets/set-0000",
        content=json.dumps({"load_kg": 10} | body),
        headers={"x-csrf-token": with_set.csrf, "content-type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    assert with_set.store.get_set("set-0000").load_kg is None


async def test_a_correction_has_author_and_time_and_keeps_the_original(with_set: Room):
    before = datetime.now(UTC)
    body = {"kind": "count", "value": 3, "reason": "saw it"}
    told = (await with_set.post("/api/sets/set-0000/corrections", body)).json()
    assert told["set"]["completed_reps"] == told["completed_reps"] == 3
    assert told["original"]["completed_reps"] != 3
    assert told["corrected"]
    (correction,) = told["corrections"]
    assert correction["kind"] == "count"
    assert correction["value"] == 3
    assert correction["reason"] == "saw it"
    assert correction["who"] == "this computer"
    assert before <= datetime.fromisoformat(correction["at"]) <= datetime.now(UTC)


async def test_a_deleted_set_stays_and_can_be_restored(with_set: Room):
    path = "/api/sets/set-0000/corrections"
    assert (await with_set.post(path, {"kind": "delete"})).json()["deleted"]
    (row,) = (await with_set.get("/api/sets")).json()["sets"]
    assert row["deleted"]
    assert not (await with_set.post(path, {"kind": "restore"})).json()["deleted"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "tidy"},
        {"kind": ["count"], "value": 3},
        {"kind": None},
        {"kind": "count"},
        {"kind": "count", "value": -1},
        {"kind": "count", "value": 201},
        {"kind": "count", "value": 2.5},
        {"kind": "count", "value": "3"},
        {"kind": "count", "value": True},
        {"kind": "outcome", "value": "won"},
        {"kind": "outcome", "value": 3},
        {"kind": "delete", "reason": 7},
        {"kind": "delete", "reason": "x" * 201},
        {"kind": "delete", "reason": ["x"]},
    ],
)
async def test_an_invalid_correction_is_refused(with_set: Room, body: dict):
    answer = await with_set.post("/api/sets/set-0000/corrections", body)
    assert answer.status_code == 400, answer.text
    assert with_set.store.get_set("set-0000").corrections == ()


async def test_an_unknown_path_is_not_found(with_set: Room):
    reads = (
        "/api/sets/gone",
        "/api/sets/gone.csv",
        "/api/sets/gone.png",
        "/api/sets/gone/trace",
        "/api/clients/gone/history",
        "/api/clients/gone/sets.csv",
        "/api/stations/gone/day",
        "/api/stations/gone/day.csv",
        "/api/events?machine=gone",
        "/api/nothing",
        "/nothing",
        "/js/",
    )
    for path in reads:
        answer = await with_set.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"], path
    writes = {
        "/api/sets/gone/corrections": {"kind": "delete"},
        "/api/stations/gone/next": {},
        "/api/stations/gone/identify": {},
    }
    for path, body in writes.items():
        assert (await with_set.post(path, body)).status_code == 404, path
    assert (await with_set.patch("/api/sets/gone", {"note": "x"})).status_code == 404
    assert (await with_set.patch("/api/sets/gone", {})).status_code == 404


async def test_a_set_without_a_trace_says_so(here: Room):
    here.store.add_set(new_set(trace=None))
    assert (await here.get("/api/sets/set-0000/trace")).status_code == 404


async def test_a_trace_comes_as_it_was_and_blind_where_the_sensor_was(here: Room):
    here.store.add_set(new_set(lifter="sensor_faults", seed=3))
    kept = here.store.trace("set-0000")
    assert kept is not None
    told = (await here.get("/api/sets/set-0000/trace")).json()
    assert told["t_s"] == [t / 1e6 for t in kept.t_us]
    assert [angle is None for angle in told["angle_deg"]] == [a != a for a in kept.angle_deg]
    assert None in told["angle_deg"]


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_a_set_as_csv_has_a_line_for_each_attempt(with_set: Room):
    answer = await with_set.get("/api/sets/set-0000.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="set-set-0000.csv"'
    lines = lines_of(answer.text)
    reps = with_set.store.get_set("set-0000").result.reps
    assert [line["number"] for line in lines] == [str(rep.number) for rep in reps]


async def test_a_note_is_no_formula_in_a_spreadsheet(with_set: Room):
    anna = with_set.store.add_client("Anna")
    with_set.store.change_set("set-0000", {"client_id": anna.id, "note": '=cmd|"/c calc"!A1'})
    answer = await with_set.get(f"/api/clients/{anna.id}/sets.csv")
    (line,) = lines_of(answer.text)
    assert line["note"] == '\'=cmd|"/c calc"!A1'


@pytest.mark.long
async def test_a_picture_is_a_png_and_follows_corrections(with_set: Room):
    first = await with_set.get("/api/sets/set-0000.png")
    assert first.headers["content-type"] == "image/png"
    assert first.content.startswith(b"\x89PNG")
    await with_set.post("/api/sets/set-0000/corrections", {"kind": "outcome", "value": "stopped"})
    second = await with_set.get("/api/sets/set-0000.png")
    assert second.content != first.content


async def test_clients_are_listed_by_name_and_need_none(here: Room):
    for name in ("Zoë", "Anna", None):
        answer = await here.post("/api/clients", {"name": name})
        assert answer.status_code == 201
    clients = (await here.get("/api/clients")).json()["clients"]
    assert [client["name"] for client in clients] == ["Anna", "Zoë", ""]
    assert len({client["id"] for client in clients}) == 3


@pytest.mark.parametrize("name", [7, ["Anna"], {"a": 1}, "x" * 81, "a\0b", True])
async def test_an_invalid_name_is_refused(here: Room, name: object):
    assert (await here.post("/api/clients", {"name": name})).status_code == 400
    assert here.store.clients() == []


async def test_hostile_names_come_back_as_they_were(here: Room):
    for name in ("<script>alert(1)</script>", "שלום", "'; drop table sets --"):
        made = (await here.post("/api/clients", {"name": name})).json()
        assert made["name"] == name
        told = await here.get(f"/api/clients/{made['id']}/history")
        assert told.json()["client"]["name"] == name
        assert told.headers["content-type"] == "application/json"


async def test_a_name_turns_up_on_the_machine_that_it_was_entered_on(here: Room):
    anna = (await here.post("/api/clients", {"name": "Anna"})).json()
    await here.post(f"{MACHINE}/next", {"client": anna["id"]})
    machine = (await here.get("/api/stations")).json()[0]
    assert machine["client"] == anna


async def test_health_is_ok_until_the_store_fails(here: Room):
    assert (await here.get("/healthz")).json()["ok"]
    here.service.writer.trouble = "disk full"
    answer = await here.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["store"] == "disk full"

"""The page of a store of many gyms: no machines of its own, everybody's sets."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
import sqlalchemy as sa
from legcurl.store import Expected, Gym, Machine, open_store, tables
from made_sets import FIRST, new_set
from postgres_server import postgres_server
from room import room
from running import Running, run
from timings import LIMIT_S

GYMS = [Gym("north", "North Street"), Gym("south", "South Bank")]


def fill(store) -> None:
    """Two gyms with two machines and four sets each, as a collector leaves them."""
    for gym in GYMS:
        row = {"id": gym.id, "name": gym.name}
        store.within(lambda c, row=row: c.execute(sa.insert(tables.gyms).values(row)))
    number = 0
    for _ in range(2):
        for gym in GYMS:
            for place in (1, 2):
                machine = Machine(f"{gym.id}:curl-{place}", f"Leg curl {place}", gym.id)
                store.put_machine(machine)
                new = new_set(number, id=f"{gym.id}:set-{number}", machine=machine, trace=None)
                store.add_set(new)
                number += 1


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        fill(made.store)
        yield made


async def test_a_gyms_sets_are_found_newest_first_page_by_page(here) -> None:
    everybody = (await here.get("/api/sets?limit=3")).json()
    assert [found["gym"] for found in everybody["sets"]] == ["south", "south", "north"]
    seen, before = [], None
    while before or not seen:
        asked_for = {"gym": "north", "limit": "3"} | ({"before": before} if before else {})
        page = (await here.get("/api/sets", params=asked_for)).json()
        seen += [found["id"] for found in page["sets"]]
        before = page["next"]
    assert seen == ["north:set-5", "north:set-4", "north:set-1", "north:set-0"]
    assert (await here.get("/api/sets?gym=nowhere")).json() == {"sets": [], "next": None}


async def test_the_gyms_are_listed_by_name(here) -> None:
    gyms = (await here.get("/api/gyms")).json()["gyms"]
    assert gyms == [{"id": gym.id, "name": gym.name} for gym in GYMS]


async def test_a_set_of_another_gym_is_changed_there(here) -> None:
    before = here.store.get_set("north:set-0")
    for answer in (
        await here.patch("/api/sets/north:set-0", {"note": "mine"}),
        await here.post("/api/sets/north:set-0/corrections", {"kind": "delete"}),
    ):
        assert answer.status_code == 409
        assert "kept by its gym" in answer.json()["error"]
    assert here.store.get_set("north:set-0") == before


def test_a_service_without_machines_shows_the_sets_of_all_gyms() -> None:
    with postgres_server() as server:
        url = server.url(server.new_database())
        with open_store(url) as store:
            fill(store)
            client = store.add_client(None)
            expected = Expected(client.id, 40.0, FIRST)
            machine = Machine("north:curl-1", "Leg curl 1", "north")
            store.add_set(new_set(50, id="north:set-50", machine=machine, expected=expected))
        with (  # two at once: who only shows sets makes no claim on the store
            Running("serve", "--port", "0", "--store", url) as one,
            Running("serve", "--port", "0", "--store", url) as two,
        ):
            for service in (one, two):
                page = service.line().strip()
                assert asked(page, "api/stations") == []
                assert len(asked(page, "api/sets?gym=north")["sets"]) == 5
                assert len(asked(page, f"api/clients/{client.id}/history")["sets"]) == 1
                assert b"legcurl" in urllib.request.urlopen(page, timeout=LIMIT_S).read()
                service.send(2)
                assert service.end() == 130
                assert service.complaints() == ""


def asked(page: str, path: str):
    with urllib.request.urlopen(f"{page}{path}", timeout=LIMIT_S) as answer:
        return json.load(answer)


def test_a_gyms_own_service_needs_a_machine(tmp_path: Path) -> None:
    ended = run("serve", "--store", f"sqlite:///{tmp_path}/store.db")
    assert ended.returncode == 2
    assert "at least one machine" in ended.stderr


@pytest.mark.long
def test_the_second_service_on_a_store_is_told_the_first_ones_process(tmp_path: Path) -> None:
    place = ("--port", "0", "--store", f"sqlite:///{tmp_path}/store.db")
    machine = ("--station", "sim:?seed=5&sets=10")
    with Running("serve", "--quiet", *place, *machine) as first:
        first.line()
        second = run("serve", *place, *machine)
        assert second.returncode == 7
        assert f"process {first.process.pid} on" in second.stderr
        first.send(9)
        first.end()
    with Running("serve", "--quiet", *place, *machine) as third:
        assert third.line().startswith("http://")

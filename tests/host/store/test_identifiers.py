"""Identifiers have one pattern each, wherever they come in."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from legcurl.gym.gym import check_setups
from legcurl.gym.machine import MachineSetup
from legcurl.identifiers import (
    CLIENT_ID,
    CLIENT_ID_MAX,
    GYM_ID,
    GYM_ID_MAX,
    MACHINE_ID,
    MACHINE_ID_MAX,
    SET_ID,
    SET_ID_MAX,
)
from legcurl.store import tables

LONGEST = [
    (GYM_ID, GYM_ID_MAX),
    (MACHINE_ID, MACHINE_ID_MAX),
    (CLIENT_ID, CLIENT_ID_MAX),
    (SET_ID, SET_ID_MAX),
]


@pytest.mark.parametrize(("pattern", "longest"), LONGEST)
def test_an_id_is_as_long_as_is_said_and_no_longer(pattern, longest):
    assert pattern.fullmatch("x" * longest)
    assert not pattern.fullmatch("x" * (longest + 1))


def test_a_gym_takes_the_machine_ids_that_the_broker_and_center_take():
    check_setups([MachineSetup("x" * MACHINE_ID_MAX, "", "sim:")])


@pytest.mark.parametrize(
    ("column", "longest"),
    [
        (tables.machines.c.id, MACHINE_ID_MAX),
        (tables.clients.c.id, CLIENT_ID_MAX),
        (tables.sets.c.id, SET_ID_MAX),
    ],
)
def test_ids_with_their_gym_fit_the_columns_of_the_center(column, longest):
    assert GYM_ID_MAX + len(":") + longest <= column.type.length


@pytest.mark.parametrize(("kind", "pattern"), [("gym", GYM_ID), ("machine", MACHINE_ID)])
def test_the_schema_of_messages_has_the_patterns_of_ids(kind, pattern):
    schema = json.loads(files("legcurl.mqtt").joinpath("schema.json").read_text())
    assert schema["$defs"][kind]["properties"]["id"]["pattern"] == f"^{pattern.pattern}$"

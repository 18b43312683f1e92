"""A database of any past version becomes one of this version, and keeps what it holds."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from legcurl.store import SetQuery, open_store
from legcurl.store.tables import metadata
from legcurl.store.upgrade import MIGRATIONS
from made_sets import new_set


def config_for(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


VERSIONS = [
    revision.revision
    for revision in reversed(list(ScriptDirectory.from_config(config_for()).walk_revisions()))
]


def test_the_steps_are_numbered_without_a_hole():
    assert [f"{number:04}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_each_past_version_becomes_this_one_and_keeps_its_set(version: str, tmp_path):
    url = f"sqlite:///{tmp_path}/old.db"
    past = sa.create_engine(url)
    with past.begin() as connection:
        command.upgrade(config_for(connection), version)
        connection.execute(
            sa.text("INSERT INTO machines (id, name) VALUES ('curl-1', 'Leg curl 1')")
        )
        connection.execute(
            sa.text("INSERT INTO clients (id, name, since_us) VALUES ('c1', 'Ada', 1)")
        )
        connection.execute(
            sa.text(
                "INSERT INTO sets (id, machine_id, client_id, started_us, log_start_us, log_end_us,"
                " start_s, end_s, outcome, outcome_known_s, time_under_load_s, completed_reps,"
                " rom_deg, incomplete) VALUES ('old', 'curl-1', 'c1', 1000000, 0, 1, 0.0, 60.0,"
                " 'stopped', 61.0, 55.0, 7, 100.0, 0)"
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO corrections (set_id, kind, value, who, at_us, reason)"
                " VALUES ('old', 'count', '8', 'coach', 2000000, '')"
            )
        )
    past.dispose()
    with open_store(url) as store:
        old = store.get_set("old")
        assert old.original.completed_reps == 7
        assert (old.result.completed_reps, old.result.outcome) == (8, "stopped")
        assert old.client is not None
        assert old.client.name == "Ada"
        store.add_set(new_set())
        assert len(store.find_sets(SetQuery()).sets) == 2


def test_the_steps_lead_to_the_tables_that_this_version_expects(tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    open_store(url).close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()

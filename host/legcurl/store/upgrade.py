"""Upgrades a database of any older version in one transaction; refuses a newer one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from legcurl.errors import StoreError
from legcurl.store.database import transaction

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x6C656763  # of PostgreSQL: services that start together upgrade in turn


def upgrade(engine: Engine) -> None:
    """Upgrade the database. StoreError, and no change, if it is newer."""
    config = _config()
    known = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    newest = known[0]
    with transaction(engine, reading=True) as connection:
        if _version(connection, known) == newest:
            return
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        if _version(connection, known) == newest:  # another process was quicker
            return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(f"The database could not be brought up to date: {error}") from error


def version(engine: Engine) -> str:
    """The number of the last migration of the database."""
    with transaction(engine, reading=True) as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def _version(connection: Connection, known: list[str]) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise StoreError(
            f"The database is of version {current}, newer than this legcurl knows "
            f"({known[0]}): update legcurl. Nothing was changed."
        )
    return current


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config

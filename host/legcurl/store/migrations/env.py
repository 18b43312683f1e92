"""What Alembic runs the steps with: upgrade.py's connection, in its transaction."""

from __future__ import annotations

from alembic import context

from legcurl.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

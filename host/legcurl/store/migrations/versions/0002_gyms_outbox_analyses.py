"""Many gyms in one store, events that wait for the broker, and older measures of a set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what a gym that publishes, and a store of many gyms, need."""
    op.create_table(
        "gyms",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    # Columns are added, never a table made anew (Alembic's batches): SQLite, with references
    # enforced, would delete all that refers to the old table's rows.
    op.add_column("machines", sa.Column("gym_id", sa.String(64)))
    op.add_column("sets", sa.Column("revision", sa.Integer, nullable=False, server_default="1"))
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "outbox",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(192), nullable=False, unique=True),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("sent_us", sa.BigInteger),
    )
    op.create_index("outbox_waiting", "outbox", ["machine_id", "sent_us", "id"])
    op.create_table(
        "analyses",
        sa.Column(
            "set_id", sa.String(96), sa.ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("detection", sa.String(32), primary_key=True),
        sa.Column("replaced_us", sa.BigInteger, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """There is no way back: an older legcurl refuses a newer database."""
    raise NotImplementedError("restore a backup instead")

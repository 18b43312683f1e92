"""For a store of many gyms: who was erased, and messages that could not be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what a collector needs."""
    op.create_table(
        "forgotten",
        sa.Column("id", sa.String(96), primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "dead_letters",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """There is no way back: an older legcurl refuses a newer database."""
    raise NotImplementedError("restore a backup instead")

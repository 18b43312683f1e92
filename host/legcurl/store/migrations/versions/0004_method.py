"""The training method that a set was judged by, and the reps that count by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; sets from before were judged by the exercise's own method."""
    op.add_column("sets", sa.Column("counted_reps", sa.Integer))
    op.add_column("sets", sa.Column("method", sa.Text))


def downgrade() -> None:
    """There is no way back: an older legcurl refuses a newer database."""
    raise NotImplementedError("restore a backup instead")

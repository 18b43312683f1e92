"""Machines, clients, sets, reps, corrections and traces. Written out: tables.py will change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "clients",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("since_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "machines",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column(
            "next_client_id", sa.String(64), sa.ForeignKey("clients.id", ondelete="SET NULL")
        ),
        sa.Column("next_load_kg", sa.Float),
        sa.Column("next_since_us", sa.BigInteger),
    )
    op.create_table(
        "sets",
        sa.Column("id", sa.String(96), primary_key=True),
        sa.Column("machine_id", sa.String(64), sa.ForeignKey("machines.id"), nullable=False),
        sa.Column("client_id", sa.String(64), sa.ForeignKey("clients.id", ondelete="SET NULL")),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("load_kg", sa.Float),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("detection", sa.String(32), nullable=False, server_default=""),
        sa.Column("log", sa.String(64)),
        sa.Column("log_start_us", sa.BigInteger, nullable=False),
        sa.Column("log_end_us", sa.BigInteger, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("outcome_s", sa.Float),
        sa.Column("outcome_known_s", sa.Float, nullable=False),
        sa.Column("time_under_load_s", sa.Float, nullable=False),
        sa.Column("completed_reps", sa.Integer, nullable=False),
        sa.Column("rom_deg", sa.Float, nullable=False),
        sa.Column("extended_deg", sa.Float),
        sa.Column("flexed_deg", sa.Float),
        sa.Column("velocity_loss", sa.Float),
        sa.Column("rom_loss", sa.Float),
        sa.Column("incomplete", sa.Boolean, nullable=False),
    )
    op.create_index("sets_by_machine", "sets", ["machine_id", "started_us", "id"])
    op.create_index("sets_by_client", "sets", ["client_id", "started_us", "id"])
    op.create_index("sets_by_time", "sets", ["started_us", "id"])
    op.create_index("sets_by_log", "sets", ["log", "log_start_us"])
    op.create_table(
        "reps",
        sa.Column(
            "set_id", sa.String(96), sa.ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("completed", sa.Boolean, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("failure", sa.String(16)),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("hold_start_s", sa.Float, nullable=False),
        sa.Column("hold_end_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("known_s", sa.Float, nullable=False),
        sa.Column("concentric_s", sa.Float, nullable=False),
        sa.Column("hold_s", sa.Float, nullable=False),
        sa.Column("eccentric_s", sa.Float, nullable=False),
        sa.Column("rest_before_s", sa.Float, nullable=False),
        sa.Column("peak_deg", sa.Float, nullable=False),
        sa.Column("rom_fraction", sa.Float, nullable=False),
        sa.Column("hold_met", sa.Boolean, nullable=False),
        sa.Column("full_rom", sa.Boolean, nullable=False),
        sa.Column("fail_s", sa.Float),
        sa.Column("evidence", sa.Text),
        sa.Column("mean_velocity_deg_s", sa.Float, nullable=False),
        sa.Column("incomplete", sa.Boolean, nullable=False),
    )
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "corrections",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column(
            "set_id", sa.String(96), sa.ForeignKey("sets.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("corrections_by_set", "corrections", ["set_id"])
    op.create_table(
        "traces",
        sa.Column(
            "set_id", sa.String(96), sa.ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("samples", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """There is no way back: an older legcurl refuses a newer database."""
    raise NotImplementedError("restore a backup instead")

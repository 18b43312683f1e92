"""The tables of this version of legcurl; migrations/ upgrades older databases.

Columns `_us` are wall time in microseconds since 1970 UTC; columns `_s` are seconds of the sensor's
clock.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()
# SQLite counts rows by itself only in a column of exactly this type.
_ROW_ID = BigInteger().with_variant(Integer(), "sqlite")

# Of a store of many gyms. Its machines, clients and sets have ids that begin with the gym's: see
# docs/mqtt.md. A gym's own store has no row here.
gyms = Table(
    "gyms",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
)

machines = Table(
    "machines",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("next_client_id", String(64), ForeignKey("clients.id", ondelete="SET NULL")),
    Column("next_load_kg", Float),
    Column("next_since_us", BigInteger),
    Column("gym_id", String(64)),  # of gyms; None in a gym's own store
)

clients = Table(
    "clients",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text),
    Column("since_us", BigInteger, nullable=False),
)

sets = Table(
    "sets",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("machine_id", String(64), ForeignKey("machines.id"), nullable=False),
    Column("client_id", String(64), ForeignKey("clients.id", ondelete="SET NULL")),
    Column("started_us", BigInteger, nullable=False),
    Column("load_kg", Float),
    Column("note", Text, nullable=False, server_default=""),
    Column("detection", String(32), nullable=False, server_default=""),
    # Which log it was measured from, and where in it by that log's own clock: see records.NewSet.
    Column("log", String(64)),
    Column("log_start_us", BigInteger, nullable=False),
    Column("log_end_us", BigInteger, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("outcome_s", Float),
    Column("outcome_known_s", Float, nullable=False),
    Column("time_under_load_s", Float, nullable=False),
    Column("completed_reps", Integer, nullable=False),
    Column("rom_deg", Float, nullable=False),
    Column("extended_deg", Float),
    Column("flexed_deg", Float),
    Column("velocity_loss", Float),
    Column("rom_loss", Float),
    Column("incomplete", Boolean, nullable=False),
    Column("counted_reps", Integer),  # None: as completed_reps
    Column("method", Text),  # JSON; None: the exercise's own
    # Counts versions of the set: 1 as measured, and each change.
    Column("revision", Integer, nullable=False, server_default="1"),
    Index("sets_by_machine", "machine_id", "started_us", "id"),
    Index("sets_by_client", "client_id", "started_us", "id"),
    Index("sets_by_time", "started_us", "id"),
    Index("sets_by_log", "log", "log_start_us"),
)

reps = Table(
    "reps",
    metadata,
    Column("set_id", ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("completed", Boolean, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("failure", String(16)),
    Column("start_s", Float, nullable=False),
    Column("hold_start_s", Float, nullable=False),
    Column("hold_end_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("known_s", Float, nullable=False),
    Column("concentric_s", Float, nullable=False),
    Column("hold_s", Float, nullable=False),
    Column("eccentric_s", Float, nullable=False),
    Column("rest_before_s", Float, nullable=False),
    Column("peak_deg", Float, nullable=False),
    Column("rom_fraction", Float, nullable=False),
    Column("hold_met", Boolean, nullable=False),
    Column("full_rom", Boolean, nullable=False),
    Column("fail_s", Float),
    Column("evidence", Text),
    Column("mean_velocity_deg_s", Float, nullable=False),
    Column("incomplete", Boolean, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("set_id", ForeignKey("sets.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", Text),  # JSON
    Column("who", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index("corrections_by_set", "set_id"),
)

traces = Table(
    "traces",
    metadata,
    Column("set_id", ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True),
    Column("samples", LargeBinary, nullable=False),  # see traces.py
)

# Events to publish. Sent rows stay for a while: after a crash a journal is replayed, and an event
# that happens again is then known by its id.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("event_id", String(192), nullable=False, unique=True),
    Column("machine_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("made_us", BigInteger, nullable=False),
    Column("sent_us", BigInteger),
    Index("outbox_waiting", "machine_id", "sent_us", "id"),
)

# Earlier measurements of sets that were analysed again by a newer detection.
analyses = Table(
    "analyses",
    metadata,
    Column("set_id", ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True),
    Column("detection", String(32), primary_key=True),  # the version of the rules
    Column("replaced_us", BigInteger, nullable=False),
    Column("result", Text, nullable=False),  # JSON
)

# Of a store of many gyms: the ids of erased clients and sets, so that a message that arrives later
# does not store them again.
forgotten = Table(
    "forgotten",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
)

# The newest messages that a collector could not store, with the reason.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("topic", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # its beginning
    Column("at_us", BigInteger, nullable=False),
)

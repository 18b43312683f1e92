"""The topics and messages that a gym publishes: docs/mqtt.md, and schema.json.

Each message is one JSON object with `schema`, `kind`, `gym` and `machine`. Events, which come from
the outbox, also have a unique `id`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from legcurl._version import __version__
from legcurl.events import RepResult, plain
from legcurl.store.replication.outbox import Waiting
from legcurl.store.replication.set_document import SCHEMA, as_text

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine

ROOT = "legcurl"
REASON_MAX = 300


@dataclass(frozen=True, slots=True)
class GymName:
    """Which gym publishes: an id for topics, and a name to show."""

    id: str
    name: str


def topic(gym_id: str, machine_id: str, kind: str) -> str:
    """The topic of a kind of message; `machine_id` is empty for the whole gym."""
    return "/".join(part for part in (ROOT, gym_id, machine_id, kind) if part)


def client_id(gym_id: str, machine_id: str) -> str:
    """The MQTT client id of a machine. No id has a colon, so it is unambiguous."""
    return f"{ROOT}-{gym_id}:{machine_id}" if machine_id else f"{ROOT}-{gym_id}"


def event_message(gym: GymName, waiting: Waiting) -> bytes:
    """The message of a row of the outbox."""
    document = _envelope(gym, waiting.kind) | {"id": waiting.event_id}
    document |= json.loads(waiting.payload)
    if waiting.kind == "set":
        document["trace"] = waiting.trace
    return as_text(document).encode()


def rep_body(
    machine: Machine,
    set_id: str,
    *,
    number: int,
    rep: RepResult | None,
    completed_reps: int,
    reason: str | None,
) -> dict[str, Any]:
    """The body of a rep that ended, or (with a reason) that was corrected.

    It has no times: they would differ after a restart of the service, and the same rep must give
    the same body. The message of the set has them.
    """
    told = None
    if rep is not None:
        told = {name: value for name, value in plain(rep).items() if name not in _MOMENTS}
    return {
        "machine": {"id": machine.setup.id, "name": machine.name},
        "set": set_id,
        "number": number,
        "rep": told,
        "completed_reps": completed_reps,
        "corrects": reason is not None,
        "reason": reason,
    }


_MOMENTS = ("start_s", "hold_start_s", "hold_end_s", "end_s", "known_s", "fail_s")


def online(machine: Machine) -> dict[str, Any]:
    """The status of a machine: what changes a few times a set."""
    state = machine.state
    sensor = state.sensor
    return {
        "machine": {"id": machine.setup.id, "name": machine.name},
        "state": "online",
        "reason": None,
        "link": state.link,
        "link_reason": state.link_reason[:REASON_MAX],
        "faults": sorted(state.faults),
        "in_set": state.stage == "during",
        "sensor": None
        if sensor is None
        else {
            "id": sensor.sensor_id,
            "name": sensor.name,
            "board": sensor.board,
            "firmware": sensor.firmware,
            "rate_hz": sensor.rate_hz,
        },
    }


def offline(machine_id: str, name: str, reason: str) -> dict[str, Any]:
    """The status of a machine whose service `stopped` or `vanished`."""
    return {
        "machine": {"id": machine_id, "name": name},
        "state": "offline",
        "reason": reason,
        "link": "unknown",
        "link_reason": "",
        "faults": [],
        "in_set": False,
        "sensor": None,
    }


def status_message(gym: GymName, status: Mapping[str, Any]) -> bytes:
    """The message of a status, with the time of now."""
    document = _envelope(gym, "status") | dict(status)
    document |= {"service": __version__, "at": datetime.now(UTC).isoformat(timespec="milliseconds")}
    return as_text(document).encode()


def _envelope(gym: GymName, kind: str) -> dict[str, Any]:
    return {"schema": SCHEMA, "kind": kind, "gym": {"id": gym.id, "name": gym.name}}

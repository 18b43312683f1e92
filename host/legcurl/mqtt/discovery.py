"""Home Assistant's discovery: retained messages that tell it what a machine's topics hold.

Published if `home_assistant = true`, with every connection.
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery describes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from legcurl._version import __version__
from legcurl.mqtt.messages import GymName, topic

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine

PREFIX = "homeassistant"
_SET, _REP, _STATUS = "set", "rep", "status"
# component, object id, name, topic, template, and what else it has
_ENTITIES: tuple[tuple[str, str, str, str, str, dict[str, Any]], ...] = (
    (
        "sensor",
        "reps",
        "Reps",
        _REP,
        "{{ value_json.completed_reps }}",
        {"icon": "mdi:counter", "state_class": "measurement"},
    ),
    (
        "sensor",
        "last_set_reps",
        "Reps of the last set",
        _SET,
        "{{ value_json.set.completed_reps }}",
        {"icon": "mdi:dumbbell", "state_class": "measurement"},
    ),
    (
        "sensor",
        "last_set_outcome",
        "Outcome of the last set",
        _SET,
        "{{ value_json.set.outcome }}",
        {
            "icon": "mdi:flag-checkered",
            "device_class": "enum",
            "options": ["muscle_success", "stopped", "interrupted"],
        },
    ),
    (
        "binary_sensor",
        "in_set",
        "In use",
        _STATUS,
        "{{ 'ON' if value_json.in_set else 'OFF' }}",
        {"device_class": "occupancy"},
    ),
    (
        "binary_sensor",
        "link",
        "Sensor",
        _STATUS,
        "{{ 'ON' if value_json.link == 'up' else 'OFF' }}",
        {"device_class": "connectivity", "entity_category": "diagnostic"},
    ),
    (
        "binary_sensor",
        "fault",
        "Sensor fault",
        _STATUS,
        "{{ 'ON' if value_json.faults else 'OFF' }}",
        {"device_class": "problem", "entity_category": "diagnostic"},
    ),
)


def discovery(gym: GymName, machine: Machine) -> Iterator[tuple[str, bytes]]:
    """Topics and messages that announce a machine as one device."""
    node = "_".join(("legcurl", _plain(gym.id), _plain(machine.setup.id)))
    sensor = machine.state.sensor
    device = {
        "identifiers": [f"legcurl/{gym.id}/{machine.setup.id}"],
        "name": machine.name,
        "manufacturer": "legcurl",
        "model": sensor.board if sensor is not None else "leg curl",
        "suggested_area": gym.name,
    }
    if sensor is not None:
        device["sw_version"] = sensor.firmware
    status = topic(gym.id, machine.setup.id, _STATUS)
    for component, entity, name, kind, template, more in _ENTITIES:
        config = {
            "unique_id": f"{node}_{entity}",
            "name": name,
            "state_topic": topic(gym.id, machine.setup.id, kind),
            "value_template": template,
            "availability_topic": status,
            "availability_template": "{{ value_json.state }}",
            "device": device,
            "origin": {"name": "legcurl", "sw_version": __version__},
            **more,
        }
        yield f"{PREFIX}/{component}/{node}/{entity}/config", json.dumps(config).encode()


def _plain(own: str) -> str:
    """An id for a discovery topic, with other characters escaped, so it stays unique."""
    return re.sub(r"[^A-Za-z0-9-]", lambda odd: f"_{ord(odd[0]):02x}", own)

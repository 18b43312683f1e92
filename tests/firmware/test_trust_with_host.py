"""The host's keys and codes, at the sensor itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

from legcurl.protocol.authentication import key_id, proof, request_mac
from legcurl.protocol.frame import Answer, Boot
from legcurl.protocol.requests import Op, Result, read_hello
from legcurl.simulator.runner import Engine
from legcurl.station.key_ring import new_key
from sensor_process import LiveSensor, Moment, world

STILL = world(1, lambda _: Moment())
NEW_NAME = '{"name": "Röhre 7"}'.encode()


def authorized(sensor: LiveSensor, key: bytes, op: Op, payload: bytes) -> Answer:
    nonce = sensor.ask(Op.CHALLENGE).payload
    return sensor.ask(Op.AUTHORIZED, request_mac(key, nonce, op, payload) + bytes([op]) + payload)


def test_a_sensor_takes_the_host_s_code_and_proves_itself_to_it(
    engine: Engine, tmp_path: Path
) -> None:
    key = new_key()
    with LiveSensor(engine, STILL, tmp_path, pace="8") as sensor:
        assert sensor.ask(Op.KEY_PUT, key).payload.decode() == key_id(key)
        assert authorized(sensor, key, Op.SETTINGS_PUT, NEW_NAME).result == Result.OK
        wrong = authorized(sensor, new_key(), Op.SETTINGS_PUT, b"{}")
        assert wrong.result == Result.NOT_ALLOWED
        assert sensor.ask(Op.REBOOT).result == Result.OK
        sensor.read_until(lambda frame: isinstance(frame, Boot))
        hello = read_hello(sensor.ask(Op.HELLO, b"\x01\x01"))
        assert (hello.name, hello.key_id) == ("Röhre 7", key_id(key))
        nonce = os.urandom(16)
        told = sensor.ask(Op.PROVE, nonce).payload
        assert told == proof(key, nonce, hello.boot_id, hello.sensor_id)
        assert json.loads(sensor.ask(Op.STATISTICS).payload)["wrong_keys"] == 0  # since the boot

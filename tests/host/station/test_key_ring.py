"""Keys on the host's side: codes as in tests/vectors/trust.json, and the ring that keeps them."""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import make_trust
import pytest
from legcurl.errors import ConfigError
from legcurl.protocol.authentication import (
    KEY_BYTES,
    authorized_request,
    key_id,
    proof,
    request_mac,
)
from legcurl.protocol.frame import encode_request
from legcurl.protocol.requests import Op
from legcurl.station.key_ring import KeyRing, new_key, ring_path

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
GOLDEN = json.loads((VECTORS / "trust.json").read_text(encoding="utf-8"))
SENSOR = "e66058388317812f"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "legcurl" / "keys.json")


@pytest.mark.parametrize("case", GOLDEN["requests"])
def test_a_request_carries_the_golden_code(case: dict[str, Any]) -> None:
    key, nonce, payload = (bytes.fromhex(case[name]) for name in ("key", "nonce", "payload"))
    assert request_mac(key, nonce, case["op"], payload).hex() == case["mac"]
    assert key_id(key) == case["key_id"]
    assert authorized_request(9, case["op"], payload, key, nonce) == encode_request(
        9, 0x0E, bytes.fromhex(case["mac"]) + bytes([case["op"]]) + payload
    )


@pytest.mark.parametrize("case", GOLDEN["proofs"])
def test_a_proof_is_the_golden_one(case: dict[str, Any]) -> None:
    key, nonce = bytes.fromhex(case["key"]), bytes.fromhex(case["nonce"])
    assert proof(key, nonce, case["boot_id"], case["sensor_id"]).hex() == case["proof"]


def test_the_vectors_are_those_that_their_definition_writes() -> None:
    assert make_trust.text() == (VECTORS / "trust.json").read_text(encoding="utf-8")
    # RFC 4231, test case 2: the definition itself is right.
    assert make_trust.hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_a_code_fits_one_key_nonce_request_and_payload() -> None:
    key, nonce = new_key(), os.urandom(16)
    true = request_mac(key, nonce, Op.SETTINGS_PUT, b"{}")
    assert request_mac(new_key(), nonce, Op.SETTINGS_PUT, b"{}") != true
    assert request_mac(key, os.urandom(16), Op.SETTINGS_PUT, b"{}") != true
    assert request_mac(key, nonce, Op.CALIBRATION_PUT, b"{}") != true
    assert request_mac(key, nonce, Op.SETTINGS_PUT, b"{ }") != true


def test_two_keys_are_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {KEY_BYTES}


def test_a_key_that_was_put_is_found_by_the_sensor_s_id(ring: KeyRing) -> None:
    key, other = new_key(), new_key()
    assert ring.key(SENSOR) is None
    ring.put(SENSOR, key, "Leg curl 1")
    ring.put("a0b1", other)
    assert (ring.key(SENSOR), ring.key("a0b1")) == (key, other)
    assert [(entry.sensor_id, entry.name) for entry in ring.sensors()] == [
        ("a0b1", ""),
        (SENSOR, "Leg curl 1"),
    ]
    assert KeyRing(ring.path).key(SENSOR) == key
    ring.put(SENSOR, other)
    assert ring.key(SENSOR) == other
    assert ring.remove(SENSOR)
    assert not ring.remove(SENSOR)
    assert ring.key(SENSOR) is None


def test_the_file_is_its_owner_s_alone(ring: KeyRing) -> None:
    before = os.umask(0)
    try:
        ring.put(SENSOR, new_key())
    finally:
        os.umask(before)
    assert ring.path.stat().st_mode & 0o777 == 0o600
    assert ring.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_open_to_others_is_refused_with_the_remedy(ring: KeyRing, mode: int) -> None:
    ring.put(SENSOR, new_key())
    ring.path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        ring.key(SENSOR)
    with pytest.raises(ConfigError, match="chmod 600"):
        ring.put(SENSOR, new_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"keys": []}',
        '{"version": 2, "keys": {}}',
        '{"version": 1, "keys": {"e660": "%s"}}',
        '{"version": 1, "keys": {"e660": {"key": "%s00"}}}',
        '{"version": 1, "keys": {"e660": {"key": "%sx"}}}',
        '{"version": 1, "keys": {"e660": {"key": 5}}}',
        '{"version": 1, "keys": {"e660": {"key": "%s", "name": 5}}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_named_and_no_key_is_told(ring: KeyRing, text: str) -> None:
    secret = new_key().hex()
    ring.put(SENSOR, new_key())
    ring.path.write_text(text.replace("%s", secret))
    with pytest.raises(ConfigError) as caught:
        ring.key(SENSOR)
    assert str(ring.path) in str(caught.value)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_shows_neither_in_a_representation_nor_in_the_log(
    ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    key = new_key()
    with caplog.at_level(logging.DEBUG):
        ring.put(SENSOR, key, "Leg curl 1")
        assert ring.key(SENSOR) == key
    told = repr(ring.sensors()) + str(ring.sensors()) + caplog.text
    assert key.hex() not in told
    assert repr(key) not in told


def test_an_unwritable_key_ring_stays_unchanged(ring: KeyRing, tmp_path: Path) -> None:
    key = new_key()
    ring.put(SENSOR, key)
    before = ring.path.read_bytes()
    with pytest.raises(ConfigError, match="32 bytes"):
        ring.put(SENSOR, key[:-1])
    assert ring.path.read_bytes() == before
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    with pytest.raises(ConfigError, match="LEGCURL_KEYS"):
        KeyRing(in_the_way / "keys.json").put(SENSOR, key)


def test_nothing_is_left_beside_the_ring_but_its_lock(ring: KeyRing) -> None:
    for _ in range(3):
        ring.put(SENSOR, new_key())
    assert {path.name for path in ring.path.parent.iterdir()} == {"keys.json", "keys.lock"}


def test_programs_that_pair_at_once_lose_no_key(ring: KeyRing) -> None:
    keys = {f"{number:016x}": new_key() for number in range(24)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda entry: KeyRing(ring.path).put(*entry), keys.items()))
    assert {entry.sensor_id: entry.key for entry in ring.sensors()} == keys


def test_the_ring_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LEGCURL_KEYS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert ring_path() == tmp_path / "config" / "legcurl" / "keys.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ring_path() == tmp_path / ".config" / "legcurl" / "keys.json"
    monkeypatch.setenv("LEGCURL_KEYS", str(tmp_path / "elsewhere.json"))
    assert ring_path() == tmp_path / "elsewhere.json"

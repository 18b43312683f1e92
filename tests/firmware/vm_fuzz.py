"""Requests by the hundred thousand, most of them wrong: none is more than answered.

Two floods. One goes through the whole sensor, as bytes on an unwired link, with every kind of
damage. The other, larger one goes to the parser behind the frames, where each request arrives:
mutations of requests that are right, signed ones among them, with and without a challenge.
"""

import gc
import json

from sensor.trust import _hmac
from vm_random import Random
from whole_sensor import (
    AUTHORIZED,
    CALIBRATION_GET,
    CHALLENGE,
    HELLO,
    KEY_PUT,
    NOT_ALLOWED,
    OK,
    SETTINGS_GET,
    SETTINGS_PUT,
    Sensor,
)
from wire_reference import request

REQUESTS = 100_000
WIRE_REQUESTS = 4_000
KEY = b"\x5a" * 32
LONGEST_ANSWER = 1016

SEEDS = (
    (0x01, b"\1\1"),
    (0x02, bytes(4) + bytes(8)),
    (0x02, bytes(4) + b"\xff" * 8),
    (0x03, b""),
    (0x04, b"12345678"),
    (0x05, b""),
    (0x06, b""),
    (0x07, b'{"rate_hz": 200, "frame_ms": 100, "name": "Back row"}'),
    (0x08, b""),
    (0x09, b'{"extended_raw": 16384, "flexed_raw": 36864, "direction": -1}'),
    (0x09, b"null"),
    (0x0A, b"\3"),
    (0x0B, b""),
    (0x0C, b""),
    (0x0D, b""),
    (0x0E, bytes(32) + b"\x07" + b'{"rate_hz": 200}'),
    (0x0F, bytes(16)),
    (0x10, bytes(32)),
    (0x11, b""),
    (0x12, b""),
)
WORDS = (b"{", b"}", b"[", b"]", b'"', b":", b",", b"-", b"1e999", b"null", b"true", b'"rate_hz"')
WORDS += (b"\\u0000", b"\xff\xfe", b"99999999999999999999", b'{"name": "', b"0.5", b" ", b'"\\')


def mutated(random, payload):
    """A payload with something wrong about it, or nothing."""
    how = random.below(8)
    at = random.below(len(payload) + 1)
    if how == 0:
        return payload
    if how == 1:
        return payload[:at]
    if how == 2:
        return payload + random.bytes(random.below(12))
    if how == 3 and payload:
        changed = bytearray(payload)
        changed[at % len(payload)] ^= 1 << random.below(8)
        return bytes(changed)
    if how == 4:
        return payload[:at] + WORDS[random.below(len(WORDS))] + payload[at:]
    if how == 5:
        return b"".join(WORDS[random.below(len(WORDS))] for _ in range(random.below(9)))
    if how == 6:
        return payload[:at] + payload[:at]
    return random.bytes(random.below(40))


def paired():
    """A sensor that has the key, and a host by air."""
    sensor = Sensor()
    assert sensor.ask(KEY_PUT, KEY)[0] == OK
    sensor.air.connect()
    return sensor


def state(sensor):
    """All that a request could have changed."""
    return (
        dict(sensor.flash.files),
        list(sensor.settings.fields().items()),
        sensor.calibration.value,
        sensor.trust.key_id,
        sensor.commands.restart,
    )


def test_requests_without_the_key_change_nothing():
    random = Random(23)
    sensor = paired()
    sensor.run(20)
    air = sensor.sessions[1]
    commands = sensor.commands
    before = state(sensor)
    results = [0] * 8
    for i in range(REQUESTS):
        if i % 7:
            op, payload = SEEDS[random.below(len(SEEDS))]
            payload = mutated(random, payload)
            if i % 5 == 0:
                op = random.below(256)
        else:
            op, payload = 0x0E, random.bytes(33 + random.below(30))
        if i % 50 == 0:  # so that not all codes come to a sensor that is deaf
            sensor.trust._deaf_until_us = 0
            air.challenge = sensor.trust.challenge()
        job = commands.begin(air, op, payload)
        assert job.done, (op, payload)
        assert job.result != 7, (op, payload, job.payload)
        assert len(job.payload) <= LONGEST_ANSWER
        results[job.result] += 1
    assert state(sensor) == before
    assert not commands.busy
    for result in (0, 1, 2, 3, 5):
        assert results[result] > 100, results
    assert sensor.counters.wrong_keys > 100


def test_signed_requests_change_only_valid_settings():
    random = Random(29)
    sensor = paired()
    sensor.run(20)
    air = sensor.sessions[1]
    granted = 0
    for _ in range(REQUESTS // 20):
        op, payload = SEEDS[random.below(len(SEEDS))]
        payload = mutated(random, payload)[:256]
        if op in (0x0B, 0x0C):
            continue  # those would be done
        nonce = sensor.commands.begin(air, CHALLENGE, b"").payload
        mac = _hmac(KEY, b"legcurl 1 request" + nonce + bytes((op,)) + payload)
        job = sensor.commands.begin(air, AUTHORIZED, mac + bytes((op,)) + payload)
        while not job.done:
            sensor.commands.work()
        assert job.result != 7, (op, payload, job.payload)
        granted += job.result == OK
        if op in (0x10, 0x11):
            assert job.result == NOT_ALLOWED or not payload, (op, job.payload)
        settings = sensor.settings
        assert 20 <= settings.rate_hz <= 400
        assert 50 <= settings.frame_ms <= 1000
        assert 1 <= len(settings.name.encode()) <= 32
    assert granted > 500
    assert sensor.counters.wrong_keys == 0
    assert sensor.trust.key_id is not None
    assert sensor.commands.restart == 0


def test_a_flood_of_damaged_requests_leaves_the_whole_sensor_as_it_was():
    random = Random(31)
    sensor = paired()
    sensor.start(0)
    before = state(sensor)
    for i in range(WIRE_REQUESTS):
        op, payload = SEEDS[random.below(len(SEEDS))]
        packet = bytearray(request(i % 256, op, mutated(random, payload)))
        for _ in range(random.below(3)):
            packet[random.below(len(packet))] = random.below(256)
        sensor.air.incoming.extend(packet)
        if i % 40 == 0:
            sensor.run(40)
            sensor.air.incoming = bytearray()
            sensor.air._taken = 0
            sensor.air.heard = bytearray()
        if i % 500 == 0:
            sensor.air.connect()
    sensor.run(500)
    assert state(sensor) == before
    assert sensor.counters.bad_frames > 500
    assert sensor.counters.requests > 1000
    assert sensor.counters.missed_ticks == sensor.counters.ring_overruns == 0
    sensor.air.connect()
    assert sensor.ask_by_air(HELLO, b"\1\1")[0] == OK
    assert json.loads(sensor.ask_by_air(SETTINGS_GET)[1])["rate_hz"] == 100
    assert sensor.ask_by_air(CALIBRATION_GET) == (OK, b"null")
    assert sensor.check_stream() > 300


def test_a_nest_as_deep_as_fits_leaves_the_heap_as_it_was():
    sensor = Sensor()
    gc.collect()
    for text in (b"[" * 256, b"[" * 128 + b"]" * 128, b'{"a":' * 51, b"[[" * 60 + b"{" * 60):
        for _ in range(200):
            job = sensor.commands.begin(sensor.session, SETTINGS_PUT, text)
            while not job.done:
                sensor.commands.work()
            assert job.result == 2
    assert sensor.ask(HELLO, b"\1\1")[0] == OK

"""Who may: over the cable everything, over the air only who shows that they have the key."""

import json
import os

import wire_reference
from flash_chip import Flash
from sensor.settings import FlashRecord
from sensor.trust import _hmac
from whole_sensor import (
    AUTHORIZED,
    BAD_REQUEST,
    BOOT_ID,
    BOOTLOADER,
    BUSY,
    CALIBRATION_GET,
    CALIBRATION_PUT,
    CHALLENGE,
    CRASH_LOG,
    HELLO,
    IDENTIFY,
    KEY_PUT,
    MAINTENANCE,
    NOT_ALLOWED,
    OK,
    PING,
    PROVE,
    REBOOT,
    SENSOR_ID,
    SETTINGS_GET,
    SETTINGS_PUT,
    STATISTICS,
    STOP,
    Sensor,
)

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
KEY_ID = "630dcd29"  # sha256sum of KEY
NEW_RATE = b'{"rate_hz": 200}'
READING = (
    (HELLO, b"\1\1"),
    (STOP, b""),
    (PING, b"12345678"),
    (STATISTICS, b""),
    (SETTINGS_GET, b""),
    (CALIBRATION_GET, b""),
    (IDENTIFY, b"\0"),
    (CRASH_LOG, b""),
)
CHANGING = (
    (SETTINGS_PUT, NEW_RATE),
    (CALIBRATION_PUT, b'{"extended_raw": 1, "flexed_raw": 2}'),
    (REBOOT, b""),
    (BOOTLOADER, b""),
)


def golden():
    with open(os.getenv("LEGCURL_VECTORS") + "/trust.json") as file:
        return json.load(file)


def paired(flash=None):
    """A sensor with a key, and somebody connected over the air."""
    sensor = Sensor(flash=flash)
    assert sensor.ask(KEY_PUT, KEY) == (OK, KEY_ID.encode())
    sensor.air.connect()
    return sensor


def nonce_of(sensor):
    result, nonce = sensor.ask_by_air(CHALLENGE)
    assert result == OK, nonce
    assert len(nonce) == 16
    return nonce


def signed(nonce, op, payload, key=KEY):
    mac = _hmac(key, b"legcurl 1 request" + nonce + bytes((op,)) + payload)
    return mac + bytes((op,)) + payload


def change(sensor, op, payload, key=KEY):
    """The answer to a change with a fresh challenge."""
    return sensor.ask_by_air(AUTHORIZED, signed(nonce_of(sensor), op, payload, key))


def test_codes_and_proofs_are_the_golden_ones():
    vectors = golden()
    for case in vectors["requests"]:
        key, nonce, payload = [bytes.fromhex(case[n]) for n in ("key", "nonce", "payload")]
        told = b"legcurl 1 request" + nonce + bytes((case["op"],)) + payload
        assert _hmac(key, told).hex() == case["mac"]
    for case in vectors["proofs"]:
        sensor = Sensor()
        assert sensor.ask(KEY_PUT, bytes.fromhex(case["key"]))[0] == OK
        identity = sensor.commands._identity
        identity.boot_id, identity.sensor_id = case["boot_id"], case["sensor_id"]
        assert sensor.ask(PROVE, bytes.fromhex(case["nonce"])) == (
            OK,
            bytes.fromhex(case["proof"]),
        )


def test_reading_is_open_over_the_air():
    sensor = paired()
    for op, payload in READING:
        result, answer = sensor.ask_by_air(op, payload)
        assert result == OK, (op, answer)


def test_changes_over_the_air_are_refused_with_a_remedy():
    sensor = paired()
    before = sensor.ask(SETTINGS_GET)
    for op, payload in CHANGING:
        result, message = sensor.ask_by_air(op, payload)
        assert (result, sensor.commands.restart) == (NOT_ALLOWED, 0)
        assert b"key" in message
    assert sensor.ask(SETTINGS_GET) == before
    assert sensor.ask(CALIBRATION_GET) == (OK, b"null")


def test_over_the_cable_everything_is_open_and_nothing_needs_the_key():
    sensor = paired()
    assert sensor.ask(SETTINGS_PUT, NEW_RATE)[0] == OK
    assert sensor.ask(CALIBRATION_PUT, b"null")[0] == OK
    assert sensor.ask(REBOOT)[0] == OK


def test_an_authorized_request_is_answered_as_the_request_in_it_would_be():
    sensor = paired()
    result, payload = change(sensor, SETTINGS_PUT, NEW_RATE)
    assert (result, json.loads(payload)["rate_hz"]) == (OK, 200)
    result, message = change(sensor, SETTINGS_PUT, b'{"rate_hz": 5}')
    assert result == BAD_REQUEST
    assert b"rate_hz" in message
    assert change(sensor, 0xEE, b"")[0] == 1
    assert change(sensor, PING, b"12345678")[1][:8] == b"12345678"
    sensor.flash.full = True
    assert change(sensor, SETTINGS_PUT, b'{"rate_hz": 50}')[0] == 6
    sensor.flash.full = False
    assert json.loads(sensor.ask(SETTINGS_GET)[1])["rate_hz"] == 200
    sensor.air.incoming.extend(
        wire_reference.request(7, AUTHORIZED, signed(nonce_of(sensor), REBOOT, b""))
    )
    sensor.loop.run()  # returns: it restarts
    assert sensor.commands.restart == REBOOT


def test_a_wrong_key_is_refused_and_counted():
    sensor = paired()
    result, message = change(sensor, SETTINGS_PUT, NEW_RATE, OTHER_KEY)
    assert result == NOT_ALLOWED
    assert KEY_ID.encode() in message
    assert json.loads(sensor.ask(STATISTICS)[1])["wrong_keys"] == 1
    assert json.loads(sensor.ask(SETTINGS_GET)[1])["rate_hz"] == 100


def test_wrong_keys_lock_the_sensor_longer_each_time_on_any_connection():
    sensor = paired()
    for seconds in (1, 2, 4, 8, 16, 32, 64, 64):
        sensor.air.connect()  # another one, each time
        assert change(sensor, SETTINGS_PUT, NEW_RATE, OTHER_KEY)[0] == NOT_ALLOWED
        sensor.air.connect()
        sensor.run(1000 * seconds - 500)
        for ask in (sensor.ask_by_air, sensor.ask):  # whoever asks
            result, message = ask(CHALLENGE)
            assert result == NOT_ALLOWED
            assert b"wait 1 s" in message, message
        sensor.run(500)
        nonce_of(sensor)
    assert sensor.counters.wrong_keys == 8
    assert change(sensor, SETTINGS_PUT, NEW_RATE)[0] == OK
    # A right one ends that.
    assert change(sensor, SETTINGS_PUT, NEW_RATE, OTHER_KEY)[0] == NOT_ALLOWED
    sensor.run(1000)
    nonce_of(sensor)


def test_while_it_is_deaf_a_right_code_is_not_even_looked_at():
    sensor = paired()
    nonce = nonce_of(sensor)
    wired_nonce = sensor.ask(CHALLENGE)[1]
    wrong = signed(wired_nonce, SETTINGS_PUT, NEW_RATE, OTHER_KEY)
    assert sensor.ask(AUTHORIZED, wrong)[0] == NOT_ALLOWED
    right = signed(nonce, SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, right)[0] == NOT_ALLOWED
    sensor.run(1000)
    assert sensor.ask_by_air(AUTHORIZED, right)[0] == OK


def test_waiting_never_overflows_into_waiting_again():
    sensor = paired()
    assert change(sensor, SETTINGS_PUT, NEW_RATE, OTHER_KEY)[0] == NOT_ALLOWED
    sensor.run(2000)
    for days in (6, 7, 12, 13, 25):  # ticks_ms wraps after 12.4 days
        sensor.clock._us = days * 24 * 3600 * 1_000_000
        nonce_of(sensor)


def test_an_overheard_code_cannot_be_used_again():
    sensor = paired()
    heard = signed(nonce_of(sensor), SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, heard)[0] == OK
    assert sensor.ask(SETTINGS_PUT, b'{"rate_hz": 100}')[0] == OK
    result, message = sensor.ask_by_air(AUTHORIZED, heard)
    assert result == NOT_ALLOWED
    assert b"challenge" in message
    sensor.ask_by_air(CHALLENGE)
    assert sensor.ask_by_air(AUTHORIZED, heard)[0] == NOT_ALLOWED
    assert json.loads(sensor.ask(SETTINGS_GET)[1])["rate_hz"] == 100


def test_a_wrong_code_uses_the_nonce_up_as_well():
    sensor = paired()
    nonce = nonce_of(sensor)
    wrong = signed(nonce, SETTINGS_PUT, NEW_RATE, OTHER_KEY)
    assert sensor.ask_by_air(AUTHORIZED, wrong)[0] == NOT_ALLOWED
    sensor.run(1000)
    right = signed(nonce, SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, right)[0] == NOT_ALLOWED
    assert sensor.counters.wrong_keys == 1


def test_a_nonce_belongs_to_the_connection_that_asked_for_it():
    sensor = paired()
    nonce = nonce_of(sensor)
    sensor.air.connect()
    code = signed(nonce, SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, code)[0] == NOT_ALLOWED
    assert sensor.ask(AUTHORIZED, code)[0] == NOT_ALLOWED
    wired_nonce = sensor.ask(CHALLENGE)[1]
    code = signed(wired_nonce, SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, code)[0] == NOT_ALLOWED
    assert sensor.counters.wrong_keys == 0  # nobody's key was looked at
    assert sensor.ask(AUTHORIZED, code)[0] == OK


def test_only_the_last_nonce_of_a_connection_counts():
    sensor = paired()
    first = nonce_of(sensor)
    second = nonce_of(sensor)
    assert first != second
    code = signed(first, SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, code)[0] == NOT_ALLOWED


def test_a_nonce_expires():
    sensor = paired()
    nonce = nonce_of(sensor)
    sensor.run(29_800)
    assert sensor.ask_by_air(AUTHORIZED, signed(nonce, SETTINGS_PUT, NEW_RATE))[0] == OK
    nonce = nonce_of(sensor)
    sensor.run(30_000)
    code = signed(nonce, SETTINGS_PUT, b'{"rate_hz": 50}')
    result, message = sensor.ask_by_air(AUTHORIZED, code)
    assert result == NOT_ALLOWED
    assert b"expired" in message


def test_no_byte_of_a_signed_request_can_be_another():
    for at in range(32 + 1 + len(NEW_RATE)):
        sensor = paired()
        code = bytearray(signed(nonce_of(sensor), SETTINGS_PUT, NEW_RATE))
        code[at] ^= 1
        assert sensor.ask_by_air(AUTHORIZED, bytes(code))[0] == NOT_ALLOWED, at
        assert sensor.settings.rate_hz == 100


def test_key_and_maintenance_go_over_the_cable_only_even_with_the_key():
    sensor = paired()
    for op, payload in ((KEY_PUT, OTHER_KEY), (KEY_PUT, b""), (MAINTENANCE, b"")):
        result, message = sensor.ask_by_air(op, payload)
        assert result == NOT_ALLOWED
        assert b"cable" in message
        assert change(sensor, op, payload)[0] == NOT_ALLOWED
    assert sensor.commands.restart == 0
    assert json.loads(sensor.ask(HELLO, b"\1\1")[1])["key_id"] == KEY_ID
    assert "maintenance" not in sensor.flash.files


def test_a_code_within_a_code_is_refused():
    sensor = paired()
    nonce = nonce_of(sensor)
    inner = signed(nonce, SETTINGS_PUT, NEW_RATE)
    assert sensor.ask_by_air(AUTHORIZED, signed(nonce, AUTHORIZED, inner))[0] == NOT_ALLOWED
    assert sensor.settings.rate_hz == 100


def test_without_a_key_nothing_can_be_challenged_authorized_or_proved():
    sensor = Sensor()
    sensor.air.connect()
    for op, payload in ((CHALLENGE, b""), (AUTHORIZED, bytes(40)), (PROVE, bytes(16))):
        for ask in (sensor.ask_by_air, sensor.ask):
            result, message = ask(op, payload)
            assert result == NOT_ALLOWED
            assert b"cable" in message
    assert sensor.counters.wrong_keys == 0
    assert json.loads(sensor.ask(HELLO, b"\1\1")[1])["key_id"] is None


def test_the_key_is_there_after_a_restart_and_the_links_are_told():
    sensor = paired()
    assert sensor.air.described == ("Leg curl", KEY_ID)
    again = Sensor(flash=sensor.flash)
    assert again.air.described == ("Leg curl", KEY_ID)
    again.air.connect()
    assert change(again, SETTINGS_PUT, b'{"name": "Back row"}')[0] == OK
    assert again.air.described == ("Back row", KEY_ID)


def test_a_key_that_was_replaced_or_erased_is_gone_from_flash():
    sensor = paired()
    assert sensor.ask(KEY_PUT, OTHER_KEY)[0] == OK
    assert not found(sensor.flash, KEY)
    assert found(sensor.flash, OTHER_KEY)
    assert sensor.ask(KEY_PUT, b"") == (OK, b"")
    assert not found(sensor.flash, OTHER_KEY)
    assert sensor.air.described == ("Leg curl", None)
    assert Sensor(flash=sensor.flash).trust.key_id is None


def found(flash, key):
    """Whether a key is in any file."""
    return any(key.hex().encode() in content for content in flash.files.values())


def test_a_key_is_32_bytes():
    sensor = Sensor()
    for size in (1, 16, 31, 33, 64):
        result, message = sensor.ask(KEY_PUT, bytes(size))
        assert result == BAD_REQUEST
        assert b"32 bytes" in message
    assert sensor.trust.key_id is None


def test_an_invalid_key_record_means_no_key():
    for value in (5, "", "x" * 64, "00" * 31, [1], {"key": 1}, None):
        flash = Flash(False)
        sensor = Sensor(flash=flash)
        for _ in FlashRecord("key").store(value):
            pass
        assert Sensor(flash=sensor.flash).trust.key_id is None


def test_a_proof_fits_one_nonce_and_this_boot():
    sensor = paired()
    told = b"legcurl 1 sensor" + bytes(16) + BOOT_ID.to_bytes(4, "little") + SENSOR_ID.encode()
    assert sensor.ask_by_air(PROVE, bytes(16)) == (OK, _hmac(KEY, told))
    assert sensor.ask_by_air(PROVE, bytes(15) + b"\1") != (OK, _hmac(KEY, told))
    assert sensor.ask_by_air(PROVE, bytes(15))[0] == BAD_REQUEST


def test_lengths_are_checked_before_anything_else_is():
    sensor = paired()
    nonce = nonce_of(sensor)
    for size in (0, 1, 32, 32 + 1 + 257, 900):
        result, message = sensor.ask_by_air(AUTHORIZED, bytes(size))
        assert result == BAD_REQUEST
        assert b"33 to 289 bytes" in message
    assert sensor.counters.wrong_keys == 0
    assert sensor.ask_by_air(AUTHORIZED, signed(nonce, SETTINGS_PUT, NEW_RATE))[0] == OK


def test_while_something_is_stored_a_code_keeps_its_nonce():
    sensor = paired()
    code = signed(nonce_of(sensor), SETTINGS_PUT, NEW_RATE)
    sensor.commands.begin(sensor.session, SETTINGS_PUT, b'{"name": "Back row"}')
    busy = sensor.commands.begin(sensor.sessions[1], AUTHORIZED, code)
    assert (busy.done, busy.result) == (True, BUSY)
    sensor.run(20)
    assert sensor.ask_by_air(AUTHORIZED, code)[0] == OK
    assert (sensor.settings.name, sensor.settings.rate_hz) == ("Back row", 200)

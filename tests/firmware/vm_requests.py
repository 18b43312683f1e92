"""Requests and their answers: what a host may ask, and what it is told when it asks wrongly."""

import json
import struct

from whole_sensor import BOOT_ID, SENSOR_ID, Sensor


def test_hello_says_all_that_the_protocol_promises():
    sensor = Sensor()
    sensor.run(1000)
    result, payload = sensor.ask(1, b"\1\1")
    assert result == 0
    hello = json.loads(payload)
    assert hello["protocol"] == [1, 1]
    assert hello["boot_id"] == BOOT_ID
    assert hello["sensor_id"] == SENSOR_ID
    assert hello["encoder"] == {"kind": "ramp", "counts": 4096, "referenced_by": None}
    assert hello["log"]["first"] == 0
    assert 98 <= hello["log"]["next"] <= 102
    assert abs(hello["time_us"] - 1_005_000) <= 20_000
    assert hello["timer"] == "hard"
    assert hello["key_id"] is None
    assert hello["micropython"].count(".") == 2
    for field in ("firmware", "board", "boot_reason", "name", "rate_hz", "frame_ms", "calibration"):
        assert field in hello, field


def test_a_ping_comes_back_with_the_sensors_time():
    sensor = Sensor()
    sensor.run(700)
    result, payload = sensor.ask(4, b"12345678")
    assert result == 0
    assert payload[:8] == b"12345678"
    assert 700_000 <= struct.unpack("<Q", payload[8:])[0] <= 720_000


def test_every_invalid_request_is_answered_with_the_reason():
    sensor = Sensor()
    for op, payload, expected, word in (
        (0xEE, b"", 1, b"0xee"),
        (0x00, b"", 1, b"0x00"),
        (1, b"", 2, b"2 bytes"),
        (2, b"\0\0\0\0", 2, b"12 to 13 bytes"),
        (3, b"x", 2, b"0 bytes"),
        (4, b"", 2, b"8 bytes"),
        (7, b"", 2, b"JSON"),
        (7, b"{", 2, b"JSON"),
        (7, b'{"rate_hz": 5}', 2, b"rate_hz"),
        (7, b'{"speed": 5}', 2, b"speed"),
        (9, b'{"extended_raw": 1, "flexed_raw": "x"}', 2, b"flexed_raw"),
        (10, b"", 2, b"1 bytes"),
    ):
        result, message = sensor.ask(op, payload)
        assert result == expected, (op, payload, result, message)
        assert word in message, (op, payload, message)


def test_a_flash_error_is_answered_as_storage_failed():
    sensor = Sensor()
    sensor.flash.full = True
    result, message = sensor.ask(7, b'{"rate_hz": 200}')
    assert result == 6
    assert b"flash" in message
    assert json.loads(sensor.ask(6)[1])["rate_hz"] == 100


def test_a_calibration_is_kept_and_told_in_hello():
    sensor = Sensor()
    assert sensor.ask(8) == (0, b"null")
    stored = {"extended_raw": 16384, "flexed_raw": 36864}
    result, payload = sensor.ask(9, b'{"flexed_raw": 36864, "extended_raw": 16384}')
    assert (result, json.loads(payload)) == (0, stored)
    assert json.loads(sensor.ask(1, b"\1\1")[1])["calibration"] == stored
    assert sensor.ask(9, b"null") == (0, b"null")


def test_statistics_count():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1000)
    sensor.port.incoming.extend(b"noise\0")
    statistics = json.loads(sensor.ask(5)[1])
    assert statistics["bad_frames"] == 1
    assert statistics["requests"] == 2
    assert statistics["frames_sent"] >= 5
    assert 100 <= statistics["samples"] <= 110
    for name in ("uptime_ms", "missed_ticks", "ring_overruns", "evicted", "bus_errors"):
        assert name in statistics, name
    for name in ("magnet_faults", "frames_deferred", "bytes_received", "free_heap", "loop_max_us"):
        assert name in statistics, name


def test_a_broken_file_falls_back_and_the_statistics_say_so():
    sensor = Sensor()
    assert sensor.ask(7, b'{"name": "Back row"}')[0] == 0
    assert sensor.ask(7, b'{"name": "Front row"}')[0] == 0
    assert json.loads(sensor.ask(5)[1])["broken_records"] == 0
    for name in ("settings", "calibration", "key"):
        sensor.flash.files[name + ".json"] = b"{torn"
    again = Sensor(flash=sensor.flash)
    assert json.loads(again.ask(5)[1])["broken_records"] == 3
    assert again.settings.name == "Back row"
    assert again.ask(7, b'{"name": "Front row"}')[0] == 0


def test_nothing_long_or_deep_is_parsed():
    sensor = Sensor()
    for text, word in (
        (b"[" * 900, b"256 bytes"),
        (b"[" * 450 + b"]" * 450, b"256 bytes"),
        (b"[" * 256, b"JSON"),
        (b"[" * 128 + b"]" * 128, b"object"),
        (b'{"a":' * 51, b"JSON"),
        (b"{[1]: 2}", b"JSON"),
        (b'{"rate_hz": ' + b"9" * 240 + b"}", b"rate_hz"),
    ):
        for op in (7, 9):
            result, message = sensor.ask(op, text)
            assert result == 2, (text, result, message)
            assert word in message or op == 9, (text, message)


def test_a_reboot_is_answered_after_pending_samples_are_sent():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1090)
    result, _ = sensor.ask(11)
    assert result == 0
    sensor.loop.run()  # returns
    sensor.loop.close()
    sensor.port.drain()
    assert sensor.check_stream() == sensor.log.next_index

"""Streams: from where, in what order, and what stands where samples are missing."""

import json
import struct

import wire_reference
from whole_sensor import BOOT_ID, EVICTED, NOW, PAUSED, Sensor
from wire_reference import BOOT


def test_a_start_is_announced_with_the_boot_id_and_the_protocol():
    sensor = Sensor()
    sensor.run(10)
    assert bytes(sensor.port.heard[:1]) == b"\0"  # ends whatever stood on the line before
    frames, bad = wire_reference.frames(sensor.port.heard)
    assert frames == [(BOOT, struct.pack("<IBB", BOOT_ID, 1, 1))]
    assert not bad


def test_nothing_streams_before_a_start():
    sensor = Sensor()
    sensor.run(2000)
    assert sensor.stream() == []
    assert sensor.log.next_index >= 199


def test_a_stream_from_the_first_sample_has_every_sample_once():
    sensor = Sensor()
    sensor.run(3000)
    result, payload = sensor.start(0, BOOT_ID)
    assert result == 0
    boot_id, first, next_index = struct.unpack("<IQQ", payload)
    assert (boot_id, first) == (BOOT_ID, 0)
    assert 299 <= next_index <= 301
    sensor.run(5000)
    assert sensor.check_stream() == 800


def test_a_stream_from_now_begins_with_the_run_that_is_being_taken():
    sensor = Sensor()
    sensor.run(1100)
    _, payload = sensor.start(NOW)
    _, first, next_index = struct.unpack("<IQQ", payload)
    assert (first, next_index) == (100, 110)
    sensor.run(1000)
    assert sensor.check_stream(100) == 100


def test_a_prompt_stream_waits_for_no_full_frame():
    sensor = Sensor()
    sensor.start(0, prompt_ms=30)
    sensor.run(100)
    indices = [entry[0] for entry in sensor.stream()]
    assert indices == list(range(len(indices)))
    assert len(indices) >= sensor.log.next_index - 3 >= 5
    sensor.run(2000)
    assert sensor.log.next_index - 3 <= sensor.check_stream() <= sensor.log.next_index


def test_a_start_without_a_word_about_it_waits_for_full_frames():
    sensor = Sensor()
    sensor.start(0, prompt_ms=30)
    sensor.run(100)
    sensor.start(NOW)
    heard = len(sensor.stream())
    sensor.run(100)
    assert len(sensor.stream()) == heard


def test_a_second_start_moves_the_one_cursor():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1000)
    sensor.start(50)
    sensor.run(1000)
    indices = [entry[0] for entry in sensor.stream()]
    assert indices == list(range(100)) + list(range(50, 200))


def test_stop_ends_the_stream_and_the_log_goes_on():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(980)
    assert sensor.ask(3) == (0, b"")
    before = len(sensor.stream())
    sensor.run(1000)
    assert len(sensor.stream()) == before
    assert sensor.log.next_index > 190


def test_a_start_beyond_the_next_sample_is_a_bad_request():
    sensor = Sensor()
    sensor.run(100)
    result, message = sensor.start(1000)
    assert result == 2
    assert b"1000" in message


def test_a_start_for_another_boot_is_refused_with_the_true_boot_id():
    sensor = Sensor()
    assert sensor.start(0, BOOT_ID ^ 1) == (5, struct.pack("<I", BOOT_ID))
    sensor.run(1000)
    assert sensor.stream() == []


def test_evicted_samples_are_a_gap_before_the_first_frame():
    sensor = Sensor(log_bytes=4200)
    sensor.run(60_000)
    _, payload = sensor.start(0)
    _, first, _ = struct.unpack("<IQQ", payload)
    assert first > 1000
    sensor.run(500)
    entries = sensor.stream()
    assert entries[:first] == [(i, EVICTED) for i in range(first)]
    assert [entry[0] for entry in entries[first:]] == list(range(first, len(entries)))
    assert entries[first][1] == ((first + 1) * 10_000, first * 48 % 65536, 0)


def test_a_new_rate_takes_effect_at_once_and_shows_as_a_pause():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1000)
    result, payload = sensor.ask(7, b'{"rate_hz": 400}')
    assert result == 0
    assert json.loads(payload)["rate_hz"] == 400
    sensor.run(1000)
    entries = sensor.stream()
    indices = [entry[0] for entry in entries]
    assert indices == list(range(len(entries)))
    pauses = [i for i, entry in enumerate(entries) if entry[1] == PAUSED]
    assert len(pauses) == 1
    before, after = entries[pauses[0] - 1][1][0], entries[pauses[0] + 1][1][0]
    assert after - before <= 12_500
    assert entries[-1][1][0] - entries[-2][1][0] == 2_500


def test_settings_that_change_nothing_of_the_rate_do_not_pause():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(990)
    assert sensor.ask(7, b'{"name": "Back row", "frame_ms": 50}')[0] == 0
    sensor.run(1000)
    sensor.check_stream()
    kinds = [body for kind, body in wire_reference.frames(sensor.port.heard)[0] if kind == 0x10]
    assert len(wire_reference.read_samples(kinds[-1])[4]) == 5

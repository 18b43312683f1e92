"""Several links at once, hosts that come and go on one, and flash that takes its time."""

import json
import struct

import wire_reference
from flash_chip import FILE_SYSTEMS, Flash, PowerCut
from whole_sensor import (
    BUSY,
    CALIBRATION_GET,
    CALIBRATION_PUT,
    CHALLENGE,
    HELLO,
    KEY_PUT,
    MAINTENANCE,
    OK,
    PING,
    REBOOT,
    SETTINGS_GET,
    SETTINGS_PUT,
    START,
    STATISTICS,
    STORAGE_FAILED,
    Sensor,
    check_entries,
    entries_of,
)
from wire_reference import ANSWER, BOOT, request

ERASE_US = 400_000  # a sector of a Pico's flash at its slowest (W25Q16JV, tSE)


def start_by_air(sensor, index=0):
    result, payload = sensor.ask_by_air(START, struct.pack("<IQ", 0, index))
    assert result == OK
    return struct.unpack("<IQQ", payload)


def heard_by_air(sensor):
    return entries_of(sensor.air.heard)[0]


def test_each_host_has_a_place_of_its_own_in_the_log():
    sensor = Sensor()
    sensor.air.connect()
    sensor.run(1000)
    sensor.start(0)
    sensor.run(1000)
    start_by_air(sensor, 50)
    sensor.run(1000)
    assert sensor.check_stream() >= 300
    assert check_entries(heard_by_air(sensor), 50) >= 250


def test_a_boot_is_announced_on_links_that_may_have_a_listener():
    sensor = Sensor()
    sensor.run(100)
    assert [kind for kind, _ in wire_reference.frames(sensor.port.heard)[0]] == [BOOT]
    sensor.air.connect()
    sensor.run(100)
    assert len(sensor.air.heard) == 0


def test_a_stuck_link_delays_no_other():
    sensor = Sensor()
    sensor.air.connect()
    start_by_air(sensor)
    sensor.start(0)
    sensor.air.open = False
    sensor.run(20_000)
    assert sensor.check_stream() >= 2000
    sensor.air.open = True
    sensor.run(2000)
    assert check_entries(heard_by_air(sensor)) >= 2200


def test_an_unread_port_delays_no_other_link():
    sensor = Sensor()
    sensor.air.connect()
    sensor.start(0)
    start_by_air(sensor)
    sensor.port.reading = False
    sensor.run(20_000)
    assert check_entries(heard_by_air(sensor)) >= 1975


def test_the_next_host_gets_no_bytes_of_the_last_one():
    sensor = Sensor()
    sensor.air.connect()
    start_by_air(sensor)
    sensor.run(240)  # frames are under way
    sensor.air.open = False
    sensor.run(1000)
    sensor.air.incoming.extend(request(5, PING, b"12345678")[:8])  # half a request
    sensor.run(20)
    sensor.air.connect()
    sensor.air.open = True
    sensor.run(1000)
    assert len(sensor.air.heard) == 0
    assert not sensor.sessions[1].streaming
    result, _ = sensor.ask_by_air(PING, b"abcdefgh")
    assert result == OK
    assert sensor.counters.bad_frames == 0
    _, first, _ = start_by_air(sensor)
    assert first == 0
    sensor.run(500)
    assert check_entries(heard_by_air(sensor)) >= 200


def test_a_frame_cut_by_a_hang_up_is_ended_for_the_next_host():
    sensor = Sensor()
    sensor.start(0)
    sensor.port.reading = False
    sensor.run(5000)  # a frame stands half in the port
    heard = len(sensor.port.heard)
    sensor.port.gone = True
    sensor.run(100)
    sensor.port.gone = False
    sensor.port.reading = True
    sensor.run(100)
    assert sensor.start(0)[0] == OK
    sensor.run(3000)
    entries, bad = entries_of(sensor.port.heard[heard:])
    assert bad <= 1
    assert [entry[0] for entry in entries[-200:]] == list(
        range(entries[-200][0], entries[-200][0] + 200)
    )


def test_changes_meanwhile_are_answered_busy():
    sensor = Sensor()
    wired, air = sensor.sessions
    assert sensor.ask(KEY_PUT, bytes(32))[0] == OK
    job = sensor.commands.begin(wired, SETTINGS_PUT, b'{"name": "Back row"}')
    assert not job.done
    for op, payload in ((SETTINGS_PUT, b"{}"), (CALIBRATION_PUT, b"null"), (KEY_PUT, b"")):
        assert sensor.commands.begin(wired, op, payload).result == BUSY
    for op in (REBOOT, MAINTENANCE):
        assert sensor.commands.begin(wired, op, b"").result == BUSY
    assert sensor.commands.restart == 0
    for op, payload in (
        (HELLO, b"\1\1"),
        (PING, bytes(8)),
        (STATISTICS, b""),
        (SETTINGS_GET, b""),
        (CALIBRATION_GET, b""),
        (CHALLENGE, b""),
    ):
        assert sensor.commands.begin(air, op, payload).result == OK
    assert sensor.settings.name == "Leg curl"
    sensor.run(20)
    assert job.done
    assert json.loads(job.payload)["name"] == "Back row"
    assert sensor.ask(CALIBRATION_PUT, b"null")[0] == OK


def test_an_answer_comes_only_after_the_change_is_in_flash():
    sensor = Sensor()
    sensor.flash.takes_us = ERASE_US
    sensor.port.incoming.extend(request(1, SETTINGS_PUT, b'{"rate_hz": 200}'))
    while sensor.port.heard.count(b"rate_hz") == 0:
        assert sensor.settings.rate_hz == 100 or not sensor.commands.busy
        in_flash = b"200" in sensor.flash.files.get("settings.json", b"")
        assert in_flash or sensor.settings.rate_hz == 100
        sensor.run(5)
    assert b"200" in sensor.flash.files["settings.json"]


def test_slow_flash_costs_no_sample_and_at_most_one_erased_sector_a_turn():
    sensor = Sensor()
    sensor.ask(SETTINGS_PUT, b'{"rate_hz": 400, "frame_ms": 50}')
    sensor.start(0)
    fed = []
    sensor.watchdog._watchdog = sensor
    sensor.feed = lambda: fed.append(sensor.flash.calls)
    sensor.flash.takes_us = ERASE_US
    begun = len(sensor.port.heard)
    for op, payload in (
        (SETTINGS_PUT, b'{"name": "Back row"}'),
        (CALIBRATION_PUT, b'{"extended_raw": 1, "flexed_raw": 2}'),
        (KEY_PUT, bytes(32)),
    ):
        calls = sensor.flash.calls
        sensor.counters.loop_max_us = 0
        sensor.port.incoming.extend(request(1, op, payload))
        sensor.run(5000)
        frames, _ = wire_reference.frames(sensor.port.heard[begun:])
        assert [body[2] for kind, body in frames if kind == ANSWER] == [OK]
        begun = len(sensor.port.heard)
        assert 6 <= sensor.flash.calls - calls <= 9
        assert sensor.counters.loop_max_us == ERASE_US
    assert max(fed[i] - fed[i - 1] for i in range(1, len(fed))) == 1
    assert sensor.counters.missed_ticks == sensor.counters.ring_overruns == 0
    indices = [entry[0] for entry in sensor.stream()]
    assert indices == list(range(len(indices)))
    assert len(indices) > 5900


def test_samples_go_on_while_something_is_stored():
    sensor = Sensor()
    sensor.start(0)
    sensor.flash.takes_us = ERASE_US
    sensor.port.incoming.extend(request(1, SETTINGS_PUT, b'{"name": "Back row"}'))
    heard = []
    for _ in range(6):
        sensor.run(400)
        heard.append(len(sensor.stream()))
    assert sensor.commands.busy
    assert heard[-1] >= heard[0] + 100
    sensor.run(3000)
    assert sensor.check_stream() >= 400


def test_a_departed_hosts_change_is_stored_and_no_other_host_is_answered():
    sensor = Sensor()
    sensor.air.connect()
    air = sensor.sessions[1]
    air.wired = True  # a second cable
    sensor.flash.takes_us = ERASE_US
    sensor.air.incoming.extend(request(1, SETTINGS_PUT, b'{"name": "Back row"}'))
    sensor.run(500)
    assert sensor.commands.busy
    sensor.air.connect()
    sensor.run(5000)
    assert not sensor.commands.busy
    assert sensor.settings.name == "Back row"
    assert len(sensor.air.heard) == 0
    assert Sensor(flash=sensor.flash).settings.name == "Back row"


def test_flash_that_fails_in_the_middle_is_told_and_the_sensor_goes_on():
    sensor = Sensor()
    job = sensor.commands.begin(sensor.session, SETTINGS_PUT, b'{"rate_hz": 200}')
    sensor.commands.work()
    sensor.flash.full = True
    sensor.run(50)
    assert job.result == STORAGE_FAILED
    sensor.flash.full = False
    assert sensor.settings.rate_hz == 100
    assert sensor.ask(SETTINGS_PUT, b'{"rate_hz": 200}')[0] == OK


def test_a_power_cut_at_any_step_of_any_store_leaves_one_of_the_two_values():
    calibrations = (
        b'{"extended_raw": 1, "flexed_raw": 2}',
        b'{"extended_raw": 3, "flexed_raw": 4}',
    )
    for kind in FILE_SYSTEMS:
        for op, old, new, told in (
            (SETTINGS_PUT, b'{"name": "A"}', b'{"name": "B"}', lambda s: s.settings.name),
            (CALIBRATION_PUT, calibrations[0], calibrations[1], lambda s: str(s.calibration.value)),
            (KEY_PUT, bytes(32), b"\1" * 32, lambda s: s.trust.key_id),
            (KEY_PUT, bytes(32), b"", lambda s: s.trust.key_id),
        ):
            before = Sensor(flash=Flash(*kind))
            assert before.ask(op, old)[0] == OK
            files = dict(before.flash.files)
            whole = Sensor(flash=before.flash)
            assert whole.ask(op, new)[0] == OK
            values = (told(before), told(whole))
            assert values[0] != values[1]
            seen = cut_everywhere(kind, files, op, new, told)
            turn = seen.index(values[1])
            assert turn > 0
            assert seen == [values[0]] * turn + [values[1]] * (len(seen) - turn), (op, seen)


def cut_everywhere(kind, files, op, payload, told):
    """What a sensor reads after the power failed at the first step of a store, the second, ..."""
    seen = []
    while True:
        flash = Flash(*kind)
        flash.files = dict(files)
        sensor = Sensor(flash=flash)
        flash.steps = 0
        flash.energy = len(seen)
        try:
            job = sensor.commands.begin(sensor.session, op, payload)
            while not job.done:
                sensor.commands.work()
        except PowerCut:
            assert flash.steps == flash.energy
            after = Flash(*kind)
            after.files = flash.files
            seen.append(told(Sensor(flash=after)))
            continue
        assert job.result == OK
        assert len(seen) > 20
        return seen

"""A whole sensor on a board's USB port: requests and answers, streams, and hosts that misbehave."""

import json
import struct

import machine
import sensor.health as health
import sensor.links.usb as usb
import sensor.settings as storage
import wire_reader
from board_port import BoardPort
from sensor.anglelog import AngleLog
from sensor.clock import SensorClock
from sensor.commands import Commands, Identity
from sensor.health import Counters, Health
from sensor.loop import Loop
from sensor.sampler import Sampler
from sensor.session import HostSession
from sensor.settings import CalibrationRecord, FlashRecord, Settings
from simclock import clock
from vm_settings import Flash, use
from wire_reader import ANSWER_FRAME, BOOT_FRAME, GAP_FRAME, SAMPLES_FRAME, Random, request

BOOT_ID = 2881903541
NOW = (1 << 64) - 1
EVICTED, PAUSED = 1, 3


class Ramp:
    """An encoder whose angle is a function of the sample's number, so that none can go astray."""

    kind = "ramp"
    counts = 4096
    shift = 4

    def __init__(self):
        self.angle = 0
        self.status = 0
        self.number = -1

    def read(self):
        self.number += 1
        self.angle = self.number * 48 % 65536

    def recover(self):
        pass


class Sensor:
    """Wired as in main.py; `run` runs its main loop for so long."""

    def __init__(self, log_bytes=98_304):
        clock.set_pace("fast")
        clock.frozen = False
        clock._timers.clear()
        clock.now = clock.booted = 0
        use(Flash(False))
        self.port = BoardPort()
        usb.sys = usb.select = self.port
        self.encoder = Ramp()
        self.counters = Counters()
        self.clock = SensorClock()
        self.settings = Settings(FlashRecord("settings"))
        self.log = AngleLog(log_bytes, 4, self.counters)
        self.sampler = Sampler(self.encoder, self.clock, self.log, self.counters)
        self.health = Health({}, self.encoder, self.clock, self.counters)
        self.commands = Commands(
            Identity("bench", "e66058388317812f", BOOT_ID, "power_on"),
            self.sampler,
            self.encoder,
            self.log,
            self.clock,
            self.settings,
            CalibrationRecord(FlashRecord("calibration")),
            self.health,
            self.counters,
        )
        self.link = usb.UsbLink()
        self.session = HostSession(self.link, self.log, self.commands, self.counters, BOOT_ID)
        self.loop = Loop(
            self.sampler,
            self.log,
            self.session,
            self.link,
            self.commands,
            self.health,
            self.counters,
        )
        self.session.announce()
        self.commands.apply_settings()

    def run(self, ms):
        """Let the main loop run for so long."""
        stop = Stop(clock.now + 1000 * ms, self.commands)
        clock.add_timer(stop)
        self.loop.run()
        clock.remove_timer(stop)
        if self.commands.restart == Stop.reason:
            self.commands.restart = 0
        self.port.drain()

    def ask(self, op, payload=b"", number=1):
        """Result and payload of one request."""
        self.port.incoming.extend(request(number, op, payload))
        before = len(self.port.heard)
        self.run(20)
        frames, bad = wire_reader.frames(self.port.heard[before:])
        answers = [body for kind, body in frames if kind == ANSWER_FRAME]
        assert len(answers) == 1, (len(answers), bad)
        assert answers[0][:2] == bytes((number, op))
        return answers[0][2], answers[0][3:]

    def start(self, index, boot_id=0):
        return self.ask(2, struct.pack("<IQ", boot_id, index))

    def stream(self):
        """All that the host heard of the log so far: (index, what), in order of arrival."""
        frames, self.bad = wire_reader.frames(self.port.heard)
        entries = []
        for kind, body in frames:
            if kind == GAP_FRAME:
                index, count, reason = wire_reader.gap(body)
                entries.extend((index + i, reason) for i in range(count))
            elif kind == SAMPLES_FRAME:
                index, time_us, period_us, status, angles, _ = wire_reader.samples(body)
                for i, angle in enumerate(angles):
                    entries.append((index + i, (time_us + i * period_us, angle, status)))
        return entries

    def check_stream(self, first=0):
        """Every sample from `first` on was heard once, and is right."""
        entries = self.stream()
        for i, entry in enumerate(entries):
            index = first + i
            assert entry == (index, ((index + 1) * 10_000, index * 48 % 65536, 0)), entry
        return len(entries)


class Stop:
    """A timer that ends the main loop at the end of its turn."""

    reason = -1

    def __init__(self, due, commands):
        self.due = due
        self._commands = commands

    def fire(self):
        clock.remove_timer(self)
        self._commands.restart = Stop.reason


def test_a_start_is_announced_with_the_boot_id_and_the_protocol():
    sensor = Sensor()
    sensor.run(10)
    assert bytes(sensor.port.heard[:1]) == b"\0"  # ends whatever stood on the line before
    frames, bad = wire_reader.frames(sensor.port.heard)
    assert frames == [(BOOT_FRAME, struct.pack("<IBB", BOOT_ID, 1, 0))]
    assert not bad


def test_nothing_streams_before_a_start():
    sensor = Sensor()
    sensor.run(2000)
    assert sensor.stream() == []
    assert sensor.log.next_index >= 199


def test_hello_says_all_that_the_protocol_promises():
    sensor = Sensor()
    sensor.run(1000)
    result, payload = sensor.ask(1, b"\1\1")
    assert result == 0
    hello = json.loads(payload)
    assert hello["protocol"] == [1, 0]
    assert hello["boot_id"] == BOOT_ID
    assert hello["sensor_id"] == "e66058388317812f"
    assert hello["encoder"] == {"kind": "ramp", "counts": 4096}
    assert hello["log"]["first"] == 0
    assert 98 <= hello["log"]["next"] <= 102
    assert abs(hello["time_us"] - 1_005_000) <= 20_000
    for field in ("firmware", "board", "boot_reason", "name", "rate_hz", "frame_ms", "calibration"):
        assert field in hello, field


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


def test_what_was_evicted_comes_as_a_gap_before_the_first_samples():
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


def test_a_ping_comes_back_with_the_sensors_time():
    sensor = Sensor()
    sensor.run(700)
    result, payload = sensor.ask(4, b"12345678")
    assert result == 0
    assert payload[:8] == b"12345678"
    assert 700_000 <= struct.unpack("<Q", payload[8:])[0] <= 720_000


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
    kinds = [body for kind, body in wire_reader.frames(sensor.port.heard)[0] if kind == 0x10]
    assert len(wire_reader.samples(kinds[-1])[4]) == 5


def test_every_request_that_is_wrong_is_answered_with_what_is_wrong():
    sensor = Sensor()
    for op, payload, expected, word in (
        (0xEE, b"", 1, b"0xee"),
        (0x00, b"", 1, b"0x00"),
        (1, b"", 2, b"2 bytes"),
        (2, b"\0\0\0\0", 2, b"12 bytes"),
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


def test_flash_that_refuses_is_told_as_such():
    sensor = Sensor()
    storage.os.full = True
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


def test_a_reboot_is_answered_and_what_was_sampled_is_sent_first():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1090)
    result, _ = sensor.ask(11)
    assert result == 0
    sensor.loop.run()  # returns
    sensor.loop.close()
    sensor.port.drain()
    assert sensor.check_stream() == sensor.log.next_index


def test_a_host_that_never_reads_stops_nothing_and_blocks_once():
    sensor = Sensor()
    sensor.start(0)
    sensor.port.reading = False
    sensor.run(60_000)
    assert sensor.counters.samples in (6001, 6002, 6003)
    assert sensor.counters.missed_ticks == sensor.counters.ring_overruns == 0
    assert sensor.port.blocked_us <= 500_000
    assert sensor.counters.frames_deferred == 1


def test_a_host_that_reads_again_gets_all_it_missed():
    sensor = Sensor()
    sensor.start(0)
    for _ in range(5):
        sensor.port.reading = False
        sensor.run(8_000)
        sensor.port.reading = True
        sensor.run(4_000)
    count = sensor.check_stream()
    assert count >= 5980
    # What a blocked write threw away was sent again, whole; its beginning is all that is bad.
    assert sensor.bad <= 5
    assert sensor.port.longest_write <= 64


def test_a_host_slower_than_the_stream_gets_whole_frames_and_gaps():
    sensor = Sensor(log_bytes=4200)
    sensor.ask(7, b'{"rate_hz": 400}')
    sensor.start(0)
    sensor.port.rate = None
    for i in range(1000):
        sensor.port.reading = i % 300 < 5
        sensor.run(100)
    expected = 0
    reasons = []
    for index, what in sensor.stream():
        assert index <= expected  # what a stall may have cut short comes again
        if index == expected:
            expected += 1
            reasons.append(what)
    assert expected > 10_000
    assert EVICTED in reasons
    assert sensor.bad <= 50


def test_a_host_that_went_away_ends_the_stream_and_a_new_one_resumes_it():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1000)
    heard = len(sensor.stream())
    sensor.port.gone = True
    sensor.run(5000)
    assert not sensor.session.streaming
    sensor.port.gone = False
    sensor.run(1000)
    assert len(sensor.stream()) == heard
    assert sensor.start(heard)[0] == 0
    sensor.run(1000)
    assert sensor.check_stream() > 690


def test_garbage_from_the_host_costs_no_sample_and_no_frame():
    random = Random(5)
    sensor = Sensor()
    sensor.start(0)
    for _ in range(100):
        sensor.port.incoming.extend(random.bytes(random.below(200)))
        sensor.run(50)
    sensor.port.incoming.extend(b"\0")
    sensor.run(1000)
    assert sensor.check_stream() >= 600
    assert sensor.counters.bad_frames > 10
    assert sensor.counters.missed_ticks == 0
    assert sensor.ask(3)[0] == 0


def test_a_flood_of_input_leaves_the_stream_running():
    sensor = Sensor()
    sensor.start(0)
    sensor.port.incoming.extend(b"\xff" * 200_000)
    sensor.run(2000)
    assert sensor.check_stream() >= 175


def test_no_random_request_is_more_than_answered():
    random = Random(11)
    sensor = Sensor()
    words = (
        b"{",
        b"}",
        b'"rate_hz"',
        b":",
        b"100",
        b"null",
        b"[",
        b"]",
        b"1e999",
        b'"',
        b",",
        b"-",
    )
    for i in range(1500):
        op = (random.below(14), random.below(256))[i % 2]
        if op in (11, 12):
            continue
        if i % 3:
            payload = random.bytes(random.below(30))
        else:
            payload = b"".join(words[random.below(len(words))] for _ in range(random.below(12)))
        result, answer = sensor.commands.answer(sensor.session, op, payload)
        assert 0 <= result <= 7
        assert result != 7, (op, payload, answer)
        assert len(answer) < 1000
    sensor.run(100)
    assert sensor.ask(1, b"\1\1")[0] == 0


def test_deeply_nested_json_is_a_bad_request():
    sensor = Sensor()
    result, _ = sensor.ask(7, b"[" * 1000)
    assert result == 2
    result, _ = sensor.ask(7, b"[" * 500 + b"]" * 500)
    assert result == 2


def test_the_light_blinks_on_request_and_stays_on_while_streaming():
    lit = []

    class Lamp:
        OUT = 1

        def __init__(self, name, mode, value=0):
            pass

        def __call__(self, level):
            lit.append((clock.now // 1000, level))

    sensor = Sensor()
    sensor.health._light = Lamp("LED", 1)
    sensor.start(0)
    sensor.run(500)
    assert [level for _, level in lit] == [1]
    sensor.ask(10, b"\2")
    sensor.run(3000)
    assert 15 <= len(lit) <= 25
    assert lit[-1][1] == 1
    assert sensor.health.streaming


def test_the_watchdog_is_fed_by_the_main_loop_alone():
    fed = []

    class Watchdog:
        def __init__(self, timeout):
            assert timeout == 8000

        def feed(self):
            fed.append(clock.now)

    sensor = Sensor()
    sensor.health._watchdog_ms = 8000
    health.WDT = Watchdog
    try:
        sensor.health.start_watchdog()
    finally:
        health.WDT = machine.WDT
    sensor.run(1000)
    assert len(fed) >= 150


def test_a_dead_bus_is_recovered_again_and_again():
    tried = []
    sensor = Sensor()
    sensor.encoder.status = 8
    sensor.encoder.recover = lambda: tried.append(clock.now)
    sensor.run(1100)
    assert 4 <= len(tried) <= 5
    sensor.encoder.status = 0
    sensor.run(1000)
    assert len(tried) <= 6

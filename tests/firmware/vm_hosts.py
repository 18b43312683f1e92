"""Hosts that misbehave: they never read, read slowly, go away, or send anything at all."""

from vm_random import Random
from whole_sensor import EVICTED, Sensor
from wire_reference import request


def test_a_host_that_never_reads_stops_nothing_and_blocks_once():
    sensor = Sensor()
    sensor.start(0)
    sensor.port.reading = False
    sensor.run(60_000)
    assert sensor.counters.samples in (6001, 6002, 6003)
    assert sensor.counters.missed_ticks == sensor.counters.ring_overruns == 0
    assert sensor.port.blocked_us <= 500_000
    assert sensor.counters.frames_deferred == 1


def test_a_host_that_sleeps_costs_little_time_and_gets_all_when_it_wakes():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1_000)
    sensor.port.suspended = True
    sensor.run(60_000)
    assert sensor.port.blocked_us < 0.1 * 60_000_000
    assert sensor.counters.missed_ticks == sensor.counters.ring_overruns == 0
    sensor.port.suspended = False
    sensor.run(12_000)
    assert sensor.check_stream() > 7_200


def test_a_host_that_wakes_and_asks_is_answered_at_once():
    sensor = Sensor()
    sensor.start(0)
    sensor.run(1_000)
    sensor.port.suspended = True
    sensor.run(40_000)
    sensor.port.suspended = False
    heard = len(sensor.port.heard)
    sensor.port.incoming.extend(request(9, 1, b"\x01\x01"))
    sensor.run(300)
    assert len(sensor.port.heard) > heard


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

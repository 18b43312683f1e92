"""The angle log: every sample once, in order, from any index; and what was evicted, as a gap."""

import wire_reference as wire
from sensor.anglelog import LONGEST_RUN, AngleLog, Cursor
from sensor.frame import EVICTED, GAP, OVERRUN, PAUSED, SAMPLES
from sensor.health import Counters
from vm_random import Random
from whole_log import read_all

TICK_US = 10_000
SMALL = 4100
PICO = 98_304


def read_from(log, index):
    cursor = Cursor()
    first = log.seek(cursor, index)
    return first, read_all(log, cursor)


def filled(size, samples, run_length=25, angle=lambda i: (i * 16) % 65536):
    log = AngleLog(size, 4, Counters())
    log.set_run_length(run_length)
    log.begin(TICK_US, TICK_US)
    for i in range(samples):
        log.append(angle(i), 0, 0)
    return log


def test_samples_come_back_with_their_index_time_and_angle():
    log = filled(PICO, 100)
    _, entries = read_from(log, 0)
    assert entries == [(i, ((i + 1) * TICK_US, i * 16, 0)) for i in range(100)]


def test_a_run_is_readable_when_it_is_full_or_closed():
    log = filled(PICO, 30)
    assert len(read_from(log, 0)[1]) == 25
    log.close_run()
    assert len(read_from(log, 0)[1]) == 30


def test_a_change_of_status_closes_the_run():
    log = filled(PICO, 3)
    log.append(0, 1, 0)
    assert len(read_from(log, 0)[1]) == 3


def test_reading_resumes_at_any_index_with_the_run_that_holds_it():
    log = filled(PICO, 100)
    for index in range(100):
        first, entries = read_from(log, index)
        assert first == index - index % 25
        assert [entry[0] for entry in entries] == list(range(first, 100))


def test_reading_from_now_gives_only_new_samples():
    log = filled(PICO, 60)
    cursor = Cursor()
    assert log.seek(cursor, 60) == 50  # samples 50 to 59 are in the open run
    assert read_all(log, cursor) == []
    log.close_run()
    assert [entry[0] for entry in read_all(log, cursor)] == list(range(50, 60))


def test_five_minutes_at_100_hz_fit_96_kb_for_any_angles():
    # Random angles are the worst there is; a month of uptime makes index and time long.
    random = Random(3)
    log = AngleLog(PICO, 4, Counters())
    log.set_run_length(25)
    log.next_index = log._end_index = log.first_index = 30 * 24 * 3600 * 100
    log.begin(30 * 24 * 3600 * 1_000_000, TICK_US)
    held = []
    for _ in range(60_000):
        log.append(random.below(4096) * 16, 0, 0)
        held.append(log.next_index - log.first_index)
    assert min(held[40_000:]) >= 5 * 60 * 100
    assert log._counters.evicted > 0


def test_evicted_samples_are_a_gap_of_their_length():
    log = filled(SMALL, 10_000)
    first, entries = read_from(log, 0)
    assert first == log.first_index > 0
    assert entries[:first] == [(i, EVICTED) for i in range(first)]
    assert [entry[0] for entry in entries] == list(range(10_000))
    assert entries[first][1] == ((first + 1) * TICK_US, first * 16 % 65536, 0)
    assert log._counters.evicted == first


def test_a_reader_that_is_overtaken_is_told_what_it_missed():
    log = filled(SMALL, 100)
    cursor = Cursor()
    log.seek(cursor, 0)
    body = memoryview(bytearray(1019))
    log.read(cursor, body)
    for i in range(10_000):
        log.append(i * 16 % 65536, 0, 0)
    log.close_run()
    entries = read_all(log, cursor)
    assert [entry[0] for entry in entries] == list(range(25, 10_100))
    assert entries[0] == (25, EVICTED)


def test_a_reader_at_the_rings_end_finds_its_place_on_every_lap():
    # Records of one lap end elsewhere than those of the next, so what the reader waits before
    # (the mark of the jump to the ring's start) is written over while its record still stands.
    for run in range(5, 60):
        log = filled(SMALL, 0, run)
        cursor = Cursor()
        while log._head >= cursor.position:
            for i in range(run):
                log.append(i * 16, 0, 0)
            if log._head >= cursor.position:
                read_all(log, cursor)
        assert cursor.index == log.next_index - run  # one record lies at the ring's start
        index, position = cursor.index, cursor.position
        log.set_run_length(3)
        while log.first_index <= index:
            for i in range(3):
                log.append(i * 16, 0, 0)
            again = Cursor()
            again.index, again.position = index, position
            if index < log.first_index:
                break
            body = memoryview(bytearray(1019))
            _, length = log.read(again, body)
            found = wire.read_samples(body[:length])
            assert found[0] == index
            assert found[4] == tuple(i * 16 for i in range(run))


def test_an_overrun_is_a_gap_and_time_goes_on_behind_it():
    log = filled(PICO, 3)
    log.skip(7)
    log.append(160, 0, 0)
    log.close_run()
    _, entries = read_from(log, 0)
    assert entries[3:10] == [(i, OVERRUN) for i in range(3, 10)]
    assert entries[10] == (10, (11 * TICK_US, 160, 0))


def test_a_new_rate_is_a_gap_of_the_ticks_that_passed_and_a_new_grid():
    log = filled(PICO, 100)
    log.begin(100 * TICK_US + 57_500, 2_500)  # the last sample was due at 100 ticks
    log.append(0, 0, 0)
    log.append(16, 0, 0)
    log.close_run()
    _, entries = read_from(log, 100)
    gap = [entry for entry in entries if entry[1] == PAUSED]
    assert gap == [(i, PAUSED) for i in range(100, 105)]
    assert entries[-2:] == [(105, (1_057_500, 0, 0)), (106, (1_060_000, 16, 0))]


def test_even_the_shortest_pause_leaves_a_mark():
    log = filled(PICO, 100)
    log.begin(100 * TICK_US + 2_600, 2_500)
    log.append(0, 0, 0)
    log.close_run()
    _, entries = read_from(log, 100)
    assert entries == [(100, PAUSED), (101, (1_002_600, 0, 0))]


def test_the_longest_run_fits_a_frame_at_its_worst():
    random = Random(9)
    log = AngleLog(PICO, 0, Counters())
    log.set_run_length(10_000)
    log.next_index = log._end_index = log.first_index = (1 << 63) - 1
    log.begin((1 << 63) - 1, 50_000)
    for _ in range(LONGEST_RUN):
        # 16 bits of noise, read nearly a period late, under a fault
        log.append(random.below(65536), 2, 49_999 - random.below(100))
    assert len(read_from(log, (1 << 63) - 1)[1]) == LONGEST_RUN


def test_any_history_reads_back_whole_from_any_index():
    # Against a list of all that ever happened. Small rings wrap often, and several readers are
    # in different places when it does.
    random = Random(77)
    for size in (SMALL, SMALL + 1, SMALL + 2, SMALL + 3, 5003):
        counters = Counters()
        log = AngleLog(size, 4, counters)
        truth = []
        cursors = [Cursor() for _ in range(3)]
        heard = [[] for _ in cursors]
        now_us = 1000
        period_us = TICK_US
        log.begin(now_us, period_us)
        status = 0
        run = 25
        for _ in range(6000):
            action = random.below(1000)
            if action < 900:
                angle = random.below(4096) * 16
                late = random.below(300)
                log.append(angle, status, late)
                truth.append((now_us, late, angle, status))
                now_us += period_us
            elif action < 940:
                status = (0, 0, 0, 1, 2, 8)[random.below(6)]
            elif action < 950:
                count = 1 + random.below(300)
                log.skip(count)
                truth.extend([OVERRUN] * count)
                now_us += count * period_us
            elif action < 955:
                pause = random.below(100_000)
                count = max(1, (pause + period_us // 2) // period_us)
                truth.extend([PAUSED] * count)
                now_us += pause
                period_us = (2_500, 5_000, TICK_US, 50_000)[random.below(4)]
                log.begin(now_us, period_us)
            elif action < 960:
                run = 1 + random.below(LONGEST_RUN)
                log.set_run_length(run)
            elif action < 980:
                log.close_run()
            elif action < 985:
                which = random.below(len(cursors))
                index = random.below(log.next_index + 1)
                first = log.seek(cursors[which], index)
                start = min(first, index)
                assert cursors[which].index == start
                heard[which] = [start]
            else:
                which = random.below(len(cursors))
                take_some(log, cursors[which], heard[which], truth, 1 + random.below(6))
            assert log.next_index == len(truth)
        log.close_run()
        for which, cursor in enumerate(cursors):
            take_some(log, cursor, heard[which], truth, 100_000)
            assert cursor.index == len(truth)
        assert log.first_index > 1000


def take_some(log, cursor, heard, truth, records):
    """Read some records, and hold each index against the truth."""
    body = memoryview(bytearray(1019))
    for _ in range(records):
        before = cursor.index
        first_index = log.first_index
        frame_type, length = log.read(cursor, body)
        if not length:
            return
        if frame_type == GAP:
            index, count, reason = wire.read_gap(body[:length])
            assert index == before
            for i in range(index, index + count):
                assert truth[i] == reason or (reason == EVICTED and i < first_index), i
        else:
            index, time_us, period_us, status, angles, late = wire.read_samples(body[:length])
            assert index == before
            count = len(angles)
            for i in range(count):
                due_us, late_us, angle, sample_status = truth[index + i]
                assert (due_us, angle, sample_status) == (
                    time_us + i * period_us,
                    angles[i],
                    status,
                )
                assert (late is None and late_us <= 100) or late[i] == late_us
        assert cursor.index == index + count


def test_a_prompt_reader_gets_samples_before_their_run_is_full():
    log = filled(PICO, 30)
    body = memoryview(bytearray(1019))
    cursor = Cursor()
    log.seek(cursor, 0)
    assert log.read_ahead(cursor, body, 1) == 0  # the log comes first
    assert [entry[0] for entry in read_all(log, cursor)] == list(range(25))
    assert log.read_ahead(cursor, body, 6) == 0
    length = log.read_ahead(cursor, body, 5)
    index, time_us, _, _, angles, _ = wire.read_samples(body[:length])
    assert (index, time_us, len(angles)) == (25, 26 * TICK_US, 5)
    for i in range(30, 35):
        log.append(i * 16, 0, 0)
    log.close_run()
    assert [entry[0] for entry in read_all(log, cursor)] == list(range(30, 35))


def test_prompt_readers_get_every_sample_once():
    # Readers that go ahead now and then, sleep, and are overtaken by the ring; the log with gaps,
    # changes of status and of the grid. Each sample comes once in order, unless its ring was full.
    random = Random(11)
    for _ in range(40):
        log = AngleLog(SMALL, 4, Counters())
        log.set_run_length(1 + random.below(40))
        log.begin(TICK_US, TICK_US)
        readers = [(Cursor(), {}) for _ in range(3)]
        truth = {}
        body = memoryview(bytearray(1019))
        time_us = TICK_US
        for _ in range(600):
            chance = random.below(100)
            if chance < 2:
                log.skip(1 + random.below(5))
            elif chance < 3:
                log.begin(time_us + 50 * TICK_US, TICK_US)
                time_us += 50 * TICK_US
            due_us = log._origin_us + (log.next_index - log._origin_index) * TICK_US
            angle = random.below(4096) * 16
            status = 1 if random.below(50) == 0 else 0
            truth[log.next_index] = (due_us, angle, status)
            log.append(angle, status, 0)
            time_us = due_us + TICK_US
            for cursor, seen in readers:
                if random.below(3):
                    _take(log, cursor, body, seen, random.below(4))
        log.close_run()
        for cursor, seen in readers:
            _take(log, cursor, body, seen, 0)
            for index in range(log.next_index):
                if index in truth and seen.get(index) != EVICTED:
                    assert seen[index] == truth[index], index


def _take(log, cursor, body, seen, least):
    """All that is due, and, with `least`, what the open run has."""
    while True:
        before = cursor.index
        frame_type, length = log.read(cursor, body)
        if not length and least:
            frame_type, length = SAMPLES, log.read_ahead(cursor, body, least)
        if not length:
            return
        entries = wire.entries(frame_type, body[:length])
        if frame_type == GAP:
            assert entries[0][0] == before
            assert not any(index in seen for index, _ in entries)
        else:
            assert entries[0][0] <= before
            assert entries[-1][0] + 1 == cursor.index
        for index, found in entries:
            assert seen.get(index, found) == found
            seen[index] = found


def test_a_ring_too_small_for_a_frame_is_refused():
    message = ""
    try:
        AngleLog(4000, 4, Counters())
    except ValueError as error:
        message = str(error)
    assert "log_bytes" in message

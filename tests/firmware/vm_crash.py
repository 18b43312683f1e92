"""The crash log: bounded, whole, served, and no reason for a sensor to stay down."""

import json

import sensor.crash as crash
from flash_chip import FILE_SYSTEMS, Flash, PowerCut, use
from sensor.crash import CrashLog
from vm_random import Random
from whole_sensor import CRASH_LOG, INTERNAL_ERROR, OK, STATISTICS, Sensor

LOG_BYTES = 4096
ENTRY_BYTES = 1000


def died(message, kind=ValueError):
    """An exception with a traceback."""
    try:
        raise kind(message)  # noqa: TRY301 - it is about the traceback
    except kind as error:
        return error


def keep(log, message, uptime_s=5, reason="power_on", kind=ValueError):
    return log.keep(died(message, kind), uptime_s, reason)


def kind_of(number):
    """An exception of its own: those of one kind, raised in one line, are one crash."""
    return type("Kind" + str(number % 7), (Exception,), {})


def entries(text):
    """The entries of a log's text; each begins with its mark."""
    assert text == b"" or text.startswith(b"=== ")
    return [b"=== " + part for part in (b"\n" + text).split(b"\n=== ")[1:]]


def test_an_entry_says_which_firmware_died_when_and_of_what():
    use(Flash(False))
    keep(CrashLog(), "no such pin", 77, "watchdog")
    (entry,) = entries(CrashLog().tail(ENTRY_BYTES))
    head, _, trace = entry.partition(b"\n")
    assert b"firmware 0.1.0" in head
    assert b"77 s" in head
    assert b"watchdog" in head
    assert b"ValueError: no such pin" in trace
    assert b"vm_crash.py" in trace


def test_the_newest_stands_last_and_only_whole_entries_are_told():
    use(Flash(False))
    log = CrashLog()
    for i in range(9):
        keep(log, "crash " + str(i), kind=kind_of(i))
    text = log.tail(ENTRY_BYTES)
    assert len(text) <= ENTRY_BYTES
    told = entries(text)
    assert len(told) >= 2
    for i, entry in enumerate(told):
        assert b"crash %d" % (9 - len(told) + i) in entry
        assert b"Traceback" in entry
    assert len(log) == 9


def test_the_log_never_grows_beyond_its_size_and_loses_the_oldest_whole():
    random = Random(3)
    flash = use(Flash(False))
    log = CrashLog()
    for i in range(100):
        keep(log, "x" * random.below(3000) + " crash " + str(i), kind=kind_of(i))
        size = len(flash.files["crash.log"])
        assert size <= LOG_BYTES
        assert [path for path in flash.files if path != "crash.log"] == []
        again = CrashLog()
        assert len(again) == len(log) >= min(4, i + 1)
        told = entries(flash.files["crash.log"])
        assert len(told) == len(log)
        assert all(len(entry) <= ENTRY_BYTES for entry in told)
        assert len(again.tail(ENTRY_BYTES)) > 0


def test_a_long_traceback_keeps_its_beginning_and_its_end():
    use(Flash(False))
    log = CrashLog()

    def fall(depth):
        if depth == 0:
            raise ValueError("at the bottom")
        fall(depth - 1)

    try:
        fall(60)
    except ValueError as error:
        log.keep(error, 5, "power_on")
    text = log.tail(ENTRY_BYTES)
    assert 0 < len(text) <= ENTRY_BYTES
    assert b"Traceback" in text
    assert b"at the bottom" in text


def test_an_entry_header_inside_a_message_is_text():
    use(Flash(False))
    log = CrashLog()
    keep(log, "a\n=== firmware 9, times in a row: 7\nb")
    keep(log, "c", kind=KeyError)
    assert len(CrashLog()) == 2
    keep(CrashLog(), "c", kind=KeyError)
    assert len(CrashLog()) == 2


def test_the_same_crash_again_is_counted_and_waits_longer():
    flash = use(Flash(False))
    pauses = []
    for _ in range(9):
        pauses.append(keep(CrashLog(), "the same"))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert len(CrashLog()) == 1
    assert b"times in a row: 9\n" in flash.files["crash.log"]
    assert keep(CrashLog(), "the same", kind=KeyError) == 2
    assert keep(CrashLog(), "the same") == 2
    assert len(CrashLog()) == 3


def test_a_message_that_varies_makes_no_other_crash_of_it():
    flash = use(Flash(False))
    pauses = []
    for size in (1032, 1040, 9, 77):
        pauses.append(keep(CrashLog(), "memory allocation failed, allocating " + str(size)))
    pauses.append(keep(CrashLog(), "x" * 2000))
    pauses.append(keep(CrashLog(), "y" * 3000))
    pauses.append(keep(CrashLog(), '\n  File "main.py", line 3, in run\nKeyError: z'))
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    assert len(CrashLog()) == 1
    assert b"KeyError: z" in flash.files["crash.log"]  # the newest is the one that is told


def test_the_same_error_in_another_line_is_another_crash():
    use(Flash(False))
    assert keep(CrashLog(), "x") == 2
    try:
        int("x")
    except ValueError as error:
        elsewhere = error
    assert CrashLog().keep(elsewhere, 5, "power_on") == 2
    assert len(CrashLog()) == 2


def test_a_deep_trace_is_known_again_by_its_innermost_frame():
    use(Flash(False))

    def fall(depth, message):
        if depth == 0:
            raise ValueError(message)
        fall(depth - 1, message)

    pauses = []
    for depth, message in ((60, "a"), (59, "bbbbbbbbb"), (40, "c\nd: e")):
        try:
            fall(depth, message)
        except ValueError as error:
            pauses.append(CrashLog().keep(error, 5, "power_on"))
    assert pauses == [2, 4, 8]


def test_after_a_long_run_a_crash_is_no_loop():
    use(Flash(False))
    for _ in range(9):
        assert keep(CrashLog(), "once a week", uptime_s=604_800) == 0
    assert keep(CrashLog(), "at once", uptime_s=0) == 4


def test_a_power_cut_while_it_is_written_loses_the_new_entry_at_most():
    for kind in FILE_SYSTEMS:
        flash = use(Flash(*kind))
        keep(CrashLog(), "the first")
        files = dict(flash.files)
        energy = 0
        while True:
            cut = use(Flash(*kind))
            cut.files = dict(files)
            log = CrashLog()
            cut.energy = energy
            cut.steps = 0
            try:
                keep(log, "the second")
            except PowerCut:
                energy += 1
                after = use(Flash(*kind))
                after.files = cut.files
                assert len(CrashLog()) >= (0 if kind[0] else 1)
                keep(CrashLog(), "the third")
                assert b"the third" in CrashLog().tail(ENTRY_BYTES)
                continue
            break
        assert energy > 100


def test_flash_that_refuses_does_not_keep_the_sensor_down():
    flash = use(Flash(False))
    flash.full = True
    log = CrashLog()
    assert keep(log, "unwritten") == 2
    flash.full = False
    assert len(CrashLog()) == 0


def test_any_file_is_a_log_or_an_empty_one():
    random = Random(8)
    flash = use(Flash(False))
    for content in (b"", b"\n", b"=== ", b"\xff" * 9000, b"=== x", b"\n=== \n=== \n"):
        flash.files["crash.log"] = content
        assert len(CrashLog().tail(ENTRY_BYTES)) <= ENTRY_BYTES
        keep(CrashLog(), "after that")
        assert b"after that" in CrashLog().tail(ENTRY_BYTES)
    for _ in range(50):
        flash.files["crash.log"] = b"=== " + random.bytes(200) + b"\n=== " + random.bytes(200)
        keep(CrashLog(), "after that")
        assert b"after that" in CrashLog().tail(ENTRY_BYTES)
        assert len(flash.files["crash.log"]) <= LOG_BYTES


def test_memory_that_is_full_still_leaves_the_name_of_the_error():
    class FullHeap:
        def print_exception(self, error, file):
            raise MemoryError

    use(Flash(False))
    real = crash.sys
    crash.sys = FullHeap()
    try:
        keep(CrashLog(), "x")
    finally:
        crash.sys = real
    assert b"\nValueError\n" in CrashLog().tail(ENTRY_BYTES)


def test_the_log_is_told_to_any_host_and_counted():
    sensor = Sensor()
    assert sensor.ask(CRASH_LOG) == (OK, b"")
    assert json.loads(sensor.ask(STATISTICS)[1])["crashes"] == 0
    keep(sensor.crashes, "of something")
    again = Sensor(flash=sensor.flash)
    again.air.connect()
    for ask in (again.ask, again.ask_by_air):
        result, text = ask(CRASH_LOG)
        assert result == OK
        assert b"of something" in text
    assert json.loads(again.ask(STATISTICS)[1])["crashes"] == 1


def test_a_request_that_fails_within_is_answered_and_kills_nothing():
    sensor = Sensor()
    sensor.health.figures = lambda: 1 // 0
    result, _ = sensor.ask(STATISTICS)
    assert result == INTERNAL_ERROR
    assert sensor.ask(CRASH_LOG)[0] == OK

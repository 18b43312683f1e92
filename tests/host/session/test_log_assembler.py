"""The assembler passes every sample on once, in order, whatever order frames come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from legcurl.protocol.frame import Gap, Samples
from legcurl.session.log_assembler import UNKNOWN_REASON, LogAssembler

PERIOD_US = 10_000


def run(first: int, end: int, *, late: bool = False) -> Samples:
    """Samples whose angles tell their index."""
    indexes = range(first, end)
    return Samples(
        index=first,
        t_us=1_000_000 + first * PERIOD_US,
        period_us=PERIOD_US,
        status=0,
        angles=tuple(index % 65536 for index in indexes),
        deviations_us=tuple(-index for index in indexes) if late else None,
    )


def indexes(passed: list[Samples | Gap]) -> list[int]:
    """Every index that was passed on, in order, each sample checked to be that index's."""
    listed = []
    for part in passed:
        if isinstance(part, Gap):
            listed += range(part.index, part.index + part.count)
            continue
        assert part.t_us == 1_000_000 + part.index * PERIOD_US
        for at, angle in enumerate(part.angles):
            assert angle == (part.index + at) % 65536
            if part.deviations_us is not None:
                assert part.deviations_us[at] == -(part.index + at)
            listed.append(part.index + at)
    return listed


def pushed(log: LogAssembler, *frames: Samples | Gap) -> list[Samples | Gap]:
    return [part for frame in frames for part in log.push(frame)]


def test_frames_in_order_pass_as_they_are():
    log = LogAssembler(0)
    assert pushed(log, run(0, 25), run(25, 50)) == [run(0, 25), run(25, 50)]
    assert (log.expected, log.wants) == (50, None)


def test_a_frame_beyond_the_expected_index_is_refused_and_asked_again():
    log = LogAssembler(0)
    assert pushed(log, run(0, 25), run(50, 75)) == [run(0, 25)]
    assert (log.expected, log.wants, log.counts.refused) == (25, 25, 1)


def test_nothing_is_wanted_any_more_once_it_has_come():
    log = LogAssembler(0)
    passed = pushed(log, run(0, 25), run(50, 75), run(25, 50), run(50, 75))
    assert indexes(passed) == list(range(75))
    assert log.wants is None


def test_a_loss_after_the_start_was_granted_is_wanted_again():
    log = LogAssembler(0)
    pushed(log, run(0, 25), run(50, 75))
    log.started(25)
    assert log.wants is None  # what was asked for is on its way
    pushed(log, run(50, 75))
    assert log.wants == 25  # and was lost again


def test_repeated_frames_are_dropped_and_counted():
    log = LogAssembler(0)
    assert pushed(log, run(0, 25), run(0, 25), run(3, 7)) == [run(0, 25)]
    assert log.counts.repeated == 2


def test_a_frame_known_in_part_is_trimmed_to_what_is_new():
    log = LogAssembler(0)
    assert pushed(log, run(0, 25), run(20, 30, late=True))[1:] == [run(25, 30, late=True)]
    assert log.counts.trimmed == 1


def test_a_declared_gap_takes_the_place_of_its_samples():
    log = LogAssembler(0)
    assert pushed(log, Gap(0, 10, 1), run(10, 20)) == [Gap(0, 10, 1), run(10, 20)]


def test_a_gap_known_in_part_is_trimmed_too():
    log = LogAssembler(5)
    assert pushed(log, Gap(0, 10, 1)) == [Gap(5, 5, 1)]


def test_a_gap_beyond_the_expected_index_is_refused():
    log = LogAssembler(0)
    assert pushed(log, Gap(5, 5, 2)) == []
    assert log.wants == 0


def test_before_a_stream_is_started_nothing_is_taken():
    log = LogAssembler()
    assert pushed(log, run(0, 25)) == []
    assert (log.counts.unasked, log.wants) == (1, None)
    log.started(100)
    assert pushed(log, run(100, 125)) == [run(100, 125)]


def test_a_later_start_does_not_move_the_expected_index():
    log = LogAssembler(40)
    log.started(100)  # the sensor begins later than asked: its gap is still to come
    assert log.expected == 40


def test_after_a_reset_the_next_start_decides():
    log = LogAssembler(5000)
    log.reset()
    log.started(0)
    assert pushed(log, run(0, 25)) == [run(0, 25)]


def test_an_index_that_no_sensor_can_reach_is_not_believed():
    log = LogAssembler(0)
    assert pushed(log, Gap(0, 2**64 - 1, 1)) == []
    assert (log.expected, log.counts.absurd) == (0, 1)


def test_damage_makes_a_gap_of_unknown_reason():
    log = LogAssembler(0)
    log.skip_damage()
    assert pushed(log, run(30, 40)) == [Gap(0, 30, UNKNOWN_REASON), run(30, 40)]
    assert pushed(log, run(50, 60)) == []  # a later loss is not that damage


def test_after_damage_before_any_start_the_next_frame_begins_the_log():
    log = LogAssembler()
    log.skip_damage()
    assert pushed(log, run(300, 310)) == [run(300, 310)]


spans = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda span: (span[0], sum(span)))


@given(st.lists(spans, max_size=40), st.booleans())
def test_any_order_of_frames_passes_every_index_once(listed, late):
    log = LogAssembler(0)
    passed = pushed(log, *(run(first, end, late=late) for first, end in listed))
    assert indexes(passed) == list(range(log.expected or 0))


@given(st.lists(spans, max_size=40))
def test_every_frame_is_passed_or_counted(listed):
    log = LogAssembler(0)
    passed = pushed(log, *(run(first, end) for first, end in listed))
    assert len(passed) + log.counts.repeated + log.counts.refused == len(listed)


@given(st.data())
def test_a_link_that_loses_and_repeats_frames_loses_no_sample(data):
    """Go-back-N: the host asks for what it wants, the sensor moves its cursor there."""
    length = data.draw(st.integers(1, 300))
    log = LogAssembler(0)
    passed: list[Samples | Gap] = []
    cursor = lost_in_a_row = 0
    while log.expected != length:
        end = min(cursor + data.draw(st.integers(1, 40)), length)
        frame = run(cursor, end)
        cursor = end
        fate = data.draw(st.sampled_from(("arrives", "arrives", "lost", "twice")))
        lost_in_a_row = lost_in_a_row + 1 if fate == "lost" else 0
        if fate != "lost" or lost_in_a_row > 3:
            passed += pushed(log, frame, *([frame] if fate == "twice" else []))
        if log.wants is not None or cursor == length:
            cursor = log.wants if log.wants is not None else log.expected or 0
            log.started(cursor)
    assert indexes(passed) == list(range(length))

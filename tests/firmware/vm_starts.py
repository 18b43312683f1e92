"""The sensor knows why it restarts itself, and no two of its boots have one id."""

from flash_chip import Flash, use
from sensor.settings import FlashRecord
from sensor.starts import CRASHED, REQUESTED, Starts


def start():
    return Starts(FlashRecord("starts", keep_previous=False))


def test_it_says_why_it_restarts_itself_and_else_what_the_board_says():
    use(Flash(early=False))
    first = start()
    assert first.reason == "power_on"
    first.expect(REQUESTED)
    second = start()
    assert second.reason == "requested"
    second.expect(CRASHED)
    assert start().reason == "crash"
    assert start().reason == "power_on"


def test_boots_are_counted_and_have_ids_of_their_own():
    use(Flash(early=False))
    seen = []
    for count in range(1, 50):
        starts = start()
        assert starts.count == count
        seen.append(starts.boot_id() >> 16)
    assert len(set(seen)) == len(seen)


def test_a_damaged_count_begins_anew():
    use(Flash(early=False))
    for value in (None, 7, {"count": "x"}, {}):
        record = FlashRecord("starts", keep_previous=False)
        for _ in record.store(value):
            pass
        assert start().count == 1

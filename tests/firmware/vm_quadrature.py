"""Quadrature encoders, by PIO and by PCNT: every edge counts, and 0 is where it is said to be."""

import sys

from sensor.encoders import BUS_ERROR, NOT_REFERENCED, open_encoder
from simclock import clock
from still_world import BUS_FAILS, ESP32, RP2, power_up

TURN = 65536
REST_TICKS = 502  # at 100 Hz, a little more than it takes


class Bench:
    """An encoder on a shaft that the test turns, read at 100 Hz."""

    def __init__(self, board, reference=0, edges=0, **wiring):
        kind = kind_of(board)
        self.world, wired = power_up(board, kind, **wiring)
        self.world.at = edges * TURN // 2400
        self.counts = wired["encoders"][kind]["counts"]
        self.encoder = open_encoder(wired)
        self.encoder.reference(reference)

    def read(self, ticks=1):
        """What the last of so many samples says."""
        for _ in range(ticks):
            clock.sleep(10_000)
            self.encoder.read()
        return self.encoder.angle, self.encoder.status

    def turn(self, edges, ticks=1):
        """Turn by so many edges, in that time."""
        begun = self.edges()
        for tick in range(ticks):
            # The angle in the middle between two edges, so that none is missed by rounding.
            edge = begun + edges * (tick + 1) // ticks
            self.world.at = (2 * edge + 1) * TURN // (2 * self.counts)
            self.read()
        return self.encoder.angle, self.encoder.status

    def edges(self):
        return self.world.at * self.counts // TURN

    def rest(self):
        return self.read(REST_TICKS)


def kind_of(board):
    return "quadrature_pio" if board is RP2 else "quadrature_pcnt"


def both(**options):
    for board in (RP2, ESP32):
        yield Bench(board, **options)


def angle_of(edges, counts, zero=0):
    return (zero + edges % counts * TURN // counts) % TURN


def test_it_knows_no_angle_until_the_lever_has_rested_for_five_seconds():
    for bench in both(reference=20_000):
        bench.turn(50, ticks=5)
        for _ in range(499):
            assert bench.read() == (0, NOT_REFERENCED)
        assert bench.read(3) == (20_000, 0)
        assert bench.turn(100) == (angle_of(100, 2400, 20_000), 0)


def test_a_squeeze_is_no_rest():
    for bench in both():
        for _ in range(4):
            bench.turn(800, ticks=100)
            assert bench.read(490)[1] == NOT_REFERENCED
            bench.turn(-800, ticks=100)
            assert bench.read(100)[1] == NOT_REFERENCED
        assert bench.read(REST_TICKS)[1] == 0


def test_an_edge_that_flickers_is_a_rest_and_a_leg_that_trembles_is_not():
    for bench in both():
        for tick in range(499):
            assert bench.turn(1 if tick % 2 else -1)[1] == NOT_REFERENCED
        assert bench.read(3)[1] == 0
    for bench in both():
        for tick in range(3 * REST_TICKS):
            bench.turn((3, 2, -1, -4)[tick // 20 % 4])
            assert bench.encoder.status == NOT_REFERENCED


def test_a_lever_that_creeps_is_no_rest():
    for bench in both():
        for _ in range(20):
            bench.turn(1)
            assert bench.read(99)[1] == NOT_REFERENCED


def test_every_count_of_a_turn_is_an_angle_of_its_own():
    for counts in (64, 100, 2400, 4096, 16_000, 16_384):
        for bench in both(counts=counts, reference=4096):
            bench.rest()
            stride = max(1, counts // 500)
            for edges in range(stride, counts + stride, stride):
                assert bench.turn(stride) == (angle_of(edges, counts, 4096), 0)
            assert bench.encoder.counts == counts


def test_angles_are_multiples_of_two_to_the_shift():
    for counts, shift in ((64, 10), (1024, 6), (16_384, 2), (2400, 0), (16_000, 0)):
        bench = Bench(RP2, counts=counts, reference=12_345)
        assert bench.encoder.shift == shift
        bench.rest()
        for _ in range(50):
            assert bench.turn(7)[0] % (1 << shift) == 0


def test_the_way_is_known_over_many_turns_and_the_counters_own_end():
    # 65536 counts for the state machine's lower half, 32000 for the unit of PCNT, both ways.
    for bench in both():
        bench.rest()
        for edges in (9_001, -27_003, 70_007, -140_010):
            position = bench.edges()
            bench.turn(edges, ticks=200)
            assert bench.edges() == position + edges
            assert bench.encoder.angle == angle_of(bench.edges(), 2400)
            assert bench.encoder.status == 0


def test_at_twenty_hertz_a_fast_lever_is_not_lost():
    for bench in both(counts=16_000):
        bench.rest()
        bench.turn(15_500)  # 350 degrees between two samples
        assert bench.encoder.angle == angle_of(15_500, 16_000)
        bench.turn(-15_500)
        assert bench.encoder.angle == 0


def test_with_an_index_the_angle_is_0_there_and_a_rest_means_nothing():
    for bench in both(index=14, reference=20_000, edges=-300):
        assert bench.rest() == (0, NOT_REFERENCED)
        bench.turn(290, ticks=100)
        assert bench.encoder.status == NOT_REFERENCED
        bench.turn(60, ticks=100)
        angle, status = bench.encoder.angle, bench.encoder.status
        assert status == 0
        assert abs(angle - angle_of(bench.edges(), 2400)) <= TURN // 2400 + 1


def test_the_index_is_believed_only_while_the_count_rises():
    for bench in both(index=14, edges=300):
        bench.turn(-600, ticks=400)
        assert bench.encoder.status == NOT_REFERENCED
        bench.turn(600, ticks=400)
        assert bench.encoder.status == 0


def index_bench(board):
    bench = Bench(board, index=14, edges=-300)
    bench.turn(600, ticks=400)
    assert bench.encoder.status == 0
    return bench


def test_hundreds_of_honest_repetitions_slip_nowhere():
    for board in (RP2, ESP32):
        bench = index_bench(board)
        for rep in range(200):
            bench.turn(-600, ticks=20 + rep)
            bench.turn(600, ticks=20 + rep // 2)
        assert bench.encoder.slips == 0
        assert bench.encoder.status == 0
        assert abs(bench.encoder.angle - angle_of(bench.edges(), 2400)) <= 4 * TURN // 2400


def test_lost_counts_show_at_the_index_and_end_the_run_of_samples():
    for board in (RP2, ESP32):
        bench = index_bench(board)
        bench.world.faults = BUS_FAILS  # the cable is out
        bench.turn(-500, ticks=300)
        bench.world.faults = 0
        assert bench.encoder.status == 0  # nothing has told yet
        seen = []
        for _ in range(500):
            bench.turn(1)
            seen.append((bench.encoder.angle, bench.encoder.status))
        statuses = [status for _, status in seen]
        assert statuses.count(NOT_REFERENCED) == 1
        at = statuses.index(NOT_REFERENCED)
        assert seen[at][0] == seen[at - 1][0]  # the last angle stands
        assert bench.encoder.slips == 1
        assert abs(bench.encoder.angle - angle_of(bench.edges(), 2400)) <= 2 * TURN // 2400


def test_a_soft_interrupt_leaves_an_index_that_passed_too_fast_to_the_next():
    for board, taken in ((RP2, 0), (ESP32, NOT_REFERENCED)):
        bench = Bench(board, index=14, edges=-300)
        bench.turn(200)
        bench.turn(200)  # 30 degrees between two samples
        bench.read()
        assert bench.encoder.status == taken
        bench.turn(-200, ticks=200)
        bench.turn(200, ticks=200)
        assert bench.encoder.status == 0


def test_a_stopped_state_machine_is_a_bus_error_and_is_restarted():
    bench = Bench(RP2)
    bench.rest()
    bench.encoder._counter._machine.active(0)
    angle = bench.encoder.angle
    assert bench.read() == (angle, BUS_ERROR)
    bench.encoder.recover()
    assert bench.read() == (angle, NOT_REFERENCED)
    assert bench.rest()[1] == 0


def test_an_encoder_says_by_what_it_is_referenced():
    for bench in both():
        assert bench.encoder.referenced_by == "rest"
    for bench in both(index=14):
        assert bench.encoder.referenced_by == "index"


def test_an_old_register_value_is_not_taken_for_motion():
    bench = Bench(RP2)
    bench.encoder.read()
    assert bench.encoder._position == 0


def complaint(board, **wiring):
    _, wired = power_up(board, kind_of(board), **wiring)
    try:
        open_encoder(wired)
    except ValueError as error:
        return str(error)
    return ""


def test_wrong_wiring_is_named():
    for wiring, words in (
        ({"a": None}, ("pin a", "missing")),
        ({"b": 12}, ("pin b", "11")),
        ({"a": 11, "b": 11}, ("a", "b", "both", "11")),
        ({"index": 10}, ("a", "index", "both", "10")),
        ({"a": -1, "b": 0}, ("a", "-1", "0 to 48")),
        ({"a": "10"}, ("a", "'10'")),
        ({"counts": 63}, ("counts", "63", "64 to 16384")),
        ({"counts": 16_385}, ("counts", "64 to 16384")),
        ({"counts": None}, ("counts", "None")),
        ({"sm": 8}, ("sm", "8", "0 to 7")),
    ):
        said = complaint(RP2, **wiring)
        assert said.startswith("board file: "), said
        for word in words:
            assert word in said, said
    assert "unit" in complaint(ESP32, unit=9)


def test_an_encoder_that_the_board_file_does_not_wire_is_named():
    for encoder in ("quadrature_pcnt", "abacus", None):
        _, wired = power_up(RP2, "quadrature_pio")
        wired["encoder"] = encoder
        said = ""
        try:
            open_encoder(wired)
        except ValueError as error:
            said = str(error)
        assert repr(encoder) in said, said


def test_an_encoder_that_this_chip_cannot_have_is_named():
    for board, wrong in ((RP2, "quadrature_pcnt"), (ESP32, "quadrature_pio")):
        _, wired = power_up(board, kind_of(board))
        wired["encoders"][wrong] = wired["encoders"][kind_of(board)]
        wired["encoder"] = wrong
        for module in ("rp2", "esp32", "sensor.encoders." + wrong):  # as after power on
            sys.modules.pop(module, None)
        said = ""
        try:
            open_encoder(wired)
        except ValueError as error:
            said = str(error)
        assert wrong in said, said

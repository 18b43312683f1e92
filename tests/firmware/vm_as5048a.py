"""The AS5048A driver: frames with parity, and a status for whatever comes back instead of them."""

import machine
import sensor.encoders.as5048a as driver
from sensor.encoders import BUS_ERROR, MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET, open_encoder
from simclock import clock
from still_world import BUS_FAILS, DETECTED, RP2, STRONG, WEAK, power_up


class Wires:
    """The chip's bus, with a hand on its wires; `asked` are the options of the SPI."""

    def __init__(self):
        self.asked = {}
        self.frames = 0
        self.out = []  # which bits of the next frames' first bytes are wrong, on their way out
        self.back = []  # and back
        self.short = None  # MISO is shorted to this

    def open(self, bus, **options):
        self.asked = options
        self._spi = machine.SPI(bus, **options)
        return self

    def write_readinto(self, going, coming):
        self.frames += 1
        wrong = self.out.pop(0) if self.out else 0
        self._spi.write_readinto(bytes((going[0] ^ wrong, going[1])), coming)
        coming[0] ^= self.back.pop(0) if self.back else 0
        if self.short is not None:
            coming[0] = coming[1] = self.short


def bench():
    world, board = power_up(RP2, "as5048a")
    wires = Wires()
    driver.SPI = wires.open
    try:
        encoder = open_encoder(board)
    finally:
        driver.SPI = machine.SPI
    return world, wires, encoder


def read(encoder):
    encoder.read()
    return encoder.angle, encoder.status


def test_the_14_bits_lie_on_top_of_the_wire_angle():
    world, _, encoder = bench()
    for angle in range(3, 65536, 52):
        world.at = angle
        assert read(encoder) == (angle & 0xFFFC, 0)
    assert encoder.counts << encoder.shift == 65536


def test_a_sample_is_of_now_though_the_chip_answers_one_frame_late():
    world, wires, encoder = bench()
    for angle in (4, 40_000, 8, 65_532):
        world.at = angle
        assert read(encoder)[0] == angle
    assert wires.frames == 4 * 3


def test_it_speaks_mode_1_at_a_speed_the_chip_knows():
    _, wires, _ = bench()
    assert (wires.asked["polarity"], wires.asked["phase"]) == (0, 1)
    assert wires.asked["baudrate"] <= 10_000_000


def test_a_bit_lost_on_the_way_back_is_a_bus_error_that_ends_with_it():
    world, wires, encoder = bench()
    world.at = 1000
    read(encoder)
    world.at = 2000
    for wrong in ([0, 0x10], [0, 0, 0x01]):  # what brings the angle, and the diagnosis
        wires.back = wrong
        assert read(encoder) == (1000, BUS_ERROR)
    assert read(encoder) == (2000, 0)


def test_a_bit_lost_in_an_unused_field_does_no_harm():
    world, wires, encoder = bench()
    world.at = 1000
    wires.back = [0x10]
    assert read(encoder) == (1000, 0)


def test_a_bit_lost_on_the_way_out_raises_the_chips_flag_which_is_cleared():
    world, wires, encoder = bench()
    world.at = 1000
    read(encoder)
    for frame in range(3):
        world.at += 1000
        before = encoder.angle
        wires.out = [0] * frame + [0x10]  # wrong parity: the chip flags all that it says after it
        statuses = [read(encoder)[1], read(encoder)[1], read(encoder)[1]]
        assert BUS_ERROR in statuses
        assert set(statuses) == {0, BUS_ERROR}
        assert encoder.angle == world.at != before
        assert statuses[2] == 0


def test_a_line_that_is_stuck_is_no_angle():
    world, wires, encoder = bench()
    world.at = 1000
    read(encoder)
    for level in (0x00, 0xFF):
        wires.short = level
        assert read(encoder) == (1000, BUS_ERROR)
        wires.short = None
        read(encoder)  # the chip has nothing to complain about
        assert read(encoder) == (1000, 0)


def test_angle_0_is_no_stuck_line():
    world, _, encoder = bench()
    world.at = 0
    assert read(encoder) == (0, 0)


def test_a_chip_that_has_gone_is_tried_only_now_and_then():
    world, wires, encoder = bench()
    world.faults = BUS_FAILS
    for _ in range(1000):
        assert read(encoder)[1] == BUS_ERROR
    assert wires.frames <= 80 * 4
    world.faults = 0
    ticks = 0
    while read(encoder)[1]:
        ticks += 1
    assert ticks <= 17


def test_recovery_opens_the_bus_and_the_next_tick_tries():
    world, _, encoder = bench()
    world.faults = BUS_FAILS
    for _ in range(10):
        read(encoder)
    world.faults = 0
    world.at = 400
    driver.SPI = lambda bus, **options: machine.SPI(bus, **options)
    try:
        encoder.recover()
    finally:
        driver.SPI = machine.SPI
    assert read(encoder) == (400, 0)


def test_a_weak_or_strong_magnet_is_told_with_its_angle():
    world, _, encoder = bench()
    for magnet, status in ((WEAK, MAGNET_WEAK), (STRONG, MAGNET_STRONG)):
        world.at += 4000
        world.magnet = DETECTED | magnet
        assert read(encoder) == (world.at, status)


def test_without_a_magnet_the_last_angle_stands():
    # The chip itself says no more than "weak", and gives noise for an angle.
    world, _, encoder = bench()
    world.at = 4000
    read(encoder)
    world.magnet = 0
    for _ in range(20):
        clock.sleep(10_000)
        assert read(encoder) == (4000, NO_MAGNET)
    world.at = 8000
    world.magnet = DETECTED
    assert read(encoder) == (8000, 0)


def test_magnet_figures_are_read_on_request():
    world, _, encoder = bench()
    read(encoder)
    read(encoder)
    assert (encoder.agc, encoder.magnitude) == (None, None)
    figures = []
    for magnet in (DETECTED | WEAK, DETECTED, DETECTED | STRONG):
        world.magnet = magnet
        read(encoder)
        encoder.look()
        read(encoder)
        figures.append((encoder.agc, encoder.magnitude))
    gains = [agc for agc, _ in figures]
    assert gains == sorted(gains, reverse=True)
    assert (gains[0], gains[2]) == (255, 0)
    magnitudes = [magnitude for _, magnitude in figures]
    assert magnitudes == sorted(magnitudes)
    world.magnet = DETECTED | WEAK
    read(encoder)
    assert encoder.agc == 0  # as it was when somebody looked

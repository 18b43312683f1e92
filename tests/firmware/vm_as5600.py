"""The AS5600 driver: angles where there are any, else a status that says why there are none."""

import machine
import sensor.encoders.as5600 as driver
import simboard
from sensor.encoders import BUS_ERROR, MAGNET_STRONG, MAGNET_WEAK, NO_MAGNET, open_encoder
from still_world import DETECTED, RP2, STRONG, WEAK, power_up

WIRING = {"i2c": 0, "sda": 4, "scl": 5, "freq": 400_000}


class Chip:
    """Registers behind an I2C bus, and what can be wrong with both."""

    def __init__(self):
        self.status = 0x20
        self.raw = 0
        self.present = True
        self.reads = 0
        self.frees_itself_after_clocks = None

    def open(self, bus, *, scl, sda, freq, timeout):
        self.timeout_us = timeout
        return self

    def readfrom_mem_into(self, address, register, buffer):
        self.reads += 1
        if not self.present:
            raise OSError(19)
        assert (address, register, len(buffer)) == (0x36, 0x0B, 3)
        buffer[0] = self.status
        buffer[1] = self.raw >> 8
        buffer[2] = self.raw & 0xFF


def on(chip):
    driver.I2C = chip.open
    try:
        return open_encoder({"encoder": "as5600", "encoders": {"as5600": WIRING}})
    finally:
        driver.I2C = machine.I2C


def read(encoder):
    encoder.read()
    return encoder.angle, encoder.status


def test_the_12_bits_lie_on_top_of_the_wire_angle():
    chip = Chip()
    encoder = on(chip)
    for raw in range(4096):
        chip.raw = raw
        assert read(encoder) == (raw << 4, 0)
    assert encoder.counts << encoder.shift == 65536


def test_no_read_times_out_before_it_has_begun():
    for mcu, least_us in (("rp2040", 1_000), ("esp32", 20_000)):
        _, board = power_up(RP2, "as5600")
        simboard.wire({"mcu": mcu, "encoders": board["encoders"]})
        chip = Chip()
        on(chip)
        assert chip.timeout_us >= least_us
        encoder = open_encoder({"encoder": "as5600", "encoders": {"as5600": WIRING}})
        encoder.read()  # from the board's own bus
        assert not encoder.status & BUS_ERROR
    power_up(RP2, "as5600")


def test_it_wraps_from_the_last_angle_to_the_first():
    chip = Chip()
    encoder = on(chip)
    seen = []
    for raw in (4094, 4095, 0, 1):
        chip.raw = raw
        seen.append(read(encoder)[0])
    assert seen == [65504, 65520, 0, 16]


def test_bits_above_the_twelfth_are_not_part_of_the_angle():
    chip = Chip()
    chip.raw = 0xF123
    assert read(on(chip)) == (0x1230, 0)


def test_without_a_magnet_the_last_angle_stands():
    chip = Chip()
    encoder = on(chip)
    chip.raw = 100
    read(encoder)
    chip.status = 0x00
    chip.raw = 3000
    assert read(encoder) == (1600, NO_MAGNET)
    chip.status = 0x20
    assert read(encoder) == (48000, 0)


def test_a_missing_magnet_outweighs_the_gain():
    chip = Chip()
    chip.status = 0x10  # gain at its maximum, and still nothing
    assert read(on(chip))[1] == NO_MAGNET


def test_a_weak_or_strong_magnet_is_told_with_its_angle():
    chip = Chip()
    encoder = on(chip)
    chip.raw = 5
    chip.status = 0x30
    assert read(encoder) == (80, MAGNET_WEAK)
    chip.status = 0x28
    assert read(encoder) == (80, MAGNET_STRONG)


def test_a_bus_error_keeps_the_last_angle_and_ends_with_the_fault():
    chip = Chip()
    encoder = on(chip)
    chip.raw = 7
    read(encoder)
    chip.present = False
    assert read(encoder) == (112, BUS_ERROR)
    chip.present = True
    chip.raw = 8
    assert read(encoder) == (128, 0)


def test_a_dead_bus_is_tried_only_now_and_then():
    # Each try may cost a timeout inside the interrupt.
    chip = Chip()
    encoder = on(chip)
    chip.present = False
    for _ in range(1000):
        assert read(encoder)[1] == BUS_ERROR
    assert 40 <= chip.reads <= 80
    chip.present = True
    ticks = 0
    while read(encoder)[1]:
        ticks += 1
    assert ticks <= 16


def test_two_timeouts_fit_into_the_shortest_period():
    chip = Chip()
    on(chip)
    assert 2 * chip.timeout_us < 2500


def test_recovery_clocks_a_stuck_slave_out_and_reopens_the_bus():
    chip = Chip()
    chip.present = False

    class SclPin(machine.Pin):
        falls = 0

        def __call__(self, level=None):
            if level == 0:
                assert encoder._bus is None  # the interrupt must leave the pins alone
                SclPin.falls += 1
                if SclPin.falls == 9:
                    chip.present = True
            return super().__call__(level)

    encoder = on(chip)
    for _ in range(5):
        read(encoder)
    driver.Pin = SclPin
    driver.I2C = chip.open
    driver.sleep_us = lambda us: None
    try:
        encoder.recover()
    finally:
        driver.Pin = machine.Pin
        driver.I2C = machine.I2C
    assert SclPin.falls == 9
    assert read(encoder)[1] == 0  # the next tick tries, without a rest


def test_an_encoder_without_a_driver_is_named():
    message = ""
    try:
        open_encoder({"encoder": "abacus", "encoders": {"abacus": {}}})
    except ValueError as error:
        message = str(error)
    assert "abacus" in message


def test_magnet_figures_are_read_on_request():
    world, board = power_up(RP2, "as5600")
    encoder = open_encoder(board)
    encoder.read()
    assert (encoder.agc, encoder.magnitude) == (None, None)
    figures = []
    for magnet in (DETECTED | WEAK, DETECTED, DETECTED | STRONG):
        world.magnet = magnet
        encoder.look()
        encoder.read()
        figures.append((encoder.agc, encoder.magnitude))
    assert (figures[0][0], figures[2][0]) == (128, 0)  # the gain's range in a chip at 3.3 V
    assert figures[0][0] > figures[1][0] > figures[2][0]
    assert 0 < figures[0][1] < figures[1][1] < figures[2][1] < 4096
    world.magnet = DETECTED
    encoder.read()
    assert (encoder.agc, encoder.magnitude) == figures[2]  # as they were when somebody looked


def test_a_look_costs_one_transaction_of_one_sample():
    chip = Chip()
    encoder = on(chip)
    asked = []

    def readfrom_mem_into(_address, register, buffer):
        asked.append((register, len(buffer)))
        for i in range(len(buffer)):
            buffer[i] = 0x20

    chip.readfrom_mem_into = readfrom_mem_into
    encoder.look()
    for _ in range(3):
        encoder.read()
    assert asked == [(0x0B, 3), (0x1A, 3), (0x0B, 3), (0x0B, 3)]


def test_wrong_wiring_is_named():
    for word, value, said in (
        ("sda", None, "pin sda is missing"),
        ("sda", 5, "both 5"),
        ("scl", "five", "scl is 'five'"),
        ("i2c", 2, "i2c is 2"),
        ("freq", 0, "freq is 0"),
    ):
        wiring = dict(WIRING)
        wiring[word] = value
        message = ""
        try:
            open_encoder({"encoder": "as5600", "encoders": {"as5600": wiring}})
        except ValueError as error:
            message = str(error)
        assert said in message, message

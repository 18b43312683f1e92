"""A board file is taken whole and sound, or refused with file, field and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from legcurl.errors import ConfigError
from legcurl.install.boards.board_file import (
    all_boards,
    board_names,
    boards_for_machine,
    boards_with_usb,
    load_board,
    read_board,
)

Change = Callable[[dict[str, Any]], Any]


def changed(name: str, change: Change) -> str:
    """The text of a board file with something else in it."""
    fields = json.loads(json.dumps(load_board(name).fields))
    change(fields)
    return json.dumps(fields)


def put(path: str, value: Any) -> Change:
    """Set the field at a dotted path."""

    def change(fields: dict[str, Any]) -> None:
        *outer, last = path.split(".")
        for part in outer:
            fields = fields[part]
        fields[last] = value

    return change


def drop(path: str) -> Change:
    def change(fields: dict[str, Any]) -> None:
        del fields[path]

    return change


def test_the_seven_boards_are_valid_and_offer_their_encoders():
    assert board_names() == [
        "esp32",
        "esp32_c3",
        "esp32_c6",
        "esp32_s3",
        "pico",
        "pico2_w",
        "pico_w",
    ]
    for board in all_boards():
        quadrature = {"rp2": {"quadrature_pio"}, "esp32": {"quadrature_pcnt"}}[board.port]
        if board.board == "esp32_c3":
            quadrature = set()
        assert set(board.encoders) == {"as5600", "as5048a"} | quadrature
        assert board.encoder == "as5600"
        assert ("ble" in board.links) == (board.board != "pico")


def test_no_two_parts_of_a_board_share_a_pin():
    for board in all_boards():
        pins = [pin for wiring in board.encoders.values() for pin in wiring.pins.values()]
        assert len(set(pins)) == len(pins), board.board
        assert board.led is None or board.led.pin not in pins


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("pico", drop("led"), "pico.json: led: is missing"),
        ("pico", put("color", "red"), "pico.json: color: no such field; there are board, title"),
        ("pico", put("board", "pico_w"), "board: must be the file's name, 'pico', not 'pico_w'"),
        ("pico", put("mcu", "rp2041"), "mcu: must be one of rp2040, rp2350, esp32"),
        ("pico", put("mcu", ["rp2040"]), "mcu: must be one of"),
        ("pico", put("arch", "armv7emsp"), "arch: must be one of armv6m, not 'armv7emsp'"),
        ("pico", put("usb", []), "usb: must be a list of USB ids such as"),
        ("pico", put("usb", ["2E8A:0005"]), "usb: must be a list of USB ids"),
        ("pico", put("heap_kb", 1), "heap_kb: must be a whole number from 64 to"),
        ("pico", put("log_bytes", 98304.0), "log_bytes: must be a whole number"),
        ("pico", put("log_bytes", True), "log_bytes: must be a whole number"),
        (
            "pico",
            put("log_bytes", 200_000),
            "log_bytes: must be a whole number from 8192 to 131072",
        ),
        ("pico", put("links", ["ble"]), 'links: must be ["usb"] or ["usb", "ble"]'),
        ("pico", put("links", ["usb", "ble"]), "build RPI_PICO has no Bluetooth"),
        ("pico", put("links", ["usb", ["ble"]]), "links: must be"),
        ("pico", put("led", 25), "led: must be {"),
        ("pico", put("led", {"pin": 30}), "led.pin: 30 is no output pin of the rp2040"),
        ("esp32", put("led", {"pin": "LED"}), "led.pin: 'LED' is no output pin of the esp32"),
        ("esp32", put("led", {"pin": 34}), "led.pin: 34 is no output pin of the esp32"),
        ("pico_w", put("led", {"pin": 25}), "pin 25 cannot be used: it leads to the radio chip"),
        ("pico", put("timer", 0), "timer: must be -1, not 0"),
        ("esp32", put("timer", -1), "timer: must be a whole number from 0 to 3"),
        (
            "pico",
            put("watchdog_ms", 10_000),
            "watchdog_ms: must be a whole number from 1000 to 8388",
        ),
        (
            "pico",
            put("encoder", "as5601"),
            "encoder: must be one of as5600, as5048a, quadrature_pio",
        ),
        ("pico", put("encoders", {}), "encoders: must give the pins"),
        ("pico", put("encoders.as5601", {}), "encoders.as5601: is no encoder"),
        ("pico", put("encoders.as5600.pull", 1), "encoders.as5600.pull: no such field"),
        ("pico", put("encoders.as5600.sda", 30), "encoders.as5600.sda: 30 is no pin of the rp2040"),
        ("pico", put("encoders.as5600.sda", "4"), "encoders.as5600.sda: '4' is no pin"),
        ("pico", put("encoders.as5600.sda", 5), "scl: pin 5 is used twice"),
        ("pico", put("encoders.as5600.sda", 6), "pin 6 cannot be sda of I2C 0; these can: 0, 4, 8"),
        ("pico", put("encoders.as5600.i2c", 1), "pin 4 cannot be sda of I2C 1; these can: 2, 6"),
        ("pico", put("encoders.as5600.i2c", 2), "encoders.as5600.i2c: must be one of 0, 1, not 2"),
        ("pico", put("encoders.as5600.freq", 3), "freq: must be a whole number from 10000 to"),
        ("pico", put("encoders.as5048a.miso", 17), "cs: pin 17 is used twice"),
        ("pico", put("encoders.as5048a.sck", 20), "pin 20 cannot be sck of SPI 0; these can: 2, 6"),
        ("pico", put("encoders.quadrature_pio.b", 13), "b: must be the pin after a, 11"),
        ("pico", put("encoders.quadrature_pio.sm", 8), "sm: must be a whole number from 0 to 7"),
        ("pico_w", put("encoders.quadrature_pio.sm", 4), "sm: must be a whole number from 0 to 3"),
        ("pico_w", put("encoders.as5600.scl", 29), "pin 29 cannot be used: it leads to the radio"),
        ("esp32", put("encoders.as5600.sda", 6), "pin 6 cannot be used: the flash memory is there"),
        ("esp32", put("encoders.as5600.sda", 12), "pin 12 cannot be used: its level at reset"),
        ("esp32", put("encoders.as5600.sda", 34), "pin 34 is an input only"),
        ("esp32", put("encoders.as5600.sda", 24), "24 is no pin of the esp32"),
        ("esp32_c3", put("encoders.as5600.sda", 18), "pin 18 cannot be used: it is the USB port"),
        ("esp32_c3", put("encoders.as5600.sda", 21), "pin 21 cannot be used: it is the console"),
        (
            "esp32_c3",
            put("encoders.quadrature_pcnt", {}),
            "encoders.quadrature_pcnt: cannot be used: the esp32c3 has no pulse counter (PCNT)",
        ),
        ("esp32", put("encoders.quadrature_pio", {}), "cannot be used: the esp32 has no PIO"),
        ("esp32_s3", put("encoders.as5600.scl", 48), "scl: pin 48 is the LED's"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(name: str, change: Change, said: str):
    with pytest.raises(ConfigError) as told:
        read_board(changed(name, change), Path(f"{name}.json"))
    assert said in str(told.value)
    assert str(told.value).startswith(f"{name}.json: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "must hold one JSON object"),
        ('{"board": "pico", "board": "pico"}', "'board' is there twice"),
    ],
)
def test_an_invalid_board_file_is_refused(text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        read_board(text, Path("pico.json"))


@pytest.mark.parametrize("name", ["pico_w", "pico2_w"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        *((put("encoders.quadrature_pio.index", pin), f"pin {pin}") for pin in (23, 24, 25, 29)),
        (put("led", {"pin": 25}), "pin 25 cannot be used: it leads to the radio chip"),
        (put("encoders.quadrature_pio.sm", 4), "sm: must be a whole number from 0 to 3"),
    ],
)
def test_a_radio_that_is_not_used_keeps_its_pins(name: str, change: Change, said: str):
    """They still lead to the chip, and MicroPython's build for the board still drives it."""

    def without_bluetooth(fields: dict[str, Any]) -> None:
        fields["links"] = ["usb"]
        change(fields)

    assert "ble" not in read_board(changed(name, put("links", ["usb"])), Path(f"{name}.json")).links
    with pytest.raises(ConfigError) as told:
        read_board(changed(name, without_bluetooth), Path(f"{name}.json"))
    assert said in str(told.value)


def test_an_input_only_pin_may_be_read():
    text = changed("esp32", put("encoders.quadrature_pcnt.a", 34))
    assert read_board(text, Path("esp32.json")).encoders["quadrature_pcnt"].pins["a"] == 34


def test_the_sensor_gets_the_board_file_with_one_word_changed():
    board = load_board("pico").with_encoder("quadrature_pio")
    assert json.loads(board.on_sensor()) == {**board.fields, "encoder": "quadrature_pio"}
    assert {**load_board("pico").fields, "encoder": "quadrature_pio"} == board.fields


def test_an_encoder_without_pins_is_refused():
    with pytest.raises(ConfigError, match="has no pins for the encoder 'quadrature_pcnt'; it has"):
        load_board("esp32_c3").with_encoder("quadrature_pcnt")


def test_an_unknown_board_is_told_which_there_are():
    with pytest.raises(ConfigError, match=r"no board 'piko'\. Supported: esp32, .*pico_w"):
        load_board("piko")


def test_a_board_file_of_ones_own_is_named_by_its_path(tmp_path: Path):
    own = tmp_path / "gym3.json"
    own.write_text(changed("pico_w", lambda fields: fields.update(board="gym3", title="Gym 3")))
    assert load_board(str(own)).title == "Gym 3"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_board(str(tmp_path / "gym4.json"))


@pytest.mark.parametrize(
    ("machine", "boards"),
    [
        ("Raspberry Pi Pico with RP2040", ["pico"]),
        ("Raspberry Pi Pico W with RP2040", ["pico_w"]),
        ("Raspberry Pi Pico 2 W with RP2350", ["pico2_w"]),
        ("Pimoroni Tiny 2040 with RP2040", ["pico", "pico_w"]),
        ("Generic ESP32 module with ESP32", ["esp32"]),
        ("ESP32S3 module with ESP32S3", ["esp32_s3"]),
        ("LOLIN_C3_MINI with ESP32-C3FH4", ["esp32_c3"]),
        ("ESP32C6 module with ESP32C6", ["esp32_c6"]),
        ("ESP32S2 module with ESP32S2", []),
        ("PYBv1.1 with STM32F405RG", []),
        ("", []),
    ],
)
def test_micropythons_own_words_lead_to_the_board(machine: str, boards: list[str]):
    assert [board.board for board in boards_for_machine(machine)] == boards


def test_a_usb_id_leads_to_every_board_that_may_have_it():
    assert [board.board for board in boards_with_usb("2e8a:0005")] == ["pico", "pico2_w", "pico_w"]
    assert "esp32" in [board.board for board in boards_with_usb("10c4:ea60")]
    assert boards_with_usb("ffff:ffff") == []

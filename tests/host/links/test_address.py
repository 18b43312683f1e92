"""What an address may be, and what is said of one that is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from legcurl.errors import ConfigError
from legcurl.links.address import (
    BleAddress,
    ReplayAddress,
    SerialAddress,
    SimAddress,
    TcpAddress,
    parse,
    parse_pace,
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("serial:/dev/ttyACM0", SerialAddress("/dev/ttyACM0")),
        ("serial:/dev/ttyUSB0?baud=921600", SerialAddress("/dev/ttyUSB0", 921_600)),
        ("ble:", BleAddress()),
        ("ble:Leg curl 1", BleAddress("Leg curl 1")),
        ("ble:E6:60:58:38:83:17", BleAddress("E6:60:58:38:83:17")),
        (
            "ble:5F0A1B2C-0000-4000-8000-A7D3C5E91B42",
            BleAddress("5F0A1B2C-0000-4000-8000-A7D3C5E91B42"),
        ),
        ("ble:8317812f", BleAddress("8317812f")),
        ("ble:Beinbeuger Ö", BleAddress("Beinbeuger Ö")),
        ("ble:100%25 legs%3F", BleAddress("100% legs?")),
        ("ble:?adapter=hci1", BleAddress("", "hci1")),
        ("ble:Leg curl 1?adapter=hci1", BleAddress("Leg curl 1", "hci1")),
        ("tcp:gym.local:7000", TcpAddress("gym.local", 7000)),
        ("tcp:[::1]:7000", TcpAddress("::1", 7000)),
        ("replay:set.legcurl", ReplayAddress(Path("set.legcurl"))),
        ("replay:set.legcurl?pace=fast", ReplayAddress(Path("set.legcurl"), "fast")),
        ("replay:set.legcurl?pace=8", ReplayAddress(Path("set.legcurl"), 8.0)),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, meant: object) -> None:
    assert parse(text) == meant
    assert str(parse(text)) == text


def test_a_simulated_sensors_options_are_read_with_it() -> None:
    address = parse("sim:?seed=7&pace=fast")
    assert isinstance(address, SimAddress)
    assert (address.options.seed, address.options.pace) == (7, "fast")
    assert str(address) == "sim:?seed=7&pace=fast"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serial:", "name the port"),
        ("serial:/dev/ttyACM0?baud=fast", "whole number"),
        ("serial:/dev/ttyACM0?parity=odd", "no option 'parity'; it has baud"),
        ("serial:/dev/ttyACM0?baud", "NAME=VALUE"),
        ("tcp:gym.local", "tcp:HOST:PORT"),
        ("tcp::7000", "tcp:HOST:PORT"),
        ("tcp:gym.local:0", "from 1 to 65535"),
        ("tcp:gym.local:99999", "from 1 to 65535"),
        ("tcp:::1:7000", "in brackets"),
        ("replay:", "name the recording"),
        ("replay:x?pace=-1", "realtime, fast or a factor"),
        ("replay:x?pace=nan", "realtime, fast or a factor"),
        ("sim:?sede=7", "no option 'sede'"),
        ("ble:Leg curl 1?adapter=", "adapter must be a name"),
        ("ble:Leg curl 1?adapter=/org/bluez/hci0", "adapter must be a name"),
        ("ble:Leg curl 1?mtu=23", "no option 'mtu'; it has adapter"),
        ("ble:%ff", "write %25"),
        ("/dev/ttyACM99", "legcurl sensors"),
        ("COM3", "neither an address"),
        ("", "neither an address"),
        ("usb:/dev/ttyACM0", "serial:/dev/ttyACM0"),
        ("a\0b", "neither an address"),
    ],
)
def test_an_invalid_address_is_told_the_right_form(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert words in str(caught.value)


def test_a_name_may_be_written_as_in_a_url() -> None:
    assert parse("ble:Leg%20curl%201") == parse("ble:Leg curl 1")


def test_an_existing_device_needs_no_scheme() -> None:
    master, slave = os.openpty()
    try:
        port = os.ttyname(slave)
        assert parse(port) == SerialAddress(port)
    finally:
        os.close(master)
        os.close(slave)


def test_an_existing_recording_needs_no_scheme(tmp_path: Path) -> None:
    file = tmp_path / "set.legcurl"
    file.touch()
    assert parse(str(file)) == ReplayAddress(file)
    with pytest.raises(ConfigError, match="neither a serial port nor a recording"):
        parse(str(tmp_path))


def test_a_file_name_may_have_a_question_mark(tmp_path: Path) -> None:
    file = tmp_path / "failed?.legcurl"
    file.touch()
    assert parse(f"replay:{file}") == ReplayAddress(file)


@pytest.mark.parametrize(
    ("text", "pace"), [("fast", "fast"), ("realtime", 1.0), ("8", 8.0), ("0.5", 0.5)]
)
def test_paces(text: str, pace: object) -> None:
    assert parse_pace(text) == pace

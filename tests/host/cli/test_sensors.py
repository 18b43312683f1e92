"""`legcurl sensors` tells who is in range, and takes a computer without Bluetooth as it is."""

from __future__ import annotations

import json

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from fake_bluetooth import FakeBluetooth, Peripheral
from legcurl.cli.app import run
from legcurl.links.address import BleAddress, parse


@pytest.fixture
def bluetooth(monkeypatch: pytest.MonkeyPatch) -> FakeBluetooth:
    """This computer's own, with no serial port beside it."""
    system = FakeBluetooth()
    monkeypatch.setattr("bleak.get_platform_scanner_backend_type", lambda: (system.scanner, "fake"))
    monkeypatch.setattr("legcurl.cli.sensors._usb_ports", dict)
    monkeypatch.setattr("legcurl.cli.sensors.LOOK_S", 0.3)
    return system


def test_sensors_in_range_are_listed_by_strength(
    bluetooth: FakeBluetooth, capsys: pytest.CaptureFixture[str]
) -> None:
    bluetooth.peripherals += [
        Peripheral("Leg curl 2", "E6:02", "00000002", rssi=-80, in_use=True),
        Peripheral("Leg curl 1", "E6:01", "8317812f", rssi=-55),
    ]
    assert run(["sensors", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ports"] == []
    assert found["bluetooth_note"] is None
    assert found["bluetooth"] == [
        {
            "address": "ble:E6:01",
            "name": "Leg curl 1",
            "rssi": -55,
            "in_use": False,
            "sensor_id_tail": "8317812f",
        },
        {
            "address": "ble:E6:02",
            "name": "Leg curl 2",
            "rssi": -80,
            "in_use": True,
            "sensor_id_tail": "00000002",
        },
    ]
    assert parse(found["bluetooth"][0]["address"]) == BleAddress("E6:01")
    assert bluetooth.most_connecting == 0, "looking disturbs nobody"


def test_sensors_in_range_are_told_in_words(
    bluetooth: FakeBluetooth, capsys: pytest.CaptureFixture[str]
) -> None:
    bluetooth.peripherals.append(Peripheral("Leg curl 2", "E6:02", rssi=-80, in_use=True))
    assert run(["sensors"]) == 0
    told = capsys.readouterr().out
    assert "ble:E6:02  Leg curl 2 (Bluetooth, -80 dBm, sensor id …8317812f, in use)" in told


def test_an_empty_room_is_told(
    bluetooth: FakeBluetooth, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sensors"]) == 0
    assert "Bluetooth: no sensor in range." in capsys.readouterr().out


def test_a_computer_without_an_adapter_is_a_note_and_no_error(
    bluetooth: FakeBluetooth, capsys: pytest.CaptureFixture[str]
) -> None:
    none = BleakBluetoothNotAvailableReason.NO_BLUETOOTH
    bluetooth.scan_fails = [BleakBluetoothNotAvailableError("No adapters found", none)]
    assert run(["sensors"]) == 0
    assert "Bluetooth: This computer has no Bluetooth adapter" in capsys.readouterr().out


def test_an_adapter_that_hangs_is_not_waited_for_long(
    bluetooth: FakeBluetooth, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("legcurl.links.ble.adapter.SWITCH_S", 0.3)
    bluetooth.scan_hangs = True
    assert run(["sensors", "--json"]) == 0
    assert "did not begin to scan" in json.loads(capsys.readouterr().out)["bluetooth_note"]


def test_a_named_port_does_not_wait_for_bluetooth(
    bluetooth: FakeBluetooth, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sensors", "/dev/ttyNONE"]) == 0
    assert bluetooth.scans == 0
    assert "Bluetooth" not in capsys.readouterr().out

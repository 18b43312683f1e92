"""`legcurl flash` as a person or a script runs it: what it lists, asks, shows and returns."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from legcurl.cli.app import run
from legcurl.install.boards.board_file import board_names, load_board
from legcurl.install.flash import port_detection
from legcurl.install.flash.firmware_build import build_files
from serial.tools import list_ports
from simulated_board import SimulatedBoard
from timings import LIMIT_S

LEGCURL = str(Path(sys.executable).parent / "legcurl")
PICO = load_board("pico")


@dataclass
class UsbDevice:
    """What pyserial tells about a port."""

    device: str
    vid: int | None = 0x2E8A
    pid: int | None = 0x0005
    product: str | None = "Board in FS mode"
    description: str = ""
    serial_number: str | None = None
    hwid: str = "USB VID:PID=2E8A:0005"


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> list[UsbDevice]:
    """The ports of this computer."""
    ports: list[UsbDevice] = []
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    monkeypatch.setattr(port_detection, "BOOT_DRIVES", ())
    monkeypatch.setattr(port_detection, "RETURN_S", 0.5)  # nobody is on the way
    return ports


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LEGCURL, "flash", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def here(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The same in this process; exit code, output and errors."""
    code = run(["flash", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("name", board_names())
def test_a_dry_run_lists_every_file_of_every_board_without_hardware(name: str, capsys):
    code, listed, errors = here("--dry-run", "--board", name, "--json", capsys=capsys)
    assert errors == ""
    assert code == 0
    plan = json.loads(listed)
    files = build_files(load_board(name))
    assert plan["files"] == [
        {"path": file.path, "bytes": len(file.content), "sha256": file.digest} for file in files
    ]
    assert (plan["board"], plan["arch"]) == (name, load_board(name).arch)
    code, listed, _ = here("--dry-run", "--board", name, capsys=capsys)
    lines = listed.splitlines()[1:-1]
    assert [line.split() for line in lines] == [
        [file.path, str(len(file.content)), "bytes", "sha256", file.short_digest] for file in files
    ]


def test_a_dry_run_with_another_encoder_changes_the_board_file_only(capsys):
    _, usual, _ = here("--dry-run", "--board", "pico", "--json", capsys=capsys)
    _, other, _ = here(
        "--dry-run", "--board", "pico", "--encoder", "as5048a", "--json", capsys=capsys
    )
    before, after = json.loads(usual), json.loads(other)
    assert after["encoder"] == "as5048a"
    differing = [a["path"] for a, b in zip(before["files"], after["files"], strict=True) if a != b]
    assert differing == ["board.json"]


def test_a_flash_reports_the_files_of_the_dry_run(tmp_path: Path):
    plan = json.loads(command("--dry-run", "--board", "pico", "--json").stdout)
    with SimulatedBoard(tmp_path, PICO) as board:
        done = command(board.port, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads(done.stdout)
        again = command(f"serial:{board.port}")
    assert report["files"] == plan["files"]
    assert report["written"] == [file["path"] for file in plan["files"]]
    assert (report["board"], report["encoder"]) == ("pico", "as5600")
    assert report["micropython"] == "1.27.0"
    assert again.returncode == 0
    assert again.stderr == ""
    assert f"sensor {report['sensor_id']}" in again.stdout
    assert "everything was there already" in again.stdout


@pytest.mark.long
def test_another_program_is_replaced_by_a_script_only_with_yes(tmp_path: Path):
    board = SimulatedBoard(tmp_path, PICO)
    board.put({"main.py": b"while True:\n    pass\n"})
    with board:
        refused = command(board.port)
        assert refused.returncode == 2
        assert "holds another program (main.py, 21 bytes)" in refused.stderr
        assert "--yes" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        consented = command(board.port, "--yes")
    assert (consented.returncode, consented.stderr) == (0, "")


@pytest.mark.long
def test_a_person_at_a_terminal_is_asked_and_sees_how_far_it_is(tmp_path: Path):
    board = SimulatedBoard(tmp_path, PICO)
    board.put({"main.py": b"while True:\n    pass\n"})
    with board:
        terminal, persons = os.openpty()
        process = subprocess.Popen(
            [LEGCURL, "flash", board.port],
            stdin=persons,
            stdout=persons,
            stderr=persons,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(persons)
        seen = b""
        answered = False
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                seen += os.read(terminal, 4096)
            except OSError:
                break
            if not answered and b"[y/N]" in seen:
                answered = True
                os.write(terminal, b"y\n")
        code = process.wait(LIMIT_S)
        os.close(terminal)
    assert code == 0, seen
    assert answered
    assert b"Copying" in seen
    assert b"100%" in seen


@pytest.mark.long
def test_a_port_in_mid_air_is_one_line_and_an_exit_code(tmp_path: Path):
    gone = command(str(tmp_path / "ttyACM9"))
    assert gone.returncode in (2, 3)
    assert len(gone.stderr.splitlines()) == 1


def test_the_only_board_is_found_by_its_usb_id(plugged_in, tmp_path: Path, capsys):
    with SimulatedBoard(tmp_path, PICO) as board:
        plugged_in += [UsbDevice("/dev/ttyS0", None, None), UsbDevice(board.port)]
        code, said, errors = here(capsys=capsys)
    assert errors == ""
    assert code == 0
    assert "Raspberry Pi Pico with as5600" in said


@pytest.mark.long
def test_a_sensor_that_comes_back_under_another_number_is_found_again(
    plugged_in, tmp_path: Path, capsys
):
    with SimulatedBoard(tmp_path, PICO) as board:
        plugged_in.append(UsbDevice(board.port, serial_number="E66058"))
        board.moves_to(tmp_path / "ttyACM1", lambda: setattr(plugged_in[0], "device", board.port))
        code, said, errors = here(capsys=capsys)
    assert errors == ""
    assert code == 0
    assert "ttyACM1" in said


@pytest.mark.long
def test_the_only_board_is_waited_for_while_it_restarts(
    plugged_in, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr(port_detection, "RETURN_S", LIMIT_S)
    looked = 0

    def comports() -> list[UsbDevice]:
        nonlocal looked
        looked += 1
        return plugged_in if looked > 2 else []

    monkeypatch.setattr(list_ports, "comports", comports)
    with SimulatedBoard(tmp_path, PICO) as board:
        plugged_in.append(UsbDevice(board.port))
        code, said, errors = here(capsys=capsys)
    assert errors == ""
    assert code == 0
    assert "Raspberry Pi Pico with as5600" in said


def test_without_a_board_it_says_what_to_plug_in(plugged_in, capsys):
    code, _, errors = here(capsys=capsys)
    assert code == 3
    assert "is the board plugged in, with a cable that carries data?" in errors
    code, _, errors = here("--board", "esp32_c3", capsys=capsys)
    assert "micropython.org/download/ESP32_GENERIC_C3/" in errors


@pytest.mark.parametrize(("label", "build"), [("RPI-RP2", "RPI_PICO_W"), ("RP2350", "RPI_PICO2_W")])
def test_a_pico_that_waits_for_its_micropython_is_recognized(
    plugged_in, tmp_path: Path, monkeypatch, capsys, label: str, build: str
):
    (tmp_path / label).mkdir()
    monkeypatch.setattr(port_detection, "BOOT_DRIVES", (str(tmp_path / "RP*"),))
    code, _, errors = here(capsys=capsys)
    assert code == 3
    assert f"A Pico waits as the drive {tmp_path / label}" in errors
    assert f"micropython.org/download/{build}/" in errors


def test_of_several_ports_a_script_must_name_one(plugged_in, capsys):
    plugged_in += [UsbDevice("/dev/ttyACM0"), UsbDevice("/dev/ttyACM1")]
    code, _, errors = here(capsys=capsys)
    assert code == 2
    assert "/dev/ttyACM0 (Board in FS mode), /dev/ttyACM1" in errors
    assert "legcurl flash /dev/ttyACM0" in errors


def test_nothing_is_sent_to_an_unknown_device(plugged_in, tmp_path: Path, capsys):
    with SimulatedBoard(tmp_path, PICO) as board:
        plugged_in.append(UsbDevice(board.port, 0x10C4, 0xEA60, "CP2102 USB to UART"))
        code, _, errors = here("--yes", capsys=capsys)
        assert board.received == 0
    assert code == 2
    assert "(CP2102 USB to UART) may be ESP32-DevKitC or ESP32-C3-DevKitM-1 or" in errors
    assert "--board esp32|esp32_c3|esp32_c6|esp32_s3, or the port" in errors

"""`flash` from a board as it comes to a sensor that says hello, and everything that goes wrong.

The board is simulated (simulated_board.py): MicroPython's own prompt on a file system that fills
up and keeps what it has, behind a port that goes away when it restarts or is unplugged.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial
from legcurl.errors import (
    ConfigError,
    LinkError,
    LinkLostError,
    NotASensorError,
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
    SensorError,
)
from legcurl.install.boards.board_file import BoardFile, load_board
from legcurl.install.flash import flash_board as flashing
from legcurl.install.flash.file_plan import plan_change
from legcurl.install.flash.firmware_build import build_files
from legcurl.install.flash.flash_board import FlashOptions, flash
from legcurl.install.flash.port_detection import Candidate
from legcurl.install.flash.raw_repl import BoardFullError, RawRepl, StoredFile
from legcurl.links.address import SerialAddress
from legcurl.links.serial import SerialRoute
from legcurl.station.request_client import probe
from selection import first_short
from simulated_board import Micropython, SimulatedBoard
from timings import LIMIT_S

PICO = load_board("pico")
SETTINGS = {"settings.json": b"mine", "calibration.json": b"mine too", "key.json": b"secret"}
FOREIGN = b"import time\nwhile True:\n    time.sleep_ms(10)\n"
NOBODY = 65_534
SOME_BYTES = 40_000  # of about 110 kB that go to the board as text: in the middle of the copy


class Person:
    """Whoever watches: remembers what was said, and answers as told."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []
        self.warnings: list[str] = []
        self.steps: list[str] = []
        self.done: list[tuple[int, int]] = []

    def step(self, what: str) -> None:
        self.steps.append(what)

    def progress(self, done: int, total: int) -> None:
        self.done.append((done, total))

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def confirm(self, question: str, option: str) -> None:
        self.questions.append(question)
        if not self.answers:
            raise ConfigError(f"{question} Then give {option}.")
        self.answers.pop(0)

    def choose(self, question: str, answers: list[str], option: str) -> int:
        self.questions.append(f"{question} {answers}")
        return self.answers.pop(0)


@pytest.fixture
def pico(tmp_path: Path) -> Iterator[SimulatedBoard]:
    board = SimulatedBoard(tmp_path, PICO)
    yield board
    board.unplug()


def put_on(
    board: SimulatedBoard,
    options: FlashOptions = FlashOptions(),  # noqa: B008
    person: Person | None = None,
):
    return flash(Candidate(board.port), options, person or Person())


@pytest.mark.parametrize("name", first_short(["pico_w", "esp32", "pico", "esp32_c3"], 2))
def test_flashing_writes_exactly_the_files_of_the_dry_run(name: str, tmp_path: Path):
    board = load_board(name)
    simulated = SimulatedBoard(tmp_path, board)
    with simulated:
        operator = Person()
        done = put_on(simulated, person=operator)
    listed = build_files(board)
    stored = simulated.stored()
    assert stored.pop("starts.json"), "the sensor has started and noted it"
    assert stored == {file.path: file.content for file in listed}
    assert done.written == tuple(file.path for file in listed)
    assert (done.hello.board, done.hello.encoder) == (name, board.encoder)
    assert done.board.board == name
    assert operator.questions == []
    assert operator.done[-1] == (total := sum(len(file.content) for file in listed), total)
    assert [done for done, _ in operator.done] == sorted(done for done, _ in operator.done)


def test_flashing_a_running_sensor_writes_only_changed_files(pico):
    pico.put(SETTINGS)
    with pico:
        put_on(pico)
        again = put_on(pico)
    assert again.written == again.removed == ()
    assert again.kept == ("settings.json", "calibration.json", "key.json")
    with pico:
        changed = put_on(pico, FlashOptions(PICO, "as5048a"))
    assert changed.written == ("board.json", "main.py")
    assert changed.hello.encoder == "as5048a"
    assert {**SETTINGS, **pico.stored()} == pico.stored()


@pytest.mark.long
def test_the_encoder_that_was_chosen_once_stays_chosen(pico):
    with pico:
        put_on(pico, FlashOptions(PICO, "as5048a"))
        assert put_on(pico).hello.encoder == "as5048a"
        assert put_on(pico, FlashOptions(PICO)).hello.encoder == "as5048a"


@pytest.mark.long
def test_erase_forgets_settings_calibration_and_key(pico):
    pico.put(SETTINGS)
    with pico:
        done = put_on(pico, FlashOptions(erase=True))
    assert set(done.removed) >= set(SETTINGS)
    assert not set(pico.stored()) & set(SETTINGS)


@pytest.mark.long
def test_flashing_removes_old_versions_and_keeps_foreign_files(pico):
    old = {"sensor/loop.py": b"old", "sensor/gone/x.mpy": b"old", "crash.log": b"=== old"}
    mine = {"boot.py": b"# mine\n", "lib/mine.py": b"mine", "notes.txt": b"mine"}
    pico.put({**old, **mine})
    with pico:
        done = put_on(pico)
    stored = pico.stored()
    assert set(done.removed) == {*old, "sensor/gone/"}
    assert not set(stored) & set(old)
    assert {**stored, **mine} == stored


@pytest.mark.long
def test_another_program_is_stopped_but_replaced_only_with_consent(pico):
    pico.put({"main.py": FOREIGN})
    with pico:
        with pytest.raises(ConfigError, match=r"another program \(main\.py, 46 bytes\).*--yes"):
            put_on(pico)
        pico.unplug()
        assert pico.stored() == {"main.py": FOREIGN}
        pico.plug_in()
        operator = Person(1)
        done = put_on(pico, person=operator)
    assert len(operator.questions) == 1
    assert done.hello.board == "pico"


@pytest.mark.long
@pytest.mark.parametrize("after", first_short([SOME_BYTES, 3_000, 90_000]))
def test_a_second_run_mends_a_board_unplugged_in_mid_copy(pico, after: int):
    pico.put(SETTINGS)
    with pico:
        pico.unplug_after(after)
        with pytest.raises(LinkLostError, match=r"unplugged.*run this again"):
            put_on(pico)
        pico.unplug()
        half = pico.stored()
        assert "main.py" not in half
        assert set(half) > set(SETTINGS)
        pico.plug_in()
        done = put_on(pico)
    assert 0 < len(done.written) < len(done.files)
    whole = {file.path: file.content for file in build_files(PICO)}
    stored = pico.stored()
    assert stored.pop("starts.json"), "the sensor has started and noted it"
    assert stored == {**whole, **SETTINGS}


def test_an_update_broken_off_leaves_no_mixture_that_starts(pico):
    with pico:
        put_on(pico)
        pico.unplug()
        changed = dict.fromkeys(["sensor/loop.mpy", "sensor/commands.mpy"], b"old" * 2000)
        pico.put(changed)
        pico.plug_in()
        pico.unplug_after(6_000)
        with pytest.raises(LinkLostError):
            put_on(pico)
        pico.unplug()
        assert "main.py" not in pico.stored()
        pico.plug_in()
        assert put_on(pico).hello.board == "pico"


def test_a_flash_without_room_is_told_before_anything_is_written(tmp_path: Path):
    small = SimulatedBoard(tmp_path, PICO, flash_kb=128)
    small.put({"song.wav": bytes(60_000)})
    with small, pytest.raises(BoardFullError, match=r"kB free, and the firmware needs \d+ kB"):
        put_on(small)
    assert set(small.stored()) == {"song.wav"}


@pytest.mark.long
def test_a_flash_that_fills_up_while_writing_is_told(tmp_path: Path):
    small = SimulatedBoard(tmp_path, PICO, flash_kb=64)
    with small, RawRepl(small.port) as prompt:
        prompt.enter()
        with pytest.raises(BoardFullError, match="flash is full"):
            prompt.write("song.wav", bytes(100_000), lambda written: None)


def test_a_board_file_for_another_chip_is_refused(pico):
    with pico, pytest.raises(ConfigError, match=r"--board esp32 does not fit.*RP2040.*pico"):
        put_on(pico, FlashOptions(load_board("esp32")))
    assert pico.stored() == {}


def test_a_pico_w_with_a_picos_micropython_is_told_the_build_it_needs(pico):
    with pico, pytest.raises(ConfigError, match=r"download/RPI_PICO_W/"):
        put_on(pico, FlashOptions(load_board("pico_w")))


@pytest.mark.long
def test_a_board_of_another_maker_is_asked_about(tmp_path: Path):
    lipo = Micropython.of(PICO, machine="Pimoroni Pico LiPo 16MB with RP2040")
    with SimulatedBoard(tmp_path, PICO, lipo) as board:
        operator = Person(0)
        done = put_on(board, person=operator)
    assert "Raspberry Pi Pico" in operator.questions[0]
    assert done.hello.board == "pico"


@pytest.mark.long
def test_a_board_file_of_ones_own_is_installed_and_kept(pico, tmp_path: Path):
    fields = {**PICO.fields, "board": "gym3", "title": "Gym 3", "log_bytes": 65_536}
    own = tmp_path / "gym3.json"
    own.write_text(json.dumps(fields))
    with pico:
        assert put_on(pico, FlashOptions(load_board(str(own)))).hello.board == "gym3"
        assert put_on(pico).hello.board == "gym3"


@pytest.mark.parametrize(
    ("differing", "said"),
    [
        ({"version": (1, 22, 2)}, r"MicroPython 1\.22\.2 is too old.*1\.23 or later.*RPI_PICO/"),
        ({"mpy_version": (6, 2)}, r"does not load native code for armv6m \(\.mpy 6\.3\)"),
        ({"arch": 0}, r"does not load native code"),
        ({"machine": "Arduino Portenta with STM32H747"}, r"is no supported board.*--board FILE"),
    ],
)
def test_a_micropython_that_cannot_run_the_firmware_is_told_apart(
    tmp_path: Path, differing: dict, said: str
):
    with (
        SimulatedBoard(tmp_path, PICO, Micropython.of(PICO, **differing)) as board,
        pytest.raises((SensorError, ConfigError), match=said),
    ):
        put_on(board)


def test_a_build_without_bluetooth_does_not_fit_a_board_with_a_radio(tmp_path: Path):
    board = load_board("pico2_w")
    deaf = Micropython.of(board, bluetooth=False, machine="Raspberry Pi Pico 2 with RP2350")
    with (
        SimulatedBoard(tmp_path, board, deaf) as simulated,
        pytest.raises(SensorError, match=r"no Bluetooth.*RPI_PICO2_W/"),
    ):
        put_on(simulated)


@pytest.mark.long
def test_a_board_that_is_refused_goes_on_with_what_it_did(pico):
    with pico:
        put_on(pico)
        with pytest.raises(ConfigError, match="does not fit"):
            put_on(pico, FlashOptions(load_board("esp32")))
        sensor = asyncio.run(hello_of(pico.port))
        assert sensor.board == "pico"


async def hello_of(port: str):
    """The hello of a sensor that starts."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await probe(SerialRoute(SerialAddress(port)))
            except (LinkError, NotASensorError):
                await asyncio.sleep(0.1)


@pytest.mark.long
def test_a_micropython_without_hard_timers_is_warned_about(tmp_path: Path):
    with SimulatedBoard(tmp_path, PICO, Micropython.of(PICO, version=(1, 25, 0))) as board:
        operator = Person()
        put_on(board, person=operator)
    assert operator.warnings == [
        "MicroPython 1.25.0 has no hard timers on this board, so samples can be late (and say so). "
        "1.26 or later keeps time."
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("board", "how"),
    [
        (PICO, r"BOOTSEL.*\.uf2|\.uf2.*RPI_PICO/.*BOOTSEL"),
        (load_board("esp32"), r"esptool write_flash 0x1000 FILE\.bin"),
        (load_board("esp32_s3"), r"esptool write_flash 0 FILE\.bin"),
    ],
)
def test_a_silent_port_is_told_how_to_get_micropython(tmp_path: Path, board: BoardFile, how: str):
    with (
        SimulatedBoard(tmp_path, board, mute=True) as mute,
        pytest.raises(NotASensorError, match=how) as told,
    ):
        put_on(mute, FlashOptions(board))
    assert "cable" in str(told.value)


def test_a_port_in_use_is_told(pico):
    with (
        pico,
        serial.Serial(pico.port, exclusive=True),
        pytest.raises(PortBusyError, match="in use by another program"),
    ):
        put_on(pico)


def test_a_port_that_one_may_not_open_is_told(pico):
    with pico:
        port = os.path.realpath(pico.port)
        os.chmod(port, 0o000)
        privileged = os.geteuid() == 0  # no mode of a file stops root
        if privileged:
            os.seteuid(NOBODY)
        try:
            with pytest.raises(PortPermissionError, match="you may not open it"):
                flash(Candidate(port), FlashOptions(), Person())
        finally:
            if privileged:
                os.seteuid(0)


def test_a_port_that_is_not_there_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(flashing, "RETURN_S", 0.5)
    with pytest.raises(PortNotFoundError, match="no such port"):
        flash(Candidate(str(tmp_path / "ttyACM9")), FlashOptions(), Person())


@pytest.mark.long
def test_a_board_that_restarts_just_now_is_waited_for(pico, monkeypatch):
    monkeypatch.setattr(flashing, "RETURN_S", LIMIT_S)

    class PlugsIn(Person):
        def step(self, what: str) -> None:
            super().step(what)
            if what == f"Waiting for {pico.port} to be there":
                pico.plug_in()

    operator = PlugsIn()
    assert put_on(pico, person=operator).hello.board == "pico"
    assert "Waiting" in operator.steps[1]


@pytest.mark.long
def test_a_sensor_that_restarts_while_it_is_asked_is_asked_again(pico, monkeypatch):
    """Its port goes away in mid-question, as after a reset: it is a sensor for all that."""
    monkeypatch.setattr(flashing, "RETURN_S", LIMIT_S)
    with pico:
        put_on(pico)
        pico.unplug_after(1)

        class PlugsIn(Person):
            def step(self, what: str) -> None:
                super().step(what)
                if what.startswith("Waiting for /"):
                    pico.unplug()
                    pico.plug_in()

        operator = PlugsIn()
        again = put_on(pico, person=operator)
    assert again.written == ()
    assert operator.steps[1:3] == [
        f"Waiting for {pico.port} to be there",
        "Waiting for the prompt",
    ], "asked, not stopped with Ctrl-C"


@pytest.mark.long
def test_firmware_that_does_not_start_is_told_with_its_last_words(pico, monkeypatch):
    monkeypatch.setattr(flashing, "HELLO_S", 2.0)
    broken = replace(PICO, fields={**PICO.fields, "log_bytes": 16})
    with pico, pytest.raises(SensorError, match=r"does not say hello\. It stops with 'ValueError"):
        put_on(pico, FlashOptions(broken))


def test_main_goes_first_and_comes_last_under_another_name():
    files = tuple(build_files(PICO))
    there: dict[str, StoredFile | None] = {
        file.path: StoredFile(len(file.content), file.digest) for file in files
    }
    there["sensor/"] = there["sensor/links/"] = there["sensor/encoders/"] = None
    assert plan_change(files, there, erase=False).write == ()
    stale = {**there, "sensor/old/": None, "sensor/old/b.py": StoredFile(1, "")}
    change = plan_change(files, stale, erase=False)
    assert change.remove == ("main.py", "sensor/old/b.py", "sensor/old/")
    assert [file.path for file in change.write] == ["main.py"]
    different = {**there, "sensor/loop.mpy": StoredFile(1, "")}
    change = plan_change(files, different, erase=False)
    assert change.remove == ("main.py",)
    assert [file.path for file in change.write] == ["sensor/loop.mpy", "main.py"]


def test_a_simulated_board_refuses_native_code_of_another_chip(tmp_path: Path, monkeypatch):
    # The tests above would prove little if the board loaded anything.
    monkeypatch.setattr(flashing, "HELLO_S", 2.0)
    simulated = SimulatedBoard(tmp_path, PICO)
    other = {file.path: file.content for file in build_files(load_board("esp32"))}
    simulated.put({**other, "board.json": PICO.on_sensor()})
    with simulated, serial.Serial(simulated.port, timeout=LIMIT_S) as port:
        said = port.read_until(b">>>")
    assert b"incompatible .mpy file: sensor/frame.mpy" in said

"""`legcurl serve` and `make run`, as somebody starts and ends them."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import TextIO

import pytest
from legcurl.cli.shared.gym_lines import LINES_ROOM, GymLines
from legcurl.cli.shared.nonblocking_output import FRAMES_ROOM, UnhurriedFile
from running import Running, Terminal, run
from selection import first_short
from timings import LIMIT_S, wait_until

ROOT = Path(__file__).resolve().parents[3]
# What a make hands on to the makes that it starts, and what the Makefile lets its caller choose:
# a dry run must say the same wherever the tests are started from, `make test` included.
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PORT", "LINK", "ARGS")
SIM = "sim:?seed=5&sets=10"
MACHINES = ("--station", f"Left={SIM}", "--station", "Right=sim:?seed=6&sets=10")


def on(folder: Path) -> tuple[str, ...]:
    return ("--port", "0", "--store", f"sqlite:///{folder / 'store.db'}")


def stations(url: str) -> list[dict[str, object]]:
    with urllib.request.urlopen(f"{url}api/stations", timeout=LIMIT_S) as answer:
        return json.load(answer)


def wait_for_sensors(url: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []

    def are_up() -> bool:
        found[:] = stations(url)
        return all(machine["link"] == "up" for machine in found)

    wait_until(are_up, lambda: found, poll_s=0.1)
    return found


def test_it_tells_its_address_first_and_ends_though_pages_are_open(tmp_path: Path) -> None:
    with Running("serve", *on(tmp_path), *MACHINES) as service:
        url = service.line().strip()
        assert url.startswith("http://127.0.0.1:")
        said = {service.line().partition(":")[0] for _ in MACHINES[::2]}
        assert said == {"Left", "Right"}
        assert [machine["name"] for machine in wait_for_sensors(url)] == ["Left", "Right"]
        with urllib.request.urlopen(f"{url}api/events", timeout=LIMIT_S) as page:
            assert page.readline() == b"event: hello\n"
            service.send(2)
            assert service.end() == 130
        assert service.leftovers() == []
        assert service.complaints() == ""


def test_on_a_terminal_it_draws_the_first_machine_and_restores_it(
    tmp_path: Path,
) -> None:
    with Terminal("serve", *on(tmp_path), *MACHINES) as terminal:
        seen = terminal.until(b"\r\n")
        url = seen.decode().strip().splitlines()[0]
        terminal.until(b"Simulated leg curl")
        assert f"{url}  Ctrl-C ends".encode() in terminal.until(b"Ctrl-C ends")
        assert wait_for_sensors(url)[0]["name"] == "Left"
        terminal.press(b"\x03")
        assert terminal.end() == 130
        assert terminal.settings() == terminal.before
        assert terminal.leftovers() == []


@pytest.mark.long
def test_quietly_it_says_nothing_but_the_address(tmp_path: Path) -> None:
    with Running("serve", *on(tmp_path), *MACHINES[:2], "--quiet") as service:
        url = service.line().strip()
        wait_for_sensors(url)
        service.send(15)
        assert service.end() == 143
        assert service.process.stdout is not None
        assert service.process.stdout.read() == ""


@pytest.mark.long
def test_it_goes_on_when_its_output_is_closed(tmp_path: Path) -> None:
    with Running("serve", *on(tmp_path), *MACHINES[:2]) as service:
        url = service.line().strip()
        service.stop_reading()
        wait_for_sensors(url)
        assert stations(url)[0]["link"] == "up"
        service.send(2)
        assert service.end() == 130
        assert service.leftovers() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    first_short(
        [
            (("--station", SIM, "--host", "0.0.0.0"), 2, "LEGCURL_PIN"),
            ((), 2, "Name at least one machine"),
            (("--station", "nothing:here"), 2, "nothing:here"),
            (("--station", SIM, "--store", "what"), 7, "no such store"),
        ]
    ),
)
def test_invalid_arguments_are_refused_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run("serve", "--port", "0", *arguments, XDG_DATA_HOME=str(tmp_path))
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_a_pin_that_is_too_short_is_refused_without_repeating_it(tmp_path: Path) -> None:
    done = run("serve", *on(tmp_path), "--station", SIM, LEGCURL_PIN="9q7")
    assert done.returncode == 2
    assert "4 to 64" in done.stderr
    assert "9q7" not in done.stderr


def test_a_taken_port_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(
            *("serve", "--station", SIM, "--port", port),
            *("--store", f"sqlite:///{tmp_path / 'store.db'}"),
        )
    assert done.returncode == 3
    assert "--port" in done.stderr


def test_sensors_do_not_learn_the_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that is started inherits the environment."""
    from legcurl.cli.serve_config import Options, Wanted, access_of
    from legcurl.config import ConfigSource

    monkeypatch.setenv("LEGCURL_PIN", "2468-coach")
    config = Wanted(ConfigSource(None, os.environ), Options(("sim:",), host="0.0.0.0")).read()
    assert access_of(config).needs_pin
    assert "LEGCURL_PIN" not in os.environ


@pytest.fixture
def pipe():
    """A reading end, and a file that writes to it."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as ours, open(writing, "w") as out:
        yield ours, out


def test_unread_lines_delay_nothing_and_are_counted(
    pipe: tuple[io.FileIO, TextIO],
) -> None:
    ours, out = pipe
    count = 5 * LINES_ROOM
    lines = GymLines(out)
    for _ in range(count):
        lines.say("x" * 1000)
    text = ours.read(65536)
    while text.count(b"x\n") < LINES_ROOM:  # there is room again
        text += ours.read(65536)
    lines.say("the last")
    while b"the last\n" not in text:
        text += ours.read(65536)
    skipped = [int(number) for number in re.findall(rb"\((\d+) lines were not", text)]
    assert sum(skipped) > 3 * LINES_ROOM
    assert text.count(b"x\n") + sum(skipped) == count


def test_an_unread_screen_delays_nothing(pipe: tuple[io.FileIO, TextIO]) -> None:
    ours, out = pipe
    file = UnhurriedFile(out, FRAMES_ROOM)
    for number in range(1000):
        file.write(f"frame {number} " + "x" * 2000)
        file.write("\n")
        file.flush()
    file.settle()
    assert file.skipped > 900
    for line in ours.read(60_000).split(b"\n")[:-1]:
        assert line.startswith(b"frame "), "frames are whole or not there"
        assert line.endswith(b"x" * 2000)


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ((), "legcurl serve --port 8080 "),
        (("PORT=8081",), "legcurl serve --port 8081 "),
        (("LINK=ble",), "legcurl watch 'sim:?link=ble' "),
        (("LINK=tcp",), "legcurl watch 'sim:?link=tcp' "),
        (("ARGS=serial:/dev/ttyACM0",), "legcurl watch 'serial:/dev/ttyACM0' "),
        (("ARGS=sim:?link=ble&loss=0.1",), "legcurl watch 'sim:?link=ble&loss=0.1' "),
    ],
)
def test_make_run_starts_the_page_or_watches_one_sensor(
    words: tuple[str, ...], starts: str
) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.ready", "run", *words],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in OF_MAKE},
        capture_output=True,
        text=True,
        check=True,
    )
    assert starts in done.stdout.splitlines()[-1] + " "
    if "serve" in starts:
        assert done.stdout.count("--station") == 3

"""What a service logs: sentences or objects, with the machine, and never a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import urllib.request
from pathlib import Path

import pytest
from legcurl import logs
from legcurl.gym.gym import Gym
from legcurl.gym.machine import MachineSetup
from running import Running, run
from timings import LIMIT_S

PIN, TOKEN = "2468-coach-pin", "token-of-a-monitor"
NOBODY = "tcp:127.0.0.1:9"  # the discard port, where nobody listens


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_secrets", set())


def fail(why: str) -> None:
    raise ValueError(why)


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_record_is_one_object_with_time_level_logger_and_message(
    capsys: pytest.CaptureFixture[str],
):
    with logs.json_lines("info"):
        logging.getLogger("legcurl.somewhere").warning("two\nlines of %s", "text")
        logging.getLogger("legcurl.somewhere").debug("not told")
    (told,) = objects(capsys.readouterr().err)
    assert set(told) == {"time", "level", "logger", "message"}
    assert told["message"] == "two\nlines of text"
    assert (told["level"], told["logger"]) == ("WARNING", "legcurl.somewhere")
    assert str(told["time"]).endswith("+00:00")


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]):
    with logs.json_lines("error"):
        try:
            fail("what went wrong")
        except ValueError:
            logging.getLogger("legcurl").exception("failed")
    (told,) = objects(capsys.readouterr().err)
    assert "what went wrong" in str(told["exc_info"])


async def test_every_log_line_of_a_machine_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    said = asyncio.Event()

    def fails(*_: object, **__: object) -> None:
        logging.getLogger("legcurl.station.open_route").warning("deep inside")
        said.set()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("legcurl.gym.machine.open_station", fails)
    with logs.json_lines("warning"):
        async with Gym([MachineSetup("curl-7", "", NOBODY)]):
            async with asyncio.timeout(LIMIT_S):
                await said.wait()
                await asyncio.sleep(0)
        logging.getLogger("legcurl").warning("of no machine")
    told = objects(capsys.readouterr().err)
    assert {one["machine"] for one in told if "machine" in one} == {"curl-7"}
    assert "machine" not in told[-1]
    assert told[0]["message"] == "deep inside"


def test_a_secret_is_hidden_in_messages_arguments_and_tracebacks(
    capsys: pytest.CaptureFixture[str],
):
    logs.hide(PIN, None, "")
    with logs.json_lines("debug"):
        log = logging.getLogger("aiomqtt")
        log.debug("login with %s", PIN)
        log.debug("login with %r", {"password": PIN})
        try:
            fail(f"no {PIN} here")
        except ValueError:
            log.exception("failed")
    text = capsys.readouterr().err
    assert PIN not in text
    assert text.count(logs.HIDDEN) >= 3


def test_loggers_are_afterwards_as_they_were(capsys: pytest.CaptureFixture[str]):
    log = logging.getLogger("legcurl")
    before = (log.level, list(log.handlers))
    with logs.json_lines("debug"):
        assert log.level == logging.DEBUG
    assert (log.level, log.handlers) == before


def test_a_service_that_logs_json_writes_nothing_else_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LEGCURL_PIN", PIN)
    monkeypatch.setenv("LEGCURL_METRICS_TOKEN", TOKEN)
    options = ("--log-format", "json", "--log-level", "debug", "--quiet", "--port", "0")
    store = ("--store", f"sqlite:///{tmp_path / 'store.db'}")
    with Running("serve", *options, *store, "--station", f"Left={NOBODY}") as service:
        url = service.line().strip()
        login = urllib.request.Request(
            f"{url}api/login",
            json.dumps({"pin": PIN}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(login, timeout=LIMIT_S) as answer:
            assert answer.status == 200
        monitor = urllib.request.Request(
            f"{url}metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(monitor, timeout=LIMIT_S) as answer:
            assert b"legcurl_stations 1.0" in answer.read()
        service.send(15)
        assert service.end() == 143
        text = service.complaints()
    assert PIN not in text
    assert TOKEN not in text
    assert all({"time", "level", "logger", "message"} <= set(one) for one in objects(text))


def test_the_error_that_ends_it_is_an_object_too(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(
            *("serve", "--station", NOBODY, "--log-format", "json"),
            *("--port", str(taken.getsockname()[1])),
            *("--store", f"sqlite:///{tmp_path / 'store.db'}"),
        )
    assert done.returncode == 3
    (told,) = objects(done.stderr)
    assert (told["level"], told["exit_code"]) == ("CRITICAL", 3)
    assert "--port" in str(told["message"])


@pytest.mark.long
def test_secrets_come_from_files_as_well(tmp_path: Path):
    done = run("serve", "--station", NOBODY, LEGCURL_PIN_FILE=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "LEGCURL_PIN_FILE" in done.stderr
    (tmp_path / "pin").write_text("9q7\n")
    done = run("serve", "--station", NOBODY, LEGCURL_PIN_FILE=str(tmp_path / "pin"))
    assert "4 to 64" in done.stderr, "it was read"

"""A real `legcurl serve` under something that listens as systemd does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from legcurl.service.systemd import STATUS_MAX, Notifier
from running import command
from timings import LIMIT_S

SIM = "sim:?seed=5&sets=10"


class Systemd:
    """A datagram socket, and what was said to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[list[str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def until(self, word: str) -> list[str]:
        """Hear until a word was said; give all that came with it."""
        deadline = time.monotonic() + LIMIT_S
        while not (self.heard and word in self.heard[-1]):
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            self.heard.append(self._socket.recv(4096).decode().split("\n"))
        return self.heard[-1]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@legcurl-test-{os.getpid()}-{tmp_path.name}"
    made = Systemd(address)
    yield made
    made.close()


def test_a_service_says_that_it_is_ready_alive_reloading_and_ending(
    systemd: Systemd, tmp_path: Path
):
    file = tmp_path / "gym.toml"
    file.write_text(f"[[machine]]\nid = 'one'\naddress = '{SIM}'\n")
    # Its own pid cannot be known beforehand: a watchdog for anybody.
    environment = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "600000"}
    with subprocess.Popen(
        command(
            *("serve", "--port", "0", "--quiet", "--config", str(file)),
            *("--store", f"sqlite:///{tmp_path / 'store.db'}"),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as service:
        try:
            assert systemd.until("READY=1")
            assert all("WATCHDOG=1" not in said for said in systemd.heard), "not before it is ready"
            for _ in range(3):
                said = systemd.until("WATCHDOG=1")
                assert any(line.startswith("STATUS=") for line in said)
                systemd.heard.append([])
            while "1 of 1 sensors" not in " ".join(systemd.until("WATCHDOG=1")):
                systemd.heard.append([])
            service.send_signal(signal.SIGHUP)
            systemd.until("RELOADING=1")
            systemd.until("READY=1")
            service.terminate()
            systemd.until("STOPPING=1")
            assert service.wait(LIMIT_S) == 143
            _, complaints = service.communicate()
            assert complaints == ""
        finally:
            service.kill()


def test_without_systemd_no_notification_is_sent():
    nobody = Notifier()
    nobody.ready("fine")
    nobody.alive()
    nobody.stopping()
    nobody.close()


def test_a_reload_is_told_with_its_moment_and_its_end(systemd: Systemd):
    notifier = Notifier(systemd.address)
    notifier.reloading()
    said = systemd.until("RELOADING=1")
    (moment,) = [line for line in said if line.startswith("MONOTONIC_USEC=")]
    assert 0 < int(moment.partition("=")[2]) <= time.monotonic_ns() // 1000
    notifier.ready()
    assert systemd.until("READY=1") == ["READY=1"]
    notifier.close()


def test_a_status_is_one_line_of_bounded_length(systemd: Systemd):
    notifier = Notifier(systemd.address)
    notifier.status("two\nlines\nREADY=1 " + "x" * 1000)
    (line,) = systemd.until(f"STATUS=two lines READY=1 {'x' * 1000}"[: len("STATUS=") + STATUS_MAX])
    assert "\n" not in line
    notifier.close()


def test_a_socket_that_is_gone_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    assert "cannot be used" in caplog.text


def test_the_environment_is_used_up(monkeypatch: pytest.MonkeyPatch):
    """No process that we start may speak for us."""
    for name, value in (("NOTIFY_SOCKET", ""), ("WATCHDOG_USEC", "20000000")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert Notifier.from_environment().watchdog_s == 20.0
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)


@pytest.mark.parametrize("period", ["", "0", "soon", "-5"])
def test_an_invalid_period_is_no_watchdog(monkeypatch: pytest.MonkeyPatch, period: str):
    monkeypatch.setenv("WATCHDOG_USEC", period)
    assert Notifier.from_environment().watchdog_s is None


def test_a_watchdog_for_another_process_is_ignored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Notifier.from_environment().watchdog_s is None

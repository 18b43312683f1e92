"""A service is over within five seconds of SIGTERM, whatever hangs in it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from legcurl.cli.shared.signals import ENDS_WITHIN_S
from running import Running

STATIONS = 20
VIEWERS = 5
# Starting Python, and being seen to end, on a computer that has much else to do.
BUSY_S = 10.0

HANGING = """
import asyncio, os, signal, sys, threading, time
from legcurl.cli import app, serve
from legcurl.cli.shared import signals
from legcurl.store import store

signals.ENDS_WITHIN_S = serve.ENDS_WITHIN_S = {within_s}
hanging = "{what}"
if hanging == "store":
    store.Store.add_set = store.Store.probe = lambda *_: time.sleep(1000)
elif hanging == "close":
    store.Store.close = lambda *_: time.sleep(1000)
elif hanging == "loop":
    from legcurl.web import app as web
    async def never(*_): time.sleep(1000)
    web.Painter.__aexit__ = never
sys.exit(app.run(sys.argv[1:]))
"""


def test_twenty_stations_and_pages_that_do_not_read_end_in_order(tmp_path: Path):
    stations = [
        word
        for number in range(STATIONS)
        for word in ("--station", f"Curl {number}=sim:?seed={number}&sets=50&link=serial")
    ]
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with Running("serve", "--port", "0", "--store", store, "--quiet", *stations) as service:
        url = service.line().strip()
        deadline = time.monotonic() + 90
        while True:
            with urllib.request.urlopen(f"{url}api/stations", timeout=30) as answer:
                up = [machine["link"] for machine in json.load(answer)].count("up")
            if up == STATIONS:
                break
            assert time.monotonic() < deadline, up
            time.sleep(0.2)
        port = int(url.rsplit(":", 1)[1].strip("/"))
        pages = [socket.create_connection(("127.0.0.1", port)) for _ in range(VIEWERS)]
        for page in pages:
            page.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert page.recv(15).startswith(b"HTTP/1.1 200")
        began_s = time.monotonic()
        service.send(15)
        assert service.end() == 143
        took_s = time.monotonic() - began_s
        for page in pages:
            page.close()
        # In order, not by force: that would be said.
        assert service.complaints() == ""
        assert took_s < ENDS_WITHIN_S + BUSY_S
        assert service.leftovers() == []


def test_who_presses_ctrl_c_again_and_again_ends_it_in_order_too(tmp_path: Path):
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with Running(
        "serve", "--port", "0", "--store", store, "--quiet", "--station", "sim:?seed=1"
    ) as service:
        url = service.line().strip()
        with urllib.request.urlopen(f"{url}healthz", timeout=30):
            pass
        for _ in range(20):
            service.send(signal.SIGINT)
            time.sleep(0.01)
            if service.process.poll() is not None:
                break
        assert service.end() == 130
        assert service.complaints() == ""
        assert service.leftovers() == []


@pytest.mark.parametrize("what", ["store", "close", "loop"])
def test_what_hangs_is_left_behind_when_the_time_is_up(tmp_path: Path, what: str):
    within_s = 4.0
    program = HANGING.format(within_s=within_s, what=what)
    arguments = ["serve", "--port", "0", "--quiet", "--station", "tcp:127.0.0.1:9"]
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--store", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    ) as service:
        try:
            assert service.stdout is not None
            url = service.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}healthz", timeout=30) as answer:
                assert answer.status == 200  # and the store hangs from here on
            began_s = time.monotonic()
            service.terminate()
            _, complaints = service.communicate(timeout=within_s + BUSY_S)
        finally:
            service.kill()
    assert service.returncode == 143
    assert time.monotonic() - began_s < within_s + BUSY_S
    assert "ended by force" in complaints
    assert "sensors' logs" in complaints

"""A service ends in order at SIGTERM, and by force when its time is up, whatever hangs in it."""

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
from running import HEEDING_CTRL_C, Running
from selection import first_short
from timings import LIMIT_S, wait_until

STATIONS = 20
VIEWERS = 5

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
    from legcurl.web.chart_worker import Painter
    async def never(*_): time.sleep(1000)
    Painter.__aexit__ = never
sys.exit(app.run(sys.argv[1:]))
"""

HELD_UP = f"""
import asyncio, pathlib, sys
from legcurl.cli import app
from legcurl.cli.shared import signals
from legcurl.service import set_writer

signals.ENDS_WITHIN_S = {LIMIT_S}
leave = set_writer.SetWriter.__aexit__
async def held_up(*arguments):
    print("tidying up", flush=True)
    while not pathlib.Path("{{release}}").exists():
        await asyncio.sleep(0.01)
    await leave(*arguments)
set_writer.SetWriter.__aexit__ = held_up
sys.exit(app.run(sys.argv[1:]))
"""


def stations_up(url: str) -> int:
    with urllib.request.urlopen(f"{url}api/stations", timeout=LIMIT_S) as answer:
        return [machine["link"] for machine in json.load(answer)].count("up")


@pytest.mark.long
def test_twenty_stations_and_pages_that_do_not_read_end_in_order(tmp_path: Path):
    stations = [
        word
        for number in range(STATIONS)
        for word in ("--station", f"Curl {number}=sim:?seed={number}&sets=50&link=serial")
    ]
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with Running("serve", "--port", "0", "--store", store, "--quiet", *stations) as service:
        url = service.line().strip()
        wait_until(lambda: stations_up(url) == STATIONS, lambda: stations_up(url), poll_s=0.2)
        port = int(url.rsplit(":", 1)[1].strip("/"))
        pages = [socket.create_connection(("127.0.0.1", port)) for _ in range(VIEWERS)]
        for page in pages:
            page.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert page.recv(15).startswith(b"HTTP/1.1 200")
        service.send(15)
        assert service.end() == 143
        for page in pages:
            page.close()
        # In order, not by force: that would be said.
        assert service.complaints() == ""
        assert service.leftovers() == []


def test_repeated_ctrl_c_ends_it_in_order(tmp_path: Path):
    release = tmp_path / "release"
    program = (sys.executable, "-c", HELD_UP.format(release=release))
    arguments = ["serve", "--port", "0", "--quiet", "--station", "sim:?seed=1"]
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with subprocess.Popen(
        [*HEEDING_CTRL_C, *program, *arguments, "--store", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        try:
            assert service.stdout is not None
            url = service.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}healthz", timeout=LIMIT_S):
                pass  # it runs: there is something to tidy up
            service.send_signal(signal.SIGINT)
            assert service.stdout.readline() == "tidying up\n"
            for _ in range(20):
                service.send_signal(signal.SIGINT)
                time.sleep(0.001)
            release.touch()
            _, complaints = service.communicate(timeout=LIMIT_S)
        finally:
            service.kill()
    assert service.returncode == 130
    assert complaints == ""


@pytest.mark.parametrize("what", first_short(["store", "close", "loop"]))
def test_a_hanging_part_is_left_behind_at_the_time_limit(tmp_path: Path, what: str):
    program = HANGING.format(within_s=1.0, what=what)
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
            with urllib.request.urlopen(f"{url}healthz", timeout=LIMIT_S) as answer:
                assert answer.status == 200  # and the store hangs from here on
            service.terminate()
            _, complaints = service.communicate(timeout=LIMIT_S)
        finally:
            service.kill()
    assert service.returncode == 143
    assert "ended by force" in complaints
    assert "sensors' logs" in complaints

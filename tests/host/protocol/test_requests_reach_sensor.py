"""The firmware reads what the host writes: its own reader, on the VM and on CPython.

The other way round is in tests/firmware/test_host_decodes_firmware.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.protocol.frame import encode_request
from legcurl.simulator.runner import find_engine

SERVICE = Path(__file__).resolve().parents[2] / "firmware" / "request_service.py"
ENGINES = {engine.name: engine for engine in (find_engine(), find_engine("cpython"))}


class RequestService:
    """The firmware's reader in a process of its own."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [*command, str(SERVICE), str(shims_directory()), str(firmware_directory())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self, stream: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(stream.hex() + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


@pytest.fixture(scope="module", params=ENGINES)
def sensor(request: pytest.FixtureRequest) -> Iterator[RequestService]:
    service = RequestService(ENGINES[request.param].command)
    yield service
    service.close()


asked = st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=1000))


@settings(max_examples=300)
@given(requests=st.lists(asked, max_size=4), noise=st.binary(max_size=40))
def test_the_firmware_finds_the_host_s_requests_after_any_noise(sensor, requests, noise):
    stream = noise.replace(b"\0", b"\1") + b"".join(encode_request(*each) for each in requests)
    read = sensor.read(stream)
    assert read["requests"] == [[number, op, load.hex()] for number, op, load in requests]
    assert read["bad"] == (1 if noise and requests else 0)  # noise ends at the first zero

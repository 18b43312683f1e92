"""`legcurl serve` and `legcurl simulate` as processes, as a gym runs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from running import HEEDING_CTRL_C, LEGCURL
from timings import LIMIT_S


class Serving:
    """The service as a process, on a port and with a store that outlive it."""

    def __init__(
        self,
        folder: Path,
        stations: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._command = [
            *(str(LEGCURL), "serve", "--quiet", "--port", str(self.port)),
            *("--store", f"sqlite:///{folder / 'gym.db'}"),
            *(word for station in stations for word in ("--station", station)),
        ]
        self._environment = {**os.environ, **(environment or {})}
        self.process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As when the power fails."""
        self._end(signal.SIGKILL)

    def start_again(self) -> None:
        """On the same port, with the same store."""
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*HEEDING_CTRL_C, *self._command],
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == self.url, "the service did not start"
        return process

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate(timeout=LIMIT_S)


class SimulatedSensor:
    """A sensor that goes on whatever the service does, on a TCP port."""

    def __init__(self, address: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [*HEEDING_CTRL_C, str(LEGCURL), "simulate", address, "--tcp", str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline(), "the sensor did not start"

    @property
    def address(self) -> str:
        """How a station is told of it."""
        return f"tcp:127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=LIMIT_S)


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

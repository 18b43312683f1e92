"""The network between a tablet and the service, that can be cut, or go silent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

CHUNK = 65536


class Cable:
    """Forwards connections to a port. While `silent`, what is under way just stays away."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._state: Literal["up", "cut"] = "up"
        self._flows = threading.Event()
        self._flows.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._accepting = threading.Thread(target=self._accept, name="cable", daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._flows.set()
        self._accepting.join()

    def cut(self) -> None:
        """Every connection ends, and no new one comes about."""
        self._state = "cut"
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def silence(self) -> None:
        """Connections stay, and nothing comes through: the tablet is out of range."""
        self._flows.clear()

    def mend(self) -> None:
        """As new."""
        self._state = "up"
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._state == "cut":
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            for here, there in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(here, there), daemon=True).start()

    def _forward(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while content := here.recv(CHUNK):
                self._flows.wait()
                there.sendall(content)
        for end in (here, there):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

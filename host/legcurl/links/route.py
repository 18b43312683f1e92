"""A `Route` connects to one sensor, again and again; a `Link` is one connection that it made.

A wired link has no buffer of its own: bytes that are not read stay where they are, the sensor
finds its output full and keeps its place in its log. Bluetooth pushes its bytes, so there a link
has a buffer with a limit and drops what does not fit; the host asks for it again. Either way a
slow host costs neither memory nor samples.

What outlives a connection (a simulated sensor's processes) belongs to the route. All else, from
framing upwards, is the same for all routes (station/).
"""

from __future__ import annotations

from typing import Protocol

READ_BYTES = 16_384  # at most so many at a time: a tty gives 4 kB, a socket may have more
SILENCE_S = 2.0  # without a byte while streaming, the sensor is gone: "Time and loss", protocol.md
PATIENCE_S = 3.0  # a board that was just plugged in boots for one to two seconds


class Link(Protocol):
    """One open connection. One reader and one writer at a time."""

    async def read(self) -> bytes:
        """Wait for bytes and give what is there, or b"" once the sensor has ended for good.

        Raises LinkLostError if the connection broke; another may well succeed. Lets the event
        loop run at least once, however much there is to read. May be cancelled without loss.
        """
        ...

    async def write(self, packet: bytes) -> None:
        """Send it all, waiting while the other side is full; raises LinkLostError."""
        ...

    async def close(self) -> None:
        """Release the connection; a read that waits ends in LinkLostError. Safe to repeat."""
        ...


class Route(Protocol):
    """How to get to one sensor."""

    @property
    def name(self) -> str:
        """The address, for messages."""
        ...

    @property
    def silence_s(self) -> float:
        """How long a streaming sensor may be silent before it counts as gone."""
        ...

    @property
    def patience_s(self) -> float:
        """How long a sensor may take to answer a request before it counts as absent."""
        ...

    @property
    def pace(self) -> float | None:
        """Seconds of the sensor in one of ours, or None if the two clocks cannot be compared."""
        ...

    @property
    def wired(self) -> bool:
        """Whether having the link means having the sensor: "Who may" in docs/protocol.md."""
        ...

    async def connect(self) -> Link:
        """Open a connection. LinkError: try again later; SensorError: it makes no sense to."""
        ...

    async def close(self) -> None:
        """Release what outlives connections, after the last of them is closed."""
        ...

"""A sensor behind a TCP port: a serial server in the gym, or `legcurl simulate --tcp PORT`.

The bytes are those of the serial link. There is no authentication and no encryption: keep such
ports inside the gym's own network.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from legcurl.errors import LinkError, LinkLostError, PortNotFoundError
from legcurl.links.address import TcpAddress
from legcurl.links.route import PATIENCE_S, READ_BYTES, SILENCE_S

CONNECT_TIMEOUT_S = 5.0  # a host of the same network answers in milliseconds


class TcpRoute:
    """The way to the sensor behind one host and port."""

    silence_s = SILENCE_S
    patience_s = PATIENCE_S
    pace = 1.0
    wired = True

    def __init__(self, address: TcpAddress) -> None:
        self._address = address
        self.name = str(address)

    async def connect(self) -> TcpLink:
        """Connect within CONNECT_TIMEOUT_S."""
        host, port = self._address.host, self._address.port
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                # `limit` bounds what the stream reads ahead of us.
                reader, writer = await asyncio.open_connection(host, port, limit=READ_BYTES)
        except TimeoutError:
            raise LinkError(
                f"{self.name}: no connection within {CONNECT_TIMEOUT_S:.0f} s. Is the host "
                "switched on, and does a firewall let the port through?"
            ) from None
        except socket.gaierror as error:
            raise PortNotFoundError(
                f"{self.name}: no host of the name {host!r} is known ({error.strerror})."
            ) from error
        except ConnectionRefusedError as error:
            raise PortNotFoundError(
                f"{self.name}: nothing listens there. Start the sensor's server first, "
                f"for example: legcurl simulate sim: --tcp {port}"
            ) from error
        except OSError as error:
            raise LinkError(
                f"{self.name}: cannot connect ({error.strerror or error}). Check host and network."
            ) from error
        # Samples in the system's buffer may have left the sensor's log: keep the buffer small.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BYTES)
        return TcpLink(reader, writer, self.name)

    async def close(self) -> None:
        """Nothing outlives a connection."""


class TcpLink:
    """An open TCP connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name

    async def read(self) -> bytes:
        """Wait for bytes; see Link."""
        await asyncio.sleep(0)  # reading a full buffer would keep other tasks from running
        try:
            chunk = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        if not chunk:
            raise self._lost(None)
        return chunk

    async def write(self, packet: bytes) -> None:
        """Send it all; see Link."""
        if self._writer.is_closing():
            raise self._lost(None)
        try:
            self._writer.write(packet)
            await self._writer.drain()
        except OSError as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """Close without waiting for what was not sent."""
        self._writer.transport.abort()
        with suppress(OSError):  # it broke before it was closed: gone either way
            await self._writer.wait_closed()

    def _lost(self, error: OSError | None) -> LinkLostError:
        why = f" ({error.strerror or error})" if error is not None else ""
        return LinkLostError(
            f"{self._name}: the other side closed the connection{why}. "
            "Is another host using it? A sensor serves one at a time."
        )

"""TCP links against a server of the test's own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from legcurl.errors import LinkError, LinkLostError, PortNotFoundError
from legcurl.links.address import TcpAddress
from legcurl.links.tcp import TcpLink, TcpRoute


class OneClientServer:
    """Accepts one client and hands out its streams."""

    def __init__(self) -> None:
        self.client: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.get_running_loop().create_future()
        )
        self.port = 0

    async def start(self) -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.client.set_result((reader, writer))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server


@pytest.fixture
async def server() -> AsyncIterator[OneClientServer]:
    one = OneClientServer()
    listening = await one.start()
    yield one
    listening.close()
    if one.client.done():
        writer = one.client.result()[1]
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def link_to(server: OneClientServer) -> TcpLink:
    return await TcpRoute(TcpAddress("127.0.0.1", server.port)).connect()


async def test_bytes_go_both_ways_unchanged(server: OneClientServer) -> None:
    link = await link_to(server)
    reader, writer = await server.client
    writer.write(bytes(range(256)))
    assert await link.read() == bytes(range(256))
    await link.write(b"request")
    assert await reader.readexactly(7) == b"request"
    await link.close()


async def test_a_server_that_closes_is_a_lost_link(server: OneClientServer) -> None:
    link = await link_to(server)
    _, writer = await server.client
    reading = asyncio.create_task(link.read())
    await asyncio.sleep(0.01)
    writer.close()
    with pytest.raises(LinkLostError, match=r"other side closed.*another host"):
        await reading
    await link.close()


async def test_a_server_that_resets_is_a_lost_link(server: OneClientServer) -> None:
    link = await link_to(server)
    _, writer = await server.client
    writer.transport.abort()
    with pytest.raises(LinkLostError):
        await link.read()
    await link.close()


async def test_writing_after_closing_is_a_lost_link(server: OneClientServer) -> None:
    link = await link_to(server)
    await link.close()
    with pytest.raises(LinkLostError):
        await link.write(b"too late")
    await link.close()


async def test_unread_bytes_stay_with_the_sender(server: OneClientServer) -> None:
    link = await link_to(server)
    _, writer = await server.client
    writer.transport.set_write_buffer_limits(high=0)
    writer.write(bytes(30_000_000))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await writer.drain()
    await link.close()
    writer.transport.abort()


async def test_a_port_where_nothing_listens_is_told(unused_tcp_port: int) -> None:
    with pytest.raises(PortNotFoundError, match=r"nothing listens.*legcurl simulate"):
        await TcpRoute(TcpAddress("127.0.0.1", unused_tcp_port)).connect()


async def test_a_host_that_does_not_exist_is_told() -> None:
    with pytest.raises(PortNotFoundError, match="no host of the name"):
        await TcpRoute(TcpAddress("no-such-host.invalid", 7000)).connect()


async def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose queue of connections is full answers no further ones."""
    monkeypatch.setattr("legcurl.links.tcp.CONNECT_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        route = TcpRoute(TcpAddress("127.0.0.1", full.getsockname()[1]))
        callers = await asyncio.gather(*(route.connect() for _ in range(8)), return_exceptions=True)
        errors = [caller for caller in callers if isinstance(caller, LinkError)]
        assert errors
        assert all("no connection within" in str(error) for error in errors)
        for caller in callers:
            if isinstance(caller, TcpLink):
                await caller.close()

"""Serial ports, good and bad: a pseudo-terminal is as real a tty as there is without a cable."""

from __future__ import annotations

import asyncio
import grp
import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from legcurl.errors import (
    LinkError,
    LinkLostError,
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
)
from legcurl.links.address import SerialAddress
from legcurl.links.serial import SerialLink, SerialRoute
from timings import LIMIT_S

NOBODY = 65_534
OURS = {os.getegid(), *os.getgroups()}


@dataclass
class Cable:
    """The far end of a port: a pseudo-terminal's master."""

    master: int
    slave: int
    port: str

    def pull(self) -> None:
        os.close(self.master)
        self.master = -1


@pytest.fixture
def cable() -> Iterator[Cable]:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    cable = Cable(master, slave, os.ttyname(slave))
    yield cable
    for fd in (cable.master, cable.slave):
        if fd >= 0:
            os.close(fd)


async def link_to(cable: Cable) -> SerialLink:
    return await SerialRoute(SerialAddress(cable.port)).connect()


async def test_bytes_go_both_ways_unchanged(cable: Cable) -> None:
    every_byte = bytes(range(256))
    link = await link_to(cable)
    os.write(cable.master, every_byte)
    assert await link.read() == every_byte
    await link.write(every_byte)
    assert os.read(cable.master, 1000) == every_byte
    await link.close()


async def test_old_bytes_in_the_port_are_dropped(cable: Cable) -> None:
    os.write(cable.master, b"of an earlier host")
    link = await link_to(cable)
    os.write(cable.master, b"ours")
    assert await link.read() == b"ours"
    await link.close()


async def test_a_pulled_cable_ends_a_waiting_read(cable: Cable) -> None:
    link = await link_to(cable)
    reading = asyncio.create_task(link.read())
    await asyncio.sleep(0.01)
    cable.pull()
    with pytest.raises(LinkLostError, match=f"{cable.port} went away"):
        await reading
    with pytest.raises(LinkLostError):
        await link.write(b"anybody?")
    await link.close()


async def test_closing_ends_a_waiting_read(cable: Cable) -> None:
    link = await link_to(cable)
    reading = asyncio.create_task(link.read())
    await asyncio.sleep(0.01)
    await link.close()
    with pytest.raises(LinkLostError, match="closed"):
        await reading
    with pytest.raises(LinkLostError):
        await link.read()
    await link.close()


async def test_a_cancelled_read_loses_no_bytes(cable: Cable) -> None:
    link = await link_to(cable)
    for byte in range(100):
        reading = asyncio.create_task(link.read())
        await asyncio.sleep(0)
        os.write(cable.master, bytes((byte,)))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    received = b""
    while len(received) < 100:
        received += await link.read()
    assert received == bytes(range(100))
    await link.close()


async def test_unread_bytes_stay_with_the_sender(cable: Cable) -> None:
    link = await link_to(cable)
    sent = 0
    try:
        while sent < 1_000_000:
            sent += os.write(cable.master, bytes(1000))
            await asyncio.sleep(0)
    except BlockingIOError:
        pass
    assert sent < 100_000
    received = 0
    while received < sent:
        received += len(await link.read())
    await link.close()


async def test_writing_waits_for_a_full_port(cable: Cable) -> None:
    link = await link_to(cable)
    packet = os.urandom(100_000)
    writing = asyncio.create_task(link.write(packet))
    received = b""
    while len(received) < len(packet):
        await asyncio.sleep(0.001)
        try:
            received += os.read(cable.master, 10_000)
        except BlockingIOError:
            continue
    await writing
    assert received == packet
    await link.close()


async def test_closing_does_not_wait_for_a_full_port(cable: Cable) -> None:
    link = await link_to(cable)
    writing = asyncio.create_task(link.write(bytes(1_000_000)))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(LIMIT_S):
        await link.close()
    with pytest.raises(LinkLostError):
        await writing


async def test_reading_a_flood_lets_others_run(cable: Cable) -> None:
    link = await link_to(cable)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(count_turns())
    for _ in range(50):
        os.write(cable.master, bytes(500))
        await link.read()
    other.cancel()
    assert turns >= 50
    await link.close()


async def test_a_port_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PortNotFoundError, match=r"/dev/ttyACM99: no such port.*legcurl sensors"):
        await SerialRoute(SerialAddress("/dev/ttyACM99")).connect()


async def test_a_port_in_use_is_busy_until_it_is_closed(cable: Cable) -> None:
    first = await link_to(cable)
    with pytest.raises(PortBusyError, match="in use by another program"):
        await link_to(cable)
    await first.close()
    second = await link_to(cable)
    await second.close()


@contextmanager
def as_anybody() -> Iterator[None]:
    """Be no one in particular: no mode of a file stops root."""
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


async def test_a_forbidden_port_names_group_and_udev_rule(cable: Cable) -> None:
    os.chmod(cable.port, 0o060)
    if os.geteuid() == 0:
        os.chown(cable.port, -1, next(g.gr_gid for g in grp.getgrall() if g.gr_gid not in OURS))
    group = grp.getgrgid(os.stat(cable.port).st_gid).gr_name
    with as_anybody(), pytest.raises(PortPermissionError) as caught:
        await link_to(cable)
    assert f"usermod -a -G {group} " in str(caught.value)
    assert 'TAG+="uaccess"' in str(caught.value)
    assert caught.value.exit_code == 4


async def test_a_port_closed_to_its_group_too_names_its_mode(cable: Cable) -> None:
    os.chmod(cable.port, 0o000)
    with as_anybody(), pytest.raises(PortPermissionError, match="c---------"):
        await link_to(cable)


async def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "set.legcurl"
    file.write_bytes(b"recorded")
    with pytest.raises(LinkError, match=r"no serial port.*replay:FILE"):
        await SerialRoute(SerialAddress(str(file))).connect()
    with pytest.raises(LinkError, match="no serial port"):
        await SerialRoute(SerialAddress(str(tmp_path))).connect()


async def test_opening_that_is_cancelled_leaves_the_port_free(cable: Cable) -> None:
    for _ in range(20):
        opening = asyncio.create_task(SerialRoute(SerialAddress(cable.port)).connect())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                link = await link_to(cable)
                break
            except PortBusyError:
                await asyncio.sleep(0.01)
    await link.close()


async def test_a_port_can_be_opened_again_and_again(cable: Cable) -> None:
    open_files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for round_number in range(50):
        link = await link_to(cable)
        os.write(cable.master, bytes((round_number,)))
        assert await link.read() == bytes((round_number,))
        await link.close()
    if open_files:
        assert len(os.listdir("/proc/self/fd")) <= open_files

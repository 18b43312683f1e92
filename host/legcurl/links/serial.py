"""A sensor on a serial port: USB, UART, or the pseudo-terminal of a simulated one.

pyserial opens and configures the port; reading and writing go through the event loop on its
file descriptor. The transports of pyserial-asyncio do not fit: they drain the port on close,
which blocks the loop while a device is dead, read ahead of their consumer, and report every
pulled cable to the loop's exception handler.

Opening may take seconds with a faulty USB device, so a thread does it. pyserial locks the port
against a second legcurl (flock). The lock does not stop programs that lock nothing, but the
kernel's exclusive mode would outlive a killed host while another process has the port open.
"""

from __future__ import annotations

import asyncio
import errno
import grp
import os
import stat
import termios
from contextlib import suppress
from pathlib import Path

import serial

from legcurl.errors import (
    LinkError,
    LinkLostError,
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
)
from legcurl.links.address import SerialAddress
from legcurl.links.route import PATIENCE_S, READ_BYTES, SILENCE_S

MISSING = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOTDIR}
FORBIDDEN = {errno.EACCES, errno.EPERM}
BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
PORTS_SHOWN = 6  # in the message about a port that is not there


class SerialRoute:
    """The way to the sensor on one serial port."""

    silence_s = SILENCE_S
    patience_s = PATIENCE_S
    pace = 1.0
    wired = True

    def __init__(self, address: SerialAddress) -> None:
        self._address = address
        self.name = str(address)

    async def connect(self) -> SerialLink:
        """Open and lock the port."""
        opening = asyncio.ensure_future(asyncio.to_thread(_open, self._address))
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise
        return SerialLink(port, self._address.port)

    async def close(self) -> None:
        """Nothing outlives a connection."""


class SerialLink:
    """An open serial port."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        self._port = port
        self._fd = port.fileno()
        self._name = name
        self._closed = False
        self._waiting: set[asyncio.Future[None]] = set()

    async def read(self) -> bytes:
        """Wait for bytes; see Link."""
        await self._until(readable=True)
        try:
            chunk = os.read(self._fd, READ_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        if not chunk:  # readable and nothing there: the device has gone
            raise self._lost(None)
        return chunk

    async def write(self, packet: bytes) -> None:
        """Send it all; see Link."""
        while packet:
            if self._closed:
                raise self._lost(None)
            try:
                packet = packet[os.write(self._fd, packet) :]
            except BlockingIOError:
                await self._until(readable=False)
            except OSError as error:
                raise self._lost(error) from error

    async def close(self) -> None:
        """Close the port and discard what was not sent yet."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(self._lost(None))
        with suppress(OSError, termios.error):  # without its device there is nothing to discard
            self._port.reset_output_buffer()
        self._port.close()

    async def _until(self, *, readable: bool) -> None:
        if self._closed:
            raise self._lost(None)
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        watch, unwatch = (
            (loop.add_reader, loop.remove_reader)
            if readable
            else (loop.add_writer, loop.remove_writer)
        )
        watch(self._fd, _done, ready)
        self._waiting.add(ready)
        try:
            await ready
        finally:
            self._waiting.discard(ready)
            if not self._closed:
                unwatch(self._fd)

    def _lost(self, error: OSError | None) -> LinkLostError:
        if self._closed:
            return LinkLostError(f"{self._name} is closed.")
        why = f" ({os.strerror(error.errno)})" if error is not None and error.errno else ""
        return LinkLostError(f"{self._name} went away{why}: unplugged, or switched off?")


def check_port(address: SerialAddress) -> None:
    """Open the port and close it again, before another program uses it. Raises LinkError."""
    _open(address).close()


def _done(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _open(address: SerialAddress) -> serial.Serial:
    try:
        return serial.Serial(address.port, baudrate=address.baud, timeout=0, exclusive=True)
    except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
        raise _explained(address.port, error) from error


def _close_unwanted(opening: asyncio.Future[serial.Serial]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _explained(port: str, error: Exception) -> LinkError:
    """Why the port did not open, and what to do about it."""
    number = error.errno if isinstance(error, OSError) else None
    if number in MISSING:
        return PortNotFoundError(
            f"{port}: no such port. Is the sensor plugged in? {_ports_here()} "
            "(legcurl sensors says which are ours.)"
        )
    if number in FORBIDDEN:
        return PortPermissionError(f"{port}: {who_may(port)}")
    if number in BUSY:
        return PortBusyError(
            f"{port} is in use by another program: close the serial monitor or the other legcurl "
            f"that has it open (lsof {port} names it)."
        )
    return LinkError(f"{port} is no serial port ({error}). A recording is opened as replay:FILE.")


def _ports_here() -> str:
    from serial.tools import list_ports

    ports = sorted(port.device for port in list_ports.comports() if port.hwid != "n/a")
    if not ports:
        return "No serial port with a device behind it is here now."
    more = f" and {len(ports) - PORTS_SHOWN} more" if len(ports) > PORTS_SHOWN else ""
    return f"Here now: {', '.join(ports[:PORTS_SHOWN])}{more}."


def who_may(port: str) -> str:
    """The group that may open the device file, and the two ways to get access."""
    rule = 'or give the sensor a udev rule with TAG+="uaccess"'
    try:
        status = os.stat(Path(port).resolve())
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return f"you may not open it. Ask for access to the device file, {rule}."
    if not status.st_mode & stat.S_IRGRP or not status.st_mode & stat.S_IWGRP:
        return (
            f"you may not open it; its mode is {stat.filemode(status.st_mode)}, so not even its "
            f"group may. Run legcurl as its owner, {rule}."
        )
    return (
        f"you may not open it; group {group!r} may. "
        f'Run: sudo usermod -a -G {group} "$USER" and log in again, {rule}.'
    )

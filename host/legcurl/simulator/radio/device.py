"""Any MicroPython program as a Bluetooth device on a virtual radio.

    radio = VirtualRadio()
    async with MicropythonDevice(radio, Path("main.py")), Central(radio) as central:
        ...

The program runs on the MicroPython VM (or CPython, see `find_engine`) with the modules of
simulator/shims in place of a board's; docs/virtual-radio.md says which, and what of them works.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from legcurl.errors import SensorError
from legcurl.firmware_files import shims_directory
from legcurl.simulator.radio.peripheral import FirmwarePeripheral
from legcurl.simulator.runner import Engine, find_engine

if TYPE_CHECKING:
    from legcurl.simulator.radio.air import VirtualRadio

ADDRESS = "02:00:00:00:00:01"


class MicropythonDevice:
    """One program, running from entering this context to leaving it."""

    def __init__(
        self,
        radio: VirtualRadio,
        program: Path,
        *,
        address: str = ADDRESS,
        engine: Engine | None = None,
        peripheral: FirmwarePeripheral | None = None,
    ) -> None:
        self.peripheral = peripheral or FirmwarePeripheral(radio, address)
        self._program = program.resolve()
        self._pace = radio.pace
        self._engine = engine or find_engine()
        self._process: asyncio.subprocess.Process | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> MicropythonDevice:
        shims = shims_directory()
        end = self.peripheral.firmware_end.fileno()
        places = [str(shims), str(self._program.parent)]
        if self._engine.name == "micropython":
            places.append(".frozen")
        self._process = await asyncio.create_subprocess_exec(
            *self._engine.command,
            str(shims / "run_script.py"),
            str(self._program),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(end,),
            env={
                **os.environ,
                self._engine.search_path: ":".join(places),
                "LEGCURL_RADIO_FD": str(end),
                "LEGCURL_PACE": f"{self._pace:g}",
            },
        )
        self._serving = asyncio.create_task(self.peripheral.serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        await self.peripheral.close()
        if self._serving is not None:
            await self._serving
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def finished(self) -> str:
        """What the program printed, once it has ended; SensorError if it failed."""
        assert self._process is not None
        printed, _ = await self._process.communicate()
        text = printed.decode("utf-8", "replace")
        if self._process.returncode:
            raise SensorError(f"{self._program.name} ended with an error:\n{text}")
        return text

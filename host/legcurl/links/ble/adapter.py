"""One Bluetooth adapter, shared by every sensor that this program reaches through it.

An adapter has one radio. BlueZ allows a program one discovery at a time, and a connection that
begins during a scan fails on many adapters ("le-connection-abort-by-local"). So all searches share
one scan, connections are made one at a time in the order of their requests, and the scan pauses
for them. None starves: every connection attempt has a time limit, a scan that has paused gets
SLICE_S before the next connection, and only time in which the radio scanned counts as searched.

The results of a scan end with it. The system's handle of a device does not outlive the adapter
(plugged in again it may have another number), and a sensor is found again in a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from bleak import BleakScanner

from legcurl.errors import AdapterError, BluetoothServiceError, LinkError
from legcurl.links.ble.errors import TROUBLES, adapter_trouble, words_of
from legcurl.links.ble.gatt import COMPANY, SERVICE, Sighting, read_advertised

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

log = logging.getLogger(__name__)

SLICE_S = 1.0  # of scanning between two connections: several advertisements of every sensor
FRESH_S = 5.0  # a sensor in use advertises once a second; one not heard for so long may be gone
SWITCH_S = 8.0  # to start or stop scanning; a healthy adapter takes milliseconds
LOOK_AGAIN_S = 0.05  # at least, while the radio connects

_adapters: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[tuple[str, object], Adapter]
] = WeakKeyDictionary()


def shared_adapter(name: str, scanner: type[BaseBleakScanner] | None) -> Adapter:
    """The one Adapter of this event loop for an adapter's name ("": the system's first).

    `scanner` is bleak's backend where it is not the system's own.
    """
    adapters = _adapters.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    adapter = adapters.get((name, scanner))
    if adapter is None:
        adapter = adapters[name, scanner] = Adapter(name, scanner)
    return adapter


class Search:
    """One search, as part of the shared scan."""

    def __init__(self, sightings: dict[str, Sighting]) -> None:
        self._sightings = sightings
        self._scanned_s = 0.0
        self._since_s: float | None = None  # when the present turn of scanning began
        self._news = asyncio.Event()
        self._trouble: LinkError | None = None

    @property
    def scanned_s(self) -> float:
        """How long the radio has scanned during this search."""
        since_s = self._since_s
        return self._scanned_s + (0.0 if since_s is None else monotonic() - since_s)

    @property
    def heard(self) -> list[Sighting]:
        """Every sensor heard in this scan, the strongest first."""
        return sorted(self._sightings.values(), key=lambda sighting: -sighting.rssi)

    @property
    def present(self) -> list[Sighting]:
        """Those of them that were heard just now."""
        fresh_s = monotonic() - FRESH_S
        return [sighting for sighting in self.heard if sighting.seen_s >= fresh_s]

    async def news(self, until_s: float) -> None:
        """Wait for the next advertisement, or until `scanned_s` is at least `until_s`.

        Raises AdapterError if this adapter cannot scan.
        """
        while not self._news.is_set() and (left_s := until_s - self.scanned_s) > 0:
            try:
                async with asyncio.timeout(max(left_s, LOOK_AGAIN_S)):
                    await self._news.wait()
            except TimeoutError:
                continue  # the radio may have done other things: look at the time scanned
        self._news.clear()
        if self._trouble is not None:
            raise self._trouble

    def begin_turn(self) -> None:
        """The radio scans from now on."""
        self._since_s = monotonic()

    def end_turn(self) -> None:
        """The radio scans no more."""
        self._scanned_s = self.scanned_s
        self._since_s = None

    def tell(self, trouble: LinkError | None = None) -> None:
        """There is an advertisement, or trouble that ends the search."""
        self._trouble = trouble
        self._news.set()


class Adapter:
    """One adapter of an event loop. Made by `shared_adapter`."""

    def __init__(self, name: str, scanner: type[BaseBleakScanner] | None) -> None:
        self.name = name
        self._backend = scanner
        self._turn = asyncio.Lock()  # the radio's: to scan, or to connect
        self._searches: set[Search] = set()
        self._sightings: dict[str, Sighting] = {}
        self._scan: asyncio.Task[None] | None = None
        self._in_line = False  # it waits for its turn
        self._scanning = False
        self._connecting = 0  # connections that wait for their turn
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def search(self) -> AsyncIterator[Search]:
        """Take part in the scan, which begins with the first search and ends with the last."""
        search = Search(self._sightings)
        self._searches.add(search)
        if self._scanning:
            search.begin_turn()
        if self._scan is None:
            self._scan = asyncio.create_task(self._keep_scanning(), name="bluetooth scan")
        try:
            yield search
        finally:
            self._searches.discard(search)
            self._changed.set()
            scan = self._scan
            if not self._searches and scan is not None:
                if self._in_line:
                    self._in_line = False
                    self._scan = None  # the next search begins another
                    scan.cancel()
                await asyncio.wait({scan})

    @asynccontextmanager
    async def connecting(self) -> AsyncIterator[None]:
        """Have the radio for a connection attempt, after those that asked before."""
        self._connecting += 1
        self._changed.set()
        try:
            await self._turn.acquire()
        finally:
            self._connecting -= 1
        try:
            yield
        finally:
            self._turn.release()

    async def _keep_scanning(self) -> None:
        try:
            while self._searches:
                self._in_line = True
                async with self._turn:
                    self._in_line = False
                    await self._scan_once()
        except AdapterError as trouble:
            self._give_up(trouble)
        except Exception as bug:
            self._give_up(LinkError(f"Looking for sensors has failed: {words_of(bug)}."))
            raise
        finally:
            if self._scan is asyncio.current_task():
                self._scan = None
                self._sightings.clear()

    def _give_up(self, trouble: LinkError) -> None:
        for search in self._searches:
            search.tell(trouble)

    async def _scan_once(self) -> None:
        """Scan until the last search ends, or a connection waits."""
        scanner = BleakScanner(
            self._heard,
            service_uuids=[SERVICE],
            # Otherwise BlueZ reports a sensor that it knows only when its data change.
            bluez=_bluez_options(self.name),
            backend=self._backend,
        )
        await self._start(scanner)
        self._scanning = True
        for search in self._searches:
            search.begin_turn()
        try:
            await self._until_over()
        finally:
            self._scanning = False
            for search in self._searches:
                search.end_turn()
            await self._stop(scanner)

    async def _until_over(self) -> None:
        slice_over_s = monotonic() + SLICE_S
        while self._searches:
            left_s = slice_over_s - monotonic()
            if self._connecting and left_s <= 0:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(left_s if self._connecting else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _start(self, scanner: BleakScanner) -> None:
        try:
            async with asyncio.timeout(SWITCH_S):
                await scanner.start()
        except TROUBLES as error:
            raise self._explained(error) from error

    async def _stop(self, scanner: BleakScanner) -> None:
        """Stop scanning, even if it was stopped already or the adapter is gone."""
        try:
            async with asyncio.timeout(SWITCH_S):
                await scanner.stop()
        except TROUBLES as error:
            log.debug("The scan did not end as it should: %s", words_of(error))

    def _explained(self, error: Exception) -> AdapterError:
        trouble = adapter_trouble(error, self.name)
        if trouble is not None:
            return trouble
        if isinstance(error, TimeoutError):
            return BluetoothServiceError(
                f"This computer's Bluetooth did not begin to scan within {SWITCH_S:.0f} s. Switch "
                "it off and on again; a USB adapter may want to be plugged in anew."
            )
        return AdapterError(
            f"This computer's Bluetooth cannot scan now ({words_of(error)}). Another program may "
            "be scanning: end it, or switch Bluetooth off and on again."
        )

    def _heard(self, device: BLEDevice, advertised: AdvertisementData) -> None:
        in_use, id_tail = read_advertised(advertised.manufacturer_data.get(COMPANY))
        before = self._sightings.get(device.address)
        name = advertised.local_name or (before.name if before is not None else "")
        self._sightings[device.address] = Sighting(
            device, device.address, name, advertised.rssi, in_use, id_tail, monotonic()
        )
        for search in self._searches:
            search.tell()


def _bluez_options(name: str) -> Any:
    options: dict[str, Any] = {"filters": {"DuplicateData": True}}
    if name:
        options["adapter"] = name
    return options
